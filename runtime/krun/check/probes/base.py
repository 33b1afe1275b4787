"""What all probes share: what they are given, how they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from krun.check.outcome import Outcome
from krun.check.poller import Poller
from krun.check.schedule import Grid
from krun.loop.clock import now_us

Done = Callable[[Outcome], None]
"""Called once with the result; never after ``cancel``. It may be called from inside ``start``."""


class Probe(Protocol):
    """One run of a check: made, started once, then it answers once or is cancelled."""

    def start(self) -> None: ...

    def cancel(self) -> None:
        """Break off without an answer and give every resource back; harmless at any time."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a probe runs. ``clock``: CLOCK_MONOTONIC in microseconds."""

    poller: Poller
    grid: Grid
    clock: Callable[[], int] = now_us
