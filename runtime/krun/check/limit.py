"""Limits: how many probes are under way at once. (How many lines a second go to the log: `krun.loop.limited`.)"""

from __future__ import annotations

import resource
from collections import deque
from collections.abc import Callable

from krun.loop.limited import LimitedLog

RESERVED_FILES = 128
"""Descriptors that probes leave to the rest of the process."""


def file_limit() -> int:
    """Raise the soft limit of open files to the hard one; returns how many sockets probes may hold at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # a container may forbid it; then the soft limit holds
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 20
    return max(soft - RESERVED_FILES, 16)


class Slots:
    """At most ``limit`` holders at once; the others wait their turn in order."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._draining = False
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` now, or when a slot is free. Whoever began gives the slot back with `give`."""
        if self.held < self.limit:
            self.held += 1
            begin()
        else:
            self._waiting.append(begin)

    def give(self) -> None:
        """A holder is done."""
        self.held -= 1
        if self._draining:
            return  # whoever begins below and ends at once comes back here: the loop goes on, not the stack
        self._draining = True
        try:
            while self._waiting and self.held < self.limit:
                begin = self._waiting.popleft()
                self.held += 1
                begin()
        finally:
            self._draining = False

    def forget(self, begin: Callable[[], None]) -> bool:
        """Take back a wish that still waits; whether there was one."""
        try:
            self._waiting.remove(begin)
        except ValueError:
            return False
        return True


__all__ = ["LimitedLog", "Slots", "file_limit"]
