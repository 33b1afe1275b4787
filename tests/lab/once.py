"""Something costly done once for a whole test run, however many workers of pytest-xdist it has.

The wire matrix and the kernel scenarios are played as a whole, side by side, and judged one by one. With
several workers each would play everything, and a machine with everything on it at once keeps no timer. So
the first worker plays and leaves the result for the others, and no two plays go on at the same time.
"""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from typing import TypeVar

import pytest

__all__ = ["once"]

T = TypeVar("T")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[], T]) -> T:
    """The result of ``make()``, made by the first worker that asks for ``name``; it must be picklable."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return make()
    shared = factory.getbasetemp().parent  # the workers' folders lie side by side in the run's
    with (shared / "once.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = shared / f"once-{name}"
        if result.exists():
            known: T = pickle.loads(result.read_bytes())
            return known
        made = make()
        partial = result.with_suffix(".part")
        partial.write_bytes(pickle.dumps(made))
        partial.rename(result)
        return made
