"""A box in network namespaces of its own: cables that come and go, black holes, names that nobody answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.namespaces import NetworkNamespace, needs_namespaces
from tests.processes import BoxUnderTest, check_account, wait_until

pytestmark = [pytest.mark.slow, needs_namespaces]

ITEM = {"event": "playlistItem", "mediaid": "9u6OHIO4", "title": "Elephants Dream"}
COLLECTOR = "10.99.0.2"


class Home:
    """A box and the world beyond its cable; a collector there, if it was started."""

    def __init__(self, directory: Path) -> None:
        self.box_side, self.world = NetworkNamespace(), NetworkNamespace()
        self.box_side.ip(f"link add jw0 type veth peer name jw1 netns {self.world.pid}")
        self.box_side.ip("addr add 10.99.0.1/24 dev jw0")
        self.world.ip(f"addr add {COLLECTOR}/24 dev jw1")
        self.world.ip("link set jw1 up")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(directory / "ca.pem")
        chain = authority.issue_cert(COLLECTOR, "collector.example").private_key_and_cert_chain_pem
        chain.write_to_path(directory / "server.pem")
        self.directory = directory
        self.box = BoxUnderTest(
            directory,
            443,
            f"collector_url=https://{COLLECTOR}:8443",
            f"tls.ca_file={directory / 'ca.pem'}",
        )
        self.box.program = [*self.box_side.prefix, *self.box.program]
        self.collector: subprocess.Popen[bytes] | None = None

    def start_collector(self) -> None:
        command = [
            sys.executable,
            "-m",
            "jwpingd",
            "collector",
            "--host",
            COLLECTOR,
            "--port",
            "8443",
            "--json",
        ]
        with (self.directory / "pings").open("wb") as pings:
            self.collector = subprocess.Popen(
                [*self.world.prefix, *command, "--certfile", str(self.directory / "server.pem")], stdout=pings
            )
        wait_until(lambda: b"listening" in (self.directory / "pings").read_bytes(), "the collector listens")

    def plug_in(self) -> None:
        self.box_side.ip("link set jw0 up")

    def make_a_black_hole(self) -> None:
        """Packets leave and nobody takes them: the neighbour's address is known, and nobody has it."""
        self.plug_in()
        self.world.ip(f"addr del {COLLECTOR}/24 dev jw1")
        self.box_side.ip(f"neigh replace {COLLECTOR} lladdr 02:00:00:00:00:99 dev jw0 nud permanent")
        self.box_side.ip(f"route add default via {COLLECTOR}")

    def close(self) -> None:
        for process in (self.box.process, self.collector):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for namespace in (self.box_side, self.world):
            namespace.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


def put_many(box: BoxUnderTest, n_items: int) -> None:
    """So many pings, all acknowledged."""
    player = box.connect()
    lines = b"".join(json.dumps(ITEM | {"title": str(number)}).encode() + b"\n" for number in range(n_items))
    player.sock.sendall(lines)
    player.send_and_wait({"event": "remove"})
    player.close()


def test_plugging_in_ends_a_backoff_of_hours(home: Home) -> None:
    """The cable is out and the backoff has grown to hours; plugged in, the ping is there in seconds."""
    home.box.settings += ["uplink.retry_first_s=3600", "uplink.retry_max_s=86400"]
    home.start_collector()
    home.box.start()
    put_many(home.box, 1)
    wait_until(lambda: home.box.status()["uplink"]["n_failures"] > 0, "a try failed")
    home.plug_in()
    # Without the kernel's word the next try is half an hour away, give or take.
    wait_until(lambda: home.box.status()["delivered"] == 1, "the ping is delivered", patience_s=30)
    check_account(home.box.status())
    assert home.box.stop() < 2


def hang_names(home: Home) -> None:
    """The box's resolver is beyond the black hole; a mount namespace keeps the machine's own as it is."""
    resolver = home.directory / "resolv.conf"
    resolver.write_text(f"nameserver {COLLECTOR}\noptions timeout:30 attempts:5\n")
    script = f'mount --bind {resolver} "$(realpath /etc/resolv.conf)" && exec "$@"'
    home.box.program = ["unshare", "--mount", "sh", "-c", script, "sh", *home.box.program]


@pytest.mark.parametrize(
    ("is_by_name", "n_items"), [(False, 100), (True, 2_000)], ids=["packets vanish", "names hang"]
)
def test_a_black_hole_delays_no_stop_and_no_commit(home: Home, is_by_name: bool, n_items: int) -> None:
    """However many pings wait, and whatever swallows them: acks come, and SIGTERM ends it in two seconds."""
    home.box.settings += ["uplink.timeout_s=0.5", "uplink.retry_first_s=0.05", "uplink.retry_max_s=0.1"]
    if is_by_name:
        home.box.settings.append("collector_url=https://collector.example:8443")
        hang_names(home)
    home.make_a_black_hole()
    home.box.settings.append("socket.max_events_per_s=0")
    home.box.start()
    put_many(home.box, n_items)
    wait_until(lambda: home.box.status()["uplink"]["n_failures"] >= 3, "three tries failed")
    put_many(home.box, 1)  # Names that hang hold threads; a commit needs one.
    account = home.box.status()
    check_account(account)
    assert account["waiting"] + account["folded"] == n_items + 1 and not account["uplink"]["is_online"]
    assert set(account["uplink"]["retries"]) <= {"ConnectTimeout", "timeout"}
    wait_until(lambda: home.box.status()["uplink"]["n_in_flight"] > 0, "a try is under way")
    assert home.box.stop() < 2
