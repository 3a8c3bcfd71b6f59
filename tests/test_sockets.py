"""Unix sockets: bound whole or not at all, one daemon at a time, and the caller's name."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jwpingd.errors import AlreadyRunning, OperatorError
from jwpingd.sockets import credentials, listening
from jwpingd.sockets.credentials import Peer, is_still_there, peer


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_mode_is_the_one_asked_for(tmp_path: Path, mode: int, umask: int) -> None:
    """Whatever the umask: the socket has exactly its mode, and the umask is as before."""
    path = tmp_path / "run" / "player.sock"
    before = os.umask(umask)
    try:
        with listening.bind(path, mode=mode, group=None) as listener:
            assert stat.S_IMODE(path.stat().st_mode) == mode
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
            assert listener.getblocking() is False
            assert listener.get_inheritable() is False
    finally:
        assert os.umask(before) == umask


def test_what_is_visible_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no window: at the moment of the rename the socket listens and has its mode."""
    path = tmp_path / "player.sock"
    seen: list[int] = []
    rename = os.rename

    def watched(source: str, target: str) -> None:
        assert stat.S_IMODE(Path(source).parent.stat().st_mode) & 0o077 == 0
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(source)
        seen.append(stat.S_IMODE(os.stat(source).st_mode))
        rename(source, target)

    monkeypatch.setattr(os, "rename", watched)
    listening.bind(path, mode=0o660, group=None).close()
    assert seen == [0o660]
    assert os.listdir(tmp_path) == ["player.sock"]


def test_players_can_connect_and_are_known(tmp_path: Path) -> None:
    """An accepted connection tells pid, uid and gid of the process at its other end."""
    path = tmp_path / "player.sock"
    with listening.bind(path, mode=0o600, group=None) as listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        accepted, _ = listener.accept()
        with accepted:
            assert peer(accepted)[:3] == (os.getpid(), os.getuid(), os.getgid())


def test_the_group_is_set_and_must_exist(tmp_path: Path) -> None:
    """The socket belongs to the group asked for; one that does not exist is the operator's to make."""
    path = tmp_path / "player.sock"
    own = grp.getgrgid(os.getgid()).gr_name
    with listening.bind(path, mode=0o660, group=own):
        assert path.stat().st_gid == os.getgid()
    path.unlink()
    with pytest.raises(OperatorError, match=r"'no-such-group'.*create it"):
        listening.bind(path, mode=0o660, group="no-such-group")
    assert os.listdir(tmp_path) == []


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """A socket that nobody listens on any more, left by a daemon that died, gives way."""
    path = tmp_path / "player.sock"
    listening.bind(path, mode=0o600, group=None).close()
    assert path.is_socket()
    with listening.bind(path, mode=0o666, group=None), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o666


@pytest.mark.parametrize("n_waiting", [0, 1])
def test_a_live_socket_is_not_replaced(tmp_path: Path, n_waiting: int) -> None:
    """Where somebody listens, even with a full backlog, we give up and name path and way out."""
    path = tmp_path / "player.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(0)
        clients = [socket.socket(socket.AF_UNIX) for _ in range(n_waiting)]
        for client in clients:
            client.connect(str(path))
        inode = path.stat().st_ino
        with pytest.raises(AlreadyRunning, match=r"player\.sock.*stop it, or set another socket\.path"):
            listening.bind(path, mode=0o600, group=None)
        assert path.stat().st_ino == inode
        for client in clients:
            client.close()


def test_a_live_datagram_socket_is_not_replaced(tmp_path: Path) -> None:
    """A socket of another kind that is in use is somebody's, too."""
    path = tmp_path / "player.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(AlreadyRunning):
            listening.bind(path, mode=0o600, group=None)


@pytest.mark.parametrize("kind", ["file", "directory", "link", "dangling"])
def test_what_is_no_socket_is_left_alone(tmp_path: Path, kind: str) -> None:
    """A file, a directory or a link at the path is the operator's to remove, never ours."""
    path = tmp_path / "player.sock"
    (tmp_path / "target").write_text("kept")
    if kind == "file":
        path.write_text("kept")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / ("target" if kind == "link" else "nowhere"))
    before = path.lstat()
    with pytest.raises(OperatorError, match="is no socket; remove it"):
        listening.bind(path, mode=0o600, group=None)
    assert path.lstat().st_ino == before.st_ino
    assert (tmp_path / "target").read_text() == "kept"


def test_the_way_out_fits_the_socket(tmp_path: Path) -> None:
    """The operator's socket has no setting of its own: its directory is what can be another."""
    for name, way_out in (("player.sock", "socket.path"), ("control.sock", "RUNTIME_DIRECTORY")):
        (tmp_path / name).touch()
        with pytest.raises(OperatorError, match=way_out):
            listening.bind(tmp_path / name, mode=0o600, group=None)


@pytest.mark.parametrize("n_bytes", [106, 107, 108, 300])
def test_a_path_is_taken_up_to_the_kernels_limit(tmp_path: Path, n_bytes: int) -> None:
    """107 bytes work, hidden name and all; from 108 on the message says how long it is."""
    stem = f"{tmp_path}/"
    path = Path(stem + "s" * (n_bytes - len(stem)))
    if n_bytes > listening.MAX_PATH_BYTES:
        with pytest.raises(OperatorError, match=f"{n_bytes} bytes.*107.*shorter socket.path"):
            listening.bind(path, mode=0o600, group=None)
        return
    with listening.bind(path, mode=0o600, group=None), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_deep_directory_needs_no_room_for_the_hidden_name(tmp_path: Path) -> None:
    """Where only the final name fits the kernel's limit, binding works all the same."""
    directory = tmp_path / ("d" * (listening.MAX_PATH_BYTES - len(f"{tmp_path}/") - len("/p")))
    with listening.bind(directory / "p", mode=0o600, group=None), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(directory / "p"))
    assert os.listdir(directory) == ["p"]


@pytest.mark.parametrize("path", ["/proc/nowhere/player.sock", "/dev/null/player.sock", "/tmp/nul\0.sock"])
def test_a_place_that_takes_no_socket_is_the_operators(path: str) -> None:
    """Whatever the kernel refuses becomes an OperatorError that names the path."""
    with pytest.raises(OperatorError, match="cannot listen on"):
        listening.bind(Path(path), mode=0o600, group=None)


def test_a_file_in_the_way_stays_as_it_is(tmp_path: Path) -> None:
    """A socket.path that leads through a file is refused, and the file keeps its mode, even for root."""
    secret = tmp_path / "shadow"
    secret.touch(mode=0o600)
    with pytest.raises(OperatorError, match="cannot listen on"):
        listening.bind(secret / "player.sock", mode=0o660, group=None)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last step fails, nothing stays behind, and the next attempt works."""
    path = tmp_path / "player.sock"

    def refuse(*_: object) -> None:
        raise PermissionError(1, "not here")

    with monkeypatch.context() as patch, pytest.raises(OperatorError, match="not here"):
        patch.setattr(os, "rename", refuse)
        listening.bind(path, mode=0o600, group=None)
    assert os.listdir(tmp_path) == []
    listening.bind(path, mode=0o600, group=None).close()


def test_what_a_dead_daemon_left_half_made_is_cleared(tmp_path: Path) -> None:
    """A hidden directory of the same pid, from before a power cut, does not stop us."""
    hidden = tmp_path / f".{os.getpid()}"
    hidden.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(hidden / "s"))
    listening.bind(tmp_path / "player.sock", mode=0o600, group=None).close()
    assert os.listdir(tmp_path) == ["player.sock"]


def test_one_daemon_per_directory(tmp_path: Path) -> None:
    """The second lock is refused with the way out; closing the first lets the next one in."""
    directory = tmp_path / "state"
    first = listening.lock(directory)
    with pytest.raises(AlreadyRunning, match=rf"another jwpingd uses {directory}.*stop it"):
        listening.lock(directory)
    os.close(first)
    second = listening.lock(directory)
    assert os.get_inheritable(second) is False
    os.close(second)


def test_another_process_holds_the_lock_until_it_dies(tmp_path: Path) -> None:
    """The lock is the kernel's: a killed daemon leaves none."""
    program = (
        "import sys, pathlib; from jwpingd.sockets import listening; "
        "listening.lock(pathlib.Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"\n"
        with pytest.raises(AlreadyRunning):
            listening.lock(tmp_path)
        other.kill()
    os.close(listening.lock(tmp_path))


def test_a_directory_that_cannot_be_locked_is_the_operators(tmp_path: Path) -> None:
    """A file in place of the directory is refused in words."""
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match="cannot open"):
        listening.lock(tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("has_pidfd", [True, False])
def test_a_pid_is_the_peers_until_it_was_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_pidfd: bool
) -> None:
    """While the peer lives, and while it is dead and not waited for, its pid is its own; then no more."""
    if not has_pidfd:
        monkeypatch.setattr(credentials, "SO_PEERPIDFD", 30_000)  # as on Linux before 6.5: no such option
    path = tmp_path / "player.sock"
    program = f"import socket as s, sys; c = s.socket(s.AF_UNIX); c.connect({str(path)!r}); sys.stdin.read()"
    with listening.bind(path, mode=0o600, group=None) as listener:
        listener.setblocking(True)
        player = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
        accepted, _ = listener.accept()
        with accepted:
            known = peer(accepted)
            assert known.pid == player.pid and is_still_there(accepted, known)
            assert not is_still_there(accepted, Peer(os.getpid(), known.uid, known.gid))
            assert player.stdin is not None
            player.stdin.close()
            os.waitid(os.P_PID, player.pid, os.WEXITED | os.WNOWAIT)
            assert is_still_there(accepted, known)
            player.wait()
            assert not is_still_there(accepted, known)


class Forgotten(socket.socket):
    """A connection of whose peer Linux 6.5 to 6.15 knows that it was waited for."""

    def getsockopt(self, *_: object) -> Any:
        raise ProcessLookupError(errno.ESRCH, "no such process")


def test_the_kernels_word_that_a_peer_is_gone() -> None:
    """The kernel's word that a peer is gone outweighs a process with the same pid, start time and user."""
    one, other = socket.socketpair()
    with one, other:
        known = peer(one)
        with Forgotten(fileno=os.dup(one.fileno())) as forgotten:
            assert is_still_there(one, known) and not is_still_there(forgotten, known)


def test_a_pid_used_again_before_linux_6_5(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only start time and user can be compared, a difference in either is enough."""
    monkeypatch.setattr(credentials, "SO_PEERPIDFD", 30_000)
    one, other = socket.socketpair()
    with one, other:
        known = peer(one)
        assert known.start_ticks is not None and is_still_there(one, known)
        for changed in (
            known._replace(start_ticks=known.start_ticks - 1),
            known._replace(start_ticks=None),
            known._replace(uid=known.uid + 1),
        ):
            assert not is_still_there(one, changed)
