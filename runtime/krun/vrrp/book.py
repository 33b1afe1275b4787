"""Who holds which thing of the kernel, and what the kernel has of them: the bookkeeping under addresses, routes and rules.

A thing belongs to the director: it is removed when nobody holds it any more, and one that goes from one instance to another is never
taken away in between.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Thing = TypeVar("Thing")

STATIC = ""
"""The holder of what is always there: no instance can have this name."""


class Book(Generic[Key, Thing]):
    """``have``: what is in the kernel of what is ours. ``held``: by holder, what it wants there. ``left``: what others took away and is
    not put back until somebody takes it anew. ``problems``: why the kernel refused what is wanted, in words.
    """

    def __init__(self, key_of: Callable[[Thing], Key]) -> None:
        self.have: dict[Key, Thing] = {}
        self.held: dict[str, dict[Key, Thing]] = {}
        self.left: set[Key] = set()
        self.problems: dict[Key, str] = {}
        self._key_of = key_of
        self._wanted: dict[Key, dict[str, Thing]] = {}
        self._dirty: dict[Key, None] = {}

    def wanted(self, key: Key) -> Thing | None:
        """What should be there under ``key``; None: nothing of ours."""
        holders = self._wanted.get(key)
        return next(iter(holders.values())) if holders else None

    def holders(self, key: Key) -> tuple[str, ...]:
        """Who holds it."""
        return tuple(self._wanted.get(key, ()))

    def all_holders(self) -> list[tuple[Key, list[str]]]:
        """By key in the order in which they were first wanted, who holds it."""
        return [(key, list(holders)) for key, holders in self._wanted.items()]

    def refill(
        self,
        held: Iterable[tuple[str, Iterable[Thing]]],
        holders: Iterable[tuple[Key, Iterable[str]]],
        dirty: Iterable[Key],
    ) -> None:
        """Become a book that had all this (`all_holders`, `dirty`). Raises ValueError where they do not fit each other."""
        self.held = {holder: {self._key_of(thing): thing for thing in things} for holder, things in held}
        try:
            self._wanted = {key: {name: self.held[name][key] for name in names} for key, names in holders}
        except KeyError as error:
            raise ValueError(f"{error.args[0]} is held by nobody") from None
        self._dirty = dict.fromkeys(dirty)

    def dirty(self) -> list[Key]:
        """What is to be considered at the next plan."""
        return list(self._dirty)

    def unmet(self) -> list[Key]:
        """What is wanted and not there."""
        return [key for key in self._wanted if key not in self.have]

    def take(self, holder: str, things: Iterable[Thing]) -> None:
        """The holder wants exactly these from now on."""
        table = {self._key_of(thing): thing for thing in things}
        self._release(holder, keep=table)
        self.held[holder] = table
        for key, thing in table.items():
            self._wanted.setdefault(key, {})[holder] = thing
            self._dirty[key] = None
            self.left.discard(key)

    def release(self, holder: str, things: Iterable[Thing] = ()) -> None:
        """The holder wants none; ``things`` are those that it may have left from an earlier life."""
        self._release(holder, keep={})
        self.held.pop(holder, None)
        for thing in things:
            self._dirty[self._key_of(thing)] = None

    def _release(self, holder: str, keep: dict[Key, Thing]) -> None:
        for key in self.held.get(holder, ()):
            if key not in keep:
                holders = self._wanted.get(key, {})
                holders.pop(holder, None)
                if not holders:
                    self._wanted.pop(key, None)
                    self.left.discard(key)
                    self.problems.pop(key, None)
                self._dirty[key] = None

    def rename(self, old: str, new: str) -> None:
        """The holder has another name; nothing else changes."""
        table = self.held.pop(old, None)
        if table is None:
            return
        self.held[new] = table
        for key in table:
            holders = self._wanted[key]
            self._wanted[key] = {new if name == old else name: value for name, value in holders.items()}

    def lost(self, key: Key) -> None:
        """It is not there (any more): removed by somebody else, or the kernel refused it."""
        self.have.pop(key, None)

    def refused(self, key: Key, words: str) -> bool:
        """The kernel did not put it there. Returns whether that is news."""
        self.lost(key)
        news = self.problems.get(key) != words
        self.problems[key] = words
        return news

    def accepted(self) -> None:
        """All that is there is there without a problem."""
        for key in [key for key in self.problems if key in self.have and key not in self.left]:
            del self.problems[key]

    def again(self, key: Key) -> None:
        """Consider it at the next plan."""
        self._dirty[key] = None

    def drain(self) -> dict[Key, None]:
        """The keys that changed since the last call."""
        keys, self._dirty = self._dirty, {}
        return keys

    def want_of(self, keys: Iterable[Key]) -> dict[Key, Thing]:
        """What is wanted under these keys, without what is left alone."""
        return {
            key: wanted for key in keys if key not in self.left and (wanted := self.wanted(key)) is not None
        }
