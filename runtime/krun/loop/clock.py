"""The clock of all machines: microseconds that never go back."""

from __future__ import annotations

import time


def now_us() -> int:
    """CLOCK_MONOTONIC in microseconds. asyncio's ``loop.time()`` counts the same clock in seconds."""
    return time.monotonic_ns() // 1000
