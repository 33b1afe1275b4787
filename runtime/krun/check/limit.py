"""Limits: how many probes are under way at once. (How many lines a second go to the log: `krun.loop.limited`.)"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from kir.model import Config
from krun.loop.descriptors import OWN, Budget, of_checks, provide
from krun.loop.limited import LimitedLog


def sockets(config: Config, log: logging.Logger, before: Budget | None = None) -> Budget:
    """See that all checks of ``config`` may have a socket at once, and say so where they may not. ``before``: what was said last.

    Of the budget the probes have all but `krun.loop.descriptors.OWN`.
    """
    budget = provide(of_checks(config))
    if budget.short and budget != before:
        log.warning("%s", budget.words(f"{room(budget)} checks run at a time, the others wait their turn"))
    return budget


def room(budget: Budget) -> int:
    """How many sockets probes may hold at once."""
    return max(budget.limit - OWN, 16)


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


__all__ = ["LimitedLog", "Slots", "room", "sockets"]
