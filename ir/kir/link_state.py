"""Interfaces that instances have of their own, in the terms of the IR: what tells them apart, and what they are like."""

from __future__ import annotations

from typing import Literal

import msgspec

from kir.model.route import Name


class LinkKey(msgspec.Struct, frozen=True, gc=False):
    """Which interface: its kind, the one below it, and its name; None where that is chosen at run time for ``vrid``."""

    kind: Literal["macvlan", "ipvlan"]
    parent: str
    name: str | None
    vrid: int | None = None
    family: str | None = None

    def __str__(self) -> str:
        name = self.name if self.name is not None else f"{self.kind} of {self.family} VRID {self.vrid}"
        return f"{name} on {self.parent}"


class LinkParams(msgspec.Struct, frozen=True, gc=False):
    """What an interface is like. ``mode``, ``address`` and ``prefix`` are an ipvlan's."""

    instance: str
    mac: str | None = None
    group: Name | None = None
    mode: str | None = None
    address: str | None = None
    prefix: int | None = None


LinkTable = dict[LinkKey, LinkParams]
"""The interfaces that are ours to manage, by key."""
