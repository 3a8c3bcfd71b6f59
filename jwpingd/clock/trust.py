"""Whether the wall clock can be believed: evidence in, a verdict with its reason out.  Pure.

"Not 1970" is no evidence: at boot systemd-timesyncd moves the clock forward to the last time it saved,
which may be weeks old.

The law: what was proven once in a boot stays known in it.  Unix time minus boottime changes only
when somebody sets the clock, so a step that nobody vouches for changes the clock, not the truth.
"""

from __future__ import annotations

from typing import NamedTuple

from jwpingd.clock.bounds import Bounds

BUILD_MS = 1_793_491_200_000
"""2026-11-01 00:00 UTC, Unix ms: this program did not exist earlier, so no clock that says so is right."""

MAX_ERROR_MS = 1000
"""How wrong the time of a ping may be: what is known less well than that is no proof."""

_NO_CERTIFICATE = "by this clock the collector's certificate is not valid, and nothing can be sent"

STEP_MS = 500
"""Wall minus boottime moves only when the clock is set, or by 1000 ms at a leap second."""


class Evidence(NamedTuple):
    """All that is known of the wall clock at one moment.

    An *offset* is Unix time minus boottime.  `is_kernel_synchronised` is None where the sandbox does not
    let it be read.  `is_timesync_flag_set`: since the clock was last set.  `collector` is what the Dates
    of verified TLS answers say, None before there was one.  `proven_offset_ms` is the latest offset
    that was proven in this boot.  `is_always` is the operator's word (`clock.trust = "always"`).
    `earliest_plausible_ms` is the program's build date or the last trusted time, whichever is later.
    `is_certificate_out_of_time`: by this clock the collector's certificate is not valid.
    """

    wall_ms: int
    boot_ms: int
    earliest_plausible_ms: int
    is_kernel_synchronised: bool | None = None
    is_timesync_flag_set: bool = False
    collector: Bounds | None = None
    proven_offset_ms: int | None = None
    is_always: bool = False
    is_collector_local: bool = False
    is_certificate_out_of_time: bool = False

    @property
    def offset_ms(self) -> int:
        """Of the wall clock as it is."""
        return self.wall_ms - self.boot_ms

    @property
    def is_moved(self) -> bool:
        """Whether the clock was set since its offset was proven."""
        return self.proven_offset_ms is not None and abs(self.offset_ms - self.proven_offset_ms) > STEP_MS


class ClockState(NamedTuple):
    """The verdict: `name` is "trusted", "unsynchronised" or "implausible"; `reason` is for operators.

    `offset_ms` (Unix time minus boottime) is set if the true time is known: always while trusted, and
    also while the box's clock is so wrong that TLS cannot work by it.  `is_proof`: it holds for the
    rest of the boot, whatever is done to the wall clock.
    """

    name: str
    reason: str
    offset_ms: int | None = None
    is_proof: bool = False


def judge(evidence: Evidence) -> ClockState:
    """The first reason for trust that holds, or why there is none."""
    known = _by_the_box(evidence) or _by_what_was_proven(evidence)
    if known is None or known.offset_ms is None:
        return _without_proof(evidence)
    if evidence.is_certificate_out_of_time and abs(evidence.offset_ms - known.offset_ms) > STEP_MS:
        reason = f"{_NO_CERTIFICATE}: {_difference(evidence, known.offset_ms)}"
        return ClockState("implausible", reason, known.offset_ms, known.is_proof)
    return known


def _by_the_box(evidence: Evidence) -> ClockState | None:
    """Somebody vouches for the wall clock as it is now."""
    if evidence.is_always:
        return ClockState("trusted", 'the configuration says clock.trust = "always"', evidence.offset_ms)
    if evidence.is_kernel_synchronised is True:
        reason = "the kernel says that the clock is synchronised"
        return ClockState("trusted", reason, evidence.offset_ms, is_proof=True)
    # Setting the clock by hand takes the kernel's word back, and leaves the flag behind.
    is_flag_stale = evidence.is_moved and evidence.is_kernel_synchronised is False
    if evidence.is_timesync_flag_set and not is_flag_stale:
        return ClockState("trusted", "systemd-timesyncd has set the clock", evidence.offset_ms, is_proof=True)
    return None


def _by_what_was_proven(evidence: Evidence) -> ClockState | None:
    """The true time is known whatever the wall clock says."""
    proven_ms, collector = evidence.proven_offset_ms, evidence.collector
    if proven_ms is not None:
        reason = "the clock was proven right in this boot"
        if evidence.is_moved:
            reason = f"the time proven earlier in this boot is kept: {_difference(evidence, proven_ms)}"
        return ClockState("trusted", reason, proven_ms, is_proof=True)
    if collector is None or collector.error_ms > MAX_ERROR_MS:
        return None
    reason = "the collector's clock is used"
    if abs(evidence.offset_ms - collector.middle_ms) > MAX_ERROR_MS:
        reason += f": {_difference(evidence, collector.middle_ms)}"
    return ClockState("trusted", reason, collector.middle_ms, is_proof=True)


def _without_proof(evidence: Evidence) -> ClockState:
    is_plausible = evidence.wall_ms >= evidence.earliest_plausible_ms
    if evidence.is_collector_local and is_plausible:
        reason = "the collector is on this box and has its clock"
        return ClockState("trusted", reason, evidence.offset_ms)
    if evidence.is_certificate_out_of_time:
        return ClockState("implausible", f"{_NO_CERTIFICATE}: it must be set")
    if not is_plausible:
        return ClockState("implausible", _why_implausible(evidence))
    return ClockState("unsynchronised", _why_unsynchronised(evidence))


def _difference(evidence: Evidence, offset_ms: int) -> str:
    ahead_ms = evidence.offset_ms - offset_ms
    return f"the box's clock is {abs(ahead_ms) / 1000:.0f} s {'ahead' if ahead_ms > 0 else 'behind'}"


def _why_implausible(evidence: Evidence) -> str:
    if evidence.earliest_plausible_ms <= BUILD_MS:
        return "the clock is earlier than the day this program was built"
    return "the clock is earlier than a time that was known to be right"


def _why_unsynchronised(evidence: Evidence) -> str:
    if evidence.collector is not None:
        return f"the collector's clock is known to {evidence.collector.error_ms / 1000:.0f} s only"
    if evidence.is_kernel_synchronised is None:
        return "no time service has set the clock, and the kernel's word on it cannot be read here"
    return "no time service has set the clock yet"
