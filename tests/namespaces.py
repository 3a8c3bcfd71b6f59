"""Network namespaces of our own, so that links can go up and down without touching the machine's."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from types import TracebackType
from typing import Self

import pytest

_CLONE_NEWNET = 0x40000000


def _missing() -> str:
    """Why namespaces cannot be had here; "" if they can."""
    if not (shutil.which("ip") and shutil.which("unshare") and shutil.which("nsenter")):
        return "needs ip (iproute2), unshare and nsenter (util-linux)"
    probe = subprocess.run(
        ["unshare", "-n", "ip", "link", "add", "jw0", "type", "veth", "peer", "name", "jw1"],
        capture_output=True,
        check=False,
    )
    return "" if probe.returncode == 0 else "needs root, and a kernel with network namespaces and veth"


_MISSING = _missing()
needs_namespaces = pytest.mark.skipif(bool(_MISSING) and os.environ.get("CI") != "true", reason=_MISSING)


class NetworkNamespace:
    """One, held by a process that sleeps; gone with it."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "ip link set lo up; echo ready; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None and self._holder.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it."""
        self._holder.communicate()

    @property
    def pid(self) -> int:
        return self._holder.pid

    @property
    def path(self) -> str:
        """What setns(2) takes."""
        return f"/proc/{self.pid}/ns/net"

    @property
    def prefix(self) -> list[str]:
        """Before a command, so that it runs in here."""
        return ["nsenter", f"--net={self.path}"]

    def ip(self, command: str) -> None:
        """`ip COMMAND` in here."""
        subprocess.run([*self.prefix, "ip", *command.split()], check=True)

    def batch(self, *commands: str) -> None:
        """Many of them in one process."""
        subprocess.run([*self.prefix, "ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)

    @staticmethod
    def enter(descriptor: int) -> None:
        """The calling thread moves to the namespace of this descriptor."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")
