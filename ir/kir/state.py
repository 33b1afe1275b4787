"""What a kernel holds, in the terms of the IR: IPVS tables and addresses. Desired, observed and planned state share these types."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from kir.model import Address, Forwarding, Service, endpoint_text


class ServiceParams(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How IPVS runs a service (ip_vs.h: struct ip_vs_service_user).

    ``flags``: names as in `kir.model.VirtualServer.flags`, sorted. ``timeout_s`` 0: not persistent.
    ``granularity``: netmask text (IPv4) or prefix length text (IPv6); ``255.255.255.255`` and ``128`` where not persistent.
    """

    scheduler: str
    flags: tuple[str, ...] = ()
    timeout_s: int = 0
    granularity: str = "255.255.255.255"
    engine: str | None = None


class DestKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """Which server of a service: address and port are its identity in the kernel."""

    address: str
    port: int

    def __str__(self) -> str:
        return endpoint_text(self.address, self.port)


class DestParams(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How IPVS uses a server (ip_vs.h: struct ip_vs_dest_user)."""

    weight: int
    forwarding: Forwarding = Forwarding()
    upper_threshold: int = 0
    lower_threshold: int = 0


@dataclass(slots=True)
class ServiceEntry:
    """A service of a table and its servers."""

    params: ServiceParams
    dests: dict[DestKey, DestParams] = field(default_factory=dict)


IpvsTable = dict[Service, ServiceEntry]
"""An IPVS table. Two tables are the same kernel state exactly where they compare equal."""


class AddressKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """Which address of the host: the kernel tells addresses apart by device, address and prefix length."""

    device: str
    address: str
    prefix: int

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix} dev {self.device}"


def address_key(address: Address) -> AddressKey:
    """The key of an IR address."""
    return AddressKey(address.device, address.address, address.prefix)


AddressTable = dict[AddressKey, Address]
"""The addresses that are ours to manage, by key."""
