"""Books: what a part of a process owns, told when somebody asks. Owning costs nothing until then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Entry(NamedTuple):
    """``kind``: of the owner (``instance``, ``checker``, ``connection`` …). ``name``: whose it is, for people. ``thing``: what is owned."""

    kind: str
    name: str
    thing: object


Books = Iterable[Entry]
"""What a ``books()`` method yields. A thing that is alive and in no book was left behind (`krun.loop.memory`)."""
