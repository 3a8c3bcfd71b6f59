"""`install` and `uninstall`: into any root file system, and out again without a trace."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jwpingd import config
from jwpingd.cli import main, rootfs
from tests import wheels

REPOSITORY = Path(__file__).parent.parent
COMMAND = "/usr/bin/jwpingd"
UNITS = "usr/lib/systemd/system"
CONFIG = "etc/jwpingd/config.toml"

Files = dict[str, bytes]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image: it has its own /usr, one file, and a /lib that is a link as on every merged system."""
    root = tmp_path / "image"
    (root / "usr/lib").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib/os-release").write_text("ID=test\n")
    return root


def files(root: Path) -> Files:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def install(root: Path, *options: str) -> int:
    return main(["install", "--root", str(root), "--exec", COMMAND, *options])


def uninstall(root: Path, *options: str) -> int:
    return main(["uninstall", "--root", str(root), *options])


def test_what_is_put_is_what_the_repository_has(root: Path) -> None:
    """Units, sysusers, tmpfiles and configuration arrive byte for byte, open to read whatever the umask."""
    before = os.umask(0o077)
    try:
        assert install(root, "--kernel-clock") == 0
    finally:
        os.umask(before)
    sources = {
        f"{UNITS}/jwpingd.service": "systemd/jwpingd.service",
        f"{UNITS}/jwpingd.socket": "systemd/jwpingd.socket",
        f"{UNITS}/jwpingd.service.d/kernel-clock.conf": "systemd/kernel-clock.conf",
        "usr/lib/sysusers.d/jwpingd.conf": "systemd/sysusers.conf",
        "usr/lib/tmpfiles.d/jwpingd.conf": "systemd/tmpfiles.conf",
        CONFIG: "config/jwpingd.toml",
    }
    for put, source in sources.items():
        assert (root / put).read_bytes() == (REPOSITORY / source).read_bytes()
        assert stat.S_IMODE((root / put).stat().st_mode) == 0o644
        assert stat.S_IMODE((root / put).parent.stat().st_mode) == 0o755
    others = {"usr/lib/os-release", "usr/share/jwpingd/installed.json"}
    assert files(root).keys() == sources.keys() | others


def test_every_file_of_the_two_directories_is_put() -> None:
    """A unit that is added to systemd/ is not forgotten."""
    from jwpingd.cli.pieces import pieces

    shipped = [*(REPOSITORY / "systemd").iterdir(), *(REPOSITORY / "config").iterdir()]
    put = {piece.content for piece in pieces(COMMAND, has_kernel_clock=True)}
    assert put == {path.read_bytes() for path in shipped}


def test_uninstall_leaves_no_trace(root: Path) -> None:
    """Afterwards the image is as it was before, to the last directory."""
    before, kept = tree(root), files(root)
    assert install(root, "--kernel-clock") == 0
    assert uninstall(root) == 0
    assert (tree(root), files(root)) == (before, kept)
    assert uninstall(root) == 1


def test_installing_again_changes_nothing(root: Path) -> None:
    """A second call finds all in place, and uninstall still takes everything out."""
    before = tree(root)
    install(root)
    once = files(root)
    assert install(root) == 0
    assert files(root) == once
    uninstall(root)
    assert tree(root) == before


def test_a_changed_configuration_is_the_operators(root: Path) -> None:
    """A configuration that was changed is neither overwritten nor removed; units are replaced."""
    install(root)
    (root / CONFIG).write_text("analytics_id = 'a17e8PTFFffxLgpVuA4vVw'\n")
    (root / UNITS / "jwpingd.service").write_text("[Unit]\n")
    install(root)
    assert (root / CONFIG).read_text().startswith("analytics_id = 'a17")
    assert (root / UNITS / "jwpingd.service").stat().st_size > 100
    uninstall(root)
    assert tree(root) >= {CONFIG} and not (root / UNITS).exists()


def test_an_unchanged_configuration_follows_the_program(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody changed is replaced by a newer default."""
    install(root)
    from jwpingd.cli import pieces

    shipped = pieces._shipped
    monkeypatch.setattr(pieces, "_shipped", lambda name: shipped(name) + b"# newer\n")
    install(root)
    assert (root / CONFIG).read_bytes().endswith(b"# newer\n")


def test_a_configuration_that_is_a_link_stays_one(root: Path) -> None:
    """Boxes keep it on a partition of its own; such a link is not replaced."""
    (root / CONFIG).parent.mkdir(parents=True)
    (root / CONFIG).symlink_to("/data/jwpingd.toml")
    install(root)
    assert os.readlink(root / CONFIG) == "/data/jwpingd.toml"
    uninstall(root)
    assert os.readlink(root / CONFIG) == "/data/jwpingd.toml"


def test_a_dry_run_does_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both commands tell every path that they would touch, and touch none."""
    before = tree(root)
    assert install(root, "--dry-run") == 0
    assert tree(root) == before
    told = capsys.readouterr().out
    install(root)
    capsys.readouterr()
    there = files(root)
    assert uninstall(root, "--dry-run") == 0
    told_again = capsys.readouterr().out
    assert files(root) == there
    for path in (CONFIG, f"{UNITS}/jwpingd.service", "usr/lib/sysusers.d/jwpingd.conf"):
        assert str(root / path) in told and str(root / path) in told_again


def test_what_is_told_was_done(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line about a file comes after the deed, so a call that fails half way tells what it has done."""
    (root / "usr/lib/systemd").touch()  # No unit can be put below a file.
    assert install(root, "--dry-run") == 0
    planned = capsys.readouterr().out
    assert f"would put     {root / CONFIG}\n" in planned
    assert install(root) == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [f"put      {path}" for path in put_files(root)]
    assert str(root / "usr/lib/systemd") in told.err


def put_files(root: Path) -> list[Path]:
    """What is there of it, in the order of the table."""
    from jwpingd.cli.pieces import pieces

    paths = [root / piece.path.lstrip("/") for piece in pieces(COMMAND, has_kernel_clock=False)]
    return [path for path in paths if os.path.exists(path)]


def test_what_is_told_was_removed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is told as what became of it: removed, kept, or gone before."""
    install(root)
    (root / CONFIG).write_text("# mine\n")
    (root / UNITS / "jwpingd.socket").unlink()
    capsys.readouterr()
    assert uninstall(root, "--dry-run") == 0
    assert f"would remove  {root / UNITS}/jwpingd.service\n" in capsys.readouterr().out
    assert uninstall(root) == 0
    told = capsys.readouterr().out
    assert f"kept     {root / CONFIG}  (changed since)\n" in told
    assert f"removed  {root / UNITS}/jwpingd.service\n" in told
    assert f"gone     {root / UNITS}/jwpingd.socket\n" in told


def test_a_program_without_bytecode_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a read-only root every start would compile it anew, so the last step names the command."""
    package = root / "usr/lib/python3/dist-packages/jwpingd"
    package.mkdir(parents=True)
    assert install(root) == 0
    assert f"compileall -q {package}" in capsys.readouterr().out
    (package / "__pycache__").mkdir()
    (package / "__pycache__/early.cpython-311.pyc").touch()
    assert install(root) == 0
    assert "compileall" not in capsys.readouterr().out


def test_nothing_is_written_outside_the_root(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An image whose link leads to the host's directories is refused by name."""
    outside = root.parent / "host"
    outside.mkdir()
    (root / "etc").symlink_to(outside)
    assert install(root) == 1
    assert str(root / "etc") in capsys.readouterr().err
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("/opt/tv/jwpingd", "ExecStart=/opt/tv/jwpingd run"),
        ("/usr/bin/python3 /opt/jwpingd.pyz", "ExecStart=/usr/bin/python3 /opt/jwpingd.pyz run"),
        ("/opt/100%/$x/jwpingd", "ExecStart=/opt/100%%/$$x/jwpingd run"),
    ],
)
def test_the_service_starts_what_it_is_told(root: Path, command: str, line: str) -> None:
    """ExecStart is the command, with what has a meaning in unit files escaped."""
    assert main(["install", "--root", str(root), "--exec", command]) == 0
    assert line in (root / UNITS / "jwpingd.service").read_text().splitlines()


@pytest.mark.parametrize("command", ["install", "uninstall", "device"])
def test_an_empty_root_is_no_root(
    root: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--root "$UNSET" is a mistake on the command line, not the directory that one happens to be in."""
    monkeypatch.chdir(root)
    before = files(root)
    assert main([command, "--root", ""]) == 2
    assert "is empty" in capsys.readouterr().err
    assert files(root) == before


@pytest.mark.parametrize("found", ["usr/bin/jwpingd", "usr/local/bin/jwpingd", "opt/jwpingd/bin/jwpingd"])
def test_in_an_image_the_program_is_looked_for(root: Path, found: str) -> None:
    """Without --exec the service starts what the image has."""
    (root / found).parent.mkdir(parents=True)
    (root / found).touch()
    assert main(["install", "--root", str(root)]) == 0
    assert f"ExecStart=/{found} run" in (root / UNITS / "jwpingd.service").read_text()


def test_an_empty_image_gets_the_program_later(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no program yet the service starts the usual one, and the last steps say so."""
    assert main(["install", "--root", str(root)]) == 0
    assert f"ExecStart={COMMAND} run" in (root / UNITS / "jwpingd.service").read_text()
    assert f"the service starts {COMMAND}, which is not there yet" in capsys.readouterr().out
    (root / "usr/bin").mkdir()
    (root / "usr/bin/jwpingd").touch()
    assert main(["install", "--root", str(root)]) == 0
    assert "not there yet" not in capsys.readouterr().out


def relative(root: Path) -> list[str]:
    return ["--root", str(root), "--exec", "jwpingd"]


def two_lines(root: Path) -> list[str]:
    return ["--root", str(root), "--exec", "/usr/bin/jwpingd\nUser=root"]


def no_root(root: Path) -> list[str]:
    return ["--root", str(root / "nowhere"), "--exec", COMMAND]


@pytest.mark.parametrize(("arguments", "status"), [(relative, 2), (two_lines, 2), (no_root, 1)])
def test_what_cannot_be_started_is_refused(
    root: Path, arguments: Callable[[Path], list[str]], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """No absolute path, no directory: one line that names the way out."""
    before = tree(root)
    assert main(["install", *arguments(root)]) == status
    assert capsys.readouterr().err.startswith("jwpingd: ")
    assert tree(root) == before


@pytest.mark.parametrize("place", ["/root/venv/bin/jwpingd", "/home/me/jwpingd", "/tmp/jwpingd"])
def test_a_program_that_the_sandbox_hides_is_refused(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a running system a venv below /root or /tmp could not be executed by the service."""
    monkeypatch.setattr(sys, "argv", [place])
    assert main(["install", "--dry-run"]) == 1
    assert "--exec" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("/opt/jwpingd/bin/jwpingd", "/opt/jwpingd/bin/jwpingd run"),
        ("/opt/tv tools/jwpingd", '"/opt/tv tools/jwpingd" run'),
        ("/opt/jwpingd/lib/jwpingd/__main__.py", "/usr/bin/python3 -m jwpingd run"),
        ("/opt/not-executable.pyz", "/usr/bin/python3 /opt/not-executable.pyz run"),
    ],
)
def test_on_a_running_system_the_service_starts_this_program(
    program: str, line: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was started itself: a command, a module, or a file that Python must be given."""
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    monkeypatch.setattr(os, "access", lambda path, _mode: not str(path).endswith(".pyz"))
    monkeypatch.setattr(rootfs.Rootfs, "is_running_system", True)
    assert main(["install", "--root", str(root)]) == 0
    assert f"ExecStart={line}" in (root / UNITS / "jwpingd.service").read_text().splitlines()


def test_an_enabled_service_is_not_taken_away(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """uninstall asks for `systemctl disable` first, and does nothing."""
    install(root)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    (wants / "jwpingd.service").symlink_to(f"/{UNITS}/jwpingd.service")
    before = files(root)
    assert uninstall(root) == 1
    assert f"systemctl --root={root} disable" in capsys.readouterr().err
    assert uninstall(root, "--dry-run") == 0
    assert files(root) == before


def test_the_shipped_configuration_lacks_only_the_id(root: Path) -> None:
    """What install puts is a configuration once the id is set."""
    install(root)
    file = root / CONFIG
    file.write_text(file.read_text().replace('"…"', '"a17e8PTFFffxLgpVuA4vVw"'))
    assert config.load([file]).config.analytics_id == "a17e8PTFFffxLgpVuA4vVw"


@pytest.mark.slow
def test_a_wheel_carries_them(root: Path, tmp_path: Path) -> None:
    """The links in the package become files in the wheel, and install from it puts the same bytes."""
    with zipfile.ZipFile(wheels.build(tmp_path / "build")) as packed:
        packed.extractall(tmp_path / "unpacked")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "unpacked")}
    command = [sys.executable, "-m", "jwpingd", "install", "--root", str(root), "--exec", COMMAND]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    unit = root / UNITS / "jwpingd.service"
    assert unit.read_bytes() == (REPOSITORY / "systemd/jwpingd.service").read_bytes()


def test_links_that_go_round_are_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the root file system or on the way to it, they are the operator's to mend."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root/etc").symlink_to("etc")
    (tmp_path / "loop").symlink_to("loop")
    for root, told in (("root", "root/etc: "), ("loop", "there is no such directory")):
        assert main(["install", "--root", str(tmp_path / root), "--exec", "/usr/bin/jwpingd"]) == 1
        error = capsys.readouterr().err
        assert told in error and "internal" not in error
    assert main(["device", "--root", str(tmp_path / "loop")]) == 1
    assert "there is no such directory" in capsys.readouterr().err
