"""`jwpingd check`: what can be found out about players, as the service's user and not as root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jwpingd.cli.checks.evidence import evidence
from jwpingd.cli.checks.section import Section
from jwpingd.config import AppRule, Config

AID = "a17e8PTFFffxLgpVuA4vVw"
RULES = tuple(AppRule({key: "x"}, id="y") for key in ("user", "unit", "exe", "app"))
CONFIG = Config(analytics_id=AID, apps=RULES)


def works(section: Section, name: str) -> str:
    return next(row[1] for row in section.rows if row[0] == name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")
def test_root_looks_as_the_service_would(tmp_path: Path) -> None:
    """For a service without rights: the cgroup of other users' processes, not exe; and we are root again."""
    os.chown(tmp_path, 64_211, 64_211)
    section = evidence(CONFIG, tmp_path)
    assert works(section, "cgroup").startswith("yes")
    assert works(section, "exe").startswith("no: ")
    assert [warning.split()[0] for warning in section.warnings] == ["apps[2].match.exe"]
    assert os.geteuid() == 0


def box(root: Path, *, has_process: bool) -> Path:
    """A box with systemd and opkg, and the process of another user if it shows any."""
    for path in ("run/systemd/system", "usr/lib/opkg/info", "proc"):
        (root / path).mkdir(parents=True)
    if has_process:
        (root / "proc/1").mkdir()
        os.chown(root / "proc/1", 64_211, 64_211)
        (root / "proc/1/cmdline").write_bytes(b"init\0")
        (root / "proc/1/cgroup").write_text("0::/init.scope\n")
        (root / "proc/1/exe").symlink_to("/sbin/init")
    return root


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process of the tree to another user")
def test_what_can_be_read_works(tmp_path: Path) -> None:
    """Where all can be read there is nothing to warn of."""
    section = evidence(CONFIG, tmp_path, box(tmp_path / "root", has_process=True))
    assert [works(section, name) for name in ("cgroup", "exe", "packages")] == ["yes", "yes", "opkg"]
    assert not section.warnings


def test_a_proc_that_hides_is_warned_of(tmp_path: Path) -> None:
    """With hidepid= nothing but the user is known, and conditions on more than that are idle."""
    section = evidence(CONFIG, tmp_path, box(tmp_path / "root", has_process=False))
    assert works(section, "cgroup").startswith("no: ") and works(section, "exe").startswith("no: ")
    assert [warning.split()[0] for warning in section.warnings] == [
        "/proc",
        "apps[1].match.unit",
        "apps[2].match.exe",
    ]
