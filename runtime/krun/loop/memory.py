"""Where the memory of a process is: how much, whose, and, with ``--memory-debug``, what a reload or an hour of checks left behind.

Each part of a process tells what it owns when it is asked (`krun.loop.books`). What is alive, of a type that is in the books, and in
no book, has been let go of by its owner and is kept by somebody else: that is left behind. Two looks with `PATIENCE_S` between them must
find it, for what is on its way out (a connection that still closes) is no leak.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from krun.loop.books import Books, Entry
from krun.loop.holders import held_by
from krun.loop.sizes import estimate, octets

NAMES = 20
"""How many names of a kind a report lists; the count is always right."""

DETAILS = 5
"""For how many of the things that were left behind it is looked who holds them: each look reads every object."""

PATIENCE_S = 1.5
"""How long a thing may live on when nobody owns it any more, before it counts as left behind."""

CHANGES = 12
"""How many types the log names of those that became more or fewer."""


def census() -> Counter[str]:
    """Living objects of this project's types, and of the containers of Python, by type.

    Only what the garbage collector tracks and did not freeze: what came with the fork is not counted.
    """
    counts: Counter[str] = Counter()
    for thing in gc.get_objects():
        kind = type(thing)
        if kind is Entry:
            continue  # those of the look itself
        module = kind.__module__
        if module.startswith(("krun.", "kir.", "asyncio")) or module in ("builtins", "_asyncio", "_socket"):
            counts[kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"] += 1
    return counts


def usage() -> dict[str, int]:
    """What the kernel says of this process: ``rss_kb``, ``pss_kb``, ``peak_kb``, ``descriptors`` and how many it may have, ``threads``
    (proc(5), getrusage(2)); and ``objects`` that the collector knows, ``frozen`` ones among them. What cannot be read is left out.
    """
    found = {
        "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "descriptor_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "blocks": sys.getallocatedblocks(),
        "frozen": gc.get_freeze_count(),
    }
    with contextlib.suppress(OSError, ValueError):
        found["descriptors"] = len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - the listing itself has one open
    for path, words in (
        ("/proc/self/smaps_rollup", {"Rss:": "rss_kb", "Pss:": "pss_kb"}),
        ("/proc/self/status", {"Threads:": "threads"}),
    ):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                word, _, value = line.partition("\t") if "\t" in line else line.partition(" ")
                if word in words:
                    found[words[word]] = int(value.split()[0])
    return found


def settle(*, freeze: bool = True) -> None:
    """After a reload, when nothing of it is on the stack: what is there now stays, and later collections need not look at it.

    What is frozen is never collected, so no garbage may be among it. (A thing that stays may become part of a circle that goes with a
    later reload; code here makes none between what comes and goes, and the soak test would see it grow.)
    """
    gc.collect()
    if freeze:
        gc.freeze()
    trim()


def trim() -> None:
    """Give the C library's free memory back to the kernel (malloc_trim(3)); nothing where there is no such call."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(slots=True)
class Left:
    """Something that nobody owns any more and that is still alive. ``held_by``: who keeps it, where that was looked up."""

    kind: str
    name: str
    type: str
    octets: int
    held_by: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        ways = "; ".join(self.held_by)
        return f"{self.kind} {self.name} ({self.octets} octets)" + (f", held by {ways}" if ways else "")


class Memory:
    """The account of one process. ``books`` gives what is owned now. ``debug``: remember from look to look, and search for what was left
    behind; it reads every object of the process, some ten milliseconds for a hundred thousand of them. Without it nothing is remembered.
    """

    def __init__(
        self, books: Callable[[], Books], *, debug: bool = False, patience_s: float = PATIENCE_S
    ) -> None:
        self._books = books
        self._patience_s = patience_s
        self.debug = debug
        self.left: list[Left] = []
        """What the last look found to be left behind."""
        self.fresh: list[Left] = []
        """Those of it that the look before did not find."""
        self._kinds: dict[type, str] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._orphans: dict[int, float] = {}
        self._said: frozenset[int] = frozenset()
        self._census: Counter[str] = Counter()
        if debug:
            self.mark()

    # -- asked by an operator

    def report(self, *, types: bool = False) -> dict[str, Any]:
        """Plain JSON. ``owners``: by kind, how many things and about how many octets. With ``debug`` also ``changed`` (objects by type since
        the last `mark`), ``came`` and ``gone`` (owned things since then), and ``left_behind``. ``types``: the census itself.
        """
        owned = self._owned()
        told: dict[str, Any] = {"debug": self.debug, **usage(), "owners": _owners(owned)}
        if not self.debug:
            return told
        self.search(owned)
        gc.collect()
        now = census()
        told["changed"] = _changed(now, self._census)
        told["came"], told["gone"] = self._moved(owned)
        told["left_behind"] = [
            {"kind": x.kind, "name": x.name, "type": x.type, "octets": x.octets, "held_by": x.held_by}
            for x in self.left
        ]
        if types:
            told["types"] = dict(sorted(now.items()))
        return told

    # -- with --memory-debug

    def mark(self) -> dict[str, Any]:
        """From now on it is counted anew; returns ``objects`` and what ``changed``, ``came`` and went since the last mark."""
        owned = self._owned()
        gc.collect()
        now = census()
        told: dict[str, Any] = {"peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
        told |= {"objects": sum(now.values()), "changed": _changed(now, self._census)}
        told["came"], told["gone"] = self._moved(owned)
        self._census = now
        self._learn(owned)
        return told

    def search(self, owned: Iterable[Entry] | None = None) -> list[Left]:
        """Look for what was left behind; returns what was not said before. What counts was found before, `PATIENCE_S` ago or more."""
        entries = self._owned() if owned is None else list(owned)
        gc.collect()
        mine = {id(entry.thing) for entry in entries}
        for entry in entries:
            self._kinds.setdefault(type(entry.thing), entry.kind)
        kinds = self._kinds
        orphans = [thing for thing in gc.get_objects() if type(thing) in kinds and id(thing) not in mine]
        at = time.monotonic()
        long_ago, before = at - self._patience_s, self._orphans
        confirmed = [thing for thing in orphans if before.get(id(thing), at + 1) <= long_ago]
        self._orphans = {id(thing): before.get(id(thing), at) for thing in orphans}
        said, self._said = self._said, frozenset(map(id, confirmed))
        self.left = []
        for number in range(len(confirmed)):
            thing = confirmed[number]
            kind, name = self._names.get(id(thing)) or (kinds[type(thing)], _name(thing))
            ways = held_by(thing, (orphans, confirmed, entries)) if number < DETAILS else []
            where = f"{type(thing).__module__}.{type(thing).__qualname__}"
            self.left.append(Left(kind, name, where, octets(thing, mine), ways))
        self.fresh = [x for x, thing in zip(self.left, confirmed, strict=True) if id(thing) not in said]
        return self.fresh

    @property
    def suspects(self) -> int:
        """How many things the last look found that were in no book; a second one tells."""
        return len(self._orphans)

    def _owned(self) -> list[Entry]:
        """What is in the books, each thing once: the first of several owners that share it counts."""
        found: dict[int, Entry] = {}
        for entry in self._books():
            found.setdefault(id(entry.thing), entry)
        return list(found.values())

    def _learn(self, owned: list[Entry]) -> None:
        for entry in owned:
            self._kinds.setdefault(type(entry.thing), entry.kind)
        orphans = {number: name for number, name in self._names.items() if number in self._orphans}
        self._names = {**orphans, **{id(e.thing): (e.kind, e.name) for e in owned}}

    def _moved(self, owned: list[Entry]) -> tuple[dict[str, Any], dict[str, Any]]:
        now = {id(entry.thing): (entry.kind, entry.name) for entry in owned}
        came = [names for number, names in now.items() if self._names.get(number) != names]
        gone = [names for number, names in self._names.items() if now.get(number) != names]
        return _by_kind(came), _by_kind(gone)


def _owners(owned: list[Entry]) -> dict[str, dict[str, int]]:
    mine = {id(entry.thing) for entry in owned}
    things: dict[str, list[object]] = {}
    for entry in owned:
        things.setdefault(entry.kind, []).append(entry.thing)
    return {
        kind: {"count": len(found), "octets": estimate(found, mine)} for kind, found in sorted(things.items())
    }


def _by_kind(names: Iterable[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for kind, name in names:
        found.setdefault(kind, []).append(name)
    return {kind: {"count": len(some), "names": some[:NAMES]} for kind, some in sorted(found.items())}


def _changed(now: Counter[str], before: Counter[str]) -> dict[str, int]:
    differences = Counter(now)
    differences.subtract(before)
    grown = sorted(
        ((kind, count) for kind, count in differences.items() if count),
        key=lambda pair: (-abs(pair[1]), pair[0]),
    )
    return dict(grown[:CHANGES])


def _name(thing: object) -> str:
    """What a thing that is in no book may be called."""
    for attribute in ("name", "subject", "label"):
        found = getattr(thing, attribute, None)
        if isinstance(found, str) and found:
            return found
    inner = getattr(thing, "virtual", None) or getattr(thing, "config", None)
    found = getattr(inner, "name", None)
    return found if isinstance(found, str) else "without a name"
