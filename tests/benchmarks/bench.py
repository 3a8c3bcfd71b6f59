"""One run: where its files are, and the processes that are measured, with the kernel's account of them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from tests.processes import ANALYTICS_ID

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S = 60.0
COMMAND = "import sys; from jwpingd.__main__ import main; sys.exit(main())"
"""What the installed command `jwpingd` runs."""


class Process:
    """A child and what it costs."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self.popen = popen
        self.pid = popen.pid

    def cpu_s(self) -> float:
        """CPU seconds of all its threads, those that ended too (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def rss_bytes(self) -> int:
        return self._field("smaps_rollup", "Rss:") * 1024

    def n_switches(self) -> int:
        """How often its threads, those that live, gave the CPU away: one for each time it woke up."""
        tasks = Path(f"/proc/{self.pid}/task")
        return sum(
            self._field(f"task/{task.name}/status", "voluntary_ctxt_switches:") for task in tasks.iterdir()
        )

    def written_bytes(self) -> int:
        """What it caused to be written to the block layer (proc(5), io)."""
        return self._field("io", "write_bytes:")

    def stop(self) -> None:
        self.popen.terminate()
        self.popen.wait(PATIENCE_S)
        if self.popen.stdout is not None:
            self.popen.stdout.close()

    def _field(self, file: str, name: str) -> int:
        with open(f"/proc/{self.pid}/{file}") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(name))


class Collector:
    """`programs/collector.py`, and what it counted."""

    def __init__(self, process: Process, port: int, scheme: str) -> None:
        self.process = process
        self.url = f"{scheme}://localhost:{port}" if scheme == "https" else f"http://127.0.0.1:{port}"
        self.port = port

    def stats(self, context: Any, path: str = "/stats") -> dict[str, Any]:
        with urllib.request.urlopen(self.url + path, context=context) as answer:
            counted: dict[str, Any] = json.load(answer)
        return counted


@dataclass(frozen=True, slots=True)
class Bench:
    """`directory` is for this run alone.  `is_quick`: fewer repetitions, and nothing that takes long."""

    directory: Path
    is_quick: bool
    authority: trustme.CA

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def certificate(self) -> Path:
        return self.directory / "certificate.pem"

    def prepare(self) -> None:
        """Certificates, and every module compiled once, as they are on a box that was installed well."""
        self.authority.cert_pem.write_to_path(str(self.ca_file))
        issued = self.authority.issue_cert("localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.certificate))
        modules = "trio, sqlite3, json, argparse, tomllib, httpx, ssl, jwpingd.daemon, jwpingd.uplink.http"
        subprocess.run([*self.python(), "-c", f"import {modules}"], env=self.environment(), check=True)

    def fresh(self, name: str) -> Path:
        """A new, empty directory."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.directory))

    def python(self) -> list[str]:
        """The interpreter without `site`: the finder of an editable install doubles the time of its start."""
        return [sys.executable, "-S"]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        packages = os.pathsep.join([str(ROOT), *(path for path in sys.path if path.endswith("-packages"))])
        fixed = {"PYTHONPATH": packages, "PYTHONHASHSEED": "0"}
        return kept | fixed | {"PYTHONPYCACHEPREFIX": str(self.directory / "bytecode")} | more

    @contextlib.contextmanager
    def program(
        self, name: str, *arguments: object, is_module: bool = False
    ) -> Iterator[tuple[Process, str]]:
        """A floor, and the first line it prints once it is ready."""
        command = [*self.python(), str(PROGRAMS / f"{name}.py"), *map(str, arguments)]
        popen = subprocess.Popen(command, stdout=subprocess.PIPE, env=self.environment())
        process = Process(popen)
        assert popen.stdout is not None
        try:
            line = popen.stdout.readline().decode().strip()
            assert line, f"{name} did not start"
            yield process, line
        finally:
            process.stop()

    @contextlib.contextmanager
    def collector(self, *, is_tls: bool, delay_s: float = 0.0, port: int = 0) -> Iterator[Collector]:
        """A collector at `port`, or at one that is free."""
        certificate = self.certificate if is_tls else ""
        with self.program("collector", port, delay_s, certificate) as (process, line):
            yield Collector(process, int(line), "https" if is_tls else "http")

    def daemon_command(self, url: str, *settings: str) -> list[str]:
        given = (f"analytics_id={ANALYTICS_ID}", f"collector_url={url}", f"tls.ca_file={self.ca_file}")
        fixed = (
            "clock.trust=always",
            "uplink.start_jitter_s=0",
            "uplink.max_per_s=0",
            "socket.max_events_per_s=0",
        )
        pairs = [word for setting in (*given, *fixed, *settings) for word in ("--set", setting)]
        return [*self.python(), "-c", COMMAND, "run", *pairs]

    def daemon_environment(self, box: Path, **more: str) -> dict[str, str]:
        directories = {
            "STATE_DIRECTORY": str(box / "state"),
            "RUNTIME_DIRECTORY": str(box / "run"),
            "CONFIGURATION_DIRECTORY": str(box / "etc"),
        }
        return self.environment(**directories, **more)

    @contextlib.contextmanager
    def daemon(self, box: Path, url: str, *settings: str, is_killed: bool = False) -> Iterator[Process]:
        """A daemon that answers.  It must end in good order, unless the caller kills it."""
        with (box / "log").open("ab") as log:
            popen = subprocess.Popen(
                self.daemon_command(url, *settings), env=self.daemon_environment(box), stderr=log
            )
        process = Process(popen)
        try:
            with connected(box, process) as player:
                ask(player, b'{"event":"hello","id":0}\n')
            yield process
        finally:
            process.stop()
            assert is_killed or popen.returncode == 0, (box / "log").read_text()


@contextlib.contextmanager
def connected(box: Path, process: Process | None = None) -> Iterator[socket.socket]:
    """A player's connection to the daemon of `box`, once there is one."""
    with connection_to(box / "run/player.sock", process) as player:
        yield player


def connection_to(path: Path, process: Process | None = None) -> socket.socket:
    """A connection to the socket at `path`, once it listens; looked for every half millisecond."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        player = socket.socket(socket.AF_UNIX)
        player.settimeout(PATIENCE_S)
        try:
            player.connect(str(path))
            return player
        except OSError:
            player.close()
            assert process is None or process.popen.poll() is None, "the daemon ended"
            assert time.monotonic() < deadline_s, f"nobody listens on {path}"
            time.sleep(0.0005)


def ask(player: socket.socket, line: bytes) -> bytes:
    """Write a line that has an id, and return the answer."""
    player.sendall(line)
    answer = b""
    while not answer.endswith(b"\n"):
        answer += player.recv(4096)
    return answer
