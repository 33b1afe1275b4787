"""The whole plan from one configuration to another: what ``kcc diff`` prints and a reload carries out."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from kir.diff import Change, Wire, diff, wire_identity, worst_wire
from kir.model import Config
from kir.plan.addresses import desired_addresses, plan_addresses
from kir.plan.bfd import plan_sessions
from kir.plan.check import plan_checkers
from kir.plan.daemon import plan_daemon
from kir.plan.ipvs import PoolHealth, desired_table, plan_table
from kir.plan.links import desired_links, plan_links
from kir.plan.operations import (
    AddressOperation,
    DelAddress,
    DelLink,
    Impact,
    IpvsOperation,
    Operation,
    TrackerStop,
)
from kir.plan.route_operations import DelRoute, DelRule
from kir.plan.routes import desired_routes, plan_routes
from kir.plan.rules import desired_rules, plan_rules
from kir.plan.track import plan_trackers
from kir.plan.vrrp import pairs, plan_instances
from kir.route_state import RouteTable, RuleTable, route_key
from kir.state import AddressKey, AddressTable, IpvsTable, address_key


@dataclass(frozen=True, slots=True)
class Observed:
    """What a running director sees. Each part may be unknown (None): then the old configuration counts as fully applied.

    ``table``: the IPVS table. ``health``: of the pools, by virtual server name of the new configuration. ``present``: addresses on
    the interfaces. ``masters``: the instances of the old configuration that are master here. ``routes`` and ``rules``: those of ours
    that are there, as they are there (`kir.route_state.observed_routes`).
    """

    table: IpvsTable | None = None
    health: Mapping[str, PoolHealth] | None = None
    present: Collection[AddressKey] | None = None
    masters: Container[str] | None = None
    routes: RouteTable | None = None
    rules: RuleTable | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes of meaning and the operations that they need, in a safe order. ``drain_us``: how long those may wait that are due
    after the drain.
    """

    changes: list[Change]
    operations: list[Operation] = field(default_factory=list)
    drain_us: int = 0

    @property
    def impact(self) -> Impact:
        """The worst impact of any operation."""
        return max((o.impact for o in self.operations), default=Impact.NONE)

    @property
    def wire(self) -> Wire:
        """The worst wire label of any change."""
        return worst_wire(self.changes)

    @property
    def now(self) -> list[Operation]:
        """What is carried out at once."""
        return [o for o in self.operations if o.phase == "now"]

    @property
    def after_drain(self) -> list[Operation]:
        """What waits until servers have no connections left, or for the deadline."""
        return [o for o in self.operations if o.phase == "after_drain"]

    def counts(self) -> dict[str, int]:
        """Operation name → how often it stands in the plan."""
        counts: dict[str, int] = {}
        for operation in self.operations:
            counts[operation.op] = counts.get(operation.op, 0) + 1
        return counts


def plan(old: Config, new: Config, observed: Observed | None = None, drain_us: int = 0) -> Plan:
    """The plan from ``old`` to ``new``.

    In this order: interfaces, what is tracked, addresses, routes, rules come; services; instances and checks change; rules, routes,
    addresses, interfaces go. With ``drain_us`` (microseconds) servers that go lose their weight first and are deleted last.
    """
    seen = observed if observed is not None else Observed()
    old_table = desired_table(old)
    have_table = seen.table if seen.table is not None else old_table
    masters = _masters(old, new, seen.masters)

    links = plan_links(desired_links(old), desired_links(new))
    trackers = plan_trackers(old, new)
    held = desired_addresses(old, seen.masters)
    addresses = _addresses(held, new, masters, seen.present)
    routes_before = seen.routes if seen.routes is not None else desired_routes(old, seen.masters)
    routes = plan_routes(
        _left(routes_before, held, addresses, desired_addresses(new, masters), seen.present),
        desired_routes(new, masters),
    )
    rules_before = seen.rules if seen.rules is not None else desired_rules(old, seen.masters)
    rules = plan_rules(rules_before, desired_rules(new, masters))
    services = plan_table(have_table, desired_table(new, seen.health), owned=old_table, drain_us=drain_us)

    kept = desired_addresses(new, masters).keys()
    if drain_us:
        addresses = _undrained(addresses, services)
    leaving = [o for o in addresses if isinstance(o, DelAddress) and address_key(o.address) not in kept]
    wanted_routes = desired_routes(new, masters).keys()
    operations: list[Operation] = [
        *(o for o in links if not _ends(o, links)),
        *(o for o in trackers if not isinstance(o, TrackerStop)),
        *plan_sessions(old, new),
        *(o for o in addresses if o not in leaving),
        *(o for o in routes if not isinstance(o, DelRoute) or route_key(o.route) in wanted_routes),
        *(o for o in rules if not isinstance(o, DelRule)),
        *(o for o in services if o.phase == "now"),
        *plan_instances(old, new, seen.masters),
        *plan_checkers(old, new),
        *(o for o in rules if isinstance(o, DelRule)),
        *(o for o in routes if isinstance(o, DelRoute) and route_key(o.route) not in wanted_routes),
        *leaving,
        *(o for o in links if _ends(o, links)),
        *(o for o in trackers if isinstance(o, TrackerStop)),
        *plan_daemon(old, new),
        *(o for o in services if o.phase != "now"),
    ]
    return Plan(changes=diff(old, new), operations=operations, drain_us=drain_us)


def _masters(old: Config, new: Config, masters: Container[str] | None) -> frozenset[str] | None:
    """The instances of ``new`` that are master here after the step: those that were, and go on."""
    if masters is None:
        return None
    return frozenset(
        after.name
        for before, after in pairs(old, new)
        if before is not None
        and after is not None
        and before.name in masters
        and wire_identity(before) == wire_identity(after)
    )


def _addresses(
    held: AddressTable, new: Config, masters: Container[str] | None, present: Collection[AddressKey] | None
) -> list[AddressOperation]:
    """The steps of the addresses. One that the new configuration still names goes because its instance is no longer master."""
    named = desired_addresses(new)
    steps = plan_addresses(held, desired_addresses(new, masters), present)
    if masters is None:
        return steps
    kept = desired_addresses(new, masters).keys()
    return [
        msgspec.structs.replace(
            o,
            impact=Impact.FAILOVER,
            reason="its instance is not master here after this step: whoever is, holds it",
        )
        if isinstance(o, DelAddress)
        and address_key(o.address) in named
        and address_key(o.address) not in kept
        else o
        for o in steps
    ]


def _undrained(
    steps: Sequence[AddressOperation], services: Sequence[IpvsOperation]
) -> list[AddressOperation]:
    """The steps, with a word where an address goes at once under a service that would drain."""
    draining: dict[str, list[str]] = {}
    for o in services:
        if o.phase == "after_drain" and o.service.address is not None:
            draining.setdefault(o.service.address, []).append(o.service.identity)
    return [
        msgspec.structs.replace(
            o,
            reason=f"{o.reason}; it goes at once: {', '.join(dict.fromkeys(draining[o.address.address]))} cannot drain. Take the "
            "address away in a later step",
        )
        if isinstance(o, DelAddress) and o.address.address in draining
        else o
        for o in steps
    ]


def _left(
    routes: RouteTable,
    held: AddressTable,
    steps: Sequence[AddressOperation],
    kept: AddressTable,
    present: Collection[AddressKey] | None,
) -> RouteTable:
    """``routes`` without what the kernel drops when an address is taken away and added anew: over IPv4 the routes that prefer it as
    their source, over IPv6 that preference. An address that is there twice, with another length or device, keeps them.
    """
    renewed = {
        o.address.address for o in steps if isinstance(o, DelAddress) and address_key(o.address) in kept
    }
    if not renewed:
        return routes
    there = {key for key in held if present is None or key in present} | kept.keys()
    renewed = {a for a in renewed if sum(key.address == a for key in there) == 1}
    return {
        key: route if route.source not in renewed else msgspec.structs.replace(route, source=None)
        for key, route in routes.items()
        if route.source not in renewed or route.family == "inet6"
    }


def _ends(step: Operation, steps: Sequence[Operation]) -> bool:
    """Whether an interface goes for good: its deletion is not followed by its return."""
    return isinstance(step, DelLink) and all(o.target != step.target or o is step for o in steps)
