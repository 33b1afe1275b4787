"""``--memory-debug``: who keeps objects, and what a reload or an hour of checks left behind."""

from __future__ import annotations

import gc
import resource
from collections import Counter
from typing import Any


def census() -> Counter[str]:
    """Living objects of this project's types, and of the containers of Python, by type.

    Only what the garbage collector tracks and did not freeze: what came with the fork is not counted.
    """
    counts: Counter[str] = Counter()
    for thing in gc.get_objects():
        kind = type(thing)
        module = kind.__module__
        if module.startswith(("krun.", "kir.", "asyncio")) or module in ("builtins", "_asyncio", "_socket"):
            counts[kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"] += 1
    return counts


class Account:
    """Compares a census with the one before."""

    def __init__(self) -> None:
        gc.collect()
        self._last = census()

    def growth(self, most: int = 12) -> dict[str, Any]:
        """``peak_kb`` (getrusage(2), ru_maxrss), ``objects`` in all, and by type how many more or fewer than at the last call."""
        gc.collect()
        now = census()
        differences = Counter(now)
        differences.subtract(self._last)
        self._last = now
        grown = sorted(
            ((kind, count) for kind, count in differences.items() if count),
            key=lambda pair: (-abs(pair[1]), pair[0]),
        )
        return {
            "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "objects": sum(now.values()),
            "changed": dict(grown[:most]),
        }
