"""Which routes the director should hold, and the smallest safe way there.

A route belongs to the director, not to an instance: one that moves between instances is no operation. Static routes are wanted
always, virtual ones of the instances that are master.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping

from kir.model import Config, Route
from kir.model.route import Name
from kir.plan.operations import Impact
from kir.plan.route_operations import AddRoute, DelRoute, ReplaceRoute, RouteOperation
from kir.route_state import RouteKey, RouteSlot, RouteTable, mistakable, route_changes, route_key, route_slot

REFUSING = ("blackhole", "unreachable", "prohibit")


def desired_routes(config: Config, masters: Container[str] | None = None) -> RouteTable:
    """The static routes and those of the instances named in ``masters`` (None: this director is master of all), in the order
    in which they are added."""
    found = {route_key(route): route for route in config.static_routes}
    for instance in config.vrrp_instances:
        if masters is None or instance.name in masters:
            found |= {route_key(route): route for route in instance.routes}
    return found


def plan_routes(
    have: RouteTable, want: RouteTable, present: Collection[RouteKey] | None = None
) -> list[RouteOperation]:
    """The operations that turn ``have`` into ``want``: add before delete, an edit in place where the kernel has one.

    ``present``: the keys of the routes that the kernel really holds, where that is known: what is there is not added again,
    what is not there is not deleted.
    """

    def there(key: RouteKey) -> bool:
        return present is None or key in present

    new: dict[RouteSlot, list[Route]] = {}
    changed: list[tuple[Route, Route]] = []
    gone: dict[RouteSlot, list[Route]] = {}
    crowd: dict[RouteSlot, int] = {}
    for key, route in want.items():
        old = have.get(key)
        if old is None and present is not None and key in present:
            continue
        if old is None or not there(key):
            new.setdefault(key.slot, []).append(route)
        elif route_changes(old, route):
            changed.append((old, route))
    for key, old in have.items():
        if there(key):
            crowd[key.slot] = crowd.get(key.slot, 0) + 1
            if key not in want:
                gone.setdefault(key.slot, []).append(old)
    staying: dict[tuple[Name, str], list[Route]] = {}
    if gone or changed:
        for key, route in want.items():
            staying.setdefault((key.slot.table, key.slot.destination), []).append(route)
    adds: list[RouteOperation] = []
    edits: list[RouteOperation] = []
    removes: list[RouteOperation] = []
    settled = {route_key(route).slot for _, route in changed}
    for old, route in changed:
        # The kernel replaces the first route of a place: in a crowd that may be another one.
        if crowd[route_key(route).slot] == 1:
            edits.append(_replace(old, route))
        else:
            reason = "the kernel cannot change one of several routes to the same destination in place"
            beside = tuple(r for r in _beside(old, staying) if r is not route)
            edits.append(DelRoute(route=old, impact=Impact.DEGRADED, reason=reason, beside=beside))
            edits.append(_add(route))
    for slot, routes in new.items():
        leaving = gone.get(slot, [])
        if len(routes) == 1 and len(leaving) == 1 and crowd[slot] == 1:
            edits.append(_replace(leaving.pop(), routes[0]))
        elif slot in settled:
            edits += [_add(route) for route in routes]  # a new one before it would be replaced in its stead
        else:
            adds += [_add(route) for route in routes]
    for routes in gone.values():
        removes += [_delete(route, _beside(route, staying)) for route in routes]
    # Of several to one destination those that are told by their gateway go first: what is left cannot be mistaken.
    removes.reverse()
    removes.sort(key=lambda o: o.route.via is None)
    return adds + edits + removes


def _add(route: Route) -> AddRoute:
    if route.type in REFUSING:
        return AddRoute(route=route, impact=Impact.DEGRADED, reason="packets to it are refused from now on")
    return AddRoute(route=route, impact=Impact.HITLESS, reason="a new route")


def _replace(old: Route, new: Route) -> ReplaceRoute:
    if new.type in REFUSING and old.type not in REFUSING:
        return ReplaceRoute(
            route=new, old=old, impact=Impact.DEGRADED, reason="packets to it are refused from now on"
        )
    return ReplaceRoute(route=new, old=old, impact=Impact.HITLESS, reason="changed in place")


def _beside(route: Route, staying: Mapping[tuple[Name, str], list[Route]]) -> tuple[Route, ...]:
    slot = route_slot(route)
    others = staying.get((slot.table, slot.destination), ())
    return tuple(other for other in others if mistakable(route, other))


def _delete(route: Route, beside: tuple[Route, ...]) -> DelRoute:
    if route.type in REFUSING:
        return DelRoute(
            route=route,
            impact=Impact.HITLESS,
            reason="packets to it take another route, if there is one",
            beside=beside,
        )
    return DelRoute(
        route=route,
        impact=Impact.OUTAGE,
        reason="without another route its destination cannot be reached",
        beside=beside,
    )
