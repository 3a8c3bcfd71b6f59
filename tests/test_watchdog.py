"""The watchdog is fed by a daemon that works, and by no other; the status line says how it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import pytest
import trio

from jwpingd.clock import Clock
from jwpingd.daemon.status_line import QUIET_S, StatusLine, line
from jwpingd.daemon.watchdog import Turning, Watchdog
from jwpingd.spool import Account
from jwpingd.uplink import Options, Uplink, UplinkStatus
from jwpingd.writer import RunBlocking, StoreStatus, Writer
from jwpingd.writer.writer import SLOW_FLASH_S
from tests.inline import entry, moody_spool, run, run_inline, writer_on
from tests.test_timekeeper import NOW_MS
from tests.uplink_fakes import OK, FakeQueue, ScriptedCollector, VirtualClock, stamp
from tests.virtual_clocks import VirtualReaders

T = TypeVar("T")
INTERVAL_S = 30.0


def an_uplink() -> Uplink:
    collector = ScriptedCollector(lambda _entry_id, _n: OK)
    return Uplink(
        FakeQueue(),
        VirtualClock(),
        Options("https://collector.example"),
        stamp=stamp,
        run_blocking=run_inline,
        make_transport=collector,
    )


async def n_feeds(watchdog: Watchdog, n_intervals: int) -> int:
    """How often it is fed in that time."""
    fed: list[float] = []
    with trio.move_on_after(n_intervals * INTERVAL_S - 1):
        await watchdog.run(INTERVAL_S, lambda: fed.append(trio.current_time()))
    return len(fed)


def test_an_idle_daemon_feeds_it(tmp_path: Path) -> None:
    """Writer and uplink that have nothing to do go round when they are nudged."""

    async def main() -> None:
        writer, uplink = writer_on(moody_spool(tmp_path)), an_uplink()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run)
            nursery.start_soon(uplink.run)
            loops: dict[str, Turning] = {"the writer": writer, "the uplink": uplink}
            assert await n_feeds(Watchdog(lambda: loops, lambda: False), 10) == 10
            nursery.cancel_scope.cancel()

    run(main)


def test_flash_that_refuses_is_no_hang(tmp_path: Path) -> None:
    """A writer that tries a refused commit again and again goes round."""

    async def main() -> None:
        spool = moody_spool(tmp_path)
        spool.refuses = True
        writer = writer_on(spool)
        writer.submit([entry()])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run)
            assert await n_feeds(Watchdog(lambda: {"the writer": writer}, lambda: False), 5) == 5
            nursery.cancel_scope.cancel()

    run(main)


@pytest.mark.parametrize("name", ["the writer", "the uplink"])
def test_a_loop_that_stands_still_starves_it(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If either loop does not run, the second look feeds nothing and the log names it."""

    async def main() -> None:
        writer, uplink = writer_on(moody_spool(tmp_path)), an_uplink()
        loops: dict[str, Turning] = {"the writer": writer, "the uplink": uplink}
        async with trio.open_nursery() as nursery:
            if name != "the writer":
                nursery.start_soon(writer.run)
            if name != "the uplink":
                nursery.start_soon(uplink.run)
            assert await n_feeds(Watchdog(lambda: loops, lambda: False), 5) == 1
            nursery.cancel_scope.cancel()

    run(main)
    assert f"{name}: no answer for 30 s" in caplog.text


def test_an_uplink_made_by_a_reload_starts_afresh() -> None:
    """A loop that was not nudged before cannot have failed to answer."""

    async def main() -> None:
        stands_still = [an_uplink() for _ in range(5)]
        watchdog = Watchdog(lambda: {"the uplink": stands_still.pop()}, lambda: False)
        assert await n_feeds(watchdog, 5) == 5

    run(main)


def test_a_commit_that_hangs_is_degraded_and_fed(tmp_path: Path) -> None:
    """Slow flash is told in the status and no reason to restart; afterwards all is durable."""

    async def main() -> None:
        is_quick = trio.Event()

        async def run_slowly(work: Callable[[], T], /) -> T:
            await is_quick.wait()
            return await run_inline(work)

        writer = slow_writer(tmp_path, run_slowly)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.run)
            ticket = writer.submit([entry()])
            watchdog = Watchdog(lambda: {"the writer": writer}, lambda: writer.flash_busy_s > 0)
            assert await n_feeds(watchdog, 5) == 5
            assert writer.flash_busy_s > 4 * INTERVAL_S > SLOW_FLASH_S
            assert "busy" in writer.status().reason
            is_quick.set()
            await writer.wait_durable(ticket)
            assert writer.status().reason == "" and writer.flash_busy_s == 0
            nursery.cancel_scope.cancel()

    run(main)


def slow_writer(directory: Path, run_blocking: RunBlocking) -> Writer:
    spool = moody_spool(directory)
    return Writer(
        lambda: spool,
        run_blocking,
        fold=lambda _earlier, _later: None,
        memory_max=10,
        max_batch_bytes=spool.limits.max_batch_bytes,
    )


# --- the status line --------------------------------------------------------------------------


def test_the_line_is_told_on_change_and_only_then() -> None:
    """What changes within a second is one line; what says the same, or nothing new, is none."""

    async def main() -> None:
        said, texts = list[str](), ["ready"]
        status_line = StatusLine(lambda: texts[-1], said.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(status_line.run)
            await trio.sleep(100)
            assert said == []
            status_line.note()
            await trio.sleep(0.1)
            for text in ("delivering 1", "delivering 2"):
                texts.append(text)
                status_line.note()
                await trio.sleep(0.1)
            await trio.sleep(QUIET_S)
            status_line.note()
            await trio.sleep(100)
            nursery.cancel_scope.cancel()
        assert said == ["ready", "delivering 2"]
        status_line.complaint = "refused"
        assert status_line.text() == "refused; delivering 2"

    run(main)


ONLINE = UplinkStatus(True, 0, None, "", False, None, 0, 0, 0, MappingProxyType({}))
OFFLINE = UplinkStatus(False, 3, None, "connection refused", False, None, 0, 0, 0, MappingProxyType({}))
WELL = StoreStatus("", 0)
FULL = StoreStatus("no space left on device", 3)


@pytest.mark.parametrize(
    ("n_waiting", "age_s", "uplink", "store", "is_set", "said"),
    [
        (0, 0, ONLINE, WELL, True, "ready; nothing waits; 2 players"),
        (0, 0, None, WELL, True, "ready; nothing waits; 2 players"),
        (3, 12, ONLINE, WELL, True, "delivering; 3 waiting, oldest 12 s; 2 players"),
        (3, 90, OFFLINE, WELL, True, "offline: connection refused; 3 waiting, oldest 90 s; 2 players"),
        (
            3,
            12,
            ONLINE,
            FULL,
            True,
            "degraded: no space left on device; 3 waiting, oldest 12 s; 2 players",
        ),
        (
            3,
            12,
            ONLINE,
            WELL,
            False,
            "waiting for the right time (no time service has set the clock, and the kernel's word on it "
            "cannot be read here); 3 waiting, oldest 12 s; 2 players",
        ),
    ],
)
def test_the_line_says_what_matters_most(
    n_waiting: int, age_s: int, uplink: UplinkStatus | None, store: StoreStatus, is_set: bool, said: str
) -> None:
    """Flash before network before clock; then what waits and for how long, and who is connected."""

    async def main() -> None:
        readers = VirtualReaders(NOW_MS, boot="boot")
        readers.is_kernel = is_set or None
        boot_ms = readers.boottime_ms() - 1000 * age_s
        oldest = entry()._replace(boot_ms=boot_ms) if n_waiting else None
        account = Account(accepted=n_waiting, waiting=n_waiting, oldest=oldest)
        assert line(account, store, uplink, Clock(readers), 2) == said

    run(main)
