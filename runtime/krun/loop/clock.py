"""The clock of all machines: microseconds that never go back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def now_us() -> int:
    """CLOCK_MONOTONIC in microseconds. asyncio's ``loop.time()`` counts the same clock in seconds."""
    return time.monotonic_ns() // 1000


class Steady:
    """``clock``, which can stand still: who sets 30,000 alarms at one moment need not ask 90,000 times what time it is. In most virtual
    machines that is a system call.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._held: int | None = None

    def __call__(self) -> int:
        return self._clock() if self._held is None else self._held

    @contextmanager
    def still(self) -> Iterator[None]:
        """Until the end of the block it is now."""
        self._held = self._clock()
        try:
            yield
        finally:
            self._held = None
