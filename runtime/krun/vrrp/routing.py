"""Which instance holds which route and rule, and what the kernel has of them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from kir.model import Route, Rule
from kir.plan.route_operations import (
    AddRoute,
    AddRule,
    DelRoute,
    DelRule,
    ReplaceRoute,
    RouteOperation,
    RoutingOperation,
)
from kir.plan.routes import plan_routes
from kir.plan.rules import plan_rules
from kir.route_state import RouteKey, RouteTable, RuleKey, RuleTable, legs, route_key, rule_key
from krun.vrrp.book import Book


class Sight(msgspec.Struct, frozen=True):
    """What a look at the kernel found. ``routes``, ``rules``: those of the configuration that are there, as they are there.
    ``strange``: others of protocol keepalived, left by an earlier life."""

    routes: RouteTable = {}
    rules: RuleTable = {}
    strange: tuple[Route | Rule, ...] = ()


class Routes(Book[RouteKey, Route]):
    """Routes."""

    def __init__(self) -> None:
        super().__init__(route_key)

    def plan(self) -> list[RouteOperation]:
        """As `krun.vrrp.ledger.Ledger.plan`. All of a place are looked at: whether one can be changed in place depends on the others."""
        places = {(key.slot.table, key.slot.destination) for key in self.drain()}
        if not places:
            return []
        have = {k: route for k, route in self.have.items() if (k.slot.table, k.slot.destination) in places}
        keys = [
            k for held in self.held.values() for k in held if (k.slot.table, k.slot.destination) in places
        ]
        # What is there and left alone stays as it is.
        want = self.want_of(keys) | {key: have[key] for key in have if key in self.left}
        operations = plan_routes(have, want)
        for operation in operations:
            if isinstance(operation, ReplaceRoute):
                self.have.pop(route_key(operation.old), None)
            key = route_key(operation.route)
            if isinstance(operation, DelRoute):
                self.have.pop(key, None)
            else:
                self.have[key] = operation.route
        return operations


class Rules(Book[RuleKey, Rule]):
    """Rules."""

    def __init__(self) -> None:
        super().__init__(rule_key)

    def plan(self) -> tuple[list[AddRule], list[DelRule]]:
        """As `krun.vrrp.ledger.Ledger.plan`; additions and deletions apart."""
        keys = self.drain()
        have = {key: self.have[key] for key in keys if key in self.have}
        operations = plan_rules(have, self.want_of(keys))
        adds = [o for o in operations if isinstance(o, AddRule)]
        dels = [o for o in operations if isinstance(o, DelRule)]
        for add in adds:
            self.have[rule_key(add.rule)] = add.rule
        for delete in dels:
            self.have.pop(rule_key(delete.rule), None)
        return adds, dels


class Routing:
    """Routes and rules together."""

    def __init__(self) -> None:
        self.routes = Routes()
        self.rules = Rules()

    @property
    def idle(self) -> bool:
        """Nothing is there and nothing is wanted."""
        return not (self.routes.have or self.rules.have or self.routes.held or self.rules.held)

    def depends_on(self, devices: AbstractSet[str]) -> bool:
        """Whether what happens to these interfaces may matter to a route: those that name none are the kernel's business."""
        for route in [*self.routes.have.values(), *self.routes.want_of(self.routes.unmet()).values()]:
            named = devices_of(route)
            if (not named and route.via is not None) or route.nexthops or not devices.isdisjoint(named):
                return True
            if route.source is not None:
                return True  # the address may have been on any of them
        return False

    def adopt(self, sight: Sight) -> None:
        """Book what is there as ours: what nobody takes goes with the next plan of its place, what is strange with the next one."""
        self.routes.have = sight.routes | self.routes.have
        self.rules.have = sight.rules | self.rules.have
        for thing in sight.strange:
            if isinstance(thing, Route):
                key = route_key(thing)
                self.routes.have.setdefault(key, thing)
                self.routes.again(key)
            else:
                self.rules.have.setdefault(rule_key(thing), thing)
                self.rules.again(rule_key(thing))

    def corrected(self, sight: Sight) -> None:
        """Book what is really there, before a reload builds on it."""
        for book, seen in ((self.routes, sight.routes), (self.rules, sight.rules)):
            _correct(book, seen)

    def take(self, holder: str, routes: Iterable[Route], rules: Iterable[Rule]) -> None:
        """The holder wants exactly these."""
        self.routes.take(holder, routes)
        self.rules.take(holder, rules)

    def release(self, holder: str, routes: Iterable[Route], rules: Iterable[Rule]) -> None:
        """The holder wants none; these it may have left from an earlier life."""
        self.routes.release(holder, routes)
        self.rules.release(holder, rules)

    def rename(self, old: str, new: str) -> None:
        self.routes.rename(old, new)
        self.rules.rename(old, new)

    def plan(self) -> tuple[RoutingOperation, ...]:
        """The writes, in the order in which nothing refers to what is not there: new routes, new rules, old rules, old routes."""
        routes = self.routes.plan()
        add_rules, del_rules = self.rules.plan()
        first_removal = len(routes)
        while first_removal and isinstance(routes[first_removal - 1], DelRoute):
            first_removal -= 1
        return (*routes[:first_removal], *add_rules, *del_rules, *routes[first_removal:])

    def not_done(self, operation: RoutingOperation, words: str) -> bool:
        """The kernel did not do it. Returns whether that is news."""
        match operation:
            case AddRule(rule=rule):
                return self.rules.refused(rule_key(rule), words)
            case AddRoute(route=route):
                return self.routes.refused(route_key(route), words)
            case ReplaceRoute(route=route, old=old):
                news = self.routes.refused(route_key(route), words)
                self.routes.have[route_key(old)] = old
                return news
            case DelRoute(route=route):
                self.routes.have[route_key(route)] = route
            case DelRule(rule=rule):
                self.rules.have[rule_key(rule)] = rule
        return True

    def accepted(self) -> None:
        """All that is there is there without a problem."""
        self.routes.accepted()
        self.rules.accepted()

    def book(self, key: RouteKey | RuleKey) -> Book[Any, Any]:
        """The book in which ``key`` stands."""
        return self.routes if isinstance(key, RouteKey) else self.rules


def _correct(book: Book[Any, Any], seen: dict[Any, Any]) -> None:
    for key in [k for k in book.have if k not in seen and book.wanted(k) is not None]:
        book.lost(key)
        book.again(key)
    for key, thing in seen.items():
        if book.have.get(key) != thing:
            book.have[key] = thing
            book.again(key)


def devices_of(route: Route) -> tuple[str, ...]:
    """The interfaces that a route names."""
    return tuple(dict.fromkeys(hop.device for hop in legs(route) if hop.device is not None))
