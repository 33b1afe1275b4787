"""A director that remembers what it was told and what it decided (`krun.record.ring`), and the same told again (`apply`).

Inputs are recorded before they are acted on, so that the one that breaks a process is there. What the kernel refused is an input, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from kir.model import Address, Config, Route, Rule
from kir.plan.operations import AddAddress, AddressOperation, DelAddress, ReplaceAddress
from kir.plan.route_operations import (
    AddRoute,
    AddRule,
    DelRoute,
    DelRule,
    ReplaceRoute,
    RoutingOperation,
)
from kir.route_state import RouteKey
from kir.state import AddressKey, AddressTable
from krun.loop.books import Books, Entry
from krun.loop.clock import now_us
from krun.record.ring import OUTPUT, Ring
from krun.vrrp import reload, snapshot
from krun.vrrp.director import Director
from krun.vrrp.effects import Effect, Transmit
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.promises import Inheritance
from krun.vrrp.routing import Sight

Wanted = TypeVar("Wanted", bound=Effect)

RELOAD_WORTH = 8
"""A reload keeps a whole configuration in memory: as many of them as this fill the ring."""


class Seen(msgspec.Struct, frozen=True):
    """A `krun.vrrp.routing.Sight` as plain data."""

    routes: list[tuple[RouteKey, Route]] = []
    rules: list[tuple[Rule, Rule]] = []
    strange: list[tuple[Route | None, Rule | None]] = []


class SeenInheritance(msgspec.Struct, frozen=True):
    """A `krun.vrrp.promises.Inheritance` as plain data."""

    masters: dict[str, int]
    trackers: dict[str, bool]
    others: list[str]


AnyAddressOperation = AddAddress | ReplaceAddress | DelAddress
AnyRoutingOperation = AddRoute | ReplaceRoute | DelRoute | AddRule | DelRule

RELOADED = tuple[dict[str, str | None], list[AddressKey], Seen | None]
"""What comes with a reload, after its configuration."""

INPUTS: dict[str, Any] = {
    "known": tuple[dict[str, bool], dict[str, str | None], dict[str, str], list[str]],
    "begin": tuple[list[AddressKey], Seen | None],
    "start": tuple[list[AddressKey], SeenInheritance | None, int],
    "receive": tuple[Endpoint, bytes, str, str, int],
    "advertise": tuple[()],
    "tick": tuple[()],
    "slept": tuple[int, int],
    "link": tuple[str, bool | None],
    "source": tuple[str, str | None],
    "socket": tuple[Endpoint, str | None],
    "script_ended": tuple[str, bool],
    "address_gone": tuple[AddressKey],
    "renamed": tuple[dict[str, str], list[tuple[AddressKey, Address]], list[AddressKey]],
    "routing_seen": tuple[Seen, bool],
    "put_back": tuple[list[AddressKey]],
    "stop": tuple[()],
    "reload": RELOADED,
    "addresses_done": tuple[list[tuple[AnyAddressOperation, str]]],
    "routing_done": tuple[list[tuple[AnyRoutingOperation, str]]],
}
"""What a director can be told, and the types of what comes with it; the names are those of its methods. A test holds that none is
missing. Before all else of a ``reload`` comes its configuration; in a file, its number."""


class RecordedDirector(Director):
    """``limit``: messages that are remembered (`krun.record.ring.Ring`). ``digest``: what the configuration is called. ``clock``: for what
    is told without a time.
    """

    def __init__(
        self, config: Config, limit: int, digest: str = "", clock: Callable[[], int] = now_us
    ) -> None:
        super().__init__(config)
        self._clock = clock
        self.digest = digest
        self.ring = Ring(limit, self._snapshot, (config, digest, None))
        self._nested = False
        self._breathing = False
        self._meanwhile: list[tuple[int, list[Transmit]]] = []

    def books(self) -> Books:
        yield from super().books()
        yield Entry("recording", "what it was told and decided", self.ring)

    def _snapshot(self) -> tuple[Any, int]:
        saved = snapshot.save(self)
        things = len(saved.instances) + len(saved.addresses.have) + len(saved.routes.have)
        return (self.config, self.digest, saved), 2 * things

    def _told(self, now: int, kind: str, *what: Any) -> None:
        self.ring.breathe()
        self.ring.once(now, (kind, *what))

    def _decided(self, now: int, effects: list[Wanted]) -> list[Wanted]:
        ring = self.ring
        for effect in effects:
            if isinstance(effect, Transmit):
                # An instance builds an advert once and sends it again and again: the entry keeps the built one alive.
                ring.again(now, id(effect.datagrams), (OUTPUT, effect))
            else:
                ring.once(now, (OUTPUT, effect))
        if self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, []
            for then, adverts in meanwhile:
                ring.again(then, "advertise", ("advertise",))
                self._decided(then, adverts)
        return effects

    # -- what is told often

    def receive(
        self, at: Endpoint, pdu: bytes, source: str, destination: str, ttl: int, now: int
    ) -> list[Effect]:
        ring = self.ring
        ring.breathe()
        entry = ("receive", at, pdu, source, destination, ttl)
        ring.again(now, entry, entry)
        effects = super().receive(at, pdu, source, destination, ttl, now)
        return self._decided(now, effects) if effects or self._meanwhile else effects

    def advertise(self, now: int) -> list[Transmit]:
        if self._breathing:
            # In the middle of another input, whose decisions come first: in a recording one is done when the next begins.
            effects = super().advertise(now)
            if effects:
                self._meanwhile.append((now, effects))
            return effects
        self.ring.breathe()
        self.ring.again(now, "advertise", ("advertise",))
        return self._decided(now, super().advertise(now))

    def breathe(self) -> None:
        self._breathing = True
        super().breathe()
        self._breathing = False

    def tick(self, now: int) -> list[Effect]:
        ring = self.ring
        ring.breathe()
        ring.again(now, "tick", ("tick",))
        effects = super().tick(now)
        return self._decided(now, effects) if effects or self._meanwhile else effects

    # -- what is rare

    def begin(self, present: Collection[AddressKey] = (), sight: Sight | None = None) -> list[Effect]:
        if self._nested:
            return super().begin(present, sight)
        now = self._clock()
        self._known(now)
        self._told(now, "begin", list(present), _seen(sight))
        return self._decided(now, super().begin(present, sight))

    def start(
        self,
        now: int,
        present: Collection[AddressKey] = (),
        inheritance: Inheritance | None = None,
        startup_delay_us: int = 0,
    ) -> list[Effect]:
        self._known(now)
        heritage = inheritance and SeenInheritance(
            dict(inheritance.masters), dict(inheritance.trackers), sorted(inheritance.others)
        )
        self._told(now, "start", list(present), heritage, startup_delay_us)
        self._nested = True
        try:
            effects = super().start(now, present, inheritance, startup_delay_us)
        finally:
            self._nested = False
        return self._decided(now, effects)

    def _known(self, now: int) -> None:
        """What was put into the surroundings directly, before the begin and the start."""
        self._told(
            now,
            "known",
            dict(self.links),
            dict(self.sources),
            dict(self.broken),
            list(self.static_problems),
        )

    def stop(self, now: int) -> list[Effect]:
        self._told(now, "stop")
        return self._decided(now, super().stop(now))

    def link(self, device: str, up: bool | None, now: int) -> list[Effect]:
        self._told(now, "link", device, up)
        return self._decided(now, super().link(device, up, now))

    def source(self, instance: str, address: str | None, now: int) -> list[Effect]:
        if self.sources.get(instance) != address:
            self._told(now, "source", instance, address)
        return self._decided(now, super().source(instance, address, now))

    def socket(self, at: Endpoint, problem: str | None, now: int) -> list[Effect]:
        self._told(now, "socket", at, problem)
        return self._decided(now, super().socket(at, problem, now))

    def slept(self, us: int, unseen_us: int, now: int) -> list[Effect]:
        self._told(now, "slept", us, unseen_us)
        return self._decided(now, super().slept(us, unseen_us, now))

    def script_ended(self, name: str, success: bool, now: int) -> list[Effect]:
        ring = self.ring
        ring.breathe()
        entry = ("script_ended", name, success)
        ring.again(now, entry, entry)
        return self._decided(now, super().script_ended(name, success, now))

    def address_gone(self, key: AddressKey, now: int) -> list[Effect]:
        self._told(now, "address_gone", key)
        return self._decided(now, super().address_gone(key, now))

    def renamed(
        self, names: Mapping[str, str], held: AddressTable, present: Collection[AddressKey]
    ) -> list[Effect]:
        now = self._clock()
        self._told(now, "renamed", dict(names), list(held.items()), list(present))
        return self._decided(now, super().renamed(names, held, present))

    def routing_seen(self, sight: Sight, now: int, *, blame: bool) -> list[Effect]:
        self._told(now, "routing_seen", _seen(sight), blame)
        return self._decided(now, super().routing_seen(sight, now, blame=blame))

    def put_back(self, present: Collection[AddressKey], now: int) -> list[Effect]:
        self._told(now, "put_back", list(present))
        return self._decided(now, super().put_back(present, now))

    # -- what the shell does with its parts

    def addresses_done(self, refused: Iterable[tuple[AddressOperation, str]], now: int) -> None:
        """The writes of the last `ChangeAddresses` were made, but for these (`krun.vrrp.ledger.Ledger.not_done`)."""
        self._told(now, "addresses_done", list(refused))

    def routing_done(self, refused: Iterable[tuple[RoutingOperation, str]], now: int) -> None:
        """Likewise those of the last `ChangeRouting`."""
        self._told(now, "routing_done", list(refused))

    def reconfigure(
        self,
        plan: reload.ReloadPlan,
        digest: str,
        now: int,
        *,
        sources: Mapping[str, str | None],
        present: Collection[AddressKey] = (),
        sight: Sight | None = None,
    ) -> list[Effect]:
        """`krun.vrrp.reload.reconfigure` of this director. ``digest``: what the new configuration is called."""
        self.ring.breathe()
        entry = ("reload", (plan.config, digest), dict(sources), list(present), _seen(sight))
        self.ring.once(now, entry, self.ring.limit // RELOAD_WORTH)
        self.digest = digest
        return self._decided(
            now, reload.reconfigure(self, plan, now, sources=sources, present=present, sight=sight)
        )


def _seen(sight: Sight | None) -> Seen | None:
    if sight is None:
        return None
    return Seen(
        list(sight.routes.items()),
        list(sight.rules.items()),
        [(t, None) if isinstance(t, Route) else (None, t) for t in sight.strange],
    )


def _sight(seen: Seen | None) -> Sight | None:
    if seen is None:
        return None
    strange = tuple(thing for pair in seen.strange for thing in pair if thing is not None)
    return Sight(dict(seen.routes), dict(seen.rules), strange)


# -- the same again

Again = Callable[[Director, Sequence[Any], int], list[Effect]]


def apply(director: Director, kind: str, what: Sequence[Any], now: int) -> list[Effect]:
    """Tell ``director`` what another was told: ``kind`` is one of `INPUTS`, ``what`` is as that says. Returns what it decides.

    Raises ValueError for what cannot be told to this director: an instance that it does not have, a configuration that cannot run.
    """
    try:
        return _AGAIN[kind](director, what, now)
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{kind}: {type(error).__name__}: {error}") from None


def _known(director: Director, what: Sequence[Any], _now: int) -> list[Effect]:
    links, sources, broken, problems = what
    director.links, director.sources, director.broken = dict(links), dict(sources), dict(broken)
    director.static_problems = list(problems)
    return []


def _begin(director: Director, what: Sequence[Any], _now: int) -> list[Effect]:
    return director.begin(what[0], _sight(what[1]))


def _start(director: Director, what: Sequence[Any], now: int) -> list[Effect]:
    said: SeenInheritance | None = what[1]
    heritage = None
    if said is not None:
        heritage = Inheritance(said.masters, said.trackers, frozenset(said.others))
    return director.start(now, what[0], heritage, what[2])


def _renamed(director: Director, what: Sequence[Any], _now: int) -> list[Effect]:
    return director.renamed(what[0], dict(what[1]), what[2])


def _routing_seen(director: Director, what: Sequence[Any], now: int) -> list[Effect]:
    return director.routing_seen(_sight(what[0]) or Sight(), now, blame=what[1])


def _reload(director: Director, what: Sequence[Any], now: int) -> list[Effect]:
    config, sources, present, seen = what
    plan = reload.plan_reload(director.config, config, director.broken)
    return reload.reconfigure(director, plan, now, sources=sources, present=present, sight=_sight(seen))


def _addresses_done(director: Director, what: Sequence[Any], _now: int) -> list[Effect]:
    for operation, words in what[0]:
        director.ledger.not_done(operation, words)
    director.ledger.accepted()
    return []


def _routing_done(director: Director, what: Sequence[Any], _now: int) -> list[Effect]:
    for operation, words in what[0]:
        director.routing.not_done(operation, words)
    director.routing.accepted()
    return []


def _called(name: str) -> Again:
    """The method of that name, with what came and the time."""

    def call(director: Director, what: Sequence[Any], now: int) -> list[Effect]:
        found: list[Effect] = getattr(director, name)(*what, now)
        return found

    return call


_AGAIN: dict[str, Again] = {
    "known": _known,
    "begin": _begin,
    "start": _start,
    "receive": _called("receive"),
    "advertise": lambda d, _what, now: [*d.advertise(now)],
    "tick": lambda d, _what, now: d.tick(now),
    "slept": _called("slept"),
    "link": _called("link"),
    "source": _called("source"),
    "socket": _called("socket"),
    "script_ended": _called("script_ended"),
    "address_gone": _called("address_gone"),
    "renamed": _renamed,
    "routing_seen": _routing_seen,
    "put_back": _called("put_back"),
    "stop": lambda d, _what, now: d.stop(now),
    "reload": _reload,
    "addresses_done": _addresses_done,
    "routing_done": _routing_done,
}
