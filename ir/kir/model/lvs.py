"""Virtual servers: what the kernel's IPVS balances, over which real servers, and when a pool is good enough."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kir.model.base import U32, Microseconds, Model, Port
from kir.model.checkers import Checker
from kir.model.scripts import Script

Protocol = Literal["tcp", "udp", "sctp"]


class Service(Model, frozen=True):
    """One IPVS service: by protocol, address and port, or by firewall mark and family (``fwmark`` not 0).

    A mark's service has protocol None, address None and port 0.
    """

    family: Literal["inet", "inet6"]
    protocol: Protocol | None = None
    address: str | None = None
    port: Port = 0
    fwmark: U32 = 0

    @property
    def identity(self) -> str:
        """``tcp 10.0.0.1:80``, ``tcp [2001:db8::1]:80``, ``fwmark 7 inet``."""
        if self.fwmark:
            return f"fwmark {self.fwmark} {self.family}"
        return f"{self.protocol} {endpoint_text(self.address or '', self.port)}"


class Forwarding(Model, frozen=True):
    """How packets reach a server: NAT (masquerading), DR (direct routing) or TUN (a tunnel of some type)."""

    method: Literal["NAT", "DR", "TUN"] = "NAT"
    tunnel_type: Literal["ipip", "gue", "gre"] | None = None
    tunnel_port: Port = 0
    tunnel_checksum: Literal["nocsum", "csum", "remcsum"] | None = None


class Persistence(Model, frozen=True):
    """Clients stay with their server. ``granularity``: a netmask (IPv4, ``255.255.255.0``) or a prefix length (IPv6, ``64``)."""

    timeout_us: Annotated[int, msgspec.Meta(gt=0)]
    granularity: str
    engine: str | None = None


class RealServer(Model, frozen=True):
    """A server of a pool. Identity: address and port. ``weight`` 0: it gets no new connections."""

    address: str
    port: Port
    family: Literal["inet", "inet6"]
    weight: Annotated[int, msgspec.Meta(ge=0, le=0x7FFFFFFF)] = 1
    forwarding: Forwarding = Forwarding()
    upper_threshold: U32 = 0
    lower_threshold: U32 = 0
    inhibit_on_failure: bool = False
    alpha: bool = False
    notify_up: Script | None = None
    notify_down: Script | None = None
    smtp_alert: bool = False
    snmp_name: str | None = None
    checkers: tuple[Checker, ...] = ()

    @property
    def identity(self) -> str:
        return endpoint_text(self.address, self.port)


class SorryServer(Model, frozen=True):
    """Who answers while the pool has lost its quorum. ``inhibit``: always in the table, with weight 0 while idle."""

    address: str
    port: Port
    family: Literal["inet", "inet6"]
    forwarding: Forwarding = Forwarding()
    inhibit: bool = False

    @property
    def identity(self) -> str:
        return endpoint_text(self.address, self.port)


class VirtualServer(Model, frozen=True):
    """A pool of real servers behind one or (for a group) several IPVS services.

    ``name`` is its identity: that of its service (``tcp 10.0.0.1:80``), or ``group NAME tcp`` for a group.
    ``snmp_name`` names it in SNMP tables. ``flags`` are IPVS service flags by name: ``ops``, ``flag-1``, ``flag-2``, ``flag-3`` (sh-fallback and mh-fallback are
    flag-1, sh-port and mh-port flag-2), sorted.
    """

    name: str
    services: tuple[Service, ...]
    scheduler: str = "wlc"
    flags: tuple[str, ...] = ()
    persistence: Persistence | None = None
    quorum: Annotated[int, msgspec.Meta(ge=1)] = 1
    hysteresis: Annotated[int, msgspec.Meta(ge=0)] = 0
    quorum_up: Script | None = None
    quorum_down: Script | None = None
    alpha: bool = False
    omega: bool = False
    ha_suspend: bool = False
    smtp_alert: bool = False
    sorry_server: SorryServer | None = None
    real_servers: tuple[RealServer, ...] = ()
    delay_loop_us: Microseconds = 60_000_000
    snmp_name: str | None = None

    @property
    def identity(self) -> str:
        return self.name


def endpoint_text(address: str, port: int) -> str:
    """``10.0.0.1:80`` or ``[2001:db8::1]:80``."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
