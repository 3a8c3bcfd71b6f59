"""Platforms: every tree gives its fields, the order of decision holds, and what is read of any Linux."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jwpingd.device import Device, Fact
from jwpingd.platforms import PROBES, Attempt, Root, detect, forms, hardware, renewed, system, table
from jwpingd.platforms.table import FIELDS
from tests.boxes import Tree, box, facts, trees, value

README = (Path(__file__).parent.parent / "README.md").read_text()
DMI = "sys/class/dmi/id"
TREE = "proc/device-tree"


def detected(root: Path, environ: dict[str, str]) -> Device:
    """The box at `root` as a daemon with this environment sees it."""
    device = PROBES[-1].probe(Root(root, environ))
    assert device is not None
    return device


# --- whole boxes ----------------------------------------------------------------------------


@pytest.mark.parametrize("tree", trees(), ids=lambda tree: tree.name)
def test_a_tree_gives_its_fields(tree: Tree) -> None:
    """Platform, wire values, vendor and time zone are those expected, and the rest is absent."""
    device = detect(tree.root)
    found: dict[str, str | None] = dict.fromkeys(tree.expected)
    found |= {"platform": device.platform} | {key: fact.value for key, fact in facts(device).items()}
    assert found == tree.expected


@pytest.mark.parametrize("tree", trees(), ids=lambda tree: tree.name)
def test_every_fact_names_the_file_it_stands_in(tree: Tree) -> None:
    """The source of each field begins with a file of the box, which is there."""
    device, root = detect(tree.root), Root(tree.root)
    for field in FIELDS:
        fact = getattr(device, field)
        for source in fact.source.split(" + ") if fact else ():
            is_key = "/" not in source  # another one in the same file
            assert is_key or root.exists(source.partition(": ")[0]), f"{field}: {source}"


def test_every_platform_has_two_trees_and_one_of_them_is_damaged() -> None:
    """No platform goes untested, RDK's gateways counted with its boxes."""
    names = [(tree.expected["platform"] or "", tree.name.endswith("-damaged")) for tree in trees()]
    for platform in {probe.name for probe in PROBES} - {"rdk-b"}:
        assert (platform, True) in names and (platform, False) in names


def test_a_box_that_says_nothing_is_generic(tmp_path: Path) -> None:
    """An empty root, and none at all, give a device without facts."""
    nothing = Device(platform="generic", sign="nothing else fits")
    assert detect(tmp_path) == nothing
    assert detect(tmp_path / "nowhere") == nothing


def test_a_plain_linux_says_all_it_knows(tmp_path: Path) -> None:
    """Every field comes with the file and the key it was read from."""
    root = box(
        tmp_path,
        {
            "etc/os-release": 'NAME="Acme OS"\nVERSION_ID=4.2\nVERSION="4.2 (Oak)"\nBUILD_ID=20261101\n',
            f"{DMI}/product_name": "Acme Box 3\n",
            f"{DMI}/sys_vendor": "Acme\n",
            "etc/locale.conf": "LANG=de_DE.UTF-8\n",
            "etc/timezone": "Europe/Berlin\n",
        },
    )
    assert detect(root) == Device(
        platform="generic",
        sign="nothing else fits",
        os_name=Fact("Acme OS", "/etc/os-release: NAME"),
        os_version=Fact("4.2", "/etc/os-release: VERSION_ID"),
        vendor=Fact("Acme", "/sys/class/dmi/id/sys_vendor"),
        model=Fact("Acme Box 3", "/sys/class/dmi/id/product_name"),
        firmware=Fact("20261101", "/etc/os-release: BUILD_ID"),
        language=Fact("de-DE", "/etc/locale.conf: LANG"),
        timezone=Fact("Europe/Berlin", "/etc/timezone"),
    )


def test_this_machine_is_read_without_error() -> None:
    """The real root gives a device whose facts all say something."""
    for fact in facts(detect(Path("/"))).values():
        assert fact.value.strip() == fact.value != ""
        assert fact.source


def test_what_was_tried_in_vain_is_told(tmp_path: Path) -> None:
    """Each place that gave nothing is there once, with the reason, and those behind a find are not."""
    files: dict[str, str | bytes] = {
        "etc/os-release": "NAME=A\nVERSION_ID=\n",
        f"{DMI}/product_name": "Default string\n",
        f"{TREE}/model": b"Board\0",
    }
    root = Root(box(tmp_path, files))
    detect(root)
    tried = root.tried
    assert len(tried) == len(set(tried))
    assert Attempt("platform", "libreelec", "os-release has no ID") in tried
    assert Attempt("os_version", "os-release: VERSION_ID", "empty") in tried
    assert Attempt("os_version", "os-release: VERSION", "not in the file") in tried
    assert Attempt("model", "/sys/class/dmi/id/product_name", "a placeholder: Default string") in tried
    assert Attempt("model", "/etc/machine-info: HARDWARE_MODEL", "no such file") in tried
    assert not [attempt for attempt in tried if attempt.source.endswith("amlogic-dt-id")]


# --- the order of decision ------------------------------------------------------------------

OS_RELEASE = 'ID={}\nNAME="Some Name"\n'
SIGNS: dict[str, dict[str, str | bytes]] = {
    "fire-os": {"system/build.prop": "ro.build.version.fireos=7\n", "system/bin/getprop": ""},
    "android-tv": {"system/build.prop": "ro.build.version.release=9\n", "dev/__properties__": ""},
    "rdk-b": {"etc/device.properties": "DEVICE_TYPE=broadband", "version.txt": "imagename:x"},
    "rdk-v": {"etc/device.properties": "", "version.txt": "\nimagename:"},
    "webos": {"etc/starfish-release": ""},
    "tizen": {"etc/tizen-release": ""},
    "enigma2": {"etc/image-version": ""},
    "libreelec": {"etc/os-release": OS_RELEASE.format("libreelec")},
    "coreelec": {"etc/os-release": OS_RELEASE.format('"coreelec"')},
    "osmc": {"etc/os-release": OS_RELEASE.format("osmc")},
    "openwrt": {"etc/os-release": OS_RELEASE.format("openwrt")},
    "armbian": {"etc/armbian-release": ""},
    "generic": {},
}


@pytest.mark.parametrize("platform", SIGNS)
def test_a_sign_is_enough(tmp_path: Path, platform: str) -> None:
    """A box that shows nothing but the sign of a platform is of that platform."""
    assert detect(box(tmp_path, SIGNS[platform])).platform == platform


@pytest.mark.parametrize(("first", "second"), list(pairwise(SIGNS)))
def test_the_first_that_fits_wins(tmp_path: Path, first: str, second: str) -> None:
    """A box with the signs of two platforms is the one that is asked first."""
    root = box(tmp_path, SIGNS[second] | SIGNS[first])
    assert detect(root).platform == first


def test_the_order_is_that_of_the_table() -> None:
    """All platforms are asked, in the order of the signs above."""
    assert [probe.name for probe in PROBES] == list(SIGNS)


@pytest.mark.parametrize(
    "files",
    [
        {"system/build.prop": "ro.build.version.fireos=7\n"},
        {"system/bin/getprop": ""},
        {"etc/device.properties": "MODEL_NUM=X\n"},
        {"version.txt": "imagename:X\n"},
        {
            "etc/device.properties": "",
            "version.txt": " imagename:X\nimage\n",
            "etc/os-release": "ID=debian\n",
        },
        {"etc/os-release": "NAME=RDK\nID=rdk\n"},
        {"etc/issue": "webOS TV\n"},
        {"etc/os-release": 'ID=emuelec\nLIBREELEC_ARCH="x"\nCOREELEC_DEVICE="A33"\n'},
        {"etc/os-release": "ID=debian\nID_LIKE=osmc\n"},
    ],
)
def test_half_a_sign_is_none(tmp_path: Path, files: dict[str, str | bytes]) -> None:
    """What other systems have too gives no platform away."""
    assert detect(box(tmp_path, files)).platform == "generic"


# --- os-release -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ('NAME="LibreELEC"\nVERSION_ID="11.0"\n', "LibreELEC", "11.0"),
        ("NAME='Single Quoted'\nVERSION_ID='1'", "Single Quoted", "1"),
        ("NAME=RDK (A Yocto based Distro)\nVERSION_ID=2.0\n", "RDK (A Yocto based Distro)", "2.0"),
        ("NAME=Wind River Linux 7.0.0.2\r\nVERSION_ID=7\r\n", "Wind River Linux 7.0.0.2", "7"),
        ("\ufeffNAME=Bom\nVERSION_ID=1\n", "Bom", "1"),
        ("# NAME=Comment\n\n  NAME = Spaced  \nVERSION_ID=3 # three\n", "Spaced", "3"),
        ('NAME="A \\"B\\" \\$C \\\\ \\`D\\`"\nVERSION_ID="5"\n', 'A "B" $C \\ `D`', "5"),
        ("NAME='A\\\"B'\nVERSION_ID=5\n", 'A\\"B', "5"),
        ('NAME="No end\nVERSION_ID=5\n', "No end", "5"),
        ('NAME="A" # trailing\nVERSION_ID=5\n', "A", "5"),
        ('NAME="A # B"\nVERSION_ID=5\n', "A # B", "5"),
        ("NAME=First\nNAME=Last\nVERSION_ID=1\n", "Last", "1"),
        ("NAME=a=b\nVERSION_ID=7.0(BUILDER)\n", "a=b", "7.0(BUILDER)"),
        ("NAME=Half\nVERSION_I", "Half", None),
        ("NAME=\nVERSION_ID=1\n", None, "1"),
        ('NAME="  "\nVERSION_ID=1\n', None, "1"),
        ("NAME=Linux\nVERSION_ID=1\n", None, "1"),
        ("NAME=---\nVERSION_ID=?\nVERSION=1\n", None, "1"),
        ("NAME=Generic\nVERSION_ID=TBD\nVERSION=9 (Nine)\n", None, "9 (Nine)"),
        ("NAME=X\nVERSION_ID=99.99.0.0\n", "X", None),
        ("NAME=X\nVERSION=1.2\n", "X", "1.2"),
        ("NAME=X\0\0\0\nVERSION_ID=1\0\n", "X", "1"),
        ("NAME=Tab\tand\x1bescape\nVERSION_ID=1\n", "Tab and escape", "1"),
    ],
)
def test_os_release_is_read_as_boxes_write_it(
    tmp_path: Path, text: str, name: str | None, version: str | None
) -> None:
    """Quotes, escapes and comments by os-release(5); bare blanks, CRLF, BOM and NULs as found on boxes."""
    device = detect(box(tmp_path, {"etc/os-release": text}))
    assert (value(device.os_name), value(device.os_version)) == (name, version)


@pytest.mark.parametrize(
    ("text", "firmware"),
    [
        ("IMAGE_VERSION=7\nBUILD_ID=8\n", "7"),
        ("IMAGE_VERSION=\nBUILD_ID=8\n", "8"),
        ("BUILD_ID=TBD\nVERSION_ID=1\n", None),
        ("VERSION_ID=1\n", None),
    ],
)
def test_firmware_is_the_image_or_the_build(tmp_path: Path, text: str, firmware: str | None) -> None:
    """IMAGE_VERSION, else BUILD_ID, else nothing: the version of the system is no firmware version."""
    assert value(detect(box(tmp_path, {"etc/os-release": text})).firmware) == firmware


@pytest.mark.parametrize("first", [None, "", "\n# nothing\n"])
def test_the_vendors_os_release_stands_in(tmp_path: Path, first: str | None) -> None:
    """/usr/lib/os-release is read where /etc's is missing or empty."""
    files = {"usr/lib/os-release": "NAME=Vendor\n"} | ({} if first is None else {"etc/os-release": first})
    assert detect(box(tmp_path, files)).os_name == Fact("Vendor", "/usr/lib/os-release: NAME")


def test_the_two_os_releases_are_not_merged(tmp_path: Path) -> None:
    """What /etc's does not say is not filled in from the vendor's."""
    root = box(tmp_path, {"etc/os-release": "NAME=Mine\n", "usr/lib/os-release": "NAME=V\nVERSION_ID=1\n"})
    assert detect(root).os_version is None


# --- the model ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "model"),
    [
        ({f"{DMI}/product_name": "NUC8i3BEH  \n"}, "NUC8i3BEH"),
        ({f"{DMI}/product_name": "To Be Filled By O.E.M.   \n"}, None),
        ({f"{DMI}/product_name": "System Product Name\n"}, None),
        ({f"{DMI}/product_name": "Default string\n"}, None),
        ({f"{DMI}/product_name": "   \n"}, None),
        ({f"{DMI}/product_name": "All Series", f"{DMI}/board_name": "H81M-K"}, "H81M-K"),
        (
            {f"{DMI}/product_name": "O.E.M.", f"{DMI}/board_vendor": "ASUS", f"{DMI}/board_name": "H81M-K"},
            "ASUS H81M-K",
        ),
        (
            {f"{DMI}/board_vendor": "To be filled by O.E.M.", f"{DMI}/board_name": "H81M-K"},
            "H81M-K",
        ),
        (
            {
                f"{DMI}/sys_vendor": "LENOVO",
                f"{DMI}/product_name": "10MQS17K00",
                f"{DMI}/product_version": "ThinkCentre M710q",
            },
            "ThinkCentre M710q",
        ),
        ({f"{DMI}/sys_vendor": "LENOVO", f"{DMI}/product_name": "10MQS17K00"}, "10MQS17K00"),
        ({f"{DMI}/product_name": "HP t630", f"{DMI}/product_version": "x"}, "HP t630"),
        ({f"{TREE}/model": b"Raspberry Pi 4 Model B Rev 1.4\0"}, "Raspberry Pi 4 Model B Rev 1.4"),
        (
            {
                f"{TREE}/model": b"Amlogic\0",
                f"{TREE}/compatible": b"amlogic, a5\0",
                f"{TREE}/amlogic-dt-id": b"a5_a113x2_av400_1g\0",
            },
            "a5_a113x2_av400_1g",
        ),
        ({f"{TREE}/model": b"Amlogic\0", f"{TREE}/amlogic-dt-id": b"a5_1g\0"}, "a5_1g"),
        ({f"{TREE}/model": b"Amlogic\0", f"{TREE}/compatible": b"amlogic, a5\0"}, "amlogic,a5"),
        ({f"{TREE}/model": b"Amlogic\0"}, None),
        ({f"{TREE}/model": b"\0", f"{TREE}/compatible": b"khadas,vim4\0amlogic,a311d2\0"}, "khadas,vim4"),
        (
            {f"{TREE}/model": b"A311D2\0", f"{TREE}/compatible": b"khadas,vim4\0amlogic,a311d2\0"},
            "khadas,vim4",
        ),
        (
            {f"{TREE}/model": b"Amlogic A311D2\0", f"{TREE}/compatible": b"khadas,vim4\0amlogic, a311d2\0"},
            "khadas,vim4",
        ),
        ({f"{TREE}/compatible": b"generic\0"}, None),
        ({f"{DMI}/product_name": "Default string", f"{TREE}/model": b"Board\0"}, "Board"),
        ({"sys/firmware/devicetree/base/model": b"Board\0"}, "Board"),
        ({"proc/cpuinfo": "Hardware\t: BCM2835\nModel\t\t: Raspberry Pi 3\n"}, "Raspberry Pi 3"),
        (
            {"etc/machine-info": 'HARDWARE_MODEL="Fairphone 4"\n', f"{DMI}/product_name": "Other"},
            "Fairphone 4",
        ),
        ({"etc/machine-info": "HARDWARE_MODEL=\n", f"{DMI}/product_name": "Other"}, "Other"),
    ],
)
def test_the_model_is_a_name_or_absent(
    tmp_path: Path, files: dict[str, str | bytes], model: str | None
) -> None:
    """The owner's word, DMI, device tree, in this order; what makers leave in place of a name is none."""
    assert value(detect(box(tmp_path, files)).model) == model


# --- language and time zone -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "environ", "found"),
    [
        ({"etc/locale.conf": 'LANG="de_DE.UTF-8"\n'}, {}, Fact("de-DE", "/etc/locale.conf: LANG")),
        (
            {"etc/locale.conf": "LANG=de_DE\nLC_MESSAGES=fr_FR\n"},
            {},
            Fact("fr-FR", "/etc/locale.conf: LC_MESSAGES"),
        ),
        ({"etc/locale.conf": "LC_MESSAGES=C\nLANG=de_DE\n"}, {}, Fact("de-DE", "/etc/locale.conf: LANG")),
        (
            {"etc/locale.conf": "LANG=C.UTF-8\n", "etc/default/locale": "LANG=it_IT\n"},
            {},
            Fact("it-IT", "/etc/default/locale: LANG"),
        ),
        ({"etc/default/locale": "#  File generated by update-locale\n"}, {}, None),
        (
            {"etc/locale.conf": "LANG=de_DE\n"},
            {"LANG": "sv_SE.UTF-8", "LC_ALL": ""},
            Fact("sv-SE", "environment: LANG"),
        ),
        ({"etc/locale.conf": "LANG=de_DE\n"}, {"LC_ALL": "POSIX"}, Fact("de-DE", "/etc/locale.conf: LANG")),
        (
            {"etc/locale.conf": "LANG=de_DE\n"},
            {"LANG": "sv_SE.UTF-8", "INVOCATION_ID": "0123"},
            Fact("de-DE", "/etc/locale.conf: LANG"),
        ),
    ],
)
def test_the_language_is_the_first_that_is_set(
    tmp_path: Path, files: dict[str, str | bytes], environ: dict[str, str], found: Fact | None
) -> None:
    """The daemon's own environment, unless systemd made it; locale.conf; default/locale."""
    assert detected(box(tmp_path, files), environ).language == found


@pytest.mark.parametrize(
    ("files", "links", "environ", "found"),
    [
        (
            {"etc/timezone": "Europe/Rome\n"},
            {"etc/localtime": "/usr/share/zoneinfo/Asia/Kolkata"},
            {},
            Fact("Asia/Kolkata", "/etc/localtime"),
        ),
        (
            {},
            {"etc/localtime": "../run/tz", "run/tz": "/usr/share/zoneinfo/posix/America/Port-au-Prince"},
            {},
            Fact("America/Port-au-Prince", "/etc/localtime"),
        ),
        ({"etc/localtime": "TZif2", "etc/timezone": "Etc/UTC\n"}, {}, {}, Fact("Etc/UTC", "/etc/timezone")),
        ({"etc/localtime": "TZif2"}, {}, {}, None),
        ({}, {"etc/localtime": "localtime"}, {}, None),
        ({"etc/timezone": "Europe/Rome\n"}, {}, {"TZ": ":Asia/Tokyo"}, Fact("Asia/Tokyo", "environment: TZ")),
        ({"etc/timezone": "Europe/Rome\n"}, {}, {"TZ": "CET-1CEST"}, Fact("Europe/Rome", "/etc/timezone")),
        (
            {},
            {},
            {"TZ": ":/usr/share/zoneinfo/right/Europe/Oslo", "INVOCATION_ID": "1"},
            Fact("Europe/Oslo", "environment: TZ"),
        ),
    ],
)
def test_the_time_zone_is_a_name(
    tmp_path: Path,
    files: dict[str, str | bytes],
    links: dict[str, str],
    environ: dict[str, str],
    found: Fact | None,
) -> None:
    """TZ, the target of /etc/localtime over any number of links, /etc/timezone; a copied file has no name."""
    box(tmp_path, files | {"run/made": ""})
    (tmp_path / "etc").mkdir(exist_ok=True)
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    assert detected(tmp_path, environ).timezone == found


def test_another_box_is_not_told_by_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a root of its own, a box has none of this process's variables."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert detect(tmp_path).language is None and detect(tmp_path).timezone is None


@pytest.mark.parametrize("tree", trees(), ids=lambda tree: tree.name)
def test_nothing_is_news_on_a_box_that_has_not_changed(tree: Tree) -> None:
    """What is read again is what was read at first."""
    device = detect(tree.root)
    assert renewed(device, tree.root) == device


def test_what_the_viewer_changes_is_noticed(tmp_path: Path) -> None:
    """Language and time zone are read again; the rest stays as it was at the start."""
    os_release = "ID=libreelec\nNAME=LibreELEC\nVERSION_ID=11.0\n"
    device = detect(box(tmp_path, {"etc/os-release": os_release}))
    settings = '<setting id="locale.language">resource.language.pt_br</setting>'
    box(
        tmp_path,
        {
            "etc/os-release": os_release.replace("11.0", "12.0"),
            "storage/.kodi/userdata/guisettings.xml": settings,
            "storage/.cache/timezone": "TIMEZONE=America/Sao_Paulo\n",
        },
    )
    now = renewed(device, tmp_path)
    assert (value(now.language), value(now.timezone)) == ("pt-BR", "America/Sao_Paulo")
    assert value(now.os_version) == "11.0"


def test_the_readmes_platform_works(tmp_path: Path) -> None:
    """The table that it shows for another kind of box, as it stands there, describes such a box."""
    code = re.search(r"```python\n(PLATFORM = .*?)```", README, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = vars(table) | vars(forms) | {"hardware": hardware, "system": system}
    names |= {"os_release": system.os_release}
    exec(code[1], names)
    root = box(
        tmp_path,
        {
            "etc/acme-release": "RELEASE=4\nBUILD='7'\n",
            "proc/acme/board": b"STB-4000\0",
            "data/settings.json": '{"ui": {"language": "de_DE"}}',
        },
    )
    device = names["PLATFORM"].probe(Root(root))
    told = {key: fact.value for key, fact in facts(device).items()}
    assert told == {
        "oos": "Web", "sdk": "0", "oosv": "Acme OS 4", "om": "STB-4000", "ofv": "4.7", "olng": "de-de",
    }  # fmt: skip
