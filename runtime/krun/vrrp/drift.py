"""What others do to the addresses, routes and rules of a director, and what it does about it.

What was taken away is put back, unless that happens again and again: then an instance gives way, so that a peer may have more luck,
and a static thing is left alone with an alarm. What has ``no_track`` stays away until its instance becomes master again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from kir.model import Address, Route, Rule
from kir.route_state import RouteKey, RouteTable, RuleTable, route_changes
from kir.state import AddressKey, AddressTable, address_key
from krun.vrrp.book import STATIC, Book
from krun.vrrp.instance import Instance
from krun.vrrp.outbox import Outbox
from krun.vrrp.routing import Sight, devices_of
from krun.vrrp.surroundings import Surroundings

FLAPS, FLAP_WINDOW_US = 5, 10_000_000
"""How often in how long what others remove is put back before the instance gives way."""


class Drift:
    """``known``: the surroundings; ``outbox``: where the effects go. ``shown``: what was edited and set right, as it was seen.
    ``static_flaps``: when static things were taken away lately."""

    def __init__(self, known: Surroundings, outbox: Outbox) -> None:
        self._known = known
        self._outbox = outbox
        self.static_flaps: list[int] = []
        self.shown: dict[Any, Any] = {}

    def begin(self, present: Collection[AddressKey], sight: Sight | None) -> None:
        """Book what is ours in the kernel, remove what an earlier life left there and nobody wants, put the static things there.
        ``present``: the addresses on the interfaces; ``sight``: the routes and rules."""
        config = self._known.config
        self.adopt([a for i in self._known.instances.values() for a in i.addresses], present)
        self.adopt(config.static_addresses, present)
        if sight is not None:
            self._outbox.routing.adopt(sight)
            for thing in sight.strange:
                self._outbox.say(
                    logging.INFO, "start", f"{thing.identity} was left by an earlier process: removed"
                )
        self.take_static()

    def adopt(self, addresses: Iterable[Address], present: Collection[AddressKey]) -> None:
        """Book those of ``addresses`` that are there already as ours."""
        for address in addresses:
            key = address_key(address)
            if key in present:
                self._outbox.ledger.have.setdefault(key, address)

    def take_static(self) -> None:
        """The static things of the configuration are wanted, exactly these."""
        config = self._known.config
        self._outbox.ledger.take(STATIC, config.static_addresses)
        self._outbox.routing.take(STATIC, config.static_routes, config.static_rules)
        self._outbox.change_addresses()

    def forget(self) -> None:
        """A reload: what was seen of things that nobody wants any more is of no interest."""
        routing = self._outbox.routing
        self.shown = {k: v for k, v in self.shown.items() if routing.book(k).wanted(k) is not None}

    def put_back(self, present: Collection[AddressKey]) -> None:
        """Addresses that should be there and are not, for whatever reason."""
        ledger = self._outbox.ledger
        back: list[AddressKey] = []
        for key in [key for key in ledger.have if key not in present]:
            ledger.lost(key)
            if ledger.wanted(key) is not None:
                ledger.again(key)
        for key in ledger.unmet():
            wanted = ledger.wanted(key)
            if key in present and wanted is not None:
                ledger.have[key] = wanted  # somebody else has put it there
                ledger.left.discard(key)
                self._known.given_up.pop(key, None)
            elif key.device in self._known.links and key not in ledger.left:
                ledger.again(key)
                back.append(key)
        self._outbox.change_addresses()
        for key in back:
            # What comes back with a link may be behind another port of the switch now.
            for name in ledger.holders(key) if self._known.links.get(key.device) else ():
                if name in self._known.instances:
                    self._outbox.announce(self._known.instances[name], ((key.device, key.address),), 1)

    def address_gone(self, key: AddressKey, now: int) -> list[Instance]:
        """An address that we put there is gone without our doing. Returns the instances that give way."""
        ledger = self._outbox.ledger
        ledger.lost(key)
        wanted = ledger.wanted(key)
        if wanted is None:
            return []
        if not wanted.track:
            ledger.left.add(key)
            return []
        yielding: list[Instance] = []
        for name in ledger.holders(key):
            instance = self._known.instances.get(name)
            if instance is not None:
                instance.counters.vips_lost += 1
            if self._too_often(instance, now):
                self._give_up(ledger, instance, [key], f"static address {key}", yielding)
                continue
            self._outbox.say(
                logging.WARNING,
                name or "static",
                f"{key} was removed by somebody else: put back",
                "vrrp.drift",
            )
            ledger.again(key)
            self._outbox.change_addresses()
            if instance is not None:
                self._outbox.announce(instance, ((wanted.device, wanted.address),), 1)
        return yielding

    def renamed(self, names: Mapping[str, str], held: AddressTable, present: Collection[AddressKey]) -> None:
        """Interfaces have other names (old → new), and what we had put on them (``held``, before that) went along. What nobody holds
        any more is taken away there, before a peer that takes over has it, too."""
        ledger = self._outbox.ledger
        for key, address in held.items():
            if key.device not in names or ledger.wanted(key) is not None:
                continue
            there = msgspec.structs.replace(address, device=names[key.device])
            if address_key(there) in present:
                self._outbox.say(
                    logging.WARNING, key.device, f"is {there.device} now: {key.address} is taken away there"
                )
                ledger.have[address_key(there)] = there
                ledger.again(address_key(there))
        self._outbox.change_addresses()

    def look(self, sight: Sight, now: int, *, blame: bool) -> list[tuple[Instance, str]]:
        """Compare the books with what is there. ``blame``: somebody was seen at work; else the kernel itself took things along with
        a link or an address, which counts for nothing. Returns the instances that give way, each with what was taken."""
        routing = self._outbox.routing
        victims: dict[str, list[Any]] = {}
        self._compare(routing.routes, sight.routes, victims, blame=blame)
        self._compare(routing.rules, sight.rules, victims, blame=blame)
        yielding: list[tuple[Instance, str]] = []
        for name, keys in victims.items():
            instance = self._known.instances.get(name)
            what = ", ".join(_words(key) for key in keys[:3]) + (" …" if len(keys) > 3 else "")
            if instance is not None:
                instance.counters.routes_lost += len(keys)
            if self._too_often(instance, now):
                given: list[Instance] = []
                for key in keys:
                    self._give_up(
                        routing.book(key),
                        instance,
                        [key],
                        _words(key) if instance else f"static {_words(key)}",
                        given,
                    )
                yielding += [(one, what) for one in given[:1]]
            else:
                self._outbox.say(
                    logging.WARNING,
                    name or "static",
                    f"{what} was removed or changed by somebody else: put back",
                    "vrrp.drift",
                )
        self._outbox.change_addresses()
        return yielding

    def _compare(
        self,
        book: Book[Any, Any],
        seen: RouteTable | RuleTable,
        victims: dict[str, list[Any]],
        *,
        blame: bool,
    ) -> None:
        there: dict[Any, Any] = dict(seen)
        for key in [k for k in book.have if k not in there]:
            book.lost(key)
            self._missing(book, key, victims, blame=blame)
        for key, thing in there.items():
            self._known.given_up.pop(key, None)
            wanted = book.wanted(key)
            if wanted is None:
                continue
            edited = isinstance(thing, Route) and bool(route_changes(thing, wanted))
            ours = key in book.have
            if key in book.left:
                book.have[key] = thing
                if not edited:
                    book.left.discard(key)
                continue
            if not edited:
                self.shown.pop(key, None)
                if ours:
                    continue
            book.have[key] = thing
            if edited and self.shown.get(key) == thing:
                # It was set right, and looks as before: the kernel keeps it in a way of its own. Writing again changes nothing.
                book.left.add(key)
                book.problems[key] = "the kernel shows it otherwise than it was asked for: left as it is"
                self._outbox.say(logging.WARNING, _words(key), book.problems[key])
                continue
            if edited:
                self.shown[key] = thing
            if ours and blame and wanted.track:
                for name in book.holders(key):
                    victims.setdefault(name, []).append(key)
            elif ours and blame:
                book.left.add(key)
            book.again(key)
        if not blame:
            for key in book.unmet():
                if key not in there and key not in book.left and self._ready(key, book):
                    book.again(key)

    def _missing(self, book: Book[Any, Any], key: Any, victims: dict[str, list[Any]], *, blame: bool) -> None:
        wanted = book.wanted(key)
        if wanted is None or not self._ready(key, book):
            return
        if blame and not wanted.track:
            book.left.add(key)
            return
        if blame:
            for name in book.holders(key):
                victims.setdefault(name, []).append(key)
        book.again(key)

    def _ready(self, key: Any, book: Book[Any, Any]) -> bool:
        """Whether the interfaces of a route are up: the kernel refuses it otherwise."""
        wanted: Route | Rule | None = book.wanted(key)
        if not isinstance(wanted, Route):
            return True
        return all(self._known.links.get(device, False) for device in devices_of(wanted))

    def _too_often(self, instance: Instance | None, now: int) -> bool:
        flaps = self.static_flaps if instance is None else instance.flaps
        flaps[:] = [at for at in flaps if now - at < FLAP_WINDOW_US]
        flaps.append(now)
        if len(flaps) <= FLAPS:
            return False
        flaps.clear()
        return True

    def _give_up(
        self,
        book: Book[Any, Any],
        instance: Instance | None,
        keys: Iterable[Any],
        words: str,
        yielding: list[Instance],
    ) -> None:
        if instance is not None:
            yielding.append(instance)
            return
        for key in keys:
            book.left.add(key)
            self._known.given_up[key] = words
        self._outbox.say(
            logging.ERROR,
            "static",
            f"{words} is left alone: somebody keeps removing it; find out who (`ip monitor`), then reload",
            "vrrp.left_alone",
        )


def _words(key: Any) -> str:
    if isinstance(key, RouteKey):
        return f"route {key}"
    return f"rule {key.identity}"
