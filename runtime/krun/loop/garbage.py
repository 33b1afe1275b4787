"""When Python collects garbage: never in the middle of something, and never through what stays.

CPython would collect whenever enough containers were made, which is in the middle of the work, and now and then through all that
lives: 64 ms for 600,000 objects. Here what a load made is frozen (`gc.freeze`), and the rest is collected by hand while the loop
waits for a deadline that is far enough away.
"""

from __future__ import annotations

import gc
import time
from typing import Any

from krun.loop.lateness import Histogram

YOUNG = 2_000
"""Containers that are made (and live) before a moment is looked for. CPython's own threshold is 700."""

URGENT = 100_000
"""So many are collected in whatever moment: garbage must not grow without end."""

OLDER = 10
"""Every tenth collection goes one generation further, as CPython's."""

ROOM = 2
"""A collection is made where the loop would wait this many times as long as it is likely to take."""

NS_EACH = 100
"""What a full collection is likely to cost for each container, in nanoseconds: on the generous side (`bench/loop.py`)."""


class Garbage:
    """``pause_us``: how long the collection at a reload may take at most; what would take longer is frozen as it is."""

    def __init__(self, pause_us: int) -> None:
        self.pauses = Histogram()
        self.skipped = 0
        """Loads after which there was too much to look through."""
        self._pause_us = pause_us
        self._began = 0
        self._expected_us = [200, 500, 1000]
        self._rounds = [0, 0]

    def begin(self) -> None:
        """From here on nothing is collected but by this."""
        gc.disable()
        gc.callbacks.append(self._watch)

    def end(self) -> None:
        """Back to CPython's own way."""
        if self._watch in gc.callbacks:
            gc.callbacks.remove(self._watch)
        gc.enable()

    def settle(self) -> None:
        """A configuration was loaded, and nothing of that is on the stack: what is there now stays. It is looked through once, where that is
        quick, and frozen (as `krun.loop.memory.settle`, which has the whole time)."""
        if len(gc.get_objects()) * NS_EACH // 1000 <= self._pause_us:
            gc.collect()
        else:
            self.skipped += 1
        gc.freeze()
        self._rounds = [0, 0]

    def idle(self, room_us: int) -> bool:
        """The loop would now wait for ``room_us`` microseconds: collect what is due and fits. Returns whether that took time."""
        young = gc.get_count()[0]
        if young < YOUNG:
            return False
        generation = 0
        if self._rounds[0] >= OLDER:
            generation = 2 if self._rounds[1] >= OLDER else 1
        while ROOM * self._expected_us[generation] > room_us:
            if generation == 0:
                if young < URGENT:
                    return False
                break
            generation -= 1
        gc.collect(generation)
        if generation == 0:
            self._rounds[0] += 1
        elif generation == 1:
            self._rounds = [0, self._rounds[1] + 1]
        else:
            self._rounds = [0, 0]
        return True

    def document(self) -> dict[str, Any]:
        """As in the state document."""
        return {"frozen": gc.get_freeze_count(), "skipped": self.skipped, "pauses": self.pauses.document()}

    def _watch(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = time.monotonic_ns()
            return
        took = (time.monotonic_ns() - self._began) // 1000
        self.pauses.add(took)
        generation = info["generation"]
        # Half of what was believed, half of what was seen: one that the machine disturbed is soon forgotten.
        self._expected_us[generation] = (self._expected_us[generation] + took) // 2
