"""Platforms: what is read of a box, how its files are read, and that nothing in them can hurt."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.device import Device, Fact
from jwpingd.platforms import detect, generic, reading

DMI = "sys/class/dmi/id"
TREE = "proc/device-tree"


def box(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """A root file system with `files`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def value(fact: Fact | None) -> str | None:
    return None if fact is None else fact.value


# --- whole boxes ----------------------------------------------------------------------------


def test_a_box_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    """Nothing found is the platform "unknown" without facts, for an empty root and for none at all."""
    assert detect(tmp_path) == Device(platform="unknown")
    assert detect(tmp_path / "nowhere") == Device(platform="unknown")


def test_a_plain_linux_says_all_it_knows(tmp_path: Path) -> None:
    """Every field comes with the file it was read from."""
    root = box(
        tmp_path,
        {
            "etc/os-release": 'NAME="Acme OS"\nVERSION_ID=4.2\nVERSION="4.2 (Oak)"\nBUILD_ID=20261101\n',
            f"{DMI}/product_name": "Acme Box 3\n",
            "etc/locale.conf": "LANG=de_DE.UTF-8\n",
        },
    )
    assert detect(root) == Device(
        platform="generic",
        os_name=Fact("Acme OS", "/etc/os-release"),
        os_version=Fact("4.2", "/etc/os-release"),
        model=Fact("Acme Box 3", "/sys/class/dmi/id/product_name"),
        firmware=Fact("20261101", "/etc/os-release"),
        language=Fact("de-de", "/etc/locale.conf"),
    )


def test_this_machine_is_read_without_error() -> None:
    """The real root gives a device whose facts are all non-empty."""
    device = detect(Path("/"))
    facts = [device.os_name, device.os_version, device.model, device.firmware, device.language]
    assert all(fact is None or (fact.value and fact.source.startswith("/")) for fact in facts)


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
        ("NAME=a=b\nVERSION_ID=1\n", "a=b", "1"),
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


def test_a_byte_that_is_not_utf8_spoils_only_itself(tmp_path: Path) -> None:
    """A Latin-1 byte becomes U+FFFD, and the rest is read."""
    device = detect(box(tmp_path, {"etc/os-release": b"NAME=Caf\xe9 OS\nVERSION_ID=1\n"}))
    assert (value(device.os_name), value(device.os_version)) == ("Caf\ufffd OS", "1")


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
    assert detect(box(tmp_path, files)).os_name == Fact("Vendor", "/usr/lib/os-release")


def test_the_two_os_releases_are_not_merged(tmp_path: Path) -> None:
    """What /etc's does not say is not filled in from the vendor's."""
    root = box(tmp_path, {"etc/os-release": "NAME=Mine\n", "usr/lib/os-release": "NAME=V\nVERSION_ID=1\n"})
    assert detect(root) == Device("generic", os_name=Fact("Mine", "/etc/os-release"))


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
        ({f"{TREE}/model": b"Amlogic\0", f"{TREE}/compatible": b"amlogic, a5\0"}, "amlogic,a5"),
        ({f"{TREE}/model": b"\0", f"{TREE}/compatible": b"khadas,vim4\0amlogic,a311d2\0"}, "khadas,vim4"),
        (
            {f"{TREE}/model": b"A311D2\0", f"{TREE}/compatible": b"khadas,vim4\0amlogic,a311d2\0"},
            "khadas,vim4",
        ),
        ({f"{TREE}/compatible": b"generic\0"}, None),
        ({f"{DMI}/product_name": "Default string", f"{TREE}/model": b"Board\0"}, "Board"),
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


# --- the language ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "tag"),
    [
        ("de_DE.UTF-8", "de-de"),
        ("en_US", "en-us"),
        ("en_US.UTF-8@x", "en-us"),
        ("sr_RS@latin", "sr-rs"),
        ("zh_Hans_CN.UTF-8", "zh-hans-cn"),
        ("es_419", "es-419"),
        ("fr", "fr"),
        ("pt-BR", "pt-br"),
        ("C", None),
        ("C.UTF-8", None),
        ("POSIX", None),
        ("", None),
        ("de_", None),
        ("../../etc", None),
    ],
)
def test_a_locale_is_a_language_or_none(locale: str, tag: str | None) -> None:
    """Language and region in lower case; "C" and what is no locale name no language."""
    assert generic.language_tag(locale) == tag


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"etc/locale.conf": 'LANG="de_DE.UTF-8"\n'}, Fact("de-de", "/etc/locale.conf")),
        ({"etc/locale.conf": "LANG=de_DE\nLC_MESSAGES=fr_FR\n"}, Fact("fr-fr", "/etc/locale.conf")),
        ({"etc/locale.conf": "LC_MESSAGES=C\nLANG=de_DE\n"}, Fact("de-de", "/etc/locale.conf")),
        (
            {"etc/locale.conf": "LANG=C.UTF-8\n", "etc/default/locale": "LANG=it_IT\n"},
            Fact("it-it", "/etc/default/locale"),
        ),
        ({"etc/default/locale": "#  File generated by update-locale\n"}, None),
    ],
)
def test_the_language_is_the_first_that_is_set(
    tmp_path: Path, files: dict[str, str | bytes], found: Fact | None
) -> None:
    """locale.conf, else default/locale; messages before the general setting; comments are no error."""
    assert detect(box(tmp_path, files)).language == found


# --- reading --------------------------------------------------------------------------------


def test_reading_is_capped(tmp_path: Path) -> None:
    """What lies beyond 64 KiB is not read."""
    root = box(tmp_path, {"big": b"x" * (reading.MAX_BYTES + 10)})
    assert len(reading.read_text(root, "/big") or "") == reading.MAX_BYTES
    late = b"#" * reading.MAX_BYTES + b"\nNAME=Late\n"
    assert detect(box(tmp_path, {"etc/os-release": late})) == Device(platform="unknown")


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "loop", "socket"])
def test_what_is_no_file_is_absent(tmp_path: Path, kind: str) -> None:
    """A directory, a pipe or a link to itself is like no file, and does not block."""
    path = tmp_path / "thing"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to("thing")
    elif kind == "socket":
        os.mknod(path, 0o140600)
    for root, name in ((tmp_path, "/thing"), (Path("/"), str(path))):
        assert reading.read_text(root, name) is None
        assert reading.read_value(root, name) is None
        assert reading.read_assignments(root, name) == {}


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("etc/os-release", "../usr/lib/os-release"),
        ("etc/os-release", "/usr/lib/os-release"),
        ("etc/os-release", "../../../../../usr/lib/os-release"),
        ("etc", "/usr/lib"),
        ("etc", "usr/./lib/"),
    ],
)
def test_links_are_followed_inside_the_root(tmp_path: Path, link: str, target: str) -> None:
    """A link leads where the box itself would go, absolute or not, and never out of its root."""
    root = box(tmp_path, {"usr/lib/os-release": "NAME=Inside\n"})
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(target)
    assert detect(root).os_name == Fact("Inside", "/etc/os-release")


def test_a_link_out_of_the_root_finds_nothing(tmp_path: Path) -> None:
    """A link to a file that only this machine has is a dangling one for the box."""
    outside = box(tmp_path, {"outside": "NAME=Host\n"}) / "outside"
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/os-release").symlink_to(outside)
    assert outside.exists()
    assert detect(tmp_path / "root") == Device(platform="unknown")


FORBIDDEN = {"", "unknown", "linux", "generic", "tbd", "99.99.0.0"}
FILES = (
    "etc/os-release",
    "usr/lib/os-release",
    "etc/machine-info",
    "etc/locale.conf",
    "etc/default/locale",
    *(f"{DMI}/{name}" for name in ("sys_vendor", "product_name", "product_version")),
    *(f"{DMI}/{name}" for name in ("board_vendor", "board_name")),
    *(f"{TREE}/{name}" for name in ("model", "compatible", "amlogic-dt-id")),
)
words = st.sampled_from(
    [
        *(b"NAME=", b"VERSION_ID=", b"BUILD_ID=", b"LANG=", b"HARDWARE_MODEL="),
        *(b'"', b"'", b"\\", b"\n", b"\r\n", b"\0", b" ", b"#", b"=", b",", b"x"),
        *(b"Unknown", b"Linux", b"TBD", b"99.99.0.0", b"O.E.M.", b"Default string", b"de_DE"),
        *(b"\xff", b"\xc2\xa0", "\ufeff".encode(), "\u200b".encode()),
    ]
)
content = st.binary(max_size=60) | st.lists(words, max_size=12).map(b"".join)


@settings(deadline=None, derandomize=True, max_examples=250)
@given(st.dictionaries(st.sampled_from(FILES), content, max_size=6))
def test_no_content_can_hurt(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    """Arbitrary bytes in any file: nothing is raised, and no fact is empty, padded or a placeholder."""
    device = detect(box(tmp_path_factory.mktemp("root"), files))
    for fact in (device.os_name, device.os_version, device.model, device.firmware, device.language):
        if fact is None:
            continue
        assert fact.value == fact.value.strip()
        assert fact.value.casefold() not in FORBIDDEN
        assert not any(ord(character) < 32 for character in fact.value)
        assert (fact.source.lstrip("/")) in files


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(max_size=80))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """`clean` leaves nothing for a second turn: it gives None or its own fixed point."""
    once = reading.clean(text)
    assert reading.clean(once) == once


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(max_size=30), max_size=4)
)
def test_what_a_shell_would_quote_is_read_back(values: dict[str, str]) -> None:
    """Values of one line, quoted by the rules of os-release(5), come back as they were."""
    lines = {key: " ".join(text.replace("\0", " ").splitlines()) for key, text in values.items()}
    escape = str.maketrans({character: f"\\{character}" for character in '\\"$`'})
    written = "".join(f'{key}="{text.translate(escape)}"\n' for key, text in lines.items())
    assert reading.assignments(written) == lines
