"""Where the configuration, the state and the sockets are."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwpingd.cli import early
from jwpingd.cli.early import Options
from jwpingd.config import Config, SocketSettings, control_socket, locate, player_socket
from jwpingd.config.paths import Paths
from jwpingd.errors import ConfigError

ROOT, SOMEBODY = 0, 1000
ID = "a17e8PTFFffxLgpVuA4vVw"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's directories below `tmp_path`, as the XDG variables say."""
    runtime = tmp_path / "xdg-runtime"
    runtime.mkdir(mode=0o700)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return tmp_path


def make(file: Path) -> Path:
    """An empty file, with its directories."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def test_root_has_the_usual_places(tmp_path: Path) -> None:
    """Without systemd, root uses /etc, /var/lib and /run, whether they are there or not."""
    paths = locate(environ={}, uid=ROOT, etc=tmp_path / "etc")
    assert (paths.state_dir, paths.runtime_dir) == (Path("/var/lib/jwpingd"), Path("/run/jwpingd"))
    assert paths.config_files == ()
    assert paths.looked_in == (tmp_path / "etc/config.toml", tmp_path / "etc/conf.d/*.toml")


def test_a_user_has_places_of_their_own(home: Path) -> None:
    """Without a configuration in /etc, a user's is looked for where XDG says."""
    mine = make(home / "XDG_CONFIG_HOME/jwpingd/config.toml")
    paths = locate(environ={}, uid=SOMEBODY, etc=home / "etc")
    assert paths.config_files == (mine,)
    assert paths.looked_in[0] == home / "etc/config.toml"
    assert paths.state_dir == home / "XDG_STATE_HOME/jwpingd"
    assert paths.runtime_dir.name == "jwpingd"


def test_the_systems_configuration_comes_before_a_users(home: Path) -> None:
    """Where /etc has one, a user reads that."""
    make(home / "XDG_CONFIG_HOME/jwpingd/config.toml")
    systems = make(home / "etc/config.toml")
    assert locate(environ={}, uid=SOMEBODY, etc=home / "etc").config_files == (systems,)


@pytest.mark.parametrize("uid", [ROOT, SOMEBODY])
def test_systemds_variables_win(tmp_path: Path, uid: int) -> None:
    """The first directory of each variable counts, for every user."""
    environ = {
        "STATE_DIRECTORY": f"{tmp_path}/s:{tmp_path}/other",
        "RUNTIME_DIRECTORY": f"{tmp_path}/r",
        "CONFIGURATION_DIRECTORY": f"{tmp_path}/c:{tmp_path}/other",
    }
    file = make(tmp_path / "c/config.toml")
    make(tmp_path / "etc/config.toml")
    paths = locate(environ=environ, uid=uid, etc=tmp_path / "etc")
    assert (paths.state_dir, paths.runtime_dir) == (tmp_path / "s", tmp_path / "r")
    assert paths.config_files == (file,)


def test_parts_are_read_after_the_file_in_order(tmp_path: Path) -> None:
    """conf.d/*.toml follow by name; other files there do not count."""
    for name in ("conf.d/20.toml", "conf.d/10.toml", "conf.d/10.toml.bak", "config.toml"):
        make(tmp_path / name)
    paths = locate(environ={}, uid=ROOT, etc=tmp_path)
    names = [str(file.relative_to(tmp_path)) for file in paths.config_files]
    assert names == ["config.toml", "conf.d/10.toml", "conf.d/20.toml"]


def test_parts_that_cannot_be_seen_are_an_error(tmp_path: Path) -> None:
    """A conf.d that cannot be looked into is told by name: what it holds might matter."""
    (tmp_path / "conf.d").write_text("[log]")
    with pytest.raises(ConfigError, match=f"{tmp_path}/conf.d: directory: cannot be read: Not a directory"):
        locate(environ={"CONFIGURATION_DIRECTORY": str(tmp_path)})
    (tmp_path / "conf.d").unlink()
    (tmp_path / "conf.d").symlink_to("conf.d")
    with pytest.raises(ConfigError, match=f"{tmp_path}/conf.d: directory: cannot be read"):
        locate(environ={}, uid=ROOT, etc=tmp_path)


def test_a_file_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    """--config FILE: no conf.d, and it need not exist for its path to be known."""
    make(tmp_path / "conf.d/10.toml")
    paths = locate(tmp_path / "x.toml", environ={}, uid=ROOT, etc=tmp_path)
    assert paths.config_files == paths.looked_in == (tmp_path / "x.toml",)


def test_the_sockets_are_in_the_runtime_directory(tmp_path: Path) -> None:
    """Unless the configuration gives the players' another place."""
    paths = Paths((), tmp_path, Path("/run/x"))
    assert player_socket(Config(ID), paths) == Path("/run/x/player.sock")
    assert control_socket(paths) == Path("/run/x/control.sock")
    elsewhere = Config(ID, socket=SocketSettings(path=Path("/run/y")))
    assert player_socket(elsewhere, paths) == Path("/run/y")


def test_a_runtime_directory_that_is_too_deep(tmp_path: Path) -> None:
    """A socket path over 107 bytes is a configuration error."""
    paths = Paths((), tmp_path, Path("/" + "r" * 95))
    assert len(str(player_socket(Config(ID), Paths((), tmp_path, Path("/" + "r" * 94))))) == 107
    with pytest.raises(ConfigError, match="RUNTIME_DIRECTORY"):
        player_socket(Config(ID), paths)
    with pytest.raises(ConfigError, match="RUNTIME_DIRECTORY"):
        control_socket(paths)


def test_what_editors_hide_is_no_part_of_the_configuration(tmp_path: Path) -> None:
    """Emacs leaves a dangling link `.#desk.toml` there while a file is edited; it is not read, nor early."""
    main, part = make(tmp_path / "config.toml"), make(tmp_path / "conf.d/desk.toml")
    (tmp_path / "conf.d/.#desk.toml").symlink_to("somebody@box.1234")
    environ = {"CONFIGURATION_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": "/run/x"}
    assert locate(environ=environ, uid=ROOT).config_files == (main, part)
    assert early.find(Options(None, []), environ, is_root=True) is not None
