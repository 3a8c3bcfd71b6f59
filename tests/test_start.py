"""How the daemon starts: the socket first, and nothing in memory that an idle daemon does not need."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwpingd import config
from jwpingd.cli import early
from jwpingd.cli.early import Options
from jwpingd.errors import ConfigError
from tests.processes import ANALYTICS_ID, BoxUnderTest, wait_until

ID = f"analytics_id={ANALYTICS_ID}"


@pytest.mark.parametrize(
    ("words", "expect"),
    [
        (["run"], Options(None, [])),
        (["run", "--set", "a=b", "--set=c=d", "--config", "x"], Options("x", ["a=b", "c=d"])),
        (["run", "--config=x", "--config=y"], Options("y", [])),
        (["run", "--help"], None),
        (["run", "--set"], None),
        (["run", "--config", "--set"], None),
        (["run", "more"], None),
        (["check"], None),
        (["--version", "run"], None),
    ],
)
def test_a_services_command_line(words: list[str], expect: Options | None) -> None:
    """A command line of `run` alone is read here as argparse would; any other is left to argparse."""
    assert early.options(words) == expect


LINES = st.sampled_from(
    [
        'path = "/run/a.sock"',
        'path = "/run/../a.sock"',
        'path = "a.sock"',
        "path = 7",
        "mode = 0o600",
        "mode = 440",
        'mode = "0666"',
        'mode = "666"',
        'mode = "00666"',
        'mode = "0o666"',
        'mode = "rw"',
        "mode = true",
        'group = "video"',
        "group = 44",
        "max_players = 3",
        "nonsense = 1",
        "[[",
    ]
)
OVERRIDES = st.sampled_from(
    [
        *("socket.path=/run/b.sock", 'socket.path="/run/c.sock"', "socket.path=d", "socket.mode=0o666"),
        *("socket.mode=666", "socket.group=audio", "socket.group=7", "socket = {}", "log.level=debug"),
        *("socket.path", "socket. path =/run/e.sock", "socket=3"),
    ]
)


def with_care(given: Options, environ: Mapping[str, str]) -> tuple[str, int, str | None]:
    """The socket's place as `run` finds it.  Raises ConfigError."""
    paths = config.locate(
        Path(given.config) if given.config else None, environ={**environ, "STATE_DIRECTORY": "/x"}
    )
    found = config.load(paths.config_files, given.set).config
    return str(config.player_socket(found, paths)), found.socket.mode, found.socket.group


@given(
    main=st.lists(LINES, max_size=3, unique=True),
    part=st.none() | st.lists(LINES, max_size=3, unique=True),
    overrides=st.lists(OVERRIDES, max_size=3),
    is_file_named=st.booleans(),
)
def test_the_early_socket_is_at_the_configured_place(
    tmp_path_factory: pytest.TempPathFactory,
    main: list[str],
    part: list[str] | None,
    overrides: list[str],
    is_file_named: bool,
) -> None:
    """Whatever is configured: early finds the same place as the reading with care, or leaves it alone."""
    etc = tmp_path_factory.mktemp("etc")
    (etc / "config.toml").write_text("\n".join(["[socket]", *main]))
    if part is not None:
        (etc / "conf.d").mkdir()
        (etc / "conf.d/9.toml").write_text("\n".join(["[socket]", *part]))
    environ = {
        "CONFIGURATION_DIRECTORY": str(etc),
        "RUNTIME_DIRECTORY": "/run/x",
        "STATE_DIRECTORY": "/var/x",
    }
    given = Options(str(etc / "config.toml") if is_file_named else None, [ID, *overrides])
    try:
        expect = with_care(given, environ)
    except ConfigError:
        return  # `run` gives the early socket up.
    try:
        found = early.find(given, environ, is_root=True)
    except (OSError, ValueError):
        found = None
    assert found is None or found == expect


@pytest.mark.parametrize("mode", ["0o666", '"0666"', '"666"'])
def test_plain_settings_are_found_early(tmp_path: Path, mode: str) -> None:
    """What services have is plain: root's directories, systemd's variables, a file that sets the socket."""
    (tmp_path / "config.toml").write_text(f'[socket]\nmode = {mode}\ngroup = "video"')
    environ = {"CONFIGURATION_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": "/run/jwpingd"}
    assert early.find(Options(None, []), environ, is_root=False) == (
        "/run/jwpingd/player.sock",
        0o666,
        "video",
    )
    assert early.find(Options(None, ["socket.path=/tmp/p"]), environ, is_root=False) == (
        "/tmp/p",
        0o666,
        "video",
    )
    assert early.find(Options(None, []), {}, is_root=False) is None


def test_early_and_careful_know_the_same_defaults() -> None:
    """The few defaults that are needed early are those of the table of settings."""
    paths = config.locate(environ={}, uid=0)
    assert (Path(early.ETC), Path(early.RUN)) == (config.paths.ETC, paths.runtime_dir)
    assert config.SETTINGS["socket.mode"].default == early.MODE


def test_systemds_socket_is_not_bound_again() -> None:
    """A socket that systemd hands over is left to whoever takes it."""
    assert early.bind(Options(None, []), {"LISTEN_FDS": "1", "RUNTIME_DIRECTORY": "/nowhere"}) is None


def test_a_socket_that_is_given_up_is_gone(tmp_path: Path) -> None:
    """A configuration that turns out to be bad leaves no socket that nobody reads."""
    environ = {"CONFIGURATION_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path / "run")}
    bound = early.bind(Options(None, []), environ)
    assert bound is not None
    assert Path(bound.place.path).is_socket()
    bound.give_up()
    bound.give_up()
    assert not Path(bound.place.path).exists()


@pytest.mark.slow
def test_a_bad_configuration_in_a_shell_leaves_no_socket(tmp_path: Path) -> None:
    """The error ends the command with status 78 as ever, and the early socket goes with it."""
    environ = {**os.environ, "RUNTIME_DIRECTORY": str(tmp_path), "STATE_DIRECTORY": str(tmp_path / "s")}
    command = [sys.executable, "-m", "jwpingd", "run", "--set", "analytics_id=short"]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert ended.returncode == 78
    assert "analytics_id" in ended.stderr
    assert not list(tmp_path.glob("*.sock"))


RUN_AND_LIST = """
import json, pathlib, signal, sys
from jwpingd.cli import main
names = lambda: sorted(name for name, module in sys.modules.items() if module is not None)
signal.signal(signal.SIGUSR1, lambda *_: pathlib.Path(sys.argv[1]).write_text(json.dumps(names())))
sys.exit(main(sys.argv[2:]))
"""

MAY_BE_LOADED = {
    # What its own rooms import; the rest of the standard library comes with trio, sqlite3 and json.
    *("dataclasses", "fcntl", "grp", "pwd", "resource", "secrets", "tomllib"),
    *("encodings.ascii", "encodings.utf_8_sig"),
    # Hashes without OpenSSL, by the names of 3.11 and later.
    *("_md5", "_sha1", "_sha2", "_sha256", "_sha3", "_blake2"),
}
OF_ITS_OWN = {
    *("apps", "clock", "config", "control", "daemon", "device", "errors", "events", "identity", "moment"),
    *(
        "interrupt",
        "network",
        "notify",
        "ping",
        "plural",
        "retry",
        "server",
        "session",
        "sockets",
        "spool",
        "uplink",
        "wire",
    ),
    *("writer", "cli.run", "cli.early", "cli.streams", "cli.common", "cli.footprint", "cli.journal"),
}


@pytest.mark.slow
def test_an_idle_daemon_has_loaded_only_what_it_needs(tmp_path: Path) -> None:
    """Before the first player: trio, sqlite3, json, a short list, its own rooms; no TLS, HTTP, platforms."""
    skeleton = "import json, sqlite3, sys, trio; print(json.dumps(sorted(sys.modules)))"
    loaded_by_trio = set(json.loads(subprocess.check_output([sys.executable, "-c", skeleton])))
    found = modules_of_idle_daemon(tmp_path)
    own = {name.removeprefix("jwpingd.") for name in found if name.startswith("jwpingd.")}
    others = {name for name in found if name.split(".")[0] not in ("jwpingd", "tomllib")}
    assert others - loaded_by_trio - MAY_BE_LOADED == set()
    assert {name for name in own - OF_ITS_OWN if name.split(".")[0] not in OF_ITS_OWN} == {"cli"}
    assert not own & {"uplink.http", "apps.detection", "apps.packages"}
    assert not others & {"idna.core", "shutil"}
    assert not others & {"_ssl", "_hashlib", "httpx", "httpcore", "h11", "argparse", "platformdirs", "email"}


def modules_of_idle_daemon(directory: Path) -> set[str]:
    """What a running daemon that nobody has spoken to has imported."""
    box = BoxUnderTest(directory, port=9)
    answer = directory / "modules"
    box.program = [sys.executable, "-c", RUN_AND_LIST, str(answer)]
    box.start()
    try:
        assert box.process is not None
        box.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: answer.exists() and answer.read_text().endswith("]"), "the list of modules")
    finally:
        box.stop()
    return set(json.loads(answer.read_text()))


@pytest.mark.slow
def test_what_is_left_out_comes_back_when_it_is_used() -> None:
    """TLS over trio works as without the trick, also when ssl is first asked for a name it lacks."""
    program = """
from jwpingd.cli import footprint
footprint.keep_small()
import ctypes.util, hashlib, sys, trio, trio.testing
assert "_ssl" not in sys.modules
assert hashlib.sha1(b"").hexdigest().startswith("da39a3ee")
assert ctypes.util.find_library("pthread") == "libpthread.so.0"
import ssl
context = ssl.create_default_context()
trio.SSLStream(trio.testing.memory_stream_pair()[0], context, server_hostname="localhost")
assert sys.modules["ssl"].SSLContext is ssl.SSLContext and "_ssl" in sys.modules
assert "nonsense" not in dir(ssl) and not hasattr(ssl, "nonsense")
assert "libc" in (ctypes.util.find_library("c") or "libc")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
