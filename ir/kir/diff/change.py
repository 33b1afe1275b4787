"""One difference, and its label: whether the peers of a director see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from kir.diff.shape import fields
from kir.model import MASK, Model, Secret

Action = Literal["add", "remove", "change", "rename"]
Wire = Literal["local", "compatible", "breaking"]

WIRES: tuple[Wire, ...] = ("local", "compatible", "breaking")
"""In rising order."""

Label = tuple[Wire, str]
"""A wire label and the reason for it."""

LOCAL: Label = ("local", "")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``path`` names keyword and identity in turn; values are plain JSON with secrets masked."""

    action: Action
    path: tuple[str, ...]
    old: Any = None
    new: Any = None
    wire: Wire = "local"
    reason: str = ""


def plain(value: Any) -> Any:
    """``value`` as plain JSON with every secret masked."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Model):
        body = {f: plain(getattr(value, f)) for f in fields(type(value))}
        tag = value.__struct_config__.tag
        return {"kind": tag, **body} if isinstance(tag, str) else body
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return value


def worst_wire(changes: Iterable[Change]) -> Wire:
    """The worst label among ``changes``; ``local`` where there is none."""
    return max((c.wire for c in changes), key=WIRES.index, default="local")
