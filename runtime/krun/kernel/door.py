"""The one door to the kernel: the protocol that both backends, Linux and memory, fulfil.

Calls are synchronous and short (one system call or a batch of some hundred messages): a child may make them from inside its
event loop. Everything that can fail for a single object reports it per object and goes on with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kir.plan.operations import AddressOperation, IpvsOperation
from kir.state import AddressKey, IpvsTable


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as rtnetlink shows it (rtnetlink(7), struct ifinfomsg).

    ``up``: administratively up and running (IFF_UP and IFF_RUNNING). ``arp`` False: IFF_NOARP. ``mac`` is raw octets.
    ``hardware``: ARPHRD number (1 Ethernet, 772 loopback). ``kind``: driver of a virtual interface (``vrf``, ``macvlan``).
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


@dataclass(frozen=True, slots=True)
class Failure:
    """An operation that the kernel refused: ``errno`` and words for the log (what, why, what to do)."""

    operation: IpvsOperation | AddressOperation
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

    def read_events(self) -> list[KernelEvent]:
        """The events that came in, never blocking; the picture is updated first."""

    def subscribe(self, listener: Callable[[KernelEvent], None]) -> None:
        """Call ``listener`` for each event that `read_events` or the memory backend's controls produce."""

    @property
    def writes(self) -> int:
        """How many writes were sent to the kernel since the start."""

    def close(self) -> None: ...


class Ipvs(Protocol):
    """The IPVS table (generic netlink, ip_vs.h)."""

    def dump(self) -> IpvsTable:
        """The whole table as the kernel has it."""

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
