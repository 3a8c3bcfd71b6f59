"""Who is at the other end: boxes as trees of files, each with a process 100, and what is made of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd import apps
from jwpingd.apps import App, Process, cgroups, units
from jwpingd.apps import files as reading
from jwpingd.apps.files import Files
from tests.processes import wait_until

BOXES = sorted(path.parent for path in (Path(__file__).parent / "apps").glob("*/expected.json"))
UID = 64_211  # of no user that a machine has


@pytest.mark.parametrize("box", BOXES, ids=lambda box: str(box.name))
def test_a_peer_is_told_by_its_box(box: Path) -> None:
    """Evidence and app are those that the tree's expected.json says, with the reason in its `about`."""
    expected: dict[str, Any] = json.loads((box / "expected.json").read_text())
    process = apps.process(100, UID, box / "root")
    assert (process.unit, process.exe) == (expected["unit"], expected["exe"]), expected["about"]
    found = apps.detect(process, box / "root")
    assert (found._asdict() if found else None) == expected["app"], expected["about"]


@pytest.mark.parametrize("pid", [0, -1, 2**40])
def test_a_pid_that_means_nothing(pid: int) -> None:
    """A peer outside our pid namespace has pid 0; it is known by its user alone, as is one that is gone."""
    assert apps.process(pid, UID) == Process(UID, str(UID))
    assert apps.detect(Process(UID, str(UID))) is None


def test_evidence_of_another_process_does_not_count() -> None:
    """If the pid may have been another's by the end, nothing that was read of it is kept."""
    assert apps.process(os.getpid(), 0).exe is not None
    assert apps.process(os.getpid(), 0, is_still_there=lambda: False) == Process(0, "root")


def test_a_real_process_is_seen_whole() -> None:
    """The kernel's own /proc is read as the trees of the tests are."""
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        # The command line is there a moment after the program is.
        wait_until(lambda: apps.process(sleeper.pid, 0).command == "sleep", "the process runs")
        found = apps.process(sleeper.pid, 0)
        sleeper.kill()
    assert found.exe == os.path.realpath(shutil.which("sleep") or "")


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("0::/a.service\n", ("/a.service",)),
        ("0::/a.service (deleted)\n", ("/a.service",)),
        ("3:cpu,cpuacct:/x\n1:name=systemd:/b.service\n0::/\n", ("/b.service", "/x")),
        ("1:name=systemd:/b\n0::/c\n2:memory:/b\n", ("/c", "/b")),
        ("0::/with:colons:/x\n", ("/with:colons:/x",)),
        ("0::/../..\n1:name=systemd\nrubbish\n\n", ("/../..",)),
        ("".join(f"{number}:c{number}:/{number}\n" for number in range(1, 100)), None),
    ],
)
def test_the_telling_tree_comes_first(text: str, paths: tuple[str, ...] | None) -> None:
    """Version 2, then systemd's tree, then the others; "/" says nothing; never more than a few."""
    found = cgroups.parse(text)
    assert len(found) == cgroups.MAX_PATHS if paths is None else found == paths


@pytest.mark.parametrize(
    ("path", "app_id"),
    [
        ("/system.slice/tvplayer.service", "tvplayer"),
        ("/system.slice/tv\\x2dplayer.service", "tv-player"),
        ("/system.slice/tv-player.service/inner/cgroup", "tv-player"),
        ("/system.slice/caf\\xc3\\xa9.service", "café"),
        ("/system.slice/tv@.service", "tv"),
        ("/system.slice/app-server.service", "app-server"),
        ("/user.slice/user@1.service/app.slice/app-org.example.Tv.service", "org.example.Tv"),
        ("/user.slice/user@1.service/app.slice/app-org.example.Tv@autostart.service", "org.example.Tv"),
        ("/user.slice/user@1.service/app.slice/app-org.example.Tv-77.scope", "org.example.Tv"),
        ("/user.slice/user@1.service/app.slice/app-77.scope", "77"),
        ("/user.slice/user@1.service/app.slice/app-.scope", None),
        ("/system.slice/@x.service", None),
        ("/system.slice/.service", None),
        ("/system.slice/\\x0a.service", None),
        ("/system.slice/tv\\x1b[2J.service", None),
        ("/system.slice/" + "x" * 300 + ".service", None),
        ("/user.slice/user-1.slice/user@1.service", None),
        ("/user.slice/user@1.service/init.scope", None),
        ("/init.scope", None),
        ("/system.slice/run-u42.service", None),
        ("/system.slice/ssh.service", None),
        ("/system.slice/system-getty.slice/getty@tty1.service", None),
        ("/system.slice", None),
    ],
)
def test_what_a_unit_is_called_as_an_app(path: str, app_id: str | None) -> None:
    """A unit's name without suffix, instance and escapes; none where anything may run in the unit."""
    found = units.app([path])
    assert (found and found.id) == app_id


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ({"unit": "tv@living\\x2droom.service"}, True),
        ({"unit": "tv@living-room.service"}, True),
        ({"unit": "tv@.service"}, True),
        ({"unit": "tv.service"}, False),
        ({"user": "anna"}, True),
        ({"user": "1000"}, True),
        ({"user": "root"}, False),
        ({"app": "com.example.tv"}, True),
        ({"app": "com.example"}, False),
        ({"exe": "/usr/bin/tv"}, False),
        ({"unit": "tv@.service", "user": "berta"}, False),
        ({"unit": "tv@.service", "user": "anna", "app": "com.example.tv"}, True),
    ],
)
def test_conditions_of_the_configuration(match: dict[str, str], holds: bool) -> None:
    """All must hold; a unit may be given by its template; what a process calls itself is no `exe`."""
    process = Process(
        1000, "anna", arguments=("/usr/bin/tv",), cgroups=("/system.slice/tv@living\\x2droom.service",)
    )
    assert apps.matches(match, process, "com.example.tv") is holds


def test_a_package_is_looked_for_once_until_packages_change(tmp_path: Path) -> None:
    """The answer is remembered; an update of the database makes it looked for again."""
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info / "tv.list").write_text("/usr/bin/tv\n")
    process = Process(UID, "anna", exe="/usr/bin/tv")
    for version in ("1", "2"):
        (tmp_path / "status.new").write_text(f"Package: tv\nVersion: {version}\n")
        (tmp_path / "status.new").rename(tmp_path / "var/lib/dpkg/status")
        for _ in range(2):
            assert apps.detect(process, tmp_path) == App("tv", version, "dpkg")
    (info / "tv.list").unlink()
    assert apps.detect(process, tmp_path) == App("tv", "2", "dpkg")


# --- whatever is in the files ---------------------------------------------------------------------

PATHS = [
    *("proc/1/cgroup", "proc/1/cmdline", "proc/1/attr/apparmor/current", "proc/1/root/.flatpak-info"),
    *("var/lib/dpkg/status", "var/lib/dpkg/diversions", "var/lib/dpkg/info/tv.list"),
    *("usr/lib/opkg/info/tv.list", "usr/lib/opkg/info/tv.control", "lib/apk/db/installed"),
    *("snap/tv/current/meta/snap.yaml", "run/rdk/crun/x_com.example.tv_1/config.json"),
    f"var/lib/docker/containers/{'a' * 64}/config.v2.json",
    "var/lib/flatpak/app/org.example.Tv/current/active/files/share/metainfo/org.example.Tv.metainfo.xml",
]
CONTENTS = st.binary(max_size=60) | st.sampled_from(
    [
        b"0::/system.slice/tv.service\n",
        b"0::/x_com.example.tv_1\n",
        b"0::/docker/" + b"a" * 64,
        b"0::/snap.tv.tv.service",
        b"0::/app-flatpak-org.example.Tv-1.scope",
        b"/usr/bin/tv\n",
        b"Package: tv\nVersion: \x00\n",
        b"[" * 5000,
        b'{"process":{"env":[1,null]},"annotations":7,"Config":[],"Name":0}',
        b'[{"id":1,"names":{}}]',
        b'<release version="\n">',
        b"version: '\xff\n",
        b"P:\nF:usr/bin\nR:tv\n",
    ]
)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.dictionaries(st.sampled_from(PATHS), CONTENTS, max_size=8))
def test_any_bytes_in_any_file(contents: dict[str, bytes]) -> None:
    """Nothing raises, and an id or a version is a clean text or none at all."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path, content in contents.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        seen = apps.process(1, UID, root)
        for process in (seen, seen._replace(exe="/usr/bin/tv")):
            found = apps.detect(process, root)
            for text in (found.id, found.version or "1") if found else ():
                assert text and text == text.strip() and text.isprintable()


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """Pipes, directories and links in circles in place of files neither block nor raise."""
    for path in PATHS[:5]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(tmp_path / "proc/1/cgroup")
    os.mkfifo(tmp_path / "var/lib/dpkg/status")
    (tmp_path / "proc/1/cmdline").mkdir()
    (tmp_path / "proc/1/exe").symlink_to("exe")
    process = apps.process(1, UID, tmp_path)
    assert process == Process(UID, str(UID))
    assert apps.detect(process._replace(exe="/usr/bin/tv"), tmp_path) is None


def test_a_lookup_reads_so_much_and_no_more(tmp_path: Path) -> None:
    """Beyond its bytes every file seems to end, however many there are, and a line of any length is borne."""
    (tmp_path / "large").write_bytes(b"x" * 300_000 + b"\nwanted\n")
    needles = [b"\nwanted\n"]
    assert Files(tmp_path).holds("large", needles)
    assert list(Files(tmp_path).lines("large"))[-1] == b"wanted"
    small = Files(tmp_path, max_total_bytes=100_000)
    assert list(small.lines("large"))[-1] != b"wanted"
    assert not small.holds("large", needles)
    assert small.text("large") is None


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(8, 30))
def test_a_line_is_found_across_pieces(n_before: int, n_after: int, chunk_bytes: int) -> None:
    """Wherever a piece of the file ends: a whole line is found, a part of one is not."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_CHUNK_BYTES", chunk_bytes)
        (Path(name) / "list").write_bytes(b"/a\n" * n_before + b"/usr/tv\n/usr/tv2" + b"\n/b" * n_after)
        for path, is_there in ((b"/usr/tv", True), (b"/usr/tv2", True), (b"/usr/t", False), (b"/tv", False)):
            assert Files(Path(name)).holds("list", [b"\n" + path + b"\n"]) is is_there
