"""Interfaces: those that a virtual router has of its own, and settings of the others."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kir.model.base import Microseconds, Model
from kir.model.route import Name


class Vmac(Model, frozen=True):
    """A macvlan in private mode on the interface, with the virtual router's MAC address (RFC 9568 section 7.3).

    ``name`` as wanted: at run time another one is taken where it belongs to something else. ``mac`` has six octets.
    ``netlink_notify`` asks the kernel for a message when it is made. ``group``: the link group (ip-link(8)).
    """

    name: str
    mac: str
    netlink_notify: bool = False
    group: Name | None = None


class Ipvlan(Model, frozen=True):
    """An ipvlan in L2 mode on the interface; ``address`` is its own, an IPv4 router needs one."""

    name: str
    address: str | None = None
    prefix: Annotated[int, msgspec.Meta(ge=0, le=128)] | None = None
    mode: Literal["bridge", "private", "vepa"] = "bridge"
    group: Name | None = None


class Linkbeat(Model, frozen=True):
    """An interface whose link state is polled. ``auto``: the first that works of MII, ethtool and ioctl."""

    interface: str
    method: Literal["auto", "mii", "ethtool", "ioctl"] = "auto"

    @property
    def identity(self) -> str:
        return self.interface


class InterfaceDelay(Model, frozen=True):
    """How long an interface must be down or up before it counts, whoever follows it."""

    interface: str
    down_us: Microseconds
    up_us: Microseconds = 0

    @property
    def identity(self) -> str:
        return self.interface


class GarpGroup(Model, frozen=True):
    """Interfaces that share the pacing of gratuitous ARP and neighbour advertisements; 0: no pacing of that kind."""

    interfaces: tuple[str, ...]
    arp_interval_us: Microseconds = 0
    na_interval_us: Microseconds = 0

    @property
    def identity(self) -> str:
        return " ".join(sorted(self.interfaces))
