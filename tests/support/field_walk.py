"""Every field of every object of the IR, found from the types; and configurations that differ in one of them.

For tests which must notice a field that somebody adds.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec
from msgspec import inspect

from kir.model import Config
from kir.model.base import Model

Path = tuple[tuple[Model, str, int | None], ...]
"""From the configuration down: object, field, and the position where the field is a list."""

_WORDS = (
    "walk",
    "10.9.8.7",
    "2001:db8:9::7",
    "255.255.0.0",
    "02:00:00:00:00:09",
    "abababab",
    "eth9",
    "/run/walk",
)
_NUMBERS = (1, 2, 3, 5_000_000, 7_000_000, 0)


def all_fields() -> set[str]:
    """``Class.field`` of all that can be reached from `Config`, without those that hold an object which must be there."""
    found: set[str] = set()
    for kind in _kinds(inspect.type_info(Config), set()):
        found |= {
            f"{kind.__name__}.{field.name}"
            for field in inspect.type_info(kind).fields  # type: ignore[attr-defined]
            if not isinstance(field.type, inspect.StructType)
        }
    return found


def _kinds(info: Any, seen: set[type]) -> Iterator[type[msgspec.Struct]]:
    match info:
        case inspect.StructType() if info.cls not in seen:
            seen.add(info.cls)
            yield info.cls
            for field in info.fields:
                yield from _kinds(field.type, seen)
        case inspect.UnionType():
            for member in info.types:
                yield from _kinds(member, seen)
        case inspect.VarTupleType():
            yield from _kinds(info.item_type, seen)
        case inspect.Metadata():
            yield from _kinds(info.type, seen)


def occurrences(item: Model, above: Path = (), shape: str = "") -> Iterator[tuple[str, Path]]:
    """Every field of every object in ``item``: where it stands (``vrrp_instances/VrrpInstance.garp/Garp.repeat``), and the path."""
    shape = f"{shape}/{type(item).__name__}" if shape else type(item).__name__
    for field in item.__struct_fields__:
        value = getattr(item, field)
        here = f"{shape}.{field}"
        # An object that must be there shows in its own fields.
        if not isinstance(value, Model) or _fits(None, _type(item, field)):
            yield here, (*above, (item, field, None))
        if isinstance(value, Model):
            yield from occurrences(value, (*above, (item, field, None)), here)
        elif isinstance(value, tuple):
            for n, inner in enumerate(value):
                if isinstance(inner, Model):
                    yield from occurrences(inner, (*above, (item, field, n)), here)


def changed(path: Path) -> Iterator[Any]:
    """The configuration with other values at the end of ``path``, each of the field's type."""
    item, field, _none = path[-1]
    for value in _others(getattr(item, field), _type(item, field)):
        made: Any = value
        for owner, name, position in reversed(path):
            if position is not None:
                old = getattr(owner, name)
                made = (*old[:position], made, *old[position + 1 :])
            made = msgspec.structs.replace(owner, **{name: made})
        yield made


def _others(old: Any, kind: Any) -> Iterator[Any]:
    candidates: list[Any] = []
    if isinstance(old, Model):
        candidates = [None]
    elif isinstance(old, tuple):
        candidates = [old[1:], (*old, *_WORDS[:1]), (*old, 7)] if old else [_WORDS[:1], (7,)]
        yield from (c for c in candidates if c != old and _fits([msgspec.to_builtins(i) for i in c], kind))
        return
    elif isinstance(old, bool):
        candidates = [not old]
    else:
        if isinstance(old, int):
            candidates = [old + 1, old + 1_000_000, old - 1]
        candidates += [*_literals(inspect.type_info(kind)), None, True, *_NUMBERS, *_WORDS, *_objects(kind)]
        if isinstance(old, str):
            candidates.append(f"{old}x")
    yield from (c for c in candidates if (c != old or type(c) is not type(old)) and _fits(c, kind))


@functools.cache
def _hints(kind: type[Model]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _type(item: Model, field: str) -> Any:
    return _hints(type(item))[field]


def _literals(info: Any) -> list[Any]:
    if isinstance(info, inspect.LiteralType):
        return list(info.values)
    return (
        [v for member in info.types for v in _literals(member)] if isinstance(info, inspect.UnionType) else []
    )


def _objects(kind: Any) -> list[Any]:
    """What can stand where nothing stands."""
    found = []
    for plain in ({}, {"argv": ["/walk"]}):
        with contextlib.suppress(msgspec.ValidationError):
            found.append(msgspec.convert(plain, kind))
    return found


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(msgspec.to_builtins(value), kind)
    except msgspec.ValidationError:
        return False
    return True
