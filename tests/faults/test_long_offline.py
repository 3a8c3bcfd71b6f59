"""One evening of what `python -m tests.faults.long_offline` lives through, and a start with a full store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import full_store, long_offline


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> long_offline.Result:
    return long_offline.live_through(1, tmp_path_factory.mktemp("long-offline"))


def test_an_evening_offline_arrives_whole_and_in_order(result: long_offline.Result) -> None:
    """Four hours of live viewing without a network: every ping once, every second once, the order kept."""
    assert result.faults() == []
    assert len(result.arrived) == 3 + 720  # e, s and gab, and a t every 20 s
    assert result.n_tried_in_vain > 100


def test_a_missing_and_a_late_ping_are_found_out(result: long_offline.Result) -> None:
    """The check fails where a ping is missing or late."""
    assert "a second is lost or doubled" in replace(result, arrived=result.arrived[:-2]).faults()
    swapped = [*result.arrived[:10], result.arrived[11], result.arrived[10], *result.arrived[12:]]
    assert replace(result, arrived=swapped).faults() == ["the order is not kept"]


@pytest.mark.slow
def test_a_full_store_costs_no_memory_at_the_start(tmp_path: Path) -> None:
    """A daemon with 16 MiB of waiting pings starts as small as one with none; one that is damaged starts."""
    starts = full_store.measure(tmp_path)
    assert starts.full.n_waiting > 20_000
    assert starts.full.rss_bytes < 1.1 * starts.empty.rss_bytes
    assert starts.damaged.n_waiting > starts.full.n_waiting - 100
