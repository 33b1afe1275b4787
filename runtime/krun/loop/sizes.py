"""About how many octets an object holds: itself and what only it leads to, within limits."""

from __future__ import annotations

import gc
import sys
import types
from collections import Counter
from collections.abc import Container

MOST_OBJECTS = 2000
"""How many objects are looked into for one estimate: an object that leads to a whole process is not followed through it."""

SAMPLE = 16
"""Of how many things of a kind the size is estimated; the others are taken to be like them."""

_ELSEWHERE = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.CodeType,
    types.FrameType,
)


def octets(thing: object, borders: Container[int] = ()) -> int:
    """An estimate for ``thing``. ``borders``: ids of objects that are accounted for elsewhere, and not gone into."""
    return sum(sys.getsizeof(one) for one in _reached(thing, borders))


def _reached(thing: object, borders: Container[int]) -> list[object]:
    """``thing`` and what it leads to, the nearest first, `MOST_OBJECTS` at most."""
    seen = {id(thing)}
    found = [thing]
    for one in found:
        for inner in gc.get_referents(one):
            number = id(inner)
            if number in seen or number in borders or isinstance(inner, _ELSEWHERE):
                continue
            if len(found) >= MOST_OBJECTS:
                return found
            seen.add(number)
            found.append(inner)
    return found


def estimate(things: list[object], borders: set[int]) -> int:
    """For all of ``things``, by a sample spread over them. What two of the sample lead to (what all checkers share, say) is nobody's own."""
    if not things:
        return 0
    step = max(1.0, len(things) / SAMPLE)
    chosen = [things[int(n * step)] for n in range(min(len(things), SAMPLE))]
    met = Counter(id(one) for thing in chosen for one in _reached(thing, borders))
    shared = borders | {number for number, count in met.items() if count > 1}
    return sum(octets(thing, shared) for thing in chosen) * len(things) // len(chosen)
