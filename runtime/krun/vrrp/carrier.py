"""What a director wants done, done: adverts to sockets, addresses and routes to the kernel, words to logs, scripts and letters.

Long work is done in pieces, between which adverts that became due leave.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from kir.plan.operations import AddressOperation, DelAddress, Operation
from kir.plan.route_operations import RoutingOperation
from kir.state import AddressKey, address_key
from krun.control.events import event as typed
from krun.kernel.door import AddressesAndLinks, Announcer, Failure
from krun.loop.clock import now_us
from krun.loop.limited import LimitedLog
from krun.notify.mail.about_vrrp import VrrpLetters
from krun.parent.promises import PromiseWriter
from krun.vrrp.announcements import Batch, Pacer
from krun.vrrp.director import Director
from krun.vrrp.effects import (
    AnnounceAddresses,
    ChangeAddresses,
    ChangeRouting,
    Effect,
    ForgetAnnouncements,
    Remember,
    Rewire,
    Say,
    TellOutside,
    Transmit,
)
from krun.vrrp.lookout import Lookout
from krun.vrrp.recorded import RecordedDirector
from krun.vrrp.scripts import Notifier
from krun.vrrp.sockets import Sockets

log = logging.getLogger("krun.vrrp")
T = TypeVar("T")

AT_ONCE = 128
"""How many addresses are written to the kernel, or announced, in one piece: about a millisecond."""


class Carrier:
    """``breathe`` is called between two pieces of work. ``added``: addresses that we wrote and that the kernel has not confirmed yet.
    ``written`` and ``failures``: operations by kind, and refusals in words, since `count_anew`.
    """

    def __init__(
        self,
        director: Director,
        rtnetlink: AddressesAndLinks,
        lookout: Lookout,
        announcer: Announcer,
        sockets: Sockets,
        promises: PromiseWriter,
        notifier: Notifier,
        letters: VrrpLetters,
        breathe: Callable[[], None],
    ) -> None:
        self._director = director
        self._recorded = director if isinstance(director, RecordedDirector) else None
        self._rtnetlink = rtnetlink
        self._lookout = lookout
        self._announcer = announcer
        self._sockets = sockets
        self._promises = promises
        self._notifier = notifier
        self._letters = letters
        self._breathe = breathe
        self._pacer = Pacer()
        self._mute: dict[str, int] = {}
        # A peer decides how often there is something to say.
        self._say = LimitedLog(log, what="virtual routers")
        self.added: set[AddressKey] = set()
        self.failures: list[str] = []
        self.written: Counter[str] = Counter()

    def forget_others(self) -> None:
        """Instances that are no more are remembered no more."""
        self._mute = {name: code for name, code in self._mute.items() if name in self._director.instances}

    def document(self) -> dict[str, Any]:
        """What the status says of it."""
        waits = {"waiting": self._pacer.waiting, "dropped": self._pacer.dropped}
        return {"log_lines_left_out": self._say.left_out, "announcements": waits}

    def count_anew(self) -> None:
        """A reload begins."""
        self.failures, self.written = [], Counter()

    def run(self, effects: list[Effect]) -> None:
        """All of them, in order; adverts that become due meanwhile leave in between."""
        cut, breathe = False, self._breathe
        for effect in effects:
            breathe()
            kind = type(effect)
            if kind is Transmit:
                self.transmit(effect)  # type: ignore[arg-type]
                continue
            match effect:
                case ChangeAddresses():
                    self._change_addresses(effect)
                    cut = cut or any(isinstance(o, DelAddress) for o in effect.operations)
                case ChangeRouting():
                    self._change_routing(effect)
                case AnnounceAddresses():
                    self._announce(
                        self._pacer.add(
                            effect.instance, effect.targets, effect.rounds, effect.spacing_us, now_us()
                        )
                    )
                case ForgetAnnouncements(instance=instance):
                    self._pacer.forget(instance)
                case TellOutside():
                    self._notifier.tell(effect)
                    self._letters.tell(effect)
                case Remember(key=key, value=value):
                    if value is None:
                        self._promises.withdraw(key)
                    else:
                        self._promises.promise(key, value)
                case Say(level=level, subject=subject, text=text, kind=kind_of, data=data):
                    self._say(level, "(%s) %s", subject, text, about=typed(kind_of, subject, **data))
                case Rewire():
                    self._sockets.want(self._director.endpoints())
        if cut:
            self.look_again(
                blame=False
            )  # the kernel removes with an address the routes that need it, and says nothing

    def transmit(self, effect: Transmit, *, known: bool = False) -> None:
        """Send an advert. ``known``: only by a socket that is open already."""
        # Last words go by a socket that is there, or nowhere: its interface may be gone.
        sock = (
            self._sockets.known(effect.endpoint)
            if known or effect.farewell
            else self._sockets.get(effect.endpoint)
        )
        if sock is None:
            return
        for datagram in effect.datagrams:
            try:
                sock.send(datagram.pdu, datagram.source, datagram.destination, datagram.ttl)
            except OSError as error:
                if not effect.farewell:
                    self._not_sent(effect.instance, datagram.destination, error)
            else:
                if not effect.farewell:
                    self._promises.renew(effect.instance, now_us())
                if self._mute:
                    self._mute.pop(effect.instance, None)

    def announce_due(self) -> None:
        """Send the announcements whose time has come."""
        batches = self._pacer.due(now_us())
        if batches:
            self._announce(batches)

    def next_announcement(self) -> int | None:
        """When `announce_due` has something to do."""
        return self._pacer.next_deadline()

    def look_again(self, *, blame: bool) -> None:
        """Compare our routes and rules with the kernel's. ``blame``: because somebody was seen at work on them."""
        if not self._director.routing.idle:
            sight = self._lookout.look()
            if sight is not None:
                self.run(self._director.routing_seen(sight, now_us(), blame=blame))

    def _not_sent(self, instance: str, destination: str, error: OSError) -> None:
        """Said once for each kind of error, until an advert of the instance goes out again."""
        entry = self._director.instances.get(instance)
        if entry is not None:
            entry.counters.send_err += 1
        if self._mute.get(instance) != error.errno:
            self._mute[instance] = error.errno or 0
            log.error("(%s) cannot send adverts to %s: %s", instance, destination, error.strerror or error)

    def _change_addresses(self, effect: ChangeAddresses) -> None:
        self._count(effect.operations)
        failures: list[Failure] = []
        for begin in range(0, len(effect.operations), AT_ONCE):
            self._breathe()
            failures += self._rtnetlink.apply_addresses(effect.operations[begin : begin + AT_ONCE])
        if self._recorded is not None:
            self._recorded.addresses_done(_words_of(failures, AddressOperation), now_us())
        for failure in failures:
            operation = failure.operation
            self._refused(
                failure,
                news=not isinstance(operation, AddressOperation)
                or self._director.ledger.not_done(operation, failure.message),
            )
        for operation in effect.operations:
            if isinstance(operation, DelAddress):
                self.added.discard(address_key(operation.address))
            else:
                self.added.add(address_key(operation.address))
        self._director.ledger.accepted()

    def _change_routing(self, effect: ChangeRouting) -> None:
        self._count(effect.operations)
        failures = self._lookout.apply(effect.operations)
        if self._recorded is not None:
            self._recorded.routing_done(_words_of(failures, RoutingOperation), now_us())
        for failure in failures:
            operation = failure.operation
            self._refused(
                failure,
                news=not isinstance(operation, RoutingOperation)
                or self._director.routing.not_done(operation, failure.message),
            )
        self._director.routing.accepted()

    def _count(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            self.written[operation.op] += 1

    def _refused(self, failure: Failure, *, news: bool) -> None:
        self.failures.append(failure.message)
        if news:
            log.error("%s: %s", failure.operation.target, failure.message)

    def _announce(self, batches: list[Batch]) -> None:
        failed: set[str] = set()
        for device, addresses in batches:
            if device in failed:
                continue
            try:
                for begin in range(0, len(addresses), AT_ONCE):
                    self._breathe()
                    self._announcer.announce(device, addresses[begin : begin + AT_ONCE])
            except OSError as error:
                failed.add(device)
                log.warning("%s: cannot announce addresses: %s", device, error.strerror or error)


def _words_of(failures: Iterable[Failure], kind: type[T]) -> list[tuple[T, str]]:
    return [(f.operation, f.message) for f in failures if isinstance(f.operation, kind)]
