"""The socket that the adverts of a virtual router come in by."""

from __future__ import annotations

from typing import NamedTuple

from kir.model import VrrpInstance
from kir.model.vrrp import MULTICAST_GROUP


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


def endpoint(config: VrrpInstance, source: str | None) -> Endpoint | None:
    """The socket of an instance whose adverts leave from ``source``; None where a unicast one has no address to bind."""
    if not config.unicast:
        return Endpoint(config.interface, config.family, config.group or MULTICAST_GROUP[config.family], None)
    if source is None:
        return None
    return Endpoint(config.interface, config.family, None, source)
