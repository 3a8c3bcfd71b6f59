"""Tries what the service's sandbox is to forbid, and what the daemon needs; prints what came of each as JSON.

It is run as the service is, and once as root without a sandbox: an option has an effect here only where
root may do what the service may not.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
NEW_USER_NAMESPACE = 0x10000000
PERSONALITY_NO_RANDOM = 0x0040000
READ_KERNEL_LOG = 3  # of syslog(2)


def call(name: str, *arguments: object) -> int:
    """A function of libc.  Raises OSError."""
    result: int = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def write_below(directory: str) -> None:
    path = Path(directory, ".probe")
    path.write_text("x")
    path.unlink()


def run_from_state() -> None:
    path = Path(os.environ["STATE_DIRECTORY"], "probe-program")
    path.write_bytes(Path("/bin/true").read_bytes())
    path.chmod(0o755)
    try:
        child = os.posix_spawn(str(path), [str(path)], {})
        os.waitpid(child, 0)
    finally:
        path.unlink()


def set_uid_bit() -> None:
    path = Path(os.environ["STATE_DIRECTORY"], "probe-suid")
    path.touch()
    try:
        path.chmod(0o4755)
        if not path.stat().st_mode & stat.S_ISUID:
            raise PermissionError(errno.EPERM, "the bit was dropped")
    finally:
        path.unlink()


def write_and_execute() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def many_processes() -> None:
    children: list[int] = []
    try:
        for _ in range(100):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard <= 1024:
        raise PermissionError(errno.EPERM, "no more than 1024")


def read_kernel_clock() -> None:
    call("adjtimex", ctypes.create_string_buffer(1024))


def make_cgroup() -> None:
    hierarchies = (Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup"))
    directory = next(path for path in hierarchies if path.is_dir()) / "probe"
    directory.mkdir()
    directory.rmdir()


def write_kernel_tunable() -> None:
    os.close(os.open("/proc/sys/kernel/printk", os.O_WRONLY))


def read_kernel_log() -> None:
    call("klogctl", READ_KERNEL_LOG, ctypes.create_string_buffer(64), 64)


def see(directory: str) -> None:
    os.listdir(directory)


FORBIDDEN: dict[str, Callable[[], object]] = {
    "ProtectSystem: write below /etc": lambda: write_below("/etc"),
    "ProtectSystem: write below /opt": lambda: write_below("/opt"),
    "ProtectHome: see /root": lambda: see("/root"),
    "PrivateDevices: make a device": lambda: os.mknod("/tmp/probe", 0o60600, os.makedev(7, 0)),
    "CapabilityBoundingSet: mount": lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None),
    "CapabilityBoundingSet: become root": lambda: os.setresuid(0, 0, 0),
    "NoExecPaths: run a program from the state directory": run_from_state,
    "RestrictSUIDSGID: set the set-user-id bit": set_uid_bit,
    "MemoryDenyWriteExecute: memory to write and execute": write_and_execute,
    "RestrictNamespaces: a user namespace": lambda: call("unshare", NEW_USER_NAMESPACE),
    "RestrictRealtime: real-time scheduling": lambda: os.sched_setscheduler(
        0, os.SCHED_FIFO, os.sched_param(1)
    ),
    "RestrictAddressFamilies: raw packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "RestrictAddressFamilies: Bluetooth or VSOCK": lambda: socket.socket(socket.AF_VSOCK).close(),
    "LockPersonality: another personality": lambda: call("personality", PERSONALITY_NO_RANDOM),
    "SystemCallFilter: ptrace": lambda: call("ptrace", 0, 0, 0, 0),
    "ProtectControlGroups: a cgroup": make_cgroup,
    "ProtectHostname: another name": lambda: socket.sethostname(socket.gethostname()),
    "ProtectKernelTunables: write below /proc/sys": write_kernel_tunable,
    "ProtectKernelLogs: read the kernel's log": read_kernel_log,
    "ProtectKernelModules: see modules": lambda: see("/usr/lib/modules"),
    "ProtectClock: set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "ProtectClock: read the kernel's clock state": read_kernel_clock,
    "TasksMax: a hundred processes": many_processes,
    "LimitNOFILE: more than 1024 files": raise_descriptor_limit,
}


def boot_id() -> None:
    assert Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def cgroup_of_another() -> None:
    """Of PID 1, which is not ours."""
    assert Path("/proc/1/cgroup").read_text().strip()


def network_changes() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as listener:
        listener.bind((0, 1 | 0x10 | 0x100))  # links, and addresses of IPv4 and IPv6


def timer() -> None:
    os.close(call("timerfd_create", time.CLOCK_BOOTTIME, os.O_CLOEXEC))


def tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def own_directories() -> None:
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        write_below(os.environ[name])


NEEDED: dict[str, Callable[[], object]] = {
    "the boot id": boot_id,
    "the cgroup of another user's process": cgroup_of_another,
    "news of the network": network_changes,
    "a timer that standby does not stop": timer,
    "TCP": tcp,
    "its own directories": own_directories,
}


def outcome(attempt: Callable[[], object]) -> str:
    """ "ok", or why not.  In a child, because some refusals kill."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            attempt()
            said = "ok"
        except OSError as error:
            said = errno.errorcode.get(error.errno or 0, repr(error))
        except Exception as error:
            said = repr(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    return said or f"killed: {status}"


if __name__ == "__main__":
    attempts = FORBIDDEN | NEEDED
    json.dump({name: outcome(attempt) for name, attempt in attempts.items()}, sys.stdout)
