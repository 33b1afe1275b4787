"""The last inputs of a machine, and what it decided on each, in bounded memory and at next to no cost.

A steady network says the same again and again: the same advert each second, a timer that sends the same advert. So an entry is told
once, into a table, and every further time costs two numbers: when, and which. The past is held in parts. Each begins with the whole
state of the machine, since what led there is gone by then; when there are too many parts the oldest goes.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

DEFAULT_LIMIT = 200_000
"""Messages that a process remembers unless it is told otherwise."""

PARTS = 4
"""In how many parts the past is held: at least three quarters of the limit are there at any time."""

NEW = 32
"""An entry that was not there before counts as so many messages: what it takes of memory is about that."""

Entry = tuple[Any, ...]
"""An input is its kind and what came with it; an output is `OUTPUT` and what was wanted."""

OUTPUT = "!"


class Part:
    """``begin``: the state at its beginning, None at the birth of the machine. ``times`` (microseconds) and ``whats`` (places in
    ``table``) go in step.
    """

    __slots__ = ("begin", "cost", "index", "table", "times", "whats")

    def __init__(self, begin: Any, cost: int = 0) -> None:
        self.begin = begin
        self.cost = cost
        self.times = array("q")
        self.whats = array("I")
        self.table: list[Entry] = []
        self.index: dict[Hashable, int] = {}


class Ring:
    """``limit``: messages, see `DEFAULT_LIMIT`; at least 4 × `NEW`. ``snapshot`` makes the state that a part begins with, and says how
    many messages that is worth. ``lost``: how many messages went with parts that are no more.
    """

    def __init__(self, limit: int, snapshot: Callable[[], tuple[Any, int]], begin: Any = None) -> None:
        self.limit = max(limit, PARTS * NEW)
        self.lost = 0
        self._snapshot = snapshot
        self._part = Part(begin)
        self._parts: deque[Part] = deque([self._part])
        self._room = self.limit // PARTS

    @property
    def parts(self) -> list[Part]:
        """The oldest first. The last one still grows."""
        return list(self._parts)

    @property
    def messages(self) -> int:
        """How many are remembered."""
        return sum(len(part.whats) for part in self._parts)

    def breathe(self) -> None:
        """Before an input: begin another part where the last one is full."""
        if self._part.cost >= self._room:
            self.turn()

    def turn(self) -> None:
        """Begin another part."""
        begin, worth = self._snapshot()
        # What the state alone is worth must not leave a part without room for what happens.
        self._room = max(self.limit // PARTS, 2 * worth)
        self._part = Part(begin, worth)
        self._parts.append(self._part)
        while len(self._parts) > 1 and (
            len(self._parts) > PARTS or sum(part.cost for part in self._parts) > max(self.limit, 4 * worth)
        ):
            self.lost += len(self._parts.popleft().whats)

    def forget(self) -> None:
        """Nothing older than now is needed any more."""
        self.turn()
        while len(self._parts) > 1:
            self.lost += len(self._parts.popleft().whats)

    def again(self, now: int, key: Hashable, entry: Entry) -> None:
        """An entry that may have been there before: as the ``key`` says, which must live as long as the entry."""
        part = self._part
        place = part.index.get(key)
        if place is None:
            place = part.index[key] = len(part.table)
            part.table.append(entry)
            part.cost += NEW
        part.times.append(now)
        part.whats.append(place)
        part.cost += 1

    def once(self, now: int, entry: Entry, worth: int = NEW) -> None:
        """An entry that is like no other. ``worth``: what it counts for, in messages."""
        part = self._part
        part.times.append(now)
        part.whats.append(len(part.table))
        part.table.append(entry)
        part.cost += worth
