"""BFD sessions (RFC 5880; RFC 5881 for one hop, RFC 5883 for several)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kir.model.base import Microseconds, Model


class BfdInstance(Model, frozen=True):
    """One session. Identity: its name; no two have the same neighbour.

    ``min_rx_us``, ``min_tx_us`` and ``idle_tx_us`` are Required Min RX Interval, Desired Min TX Interval and the latter while
    the session is down (RFC 5880 section 6.8.1). Packets leave with ``ttl``; one that made more than ``max_hops`` hops is
    dropped, -1: none is. ``vrrp`` and ``checker``: which processes its events go to, where they refer to it.
    """

    name: str
    neighbor: str
    family: Literal["inet", "inet6"]
    source: str | None = None
    min_rx_us: Microseconds = 10_000
    min_tx_us: Microseconds = 10_000
    idle_tx_us: Microseconds = 1_000_000
    multiplier: Annotated[int, msgspec.Meta(ge=1, le=255)] = 5
    passive: bool = False
    ttl: Annotated[int, msgspec.Meta(ge=1, le=255)] = 255
    max_hops: Annotated[int, msgspec.Meta(ge=-1, le=254)] = 0
    multihop: bool = False
    vrrp: bool = True
    checker: bool = True

    @property
    def identity(self) -> str:
        return self.name
