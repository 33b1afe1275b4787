"""All differences between two configurations, by identity. Order and layout never matter, where they have no meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kir.diff.change import LOCAL, Change, Label, plain
from kir.diff.labels import labels, presence
from kir.diff.match import all_renames
from kir.diff.shape import LISTS, ObjectList, by_identity, fields
from kir.model import MASK, Config, Model, Secret


def diff(old: Config, new: Config) -> list[Change]:
    """All differences from ``old`` to ``new``, in the order of the model. Empty exactly where the digests are equal.

    What was renamed is said once, at the object: what refers to it by its name has not changed by that.
    """
    renamed, old = all_renames(old, new)
    return list(_root(old, new, renamed))


def _root(old: Config, new: Config, renamed: Mapping[str, Mapping[str, str]]) -> Iterator[Change]:
    for name in fields(Config):
        shape = LISTS.get((Config, name))
        for before, after in renamed.get(name, {}).items():
            assert shape is not None
            yield Change("rename", (shape.word, after), before, after)
        a, b = getattr(old, name), getattr(new, name)
        if a is not b and a != b:
            yield from _field(name, a, b, (), shape, LOCAL)


def _field(
    name: str, a: Any, b: Any, path: tuple[str, ...], shape: ObjectList | None, label: Label
) -> Iterator[Change]:
    if shape is not None:
        yield from _list(a, b, path, shape, label)
    elif isinstance(a, Model) and type(a) is type(b) and not isinstance(a, Secret):
        yield from _struct(a, b, (*path, name), label)
    else:
        before, after = plain(a), plain(b)
        if before == after:  # secrets, somewhere inside
            before, after = _sides(before)
        yield Change("change", (*path, name), before, after, *label)


def _sides(value: Any) -> tuple[Any, Any]:
    """Two values that print alike, told apart."""
    mark = value if value == MASK else MASK
    return f"{mark} (old)", f"{mark} (new)"


def _struct(old: Any, new: Any, path: tuple[str, ...], label: Label = LOCAL) -> Iterator[Change]:
    """``label``: that of the field of an object with labels which this is a part of."""
    kind = type(old)
    own = labels(old, new)
    for name in fields(kind):
        a, b = getattr(old, name), getattr(new, name)
        if a is b or a == b:
            continue
        yield from _field(name, a, b, path, LISTS.get((kind, name)), own.get(name, label))


def _list(
    old: Sequence[Any], new: Sequence[Any], path: tuple[str, ...], shape: ObjectList, label: Label
) -> Iterator[Change]:
    before, after = shape.pair(old, new) if shape.pair else (by_identity(old, shape), by_identity(new, shape))
    for name, value in before.items():
        here = (*path, shape.word, name)
        if name not in after:
            yield Change("remove", here, plain(value), None, *(label if path else presence(value, False)))
        elif value != after[name]:
            if type(value) is type(after[name]):
                yield from _struct(value, after[name], here, label)
            else:
                yield Change("change", here, plain(value), plain(after[name]), *label)
    for name, value in after.items():
        if name not in before:
            here = (*path, shape.word, name)
            yield Change("add", here, None, plain(value), *(label if path else presence(value, True)))
    if shape.ordered:
        kept_before, kept_after = [k for k in before if k in after], [k for k in after if k in before]
        if kept_before != kept_after:
            yield Change("change", (*path, shape.word, "order"), list(before), list(after), *label)
