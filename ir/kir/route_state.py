"""Routes and rules as a kernel holds them, in the terms of the IR: what tells them apart, and when what is there is what is wanted.

Sources: rtnetlink(7), ip-route(8), linux/rtnetlink.h, linux/fib_rules.h.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from kir.model import Route, Rule
from kir.model.route import Name, Nexthop

IPV6_PRIORITY = 1024
"""The metric of an IPv6 route that says none (IP6_RT_PRIO_USER)."""

SCOPE_GLOBAL, SCOPE_LINK, SCOPE_HOST = 0, 253, 254

_NO_VRFS: Mapping[str, int] = MappingProxyType({})
_REJECTING = ("blackhole", "unreachable", "prohibit", "throw")


class RouteSlot(msgspec.Struct, frozen=True, gc=False):
    """The place of a route in the kernel: NLM_F_REPLACE changes the first route that it finds there.

    ``priority`` is the kernel's: 0, for IPv6 1024, where the route says none. IPv6 tells no class of traffic apart.
    """

    family: str
    table: Name
    destination: str
    source_prefix: str | None
    tos: Name
    priority: int


class RouteKey(msgspec.Struct, frozen=True, gc=False):
    """Which route: its place, and the way that it leads. A place can hold several routes with different ways."""

    slot: RouteSlot
    way: str

    def __str__(self) -> str:
        slot = self.slot
        words = [slot.destination, self.way, f"table {slot.table}"]
        if slot.source_prefix is not None:
            words.insert(1, f"from {slot.source_prefix}")
        if slot.priority:
            words.append(f"metric {slot.priority}")
        if slot.tos:
            words.append(f"tos {slot.tos}")
        return " ".join(word for word in words if word)


RuleKey = Rule
"""Which rule: all that it says. The kernel cannot change a rule, so one with another word is another rule."""

RouteTable = dict[RouteKey, Route]
"""The routes that are ours to manage, by key."""

RuleTable = dict[RuleKey, Rule]
"""The rules that are ours to manage, by key."""


def route_slot(route: Route) -> RouteSlot:
    """The place of a route."""
    inet6 = route.family == "inet6"
    return RouteSlot(
        family=route.family,
        table=f"vrf {route.vrf}" if route.vrf is not None else route.table,
        destination=route.destination,
        source_prefix=route.source_prefix,
        tos=0 if inet6 else route.tos,
        priority=kernel_priority(route),
    )


def route_key(route: Route) -> RouteKey:
    """The key of a route."""
    words = [] if route.type == "unicast" else [str(route.type)]
    for hop in legs(route):
        words += ["via", hop.via] if hop.via is not None else []
        words += ["dev", hop.device] if hop.device is not None else []
    return RouteKey(route_slot(route), " ".join(words))


def rule_key(rule: Rule) -> RuleKey:
    """The key of a rule: without what only krun knows of it."""
    if rule.track and rule.track_group is None:
        return rule
    return msgspec.structs.replace(rule, track=True, track_group=None)


def kernel_priority(route: Route) -> int:
    """The metric that the kernel gives a route. IPv6 has none of 0: it means the usual one."""
    if route.family == "inet6":
        return route.priority or IPV6_PRIORITY
    return route.priority or 0


def kernel_scope(route: Route) -> Name:
    """The scope of a route that may say none: the global one as keepalived has it (ip-route(8) makes it link for a route without
    a gateway), where the kernel takes no global one for the type the widest that it takes. IPv6 knows only the global one."""
    if route.family == "inet6":
        return SCOPE_GLOBAL
    if route.scope is not None:
        return route.scope
    if route.type == "local":
        return SCOPE_HOST
    return SCOPE_LINK if route.type in ("broadcast", "anycast") else SCOPE_GLOBAL


def legs(route: Route) -> tuple[Nexthop, ...]:
    """The ways of a route: its nexthops, or the one that it names itself; none where it leads nowhere."""
    if route.nexthops:
        return route.nexthops
    if route.via is None and route.device is None:
        return ()
    return (
        Nexthop(
            via=route.via, device=route.device, onlink=route.onlink, encap=route.encap, realms=route.realms
        ),
    )


_OURS = frozenset({"track", "track_group", "mode"})
"""Fields that say how krun treats a route; the kernel knows nothing of them."""


def route_changes(old: Route, new: Route) -> frozenset[str]:
    """The fields that differ between two routes for the kernel."""
    changes = {
        name
        for name in Route.__struct_fields__
        if name not in _OURS and getattr(old, name) != getattr(new, name)
    }
    if kernel_priority(old) == kernel_priority(new):
        changes.discard("priority")
    if kernel_scope(old) == kernel_scope(new):
        changes.discard("scope")
    if changes & {"metrics"} and frozenset(old.metrics) == frozenset(new.metrics):
        changes.discard("metrics")
    return frozenset(changes)


def leads(have: Route, want: Route) -> bool:
    """Whether the way of ``have`` is the one that ``want`` asks for; a device that is not asked for is the kernel's choice.

    IPv6 keeps several routes of one place as one with several nexthops: there the asked ones must be among them.
    """
    there, asked = list(legs(have)), legs(want)
    if not asked:
        # The kernel shows the ways that lead nowhere as leading to the loopback.
        return want.type != "unicast" or not there
    if want.type in _REJECTING and want.family == "inet6":
        return True
    for hop in asked:
        match = next((other for other in there if _same_hop(other, hop, have, want)), None)
        if match is None:
            return False
        there.remove(match)
    return not there or want.family == "inet6"


def _same_hop(have: Nexthop, want: Nexthop, of_have: Route, of_want: Route) -> bool:
    single = len(of_want.nexthops) <= 1  # a single one has no weight
    return (
        have.via == want.via
        and (want.device is None or have.device == want.device)
        and (single or have.weight == want.weight)
        and have.onlink == want.onlink
        and have.encap == want.encap
        and (of_want.family == "inet6" or have.realms == want.realms)
    )


def mistakable(gone: Route, other: Route) -> bool:
    """Whether the kernel, told to delete ``gone``, could delete ``other``: what a deletion does not say matches anything, and it
    cannot say that there is no gateway or, in IPv4, that the metric is 0."""
    a, b = route_slot(gone), route_slot(other)
    if a.priority != b.priority:
        if gone.family == "inet6" or a.priority:
            return False
        b = msgspec.structs.replace(b, priority=a.priority)
    if a != b or gone.type != other.type or gone.protocol != other.protocol:
        return False
    if gone.nexthops or other.nexthops:
        return legs(gone) == legs(other)
    return (gone.via is None or gone.via == other.via) and (
        gone.device is None or other.device is None or gone.device == other.device
    )


def _preference(route: Route) -> int:
    """RFC 4191 section 2.1: high 1 and low 3; the kernel takes anything else for medium."""
    return route.preference if route.preference in (1, 3) else 0


def fulfils(have: Route, want: Route) -> bool:
    """Whether ``have``, read from a kernel, is what ``want`` asks for. Names of ``want`` must be numbers.

    A lifetime (``expires``) is not compared: it runs down.
    """
    return (
        route_slot(have) == route_slot(want)
        and have.type == want.type
        and have.protocol == want.protocol
        and kernel_scope(have) == kernel_scope(want)
        and have.source == want.source
        and frozenset(have.metrics) == frozenset(want.metrics)
        and (have.congctl, have.ecn) == (want.congctl, want.ecn)
        and _preference(have) == _preference(want)
        and (want.ttl_propagate is None or have.ttl_propagate == want.ttl_propagate)
        and leads(have, want)
    )


def observed_routes(
    seen: Iterable[Route], wanted: RouteTable, vrf_tables: Mapping[str, int] = _NO_VRFS
) -> tuple[RouteTable, list[Route]]:
    """What of ``wanted`` is among the routes ``seen`` in a kernel, as it is there; and the others of them.

    A route that leads the wanted way and differs in something else stands under the wanted key with what the kernel has.
    ``vrf_tables``: the tables of the VRF devices that there are, by name.
    """
    by_slot: dict[RouteSlot, list[Route]] = {}
    for route in seen:
        by_slot.setdefault(route_slot(route), []).append(route)
    found: RouteTable = {}
    used: set[int] = set()
    for key, asked in wanted.items():
        want = asked
        if asked.vrf is not None:
            table = vrf_tables.get(asked.vrf)
            if table is None:
                continue
            want = msgspec.structs.replace(asked, vrf=None, table=table)
        candidates = by_slot.get(route_slot(want), ())
        exact = next((r for r in candidates if fulfils(r, want)), None)
        if exact is not None:
            found[key] = asked
            used.add(id(exact))
            continue
        near = next(
            (
                r
                for r in candidates
                if id(r) not in used and (r.type, r.protocol) == (want.type, want.protocol) and leads(r, want)
            ),
            None,
        )
        if near is not None:
            found[key] = msgspec.structs.replace(
                near, vrf=asked.vrf, table=asked.table, expires_s=asked.expires_s
            )
            used.add(id(near))
    return found, [route for group in by_slot.values() for route in group if id(route) not in used]


def observed_rules(seen: Iterable[Rule], wanted: RuleTable) -> tuple[RuleTable, list[Rule]]:
    """What of ``wanted`` is among the rules ``seen`` in a kernel, and the others of them."""
    there = {rule_key(rule): rule for rule in seen}
    forms = {key: kernel_rule(key) for key in wanted}
    found = {key: wanted[key] for key, form in forms.items() if form in there}
    taken = {forms[key] for key in found}
    return found, [rule for key, rule in there.items() if key not in taken]


def kernel_rule(rule: Rule) -> Rule:
    """A rule as the kernel tells of it: a mark without a mask is compared whole."""
    rule = rule_key(rule)
    changes: dict[str, object] = {}
    if rule.fwmark is not None and rule.fwmask is None:
        changes["fwmask"] = 0xFFFFFFFF
    if rule.l3mdev and rule.table is not None:
        changes["table"] = None
    return msgspec.structs.replace(rule, **changes) if changes else rule
