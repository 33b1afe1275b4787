"""What a director wants done, in order. While addresses are held back, all their changes become one transaction, and what makes sense
only when the addresses are there waits for it.
"""

from __future__ import annotations

from kir.model import Notify
from kir.plan.operations import DelAddress
from kir.state import address_key
from krun.vrrp.effects import (
    AnnounceAddresses,
    ChangeAddresses,
    ChangeRouting,
    Effect,
    ForgetAnnouncements,
    Say,
    TellOutside,
    Transmit,
)
from krun.vrrp.instance import Instance
from krun.vrrp.ledger import Ledger
from krun.vrrp.routing import Routing


def transmission(instance: Instance, priority: int) -> Transmit | None:
    """An advert of the instance, counted; None where it cannot say anything."""
    at = instance.endpoint
    datagrams = instance.adverts(priority)
    if at is None or not datagrams:
        return None
    instance.counters.advert_sent += 1
    if priority == 0:
        instance.counters.pri_zero_sent += 1
    return Transmit(instance.name, at, datagrams, priority == 0)


class Outbox:
    """``ledger``: the addresses that are taken and released; ``routing``: the routes and rules."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.routing = Routing()
        self._effects: list[Effect] = []
        self._held_back: list[Effect] | None = None

    def take(self) -> list[Effect]:
        """All effects since the last call."""
        effects, self._effects = self._effects, []
        return effects

    def emit(self, effect: Effect) -> None:
        """One more effect."""
        self._effects.append(effect)

    def say(self, level: int, subject: str, text: str, kind: str = "vrrp", **data: str | int | None) -> None:
        """A line for the log, and an event of that ``kind``."""
        self._effects.append(Say(level, subject, text, kind, data))

    def transmit(self, instance: Instance, priority: int) -> None:
        """An advert of the instance leaves, in its turn."""
        effect = transmission(instance, priority)
        if effect is not None:
            self._effects.append(effect)

    # -- addresses, and what comes after them

    def hold_back(self) -> None:
        """From here to `release_addresses` all address changes are one transaction."""
        self._held_back = []

    def release_addresses(self) -> None:
        """The transaction is complete: the writes, then what waited for them."""
        late, self._held_back = self._held_back or [], None
        self.change_addresses()
        self._effects += late

    def take_all(self, instance: Instance) -> None:
        """The instance is master: its addresses, routes and rules shall be there, exactly these."""
        self.ledger.take(instance.name, instance.addresses)
        self.routing.take(instance.name, instance.config.routes, instance.config.rules)
        self.change_addresses()

    def release_all(self, instance: Instance) -> None:
        """The instance is not master: nothing of it shall be there that nobody else holds."""
        self.ledger.release(instance.name, instance.addresses)
        self.routing.release(instance.name, instance.config.routes, instance.config.rules)
        self.change_addresses()

    def rename(self, old: str, new: str) -> None:
        """An instance has another name; nothing else changes."""
        self.ledger.rename(old, new)
        self.routing.rename(old, new)

    def change_addresses(self) -> None:
        """The writes that follow from what was taken and released, unless they are held back.

        Addresses come before the routes that need them, and go after them.
        """
        if self._held_back is not None:
            return
        addresses = self.ledger.plan()
        routing = self.routing.plan()
        if not routing:
            if addresses:
                self._effects.append(ChangeAddresses(addresses))
            return
        stay = {address_key(o.address) for o in addresses if not isinstance(o, DelAddress)}
        going = tuple(
            o for o in addresses if isinstance(o, DelAddress) and address_key(o.address) not in stay
        )
        coming = tuple(o for o in addresses if o not in going)
        if coming:
            self._effects.append(ChangeAddresses(coming))
        self._effects.append(ChangeRouting(routing))
        if going:
            self._effects.append(ChangeAddresses(going))

    def announce(self, instance: Instance, targets: tuple[tuple[str, str], ...], rounds: int) -> None:
        """Tell the neighbours where addresses are: ``targets`` are devices and addresses."""
        if targets and rounds:
            garp = instance.config.garp
            spacing = garp.arp_interval_us if instance.config.family == "inet" else garp.na_interval_us
            self._late(AnnounceAddresses(instance.name, targets, rounds, spacing))

    def forget_announcements(self, instance: str) -> None:
        """The instance has no addresses to announce any more."""
        self._effects.append(ForgetAnnouncements(instance))
        self._held_back = self._held_back and [
            late
            for late in self._held_back
            if not (isinstance(late, AnnounceAddresses) and late.instance == instance)
        ]

    def tell(self, kind: str, name: str, word: str, priority: int, notify: Notify) -> None:
        """Scripts and pipes hear that the INSTANCE or GROUP is ``word`` now."""
        self._late(TellOutside(kind, name, word, priority, notify))

    def _late(self, effect: Effect) -> None:
        (self._effects if self._held_back is None else self._held_back).append(effect)


__all__ = ["Outbox", "transmission"]
