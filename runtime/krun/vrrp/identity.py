"""What peers see of a virtual router: its identity on the wire, and the socket that its adverts come in by."""

from __future__ import annotations

from typing import NamedTuple

from kir.model import VrrpInstance
from krun.vrrp.packet import MULTICAST_GROUP


class Endpoint(NamedTuple):
    """A socket: a device, a family, and the multicast group that is joined or the unicast address that is bound.

    Several virtual routers share one; their VRIDs tell them apart (RFC 9568 section 5.2.3).
    """

    device: str
    family: str
    group: str | None
    source: str | None

    def __str__(self) -> str:
        return f"{self.device} {self.group or self.source}"


class WireIdentity(NamedTuple):
    """What must be the same before and after a reload, or after a restart, for an instance to keep its state.

    The name is not part of it: peers do not see it.
    """

    vrid: int
    family: str
    interface: str
    version: int
    unicast: bool
    group: str | None
    source: str | None

    def __str__(self) -> str:
        return "/".join("" if part is None else str(part) for part in self)


def wire_identity(config: VrrpInstance) -> WireIdentity:
    """The identity of an instance."""
    return WireIdentity(
        vrid=config.vrid,
        family=config.family,
        interface=config.interface,
        version=config.version,
        unicast=config.unicast,
        group=None if config.unicast else config.group or MULTICAST_GROUP[config.family],
        source=config.source if config.unicast else None,
    )


def endpoint(config: VrrpInstance, source: str | None) -> Endpoint | None:
    """The socket of an instance whose adverts leave from ``source``; None where a unicast one has no address to bind."""
    if not config.unicast:
        return Endpoint(config.interface, config.family, config.group or MULTICAST_GROUP[config.family], None)
    if source is None:
        return None
    return Endpoint(config.interface, config.family, None, source)
