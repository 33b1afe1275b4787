"""What a director wants done by its shell, or by a simulator: plain data, in the order in which it is to happen."""

from __future__ import annotations

import msgspec

from kir.model import Notify
from kir.plan.operations import AddressOperation
from kir.plan.route_operations import RoutingOperation
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.instance import Datagram


class Effect(msgspec.Struct, frozen=True, gc=False):
    """Something to do."""


class Transmit(Effect, frozen=True):
    """Send one advert of ``instance`` through the socket ``endpoint``: a message, or one for each unicast peer.

    ``farewell``: it says priority 0, and nobody minds if it cannot be sent.
    """

    instance: str
    endpoint: Endpoint
    datagrams: tuple[Datagram, ...]
    farewell: bool = False


class ChangeAddresses(Effect, frozen=True):
    """Write these to the kernel. A refused one is told back by `krun.vrrp.ledger.Ledger.not_done`."""

    operations: tuple[AddressOperation, ...]


class ChangeRouting(Effect, frozen=True):
    """Write these routes and rules to the kernel. A refused one is told back by `krun.vrrp.routing.Routing.not_done`."""

    operations: tuple[RoutingOperation, ...]


class AnnounceAddresses(Effect, frozen=True):
    """``rounds`` rounds over ``targets`` (device, address); messages on one device at least ``spacing_us`` apart (0: at once)."""

    instance: str
    targets: tuple[tuple[str, str], ...]
    rounds: int
    spacing_us: int = 0


class ForgetAnnouncements(Effect, frozen=True):
    """Announcements of ``instance`` that still wait are void."""

    instance: str


class TellOutside(Effect, frozen=True):
    """A change that scripts hear of. ``kind`` is INSTANCE or GROUP; ``word`` as in `krun.vrrp.events.Notify`."""

    kind: str
    name: str
    word: str
    priority: int
    notify: Notify


class Remember(Effect, frozen=True):
    """Promise to the outside, kept by the parent for a successor: ``value`` None withdraws it."""

    key: str
    value: bytes | None


class Say(Effect, frozen=True):
    """A line for the log, about ``subject``. ``kind`` and ``data``: as an event (`krun.control.events.Event`)."""

    level: int
    subject: str
    text: str
    kind: str = "vrrp"
    data: dict[str, str | int | None] = {}


class Rewire(Effect, frozen=True):
    """The sockets that are needed changed: compare with `krun.vrrp.director.Director.endpoints`."""
