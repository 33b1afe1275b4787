"""Who keeps an object alive, in a line for people: ``Pool.servers['…'] of Member, of Roster.members['A']``."""

from __future__ import annotations

import gc
import types
from collections.abc import Iterable

DEPTH = 5
"""How far up it is looked."""

BREADTH = 3
"""How many ways up are told."""

_NOBODY = (types.FrameType, types.ModuleType)


def held_by(thing: object, ignore: Iterable[object] = ()) -> list[str]:
    """The ways up from ``thing``, the nearest holder first; empty where only frames of this moment hold it. ``ignore``: lists of the
    asker's own.

    Each step reads all objects of the process (`gc.get_referrers`): for a handful of objects, when somebody debugs.
    """
    hidden = {id(one) for one in ignore}
    ways: list[str] = []
    for holder in _holders(thing, hidden)[:BREADTH]:
        ways.append(_way(holder, thing, hidden))
    return ways


def _holders(thing: object, hidden: set[int]) -> list[object]:
    found = gc.get_referrers(thing)
    hidden.add(id(found))
    others = [one for one in found if id(one) not in hidden and not isinstance(one, _NOBODY)]
    hidden.add(id(others))
    return others


def _way(holder: object, thing: object, hidden: set[int]) -> str:
    steps: list[str] = []
    seen = {id(thing)}
    for _ in range(DEPTH):
        if id(holder) in seen:
            steps.append("(a circle)")
            break
        seen.add(id(holder))
        steps.append(_step(holder, thing))
        above = [one for one in _holders(holder, hidden) if id(one) not in seen]
        if not above:
            break
        thing, holder = holder, above[0]
    return ", of ".join(steps)


def _step(holder: object, thing: object) -> str:
    """How ``holder`` holds ``thing``."""
    kind = type(holder).__qualname__
    if isinstance(holder, dict):
        for key, value in list(holder.items()):
            if value is thing:
                return f"{kind}[{_short(key)}]"
        return f"{kind} (as a key)"
    if isinstance(holder, types.MethodType):
        return f"method {holder.__func__.__qualname__}"
    if isinstance(holder, types.FunctionType):
        return f"function {holder.__qualname__}"
    if isinstance(holder, (list, tuple, set, frozenset, types.CellType)):
        return kind
    for name in _attributes(holder):
        if getattr(holder, name, None) is thing:
            return f"{kind}.{name}"
    return kind


def _attributes(holder: object) -> list[str]:
    names: list[str] = []
    for one in type(holder).__mro__:
        slots = one.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    names += list(getattr(type(holder), "__struct_fields__", ()))
    names += list(getattr(holder, "__dict__", ()))
    return [name for name in names if not name.startswith("__")]


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, tuple, bytes)) else type(value).__qualname__
    return text if len(text) <= 60 else text[:59] + "…"
