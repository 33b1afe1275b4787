"""About how many octets an object holds: itself and what only it leads to, within limits."""

from __future__ import annotations

import gc
import sys
import types
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
    """An estimate for ``thing``. ``borders``: ids of objects that are accounted for elsewhere, and not gone into. Shared strings and numbers are counted
    wherever they are met."""
    total = 0
    seen = {id(thing)}
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        total += sys.getsizeof(one)
        for inner in gc.get_referents(one):
            number = id(inner)
            if number in seen or number in borders or isinstance(inner, _ELSEWHERE):
                continue
            if len(seen) >= MOST_OBJECTS:
                return total
            seen.add(number)
            waiting.append(inner)
    return total


def estimate(things: list[object], borders: Container[int]) -> int:
    """For all of ``things``, by a sample spread over them."""
    if len(things) <= SAMPLE:
        return sum(octets(thing, borders) for thing in things)
    step = len(things) / SAMPLE
    chosen = [things[int(n * step)] for n in range(SAMPLE)]
    return sum(octets(thing, borders) for thing in chosen) * len(things) // SAMPLE
