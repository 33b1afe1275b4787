"""The machine, or this process, stood still: stopped, suspended, starved of the processor, a virtual machine that was not scheduled."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pause:
    """``us``: how long nothing ran here, in microseconds. ``unseen_us``: the part of it that CLOCK_MONOTONIC did not count (the machine
    was suspended). ``during``: the callback in which it happened; empty: while the loop waited."""

    us: int
    unseen_us: int = 0
    during: str = ""

    def __str__(self) -> str:
        seconds = f"{self.us / 1e6:.1f} s" if self.us >= 950_000 else f"{self.us / 1000:.0f} ms"
        if self.unseen_us:
            return f"we slept {seconds}: the machine was suspended"
        if self.during:
            return f"we slept {seconds} in {self.during}: the process was stopped or got no processor, or a system call took that long"
        return f"we slept {seconds}: the process was stopped or got no processor, or the machine stood still"


class Suspension:
    """How far CLOCK_BOOTTIME, which counts the time in which the machine is suspended, has moved away from CLOCK_MONOTONIC, which does not
    (clock_gettime(2))."""

    def __init__(
        self,
        monotonic: Callable[[], int] = time.monotonic_ns,
        boottime: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    ) -> None:
        self._monotonic = monotonic
        self._boottime = boottime
        self._apart = self._difference()

    def since(self) -> int:
        """Microseconds of suspension since the last call; less than a millisecond is none."""
        if self._boottime() - self._monotonic() - self._apart < 1_000_000:
            return 0
        # Somebody may have run between the two readings: the smallest of several is right.
        found = min(self._difference() for _ in range(3)) - self._apart
        if found < 1_000_000:
            return 0
        self._apart += found
        return found // 1000

    def _difference(self) -> int:
        return self._boottime() - self._monotonic()


class Pauses:
    """What is remembered of them."""

    def __init__(self) -> None:
        self.count = 0
        self.total_us = 0
        self.longest_us = 0
        self.last_at: float | None = None

    def add(self, pause: Pause) -> None:
        """One more."""
        self.count += 1
        self.total_us += pause.us
        self.longest_us = max(self.longest_us, pause.us)
        self.last_at = time.time()

    def document(self) -> dict[str, Any]:
        """As in the state document."""
        return {
            "count": self.count,
            "total_us": self.total_us,
            "longest_us": self.longest_us,
            "last_at": self.last_at,
        }
