"""A kernel for plans: tables of objects that operations change, and refuse what a kernel refuses."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from kir.link_state import LinkTable
from kir.model import Route
from kir.plan.addresses import IN_PLACE, differing
from kir.plan.operations import (
    AddAddress,
    AddDest,
    AddLink,
    AddressOperation,
    AddService,
    DelAddress,
    DelDest,
    DelLink,
    DelService,
    EditDest,
    EditLink,
    EditService,
    IpvsOperation,
    LinkOperation,
    Operation,
    ReplaceAddress,
)
from kir.plan.route_operations import AddRoute, AddRule, DelRoute, DelRule, ReplaceRoute, RoutingOperation
from kir.route_state import RouteSlot, RouteTable, RuleTable, route_changes, route_key, route_slot, rule_key
from kir.state import AddressTable, IpvsTable, ServiceEntry, address_key

Kernel = IpvsOperation, AddressOperation, LinkOperation, RoutingOperation
"""The operations that are writes to the kernel."""


class PlanKernel:
    """Secondary addresses are promoted, as with ``promote_secondaries``; routes are a list for each place."""

    def __init__(
        self,
        table: IpvsTable,
        addresses: AddressTable,
        routes: RouteTable,
        rules: RuleTable,
        links: LinkTable,
    ) -> None:
        self.table = copy.deepcopy(table)
        self.addresses = dict(addresses)
        self.rules = dict(rules)
        self.links = dict(links)
        self.places: dict[RouteSlot, list[Route]] = {}
        for route in routes.values():
            self.places.setdefault(route_slot(route), []).append(route)

    def run(self, operations: Iterable[Operation]) -> PlanKernel:
        for operation in operations:
            if isinstance(operation, IpvsOperation):
                self._ipvs(operation)
            elif isinstance(operation, AddressOperation):
                self._address(operation)
            elif isinstance(operation, LinkOperation):
                self._link(operation)
            elif isinstance(operation, RoutingOperation):
                self._routing(operation)
        return self

    def _ipvs(self, o: IpvsOperation) -> None:
        if isinstance(o, AddService):
            assert o.service not in self.table, "EEXIST"
            self.table[o.service] = ServiceEntry(o.params)
            return
        entry = self.table[o.service]
        if isinstance(o, EditService):
            assert entry.params == o.old
            entry.params = o.params
        elif isinstance(o, DelService):
            assert len(entry.dests) == o.dests
            del self.table[o.service]
        elif isinstance(o, AddDest):
            assert o.dest not in entry.dests, "EEXIST"
            entry.dests[o.dest] = o.params
        elif isinstance(o, EditDest):
            assert entry.dests[o.dest] == o.old
            entry.dests[o.dest] = o.params
        elif isinstance(o, DelDest):
            del entry.dests[o.dest]

    def _address(self, o: AddressOperation) -> None:
        key = address_key(o.address)
        if isinstance(o, AddAddress):
            assert key not in self.addresses, "EEXIST"
            self.addresses[key] = o.address
        elif isinstance(o, ReplaceAddress):
            assert differing(self.addresses[key], o.address) <= IN_PLACE[o.address.family]
            self.addresses[key] = o.address
        elif isinstance(o, DelAddress):
            del self.addresses[key]
            if not any(k.address == key.address for k in self.addresses):
                self._without_source(key.address)

    def _without_source(self, address: str) -> None:
        """IPv4: fib_sync_down_addr drops the routes that prefer the address. IPv6: rt6_remove_prefsrc drops the preference."""
        from msgspec.structs import replace

        for slot, routes in self.places.items():
            if slot.family == "inet":
                routes[:] = [r for r in routes if r.source != address]
            else:
                routes[:] = [replace(r, source=None) if r.source == address else r for r in routes]

    def _link(self, o: LinkOperation) -> None:
        if isinstance(o, AddLink):
            assert o.key not in self.links, "EEXIST"
            self.links[o.key] = o.params
        elif isinstance(o, EditLink):
            assert o.key in self.links
            self.links[o.key] = o.params
        elif isinstance(o, DelLink):
            del self.links[o.key]

    def _routing(self, o: RoutingOperation) -> None:
        if isinstance(o, AddRule):
            assert rule_key(o.rule) not in self.rules, "EEXIST"
            self.rules[rule_key(o.rule)] = o.rule
        elif isinstance(o, DelRule):
            del self.rules[rule_key(o.rule)]
        elif isinstance(o, AddRoute):
            place = self.places.setdefault(route_slot(o.route), [])
            assert all(route_key(r) != route_key(o.route) for r in place), "EEXIST"
            place.insert(0, o.route)
        elif isinstance(o, ReplaceRoute):
            place = self.places[route_slot(o.route)]
            assert not route_changes(place[0], o.old), "another route would be replaced"
            place[0] = o.route
        elif isinstance(o, DelRoute):
            place = self.places[route_slot(o.route)]
            place.remove(next(r for r in place if route_key(r) == route_key(o.route)))

    def differences(self, other: PlanKernel) -> list[str]:
        """What is not the same, in words; empty where both kernels hold the same."""
        found = []
        if self.table != other.table:
            found.append("ipvs")
        if self.addresses.keys() != other.addresses.keys():
            found.append("addresses")
        found += [
            str(k)
            for k, a in self.addresses.items()
            if k in other.addresses and differing(a, other.addresses[k])
        ]
        if self.rules.keys() != other.rules.keys():
            found.append("rules")
        if {k: _kernel(p) for k, p in self.links.items()} != {k: _kernel(p) for k, p in other.links.items()}:
            found.append("links")
        mine, its = ({route_key(r): r for p in k.places.values() for r in p} for k in (self, other))
        if mine.keys() != its.keys():
            found.append("routes")
        found += [str(k) for k, r in mine.items() if k in its and route_changes(r, its[k])]
        return found


def _kernel(params: object) -> object:
    from msgspec.structs import replace

    return replace(params, instance="")  # type: ignore[type-var]
