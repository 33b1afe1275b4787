"""The one door to the kernel: the protocol that both backends, Linux and memory, fulfil.

Calls are synchronous and short (one system call or a batch of some hundred messages): a child may make them from inside its
event loop. Everything that can fail for a single object reports it per object and goes on with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kir.model import Config, Route, Rule, Service
from kir.plan.operations import AddressOperation, IpvsOperation
from kir.plan.route_operations import RoutingOperation
from kir.state import AddressKey, IpvsTable
from krun.kernel.glance import Glance


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as rtnetlink shows it (rtnetlink(7), struct ifinfomsg).

    ``up``: administratively up and running (IFF_UP and IFF_RUNNING). ``arp`` False: IFF_NOARP. ``mac`` is raw octets.
    ``hardware``: ARPHRD number (1 Ethernet, 772 loopback). ``kind``: driver of a virtual interface (``vrf``, ``macvlan``).
    ``vrf_table``: the routing table of a VRF, 0 for others.
    """

    index: int
    name: str
    up: bool
    mtu: int
    mac: bytes = b""
    arp: bool = True
    multicast: bool = True
    loopback: bool = False
    master: int = 0
    hardware: int = 1
    kind: str = ""
    vrf_table: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """An operation that the kernel refused: ``errno`` and words for the log (what, why, what to do)."""

    operation: IpvsOperation | AddressOperation | RoutingOperation
    errno: int
    message: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """An interface appeared or changed; ``gone`` True: it was removed."""

    link: Link
    gone: bool = False


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """An address appeared (``gone`` False) or was removed. Ours are reported too: the listener knows what it asked for."""

    key: AddressKey
    family: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Resynchronised:
    """Events were lost (ENOBUFS): the picture was made anew from a full dump; compare all you care about."""


KernelEvent = LinkChanged | AddressChanged | Resynchronised


@dataclass(frozen=True, slots=True)
class RouteChanged:
    """A route of protocol keepalived was deleted (``gone``), or a route took the place of another, which is not named."""

    route: Route
    gone: bool


@dataclass(frozen=True, slots=True)
class RuleChanged:
    """A rule was deleted."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class RoutingLost:
    """News of routes and rules was lost: compare all you care about."""


RoutingEvent = RouteChanged | RuleChanged | RoutingLost


class AddressesAndLinks(Protocol):
    """Interfaces and addresses (rtnetlink), with a reflector that keeps the picture true."""

    def links(self) -> dict[str, Link]:
        """All interfaces by name, from the reflected picture."""

    def addresses(self) -> dict[AddressKey, str]:
        """All addresses of the host → family, from the reflected picture."""

    def source_address(self, device: str, family: str) -> str | None:
        """The address that adverts leave from: the primary IPv4 address, or the link-local IPv6 one; not one of our VIPs."""

    def set_own(self, own: Iterable[AddressKey]) -> None:
        """Which addresses are VIPs of ours (never chosen as a source address)."""

    def apply_addresses(self, operations: Sequence[AddressOperation]) -> list[Failure]:
        """Carry out the operations in order, in as few batches as possible. An address that is already as wanted is no failure.

        The picture follows with the events. Linux tells of an IPv6 address a moment later, when it can be used.
        """

    def fileno(self) -> int:
        """What to wait on for `read_events` (-1: nothing to wait on, events come by `subscribe` alone)."""

    def read_events(self, breathe: Callable[[], object] | None = None) -> list[KernelEvent]:
        """The events that came in, never blocking; the picture is updated first. ``breathe`` is called between two pieces of the work:
        a thousand addresses make thousands of events."""

    def subscribe(self, listener: Callable[[KernelEvent], None]) -> None:
        """Call ``listener`` for each event that `read_events` or the memory backend's controls produce."""

    @property
    def writes(self) -> int:
        """How many writes were sent to the kernel since the start."""

    def close(self) -> None: ...


class Routing(Protocol):
    """Routes and routing rules (rtnetlink). Routes and rules go in and out with numbers for all names."""

    def numbered(self, config: Config) -> tuple[Config, dict[str, list[str]]]:
        """``config`` with numbers for the names of tables, protocols and the like in its routes and rules.

        Second, what is wrong: the instance (empty: static) → sentences; a route or rule with an unknown name is left out.
        """

    def vrf_tables(self) -> Mapping[str, int]:
        """The tables of the VRF devices that there are, by name."""

    def routes(self, protocols: Collection[int]) -> list[Route]:
        """The routes of these protocols (rtm_protocol) in all tables and both families, as the kernel has them. Raises OSError."""

    def rules(self) -> list[Rule]:
        """All rules of both families, as the kernel has them. Raises OSError."""

    def apply(self, operations: Sequence[RoutingOperation]) -> list[Failure]:
        """Carry out the operations in order, batched; a refused one does not stop the rest. What is already as wanted is no
        failure."""

    def watch(self) -> None:
        """Have the kernel tell of what others do to routes and rules, from now on. Raises OSError."""

    def fileno(self) -> int:
        """What to wait on for `read_events`; -1 without `watch`."""

    def read_events(self) -> list[RoutingEvent]:
        """The events that came in, never blocking. Our own operations make some too; a link that goes down, or an address that
        goes, takes routes along without any."""

    @property
    def writes(self) -> int:
        """How many writes were sent to the kernel since the start."""

    def close(self) -> None: ...


class Ipvs(Protocol):
    """The IPVS table (generic netlink, ip_vs.h)."""

    def dump(self) -> IpvsTable:
        """The whole table as the kernel has it."""

    def look(self, services: Collection[Service]) -> IpvsTable:
        """Of the table these services, as far as they are there."""

    def glance(self) -> Glance | None:
        """A cheap look at the table (`krun.kernel.glance`); None where there is no such thing. Never raises."""

    def apply(self, operations: Sequence[IpvsOperation]) -> list[Failure]:
        """Carry out the operations in order, batched; a refused one does not stop the rest."""

    def connections(self) -> dict[tuple[str, str], int]:
        """(service identity, server identity) → active plus inactive connections; empty where unknown."""

    def set_timeouts(self, tcp_s: int | None, tcpfin_s: int | None, udp_s: int | None) -> None:
        """IP_VS timeouts; None leaves a value."""

    @property
    def writes(self) -> int:
        """How many writes (commands that change the table) were sent to the kernel since the start."""

    def close(self) -> None: ...


class Announcer(Protocol):
    """Gratuitous ARP and unsolicited neighbour advertisements (RFC 5227, RFC 4861)."""

    def announce(self, device: str, addresses: Sequence[str]) -> None:
        """Send one message for each address on the device, in order."""

    def close(self) -> None: ...


class AdvertSocket(Protocol):
    """Raw VRRP (protocol 112) on one interface and family; multicast group joined or unicast, own loop off."""

    def fileno(self) -> int: ...

    def send(self, packet: bytes, source: str, destination: str, ttl: int) -> None:
        """Send one VRRP PDU (without IP header); ``source`` is the IP source address.

        IPv4: TOS 0xC0; IPv6: traffic class 0xC0. Raises OSError.
        """

    def receive(self) -> tuple[bytes, str, str, int] | None:
        """The next packet as (PDU without IP header, source, destination, TTL or hop limit), None when there is none."""

    def close(self) -> None: ...


class Kernel(Protocol):
    """A backend: opens the parts that a process needs, each at most once."""

    name: str

    def rtnetlink(self) -> AddressesAndLinks: ...

    def routing(self) -> Routing: ...

    def ipvs(self) -> Ipvs:
        """Raises `KernelUnavailable` where the kernel has no IPVS."""

    def announcer(self) -> Announcer: ...

    def advert_socket(
        self, device: str, family: str, group: str | None, source: str | None, vrids: Iterable[int]
    ) -> AdvertSocket:
        """``group`` None: unicast, bound to ``source``. Packets for other VRIDs may be filtered in the kernel, but are better
        counted by the caller. Raises OSError.
        """


class KernelUnavailable(Exception):  # noqa: N818 - a state of the machine, no mistake of the program
    """A part of the kernel that the IR needs is missing; the message says which, why, and what to do."""
