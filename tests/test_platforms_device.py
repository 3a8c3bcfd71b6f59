"""What pings say of the box: names on the wire, the operator's word, changes at runtime, the command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwpingd import platforms
from jwpingd.cli import main
from jwpingd.config import Config, DeviceSettings, overridden
from jwpingd.daemon.box_device import MAX_RENEWALS_PER_S, BoxDevice
from jwpingd.device import Device, Fact, joined_source
from jwpingd.ping import device_parameters
from tests.boxes import TREES, Tree, box, trees, value

ANALYTICS_ID = "a17e8PTFFffxLgpVuA4vVw"
LIBREELEC = TREES / "libreelec-rpi4/root"


def fact(value: str | None) -> Fact | None:
    return None if value is None else Fact(value, "here")


# --- on the wire ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version", "configured", "oos", "sdk", "oosv"),
    [
        ("LibreELEC", "11.0.6", None, "Web", "0", "LibreELEC 11.0.6"),
        ("LibreELEC", None, None, "Web", "0", "LibreELEC"),
        ("RDK", "8.2.0.0", None, "Web", "0", "RDK 8.2.0.0"),
        (None, "4.2", None, "Web", "0", "4.2"),
        (None, None, None, "Web", "0", None),
        ("Tizen", "10.0.0", None, "Tizen", "0", "10.0.0"),
        ("Android TV", "9", None, "Android TV", "1", "9"),
        ("Android", "9", None, "Android", "1", "9"),
        ("Fire OS", "6.2.9.0", None, "Fire TV", "6", "6.2.9.0"),
        ("LibreELEC", "11.0", "Android TV", "Android TV", "1", "11.0"),
        ("LibreELEC", "11.0", "Web", "Web", "0", "LibreELEC 11.0"),
        ("LibreELEC", "11.0", "LibreELEC", "LibreELEC", "0", "11.0"),
    ],
)
def test_the_system_has_the_interfaces_name(
    name: str | None, version: str | None, configured: str | None, oos: str, sdk: str, oosv: str | None
) -> None:
    """A listed system by its listed name; any other as Web, its true name before the version."""
    device = Device("x", os_name=fact(name), os_version=fact(version))
    parameters = device_parameters(device, fact(configured))
    assert (value(parameters["oos"]), value(parameters["sdk"])) == (oos, sdk)
    assert value(parameters.get("oosv")) == oosv


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("/a: X", "/b: Y", "/a: X + /b: Y"),
        ("/a: X", "/a: Y", "/a: X + Y"),
        ("/a", "/a: X", "/a: X"),
        ("/a", "/a", "/a"),
        ("/a + /b: X", "/b: X", "/a + /b: X"),
    ],
)
def test_each_source_of_a_joined_value_is_named_once(first: str, second: str, both: str) -> None:
    """A file that two values stand in, or one value that was used twice, is not repeated."""
    assert joined_source(first, second) == both


def test_the_language_is_sent_in_lower_case() -> None:
    """Whatever its source: a tag, or a locale that the operator has written."""
    for language in ("en-US", "EN_us", "en_US.UTF-8"):
        assert device_parameters(Device("x", language=fact(language)))["olng"].value == "en-us"


def test_what_is_not_known_has_no_key() -> None:
    """A box that says nothing sends oos and sdk, and no empty values."""
    assert set(device_parameters(Device("x"))) == {"oos", "sdk"}


def test_the_operator_knows_better() -> None:
    """What is configured replaces what was detected, field by field, and says where it stands."""
    settings = DeviceSettings(model="STB-4000", language="de-at")
    before = Device("x", os_version=fact("1"), model=fact("?"))
    after = overridden(before, settings, {"device.model": "/etc/jwpingd/config.toml:3"})
    assert after.model == Fact("STB-4000", "device.model (/etc/jwpingd/config.toml:3)")
    assert after.language == Fact("de-at", "device.language")
    assert (after.os_version, after.firmware) == (fact("1"), None)


# --- while the daemon runs ------------------------------------------------------------------


def test_a_play_finds_the_language_of_its_moment(tmp_path: Path) -> None:
    """A change is seen by the next play; the rest stays; the configuration still wins."""
    root = box(tmp_path, {"etc/os-release": "NAME=A\nID=a\n", "etc/locale.conf": "LANG=de_DE\n"})
    device = BoxDevice(Config(ANALYTICS_ID, device=DeviceSettings(model="M")), root, monotonic_s=lambda: 0.0)
    device.look()
    assert (value(device().language), value(device().model)) == ("de-DE", "M")
    box(tmp_path, {"etc/locale.conf": "LANG=fr_FR\n", "etc/os-release": "NAME=B\nID=a\n"})
    assert value(device().language) == "fr-FR"
    assert (value(device().os_name), value(device().model)) == ("A", "M")
    fixed = BoxDevice(Config(ANALYTICS_ID, device=DeviceSettings(language="it")), root)
    fixed.look()
    assert value(fixed().language) == "it"


def test_a_burst_of_plays_does_not_read_as_often(tmp_path: Path) -> None:
    """A burst of plays reads the box so many times a second and no more; the next second reads again."""
    now_s = 100.0
    root = box(tmp_path, {"etc/locale.conf": "LANG=de_DE\n"})
    device = BoxDevice(Config(ANALYTICS_ID), root, monotonic_s=lambda: now_s)
    device.look()
    for _ in range(MAX_RENEWALS_PER_S):
        device()
    box(tmp_path, {"etc/locale.conf": "LANG=fr_FR\n"})
    assert value(device().language) == "de-DE"
    now_s += 1
    assert value(device().language) == "fr-FR"


def test_only_a_look_takes_its_time(tmp_path: Path) -> None:
    """A play that cannot wait for it has the device of before, or none; a reload keeps what is known."""
    root = box(tmp_path, {"etc/os-release": "NAME=A\nID=a\n"})
    device = BoxDevice(Config(ANALYTICS_ID, device=DeviceSettings(model="M")), root)
    assert (device().os_name, value(device().model), device.is_seen) == (None, "M", False)
    device.look()
    assert value(device().os_name) == "A"
    box(tmp_path, {"etc/os-release": "NAME=B\nID=a\n"})
    after = device.again(Config(ANALYTICS_ID))
    assert (value(after().os_name), after().model, after.is_seen) == ("A", None, False)
    after.look()
    assert value(after().os_name) == "B"


# --- the command ----------------------------------------------------------------------------

Shown = Callable[..., Any]


@pytest.fixture
def shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What `jwpingd device` prints for a user who has no configuration."""
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path / "none"))

    def run(*arguments: str, status: int = 0) -> str:
        assert main(["device", *arguments]) == status
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    return run


@pytest.mark.parametrize("tree", trees(), ids=lambda tree: tree.name)
def test_every_box_is_shown(tree: Tree, shown: Callable[..., str]) -> None:
    """As JSON with the wire's keys and a source for each, and for people with the same values."""
    answer = json.loads(shown("--root", str(tree.root), "--json"))
    told = answer["params"] | answer["not_sent"]
    assert {"platform": answer["platform"]} | {key: told[key]["value"] for key in told} == {
        key: wanted for key, wanted in tree.expected.items() if wanted is not None
    }
    assert all(told[key]["source"] for key in told)
    assert answer["configuration_problems"] == []
    for attempt in answer["tried"]:
        assert attempt.keys() == {"field", "source", "reason"} and all(attempt.values())
    for_people = shown("--root", str(tree.root)).splitlines()
    for key in told:
        assert any(line.split()[:1] == [key] and told[key]["value"] in line for line in for_people)


def test_what_was_rejected_is_told_with_the_reason(shown: Callable[..., str]) -> None:
    """A placeholder, an empty value and a missing file can be told apart."""
    lines = shown("--root", str(TREES / "libreelec-damaged/root")).splitlines()
    tried = [re.split(r"  +", line.strip()) for line in lines[lines.index("looked for in vain:") + 1 :]]
    assert ["om", "/sys/class/dmi/id/product_name", "a placeholder: To Be Filled By O.E.M."] in tried
    assert ["timezone", "/storage/.cache/timezone: TIMEZONE", "empty"] in tried
    assert ["om", "/proc/device-tree/model", "no such file"] in tried
    assert ["ofv", "os-release: VERSION + BUILD_ID, VERSION", "empty"] in tried
    assert ["olng", "/etc/locale.conf: LC_ALL, LC_MESSAGES, LANG", "no such file"] in tried


def test_the_configuration_is_in_force(tmp_path: Path, shown: Callable[..., str]) -> None:
    """Of a file without analytics id and of --set, each with its place; os and sdk too."""
    file = box(tmp_path, {"c.toml": '[device]\nfirmware = "7"\nos = "Android TV"\n'}) / "c.toml"
    answer = json.loads(
        shown(
            *("--config", str(file), "--set", "device.model=M", "--set", "device.sdk=0"),
            *("--root", str(LIBREELEC), "--json"),
        )
    )
    params = {key: (value["value"], value["source"]) for key, value in answer["params"].items()}
    assert params["om"] == ("M", "device.model (--set)")
    assert params["ofv"] == ("7", f"device.firmware ({file}:2)")
    assert params["oos"] == ("Android TV", f"device.os ({file}:3)")
    assert params["sdk"] == ("0", "device.sdk (--set)")
    assert params["oosv"] == ("11.0", "/etc/os-release: VERSION_ID")


def test_a_configuration_that_was_asked_for_must_be_good(tmp_path: Path, shown: Callable[..., str]) -> None:
    """A bad --set or --config ends with its problem; a bad file of the system is told and left out."""
    assert "device.modell" in shown("--set", "device.modell=M", status=78)
    assert "device.os" in shown("--set", "device.os=RDK", status=78)
    allowed = shown("--set", "device.os=RDK", "--set", "device.allow_unlisted_os=true", "--json")
    assert json.loads(allowed)["params"]["oos"]["value"] == "RDK"
    box(tmp_path, {"none/config.toml": 'modell = "x"\n'})
    answer = json.loads(shown("--root", str(LIBREELEC), "--json"))
    assert answer["params"]["om"]["value"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert "modell" in answer["configuration_problems"][0]
    assert shown("--root", str(LIBREELEC)).startswith("the configuration is left out: ")


def test_a_root_must_be_there(tmp_path: Path, shown: Callable[..., str]) -> None:
    """A mistyped directory is not an empty box."""
    assert "no such directory" in shown("--root", str(tmp_path / "nowhere"), status=1)


def test_looking_at_a_box_changes_nothing(tmp_path: Path) -> None:
    """A store with a log of its own keeps its files, and no other appears."""
    for tree in trees():
        before = sorted(path for path in tree.root.rglob("*"))
        platforms.detect(tree.root)
        assert sorted(path for path in tree.root.rglob("*")) == before
