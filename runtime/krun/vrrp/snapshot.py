"""All that a director remembers, as plain data, and a director that goes on from it.

The state is taken while the process runs, so it copies nothing that never changes. What follows from other things (routes to sockets,
built adverts, sets of tracked things) is left out and made anew. A test goes through the attributes of every class that is saved here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from kir.model import Address, Config, Route, Rule
from kir.route_state import RouteKey
from kir.state import AddressKey
from krun.vrrp.book import Book
from krun.vrrp.director import Director
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.instance import Heard, Instance
from krun.vrrp.machine import Role, State
from krun.vrrp.reception import Accepted, judge
from krun.vrrp.tracking import Debounced, ScriptHealth, Verdict


class SavedHeard(msgspec.Struct, frozen=True):
    """The last accepted packet of an instance."""

    pdu: bytes
    source: str
    destination: str
    ttl: int


class SavedInstance(msgspec.Struct, frozen=True):
    """An instance; its configuration goes by the name."""

    name: str
    index: int
    state: State
    verdict: Verdict
    primary: Debounced
    said: tuple[str, ...]
    flaps: tuple[int, ...]
    old_checksum: bool
    heard: SavedHeard | None


class SavedBook(msgspec.Struct, frozen=True):
    """A `krun.vrrp.book.Book`: everything in its order. ``holders``: by key, who holds it, the first one first."""

    have: list[tuple[Any, Any]]
    held: list[tuple[str, list[Any]]]
    left: list[Any]
    problems: list[tuple[Any, str]]
    holders: list[tuple[Any, list[str]]]
    dirty: list[Any]


class SavedAddresses(SavedBook, frozen=True):
    have: list[tuple[AddressKey, Address]]
    held: list[tuple[str, list[Address]]]
    left: list[AddressKey]
    problems: list[tuple[AddressKey, str]]
    holders: list[tuple[AddressKey, list[str]]]
    dirty: list[AddressKey]


class SavedRoutes(SavedBook, frozen=True):
    have: list[tuple[RouteKey, Route]]
    held: list[tuple[str, list[Route]]]
    left: list[RouteKey]
    problems: list[tuple[RouteKey, str]]
    holders: list[tuple[RouteKey, list[str]]]
    dirty: list[RouteKey]


class SavedRules(SavedBook, frozen=True):
    have: list[tuple[Rule, Rule]]
    held: list[tuple[str, list[Rule]]]
    left: list[Rule]
    problems: list[tuple[Rule, str]]
    holders: list[tuple[Rule, list[str]]]
    dirty: list[Rule]


class GivenUp(msgspec.Struct, frozen=True):
    """One of `krun.vrrp.surroundings.Surroundings.given_up`: an address, a route or a rule."""

    words: str
    address: AddressKey | None = None
    route: RouteKey | None = None
    rule: Rule | None = None


class Saved(msgspec.Struct, frozen=True):
    """A director. ``armed``: who wants to be woken when, in the order in which equal times are served."""

    started: bool
    begun: bool
    not_before: int
    instances: list[SavedInstance]
    groups: list[tuple[str, Role]]
    health: list[tuple[str, ScriptHealth]]
    links: dict[str, bool]
    sources: dict[str, str | None]
    broken: dict[str, str]
    deaf: list[tuple[Endpoint, str]]
    given_up: list[GivenUp]
    static_problems: list[str]
    addresses: SavedAddresses
    routes: SavedRoutes
    rules: SavedRules
    static_flaps: list[int]
    shown: list[tuple[RouteKey, Route]]
    unknown: list[tuple[str, int, int]]
    armed: list[tuple[str, int]]
    adverts: list[tuple[str, int]] = []


def save(director: Director) -> Saved:
    """Between two inputs."""
    return Saved(
        started=director.started,
        begun=director.begun,
        not_before=director.not_before,
        instances=[_instance(instance) for instance in director.instances.values()],
        groups=[(group.name, group.role) for group in director.groups.values()],
        health=list(director.health.items()),
        links=dict(director.links),
        sources=dict(director.sources),
        broken=dict(director.broken),
        deaf=list(director.deaf.items()),
        given_up=[_given_up(key, words) for key, words in director.given_up.items()],
        static_problems=list(director.static_problems),
        addresses=SavedAddresses(*_book(director.ledger)),
        routes=SavedRoutes(*_book(director.routing.routes)),
        rules=SavedRules(*_book(director.routing.rules)),
        static_flaps=list(director.drift.static_flaps),
        shown=list(director.drift.shown.items()),
        unknown=[(at, vrid, count) for (at, vrid), count in director.intake.unknown.items()],
        armed=director.alarms.armed(),
        adverts=director.adverts.armed(),
    )


def _instance(instance: Instance) -> SavedInstance:
    heard = instance.heard
    return SavedInstance(
        instance.config.name,
        instance.index,
        instance.state,
        instance.verdict,
        instance.primary,
        tuple(instance.said),
        tuple(instance.flaps),
        instance.old_checksum,
        None if heard is None else SavedHeard(heard.pdu, heard.source, heard.destination, heard.ttl),
    )


def _book(book: Book[Any, Any]) -> tuple[Any, ...]:
    return (
        list(book.have.items()),
        [(holder, list(table.values())) for holder, table in book.held.items()],
        list(book.left),
        list(book.problems.items()),
        book.all_holders(),
        book.dirty(),
    )


def _given_up(key: object, words: str) -> GivenUp:
    if isinstance(key, AddressKey):
        return GivenUp(words, address=key)
    return GivenUp(words, route=key) if isinstance(key, RouteKey) else GivenUp(words, rule=key)  # type: ignore[arg-type]


def restore(director: Director, saved: Saved) -> None:
    """Put ``saved`` into a director that was just made of the same configuration. Raises ValueError where it is of another one."""
    config = director.config
    _same("instances", (i.name for i in config.vrrp_instances), (i.name for i in saved.instances))
    _same("sync groups", (g.name for g in config.vrrp_sync_groups), (name for name, _ in saved.groups))
    _same("scripts", (s.name for s in config.vrrp_scripts), (name for name, _ in saved.health))
    director.started, director.begun, director.not_before = saved.started, saved.begun, saved.not_before
    director.instances = {
        one.name: _revived(config, director.instances[one.name], one) for one in saved.instances
    }
    for name, role in saved.groups:
        director.groups[name].role = role
    director.health = dict(saved.health)
    director.links, director.sources = dict(saved.links), dict(saved.sources)
    director.broken, director.deaf = dict(saved.broken), dict(saved.deaf)
    director.given_up = {g.address or g.route or g.rule: g.words for g in saved.given_up}
    director.static_problems = list(saved.static_problems)
    _refill(director.ledger, saved.addresses)
    _refill(director.routing.routes, saved.routes)
    _refill(director.routing.rules, saved.rules)
    director.drift.static_flaps[:] = saved.static_flaps
    director.drift.shown.update(saved.shown)
    director.intake.unknown.update({(at, vrid): count for at, vrid, count in saved.unknown})
    for name, at in saved.armed:
        if name in director.instances:
            director.alarms.arm_at(director.instances[name], at)
    for name, at in saved.adverts:
        if name in director.instances:
            director.adverts.arm_at(director.instances[name], at)
    for instance in director.instances.values():
        director.adverts.arm(instance)
    director.route()
    director.take()  # which sockets are needed is no news


def _same(what: str, here: Iterable[str], there: Iterable[str]) -> None:
    if set(here) != set(there):
        raise ValueError(f"the recorded state has other {what} than its configuration")


def _revived(config: Config, instance: Instance, saved: SavedInstance) -> Instance:
    instance.index = saved.index
    instance.configure(instance.config)
    instance.state, instance.verdict, instance.primary = saved.state, saved.verdict, saved.primary
    instance.said, instance.flaps = set(saved.said), list(saved.flaps)
    instance.old_checksum = saved.old_checksum
    heard = saved.heard
    if heard is not None:
        # It was accepted under rules that are still the same; the verdict is not kept, since it holds the packet once more.
        judged = judge(
            instance.rules,
            heard.pdu,
            heard.source,
            heard.destination,
            heard.ttl,
            priority=instance.state.speaks,
        )
        if isinstance(judged, Accepted):
            instance.heard = Heard(heard.pdu, heard.source, heard.destination, heard.ttl, judged)
    return instance


def _refill(book: Book[Any, Any], saved: SavedBook) -> None:
    book.have = dict(saved.have)
    book.refill(saved.held, saved.holders, saved.dirty)
    book.left, book.problems = set(saved.left), dict(saved.problems)
