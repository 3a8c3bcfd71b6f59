"""How a live play is watched: the viewer's seconds, as long as ticks come (§5.5, §5.6)."""

from __future__ import annotations

from dataclasses import dataclass

REPORT_MS = 20_000  # a `t` is due whenever this much is credited
_LONGEST_WAIT_MS = 30_000  # a longer silence was a pause


@dataclass(slots=True)
class Live:
    """`position_ms` is the last tick's, None where the next tick's would be no movement (after a seek)."""

    tick_ms: int
    position_ms: int | None
    is_paused: bool

    def tick(self, position_ms: int, now_ms: int) -> int:
        """Take one tick; the milliseconds it credits.  Movement ends a pause but is not yet watching."""
        has_moved = self.position_ms is not None and position_ms != self.position_ms
        self.position_ms = position_ms
        if self.is_paused:
            if has_moved:
                self.resume(now_ms)
            return 0
        return self._credit_until(now_ms)

    def pause(self, now_ms: int) -> int:
        """Credit up to the pause; then nothing until `play` or movement."""
        credited_ms = 0 if self.is_paused else self._credit_until(now_ms)
        self.is_paused = True
        return credited_ms

    def resume(self, now_ms: int) -> None:
        """`play`; one that follows no `pause` changes nothing."""
        if self.is_paused:
            self.is_paused = False
            self.tick_ms = now_ms

    def seek(self, now_ms: int) -> int:
        """Credit up to the seek.  Where it leads is no movement of playback."""
        self.position_ms = None
        return 0 if self.is_paused else self._credit_until(now_ms)

    def seeked(self, now_ms: int) -> None:
        """Time counts again."""
        self.tick_ms = now_ms

    def _credit_until(self, now_ms: int) -> int:
        wait_ms = now_ms - self.tick_ms
        self.tick_ms = now_ms
        return wait_ms if wait_ms <= _LONGEST_WAIT_MS else 0
