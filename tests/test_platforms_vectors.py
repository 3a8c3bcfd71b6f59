"""What boxes really write, case by case: one file or two, and the fields that come of them.

Each case is a finding of docs/platform-sources.md, §4, §5 and §8.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jwpingd.platforms import detect
from tests.boxes import box, facts

Files = dict[str, str | bytes]

RDK: Files = {"etc/device.properties": "", "version.txt": "imagename:PX051AEI_VBN_NG\n"}
ANDROID: Files = {"system/bin/getprop": ""}
FIRE_OS = "ro.build.version.fireos=6.0\n"
WEBOS: Files = {"etc/starfish-release": ""}
TIZEN: Files = {"etc/tizen-release": ""}
ENIGMA2: Files = {"etc/image-version": ""}
OPENWRT: Files = {"etc/os-release": 'ID="openwrt"\nNAME="OpenWrt"\nOPENWRT_DEVICE_PRODUCT="Generic"\n'}
COREELEC: Files = {"etc/os-release": 'ID="coreelec"\nNAME="CoreELEC"\nLIBREELEC_ARCH="Amlogic-ng.arm"\n'}
LIBREELEC: Files = {"etc/os-release": 'ID="libreelec"\nNAME="LibreELEC"\n'}
KODI = "storage/.kodi/userdata/guisettings.xml"
PERSISTENT = "data/property/persistent_properties"
NYX = "var/run/nyx/device_info.json"
CHAIN = "A=$B\nB=${C}\nC=$D\n"

Case = tuple[str, Files, str, str | None]

CASES: list[Case] = [
    # --- RDK
    ("quotes", RDK | {"etc/device.properties": 'FRIENDLY_ID="Pace Xi5"\n'}, "om", "Pace Xi5"),
    ("blanks around =", RDK | {"etc/device.properties": "MODEL_NUM = X1\n"}, "om", "X1"),
    ("an empty name", RDK | {"etc/device.properties": "FRIENDLY_ID=\nMODEL_NUM=M\n"}, "om", "M"),
    ("a reference", RDK | {"etc/device.properties": "MODEL_NUM=$N\nN=LLAMA\n"}, "om", "LLAMA"),
    ("four hops", RDK | {"etc/device.properties": f"MODEL_NUM=$A\n{CHAIN}D=X\n"}, "om", "X"),
    ("five hops", RDK | {"etc/device.properties": f"MODEL_NUM=$A\n{CHAIN}D=$E\nE=X\n"}, "om", "PX051AEI"),
    ("a loop", RDK | {"etc/device.properties": "MODEL_NUM=$MODEL_NUM\n"}, "om", "PX051AEI"),
    ("to nowhere", RDK | {"etc/device.properties": "MODEL_NUM=$NOTHING\n"}, "om", "PX051AEI"),
    ("CRLF", RDK | {"etc/device.properties": "A=1\r\nFRIENDLY_ID=Xi6\r\n"}, "om", "Xi6"),
    ("no host name", RDK | {"etc/device.properties": "HOSTNAME=intel_ce_linux\n"}, "om", "PX051AEI"),
    ("image on line 3", RDK | {"version.txt": "== x ==\ncustom: y\nimagename:A_1:2\n"}, "ofv", "A_1:2"),
    ("no image name", RDK | {"version.txt": "imagename:\n"}, "ofv", None),
    ("no image, no model", RDK | {"version.txt": "imagename:\n"}, "om", None),
    (
        "its version",
        RDK | {"version.txt": "imagename:A_8.2s1\nVERSION=000.36.0.0\n"},
        "oosv",
        "RDK 000.36.0.0",
    ),
    ("version in the image", RDK | {"version.txt": "imagename:XU_8.2s14_PROD\n"}, "oosv", "RDK 8.2.0.0"),
    ("unset version", RDK | {"version.txt": "imagename:A_8.1p1\nVERSION=0.0.0.0\n"}, "oosv", "RDK 8.1.0.0"),
    ("unknown version", RDK | {"version.txt": "imagename:A\nVERSION=99.99.0.0\n"}, "oosv", "RDK"),
    ("Yocto's codename", RDK | {"version.txt": "imagename:A\nYOCTO_VERSION=dunfell\n"}, "oosv", "RDK"),
    ("its os-release", RDK | {"etc/os-release": "ID=rdk\nVERSION_ID=2.0\nNAME=RDK (A)\n"}, "oosv", "RDK"),
    ("region first", RDK | {"opt/user_preferences.conf": "[General]\nui_language=US_en\n"}, "olng", "en-us"),
    ("not five letters", RDK | {"opt/user_preferences.conf": "ui_language=US_eng\n"}, "olng", None),
    ("zone null", RDK | {"opt/persistent/timeZoneDST": "null"}, "timezone", None),
    ("zone without end", RDK | {"opt/persistent/timeZoneDST": "Europe/London"}, "timezone", "Europe/London"),
    ("maker with _", RDK | {"tmp/.manufacturer": "Acme_Ltd\n"}, "vendor", "Acme Ltd"),
    # --- Android
    ("brackets", ANDROID | {"system/build.prop": "ro.product.model=A [B] C]\n"}, "om", "A [B] C]"),
    ("the last line counts", ANDROID | {"system/build.prop": "#\nro.product.model=X"}, "om", "X"),
    ("no quoting", ANDROID | {"system/build.prop": 'ro.product.model="X"\n'}, "om", '"X"'),
    (
        "partitions in their order",
        ANDROID | {"system/build.prop": "ro.product.system.model=S\nro.product.vendor.model=V\n"},
        "om",
        "V",
    ),
    (
        "partitions in another order",
        ANDROID
        | {
            "system/build.prop": "ro.product.system.model=S\nro.product.vendor.model=V\n"
            "ro.product.property_source_order=odm,system\n"
        },
        "om",
        "S",
    ),
    (
        "a later file wins",
        ANDROID | {"system/build.prop": "ro.product.model=S\n", "vendor/build.prop": "ro.product.model=V\n"},
        "om",
        "V",
    ),
    (
        "Fire OS by its maker",
        ANDROID | {"system/build.prop": "ro.product.manufacturer=Amazon\nro.product.model=AFTB\n"},
        "oos",
        "Fire TV",
    ),
    (
        "a Fire tablet by its kind",
        ANDROID | {"system/build.prop": f"{FIRE_OS}ro.build.characteristics=tablet\n"},
        "oos",
        "Fire Mobile",
    ),
    (
        "a Fire tablet's platform number",
        ANDROID | {"system/build.prop": f"{FIRE_OS}ro.build.characteristics=tablet\n"},
        "sdk",
        "6",
    ),
    (
        "a Fire tablet by its model",
        ANDROID | {"system/build.prop": f"{FIRE_OS}ro.product.model=KFONWI\n"},
        "oos",
        "Fire Mobile",
    ),
    (
        "a Fire tablet by its maker",
        ANDROID | {"system/build.prop": "ro.product.manufacturer=Amazon\nro.product.model=KFOT\n"},
        "oos",
        "Fire Mobile",
    ),
    (
        "a Fire TV whose kind was left as it came",
        ANDROID | {"system/build.prop": f"{FIRE_OS}ro.product.model=AFTT\nro.build.characteristics=tablet\n"},
        "oos",
        "Fire TV",
    ),
    (
        "a Fire TV of another maker",
        ANDROID | {"system/build.prop": f"{FIRE_OS}ro.build.characteristics=nosdcard,tv\n"},
        "oos",
        "Fire TV",
    ),
    (
        "Fire OS that says no more",
        ANDROID | {"system/build.prop": FIRE_OS},
        "oos",
        "Fire TV",
    ),
    (
        "not Amazon's phone",
        ANDROID | {"system/build.prop": "ro.product.manufacturer=Amazon\nro.product.model=SD4930UR\n"},
        "oos",
        "Android",
    ),
    (
        "no leanback, no TV",
        ANDROID | {"system/build.prop": "ro.build.characteristics=tablet,nosdcard\n"},
        "oos",
        "Android",
    ),
    (
        "what was set at runtime",
        ANDROID
        | {
            "system/build.prop": "persist.sys.locale=en-US\n",
            PERSISTENT: b"\n\x1b\n\x12persist.sys.locale\x12\x05fr-FR",
        },
        "olng",
        "fr-fr",
    ),
    (
        "set on an older Android",
        ANDROID
        | {"system/build.prop": "persist.sys.locale=en-US\n", "data/property/persist.sys.locale": "fr-FR"},
        "olng",
        "fr-fr",
    ),
    (
        "a placeholder before a name",
        ANDROID | {"system/build.prop": "ro.product.model=Generic\nro.product.odm.model=X\n"},
        "om",
        "X",
    ),
    (
        "a maker of chips and of TVs",
        ANDROID | {"system/build.prop": "ro.product.manufacturer=Samsung\n"},
        "vendor",
        "Samsung",
    ),
    (
        "a maker of chips alone",
        ANDROID
        | {"system/build.prop": "ro.product.manufacturer=Amlogic\nro.product.odm.manufacturer=Acme\n"},
        "vendor",
        "Acme",
    ),
    (
        "set, and broken off",
        ANDROID | {"system/build.prop": "", PERSISTENT: b"\n\x1b\n\x12persist.sys.locale\x12\x05fr"},
        "olng",
        None,
    ),
    # --- webOS
    ("rubbish behind JSON", WEBOS | {NYX: '{"product_id": "OLED65C1PUB"}\n}mstar{'}, "om", "OLED65C1PUB"),
    ("the board is no model", WEBOS | {NYX: '{"device_name": "o20n"}'}, "om", None),
    ("half written", WEBOS | {NYX: '{"product_id": "OLED'}, "om", None),
    ("a number", WEBOS | {NYX: '{"product_id": 7}'}, "om", None),
    (
        "the release's first line",
        {"etc/starfish-release": "Rockhopper release 11.2.0-3701 (queue-qilian)\n"},
        "oosv",
        "webOS 11.2.0",
    ),
    # --- Tizen
    (
        "values with ;",
        TIZEN | {"etc/info.ini": "[Version]\nModel=M;\nBuild=B1;\n[Build]\nID=I;\n"},
        "ofv",
        "B1",
    ),
    ("a build elsewhere", TIZEN | {"etc/info.ini": "[Build]\nBuild=B2;\n"}, "ofv", None),
    (
        "a name with http://",
        TIZEN
        | {
            "etc/config/model-config.xml": "<key type='string' name='http://tizen.org/system/model_name'>Q</key>"
        },
        "om",
        "Q",
    ),
    (
        "not UTF-8",
        TIZEN | {"etc/config/model-config.xml": b'<key name="tizen.org/system/model_name">Q\xff</key>'},
        "om",
        "Q\ufffd",
    ),
    (
        "a locale in vconf",
        TIZEN | {"opt/var/kdb/db/menu_widget/language": b"\x28\0\0\0en_US.UTF-8\0"},
        "olng",
        "en-us",
    ),
    (
        "a number in vconf",
        TIZEN | {"opt/var/kdb/db/menu_widget/language": b"\x29\0\0\0en_US"},
        "olng",
        None,
    ),
    (
        "its maker makes chips",
        TIZEN | {"etc/config/model-config.xml": '<key name="tizen.org/system/manufacturer">Samsung</key>'},
        "vendor",
        "Samsung",
    ),
    # --- Enigma2
    ("Vu+", ENIGMA2 | {"proc/stb/info/vumodel": "duo2\n", "proc/stb/info/model": "x\n"}, "om", "Vu+ duo2"),
    ("the box's type first", ENIGMA2 | {"proc/stb/info/boxtype": "et8000\n"}, "om", "et8000"),
    (
        "bare and quoted",
        {"usr/lib/enigma.info": "displaymodel=One UHD\nimageversion='9.0'\nimagebuild='7'\n"},
        "ofv",
        "9.0.7",
    ),
    # --- Kodi's systems
    ("an Amlogic kernel", COREELEC | {"proc/device-tree/model": b"Amlogic\0"}, "om", None),
    (
        "its id",
        COREELEC
        | {"proc/device-tree/model": b"Amlogic\0", "proc/device-tree/amlogic-dt-id": b"a5_a113x2_av400_1g\0"},
        "om",
        "a5_a113x2_av400_1g",
    ),
    ("still CoreELEC", COREELEC, "oosv", "CoreELEC"),
    (
        "Kodi's language",
        LIBREELEC | {KODI: '<setting id="locale.language" default="true">resource.language.en_gb</setting>'},
        "olng",
        "en-gb",
    ),
    (
        "a comment",
        LIBREELEC | {KODI: '<!-- <setting id="locale.language">resource.language.en_gb</setting>'},
        "olng",
        None,
    ),
    (
        "the loader before the chip",
        {
            "etc/os-release": "ID=osmc\n",
            "proc/cmdline": "osmcdev=rbp2\n",
            "proc/cpuinfo": "Hardware\t: BCM2835\n",
        },
        "om",
        "rbp2",
    ),
    (
        "the owner before the tree",
        LIBREELEC | {"proc/device-tree/model": b"Acme X\0", "etc/machine-info": "HARDWARE_MODEL=Mine\n"},
        "om",
        "Mine",
    ),
    ("its zone", LIBREELEC | {"storage/.cache/timezone": "TIMEZONE=Asia/Tokyo\n"}, "timezone", "Asia/Tokyo"),
    (
        "version and build",
        {"etc/os-release": "ID=libreelec\nVERSION=12.0.2\nBUILD_ID=abc\n"},
        "ofv",
        "12.0.2 abc",
    ),
    # --- OpenWrt
    ("a NUL", OPENWRT | {"tmp/sysinfo/model": b"GL.iNet GL-MT6000\0"}, "om", "GL.iNet GL-MT6000"),
    ("only placeholders", OPENWRT | {"tmp/sysinfo/model": "generic\n"}, "om", None),
    ("a maker", OPENWRT | {"tmp/sysinfo/board_name": "glinet,gl-mt6000\n"}, "vendor", "glinet"),
    (
        "a zone's name, not its rule",
        OPENWRT | {"etc/config/system": "\toption timezone 'GMT0'\n\toption zonename 'Europe/Paris'\n"},
        "timezone",
        "Europe/Paris",
    ),
    (
        "a zone with a blank",
        OPENWRT | {"etc/config/system": "\toption zonename 'America/New York'\n"},
        "timezone",
        "America/New_York",
    ),
    (
        "the owner before the board",
        {"etc/armbian-release": "BOARD_NAME=Vim\n", "etc/machine-info": "HARDWARE_MODEL=Mine\n"},
        "om",
        "Mine",
    ),
    # --- any
    ("nothing is not Linux", {"etc/os-release": ""}, "oosv", None),
    ("parentheses", {"etc/os-release": "NAME=RDK (A Yocto Project)\n"}, "oosv", "RDK (A Yocto Project)"),
    ("Latin-1", {"etc/os-release": b"NAME=Caf\xe9\n"}, "oosv", "Caf\ufffd"),
    ("a filled-in form", {"sys/class/dmi/id/product_name": "To Be Filled By O.E.M.   \n"}, "om", None),
    ("a chip's maker", {"sys/class/dmi/id/sys_vendor": "Amlogic\n"}, "vendor", None),
    ("blank behind a comma", {"proc/device-tree/compatible": b"amlogic, a5\0"}, "om", "amlogic,a5"),
    ("only a comment", {"etc/default/locale": "#  File generated by update-locale\n"}, "olng", None),
    ("a copied zone", {"etc/localtime": b"TZif2\0\0"}, "timezone", None),
]


@pytest.mark.parametrize(
    ("files", "key", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_case(tmp_path: Path, files: Files, key: str, wanted: str | None) -> None:
    """The field has this value on the wire, or is absent."""
    fact = facts(detect(box(tmp_path, files))).get(key)
    assert (None if fact is None else fact.value) == wanted
