"""Whether the wall clock can be believed: evidence in, a verdict with its reason out.  Pure.

Source of the rules: the design's section on the clock.  "Not 1970" is no evidence: at boot
systemd-timesyncd moves the clock forward to the last time it saved, which may be weeks old.
"""

from __future__ import annotations

from dataclasses import dataclass

BUILD_MS = 1_793_491_200_000
"""2026-11-01 00:00 UTC, Unix ms: this program did not exist earlier, so no clock that says so is right."""

MAX_SKEW_S = 300.0
"""How far the wall clock may be from the collector's Date and still be believed, seconds (design: clock)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of the wall clock at one moment.

    `is_kernel_synchronised` is None where the sandbox does not let it be read.  `collector_skew_s` is
    the wall clock minus the Date of a verified TLS answer, None before there was one.
    `is_always` is the operator's word (`clock.trust = "always"`).  `earliest_plausible_ms` is the
    program's build date or the last trusted time, whichever is later.
    """

    is_timesync_flag_set: bool
    is_kernel_synchronised: bool | None
    collector_skew_s: float | None
    is_always: bool
    is_collector_local: bool
    wall_ms: int
    earliest_plausible_ms: int


@dataclass(frozen=True, slots=True)
class ClockState:
    """The verdict: `name` is "trusted", "unsynchronised" or "implausible"; `reason` is for operators."""

    name: str
    reason: str


def judge(evidence: Evidence) -> ClockState:
    """The first reason for trust that holds, or why there is none."""
    is_plausible = evidence.wall_ms >= evidence.earliest_plausible_ms
    skew_s = evidence.collector_skew_s
    reasons = (
        (evidence.is_always, 'the configuration says clock.trust = "always"'),
        (evidence.is_timesync_flag_set, "systemd-timesyncd has set the clock"),
        (evidence.is_kernel_synchronised is True, "the kernel says that the clock is synchronised"),
        (skew_s is not None and abs(skew_s) <= MAX_SKEW_S, "the clock agrees with the collector's"),
        (evidence.is_collector_local and is_plausible, "the collector is on this box and has its clock"),
    )
    for holds, reason in reasons:
        if holds:
            return ClockState("trusted", reason)
    if not is_plausible:
        return ClockState("implausible", _why_implausible(evidence))
    return ClockState("unsynchronised", _why_unsynchronised(evidence))


def _why_implausible(evidence: Evidence) -> str:
    if evidence.earliest_plausible_ms <= BUILD_MS:
        return "the clock is earlier than the day this program was built"
    return "the clock is earlier than a time that was known to be right"


def _why_unsynchronised(evidence: Evidence) -> str:
    if evidence.collector_skew_s is not None:
        direction = "ahead of" if evidence.collector_skew_s > 0 else "behind"
        return f"the clock is {abs(evidence.collector_skew_s):.0f} s {direction} the collector's"
    if evidence.is_kernel_synchronised is None:
        return "no time service has set the clock, and the kernel's word on it cannot be read here"
    return "no time service has set the clock yet"
