"""Routes and routing rules in memory."""

from __future__ import annotations

import errno
import ipaddress
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from kir.model import Config, Route, Rule
from kir.plan.route_operations import (
    AddRoute,
    AddRule,
    DelRoute,
    ReplaceRoute,
    RouteOperation,
    RoutingOperation,
    RuleOperation,
)
from kir.route_state import RouteSlot, kernel_priority, kernel_rule, kernel_scope, leads, legs, route_slot
from kir.state import AddressKey
from krun.kernel.door import Failure, RouteChanged, RoutingEvent, RoutingLost, RuleChanged
from krun.kernel.memory.addresses import LOG_LIMIT, MemoryRtnetlink
from krun.kernel.memory.bell import Bell
from krun.kernel.netlink.codec import Refusal
from krun.kernel.routing.names import Names, numbered
from krun.kernel.routing.refused import routing_failure

Refuse = Callable[[RoutingOperation], int | None]


class MemoryRouting:
    """Routes and rules in lists, on the interfaces and addresses of ``host``, with what the kernel does to them by itself.

    A route needs its interface, up, and a gateway on one of its networks. A link that goes down takes its routes along, an
    address those that prefer it as source, the last IPv4 address of an interface all IPv4 routes there; nothing tells of
    these. The controls (`remove_route`, `add_route`, `remove_rule`, `lose_events`) play what others do. ``refuse``: a test's
    way to have an operation refused, by returning an errno. ``log``: the operations that came in.
    """

    def __init__(self, host: MemoryRtnetlink, names: Names | None = None) -> None:
        self._host = host
        self._names = names or Names()
        self._routes: dict[RouteSlot, list[Route]] = {}
        self._rules: list[Rule] = []
        self._waiting: deque[RoutingEvent] = deque()
        self._bell = Bell()
        self._watching = False
        self._writes = 0
        self.vrfs: dict[str, int] = {}
        self.refuse: Refuse | None = None
        self.log: deque[RoutingOperation] = deque(maxlen=LOG_LIMIT)
        host.on_address_lost.append(self._address_lost)
        host.on_link_lost.append(self._link_lost)

    def numbered(self, config: Config) -> tuple[Config, dict[str, list[str]]]:
        return numbered(config, self._names)

    def vrf_tables(self) -> Mapping[str, int]:
        return dict(self.vrfs)

    def routes(self, protocols: Collection[int]) -> list[Route]:
        return [route for held in self._routes.values() for route in held if route.protocol in protocols]

    def rules(self) -> list[Rule]:
        return list(self._rules)

    def apply(self, operations: Sequence[RoutingOperation]) -> list[Failure]:
        failures = []
        for operation in operations:
            self._writes += 1
            self.log.append(operation)
            ordered = self.refuse(operation) if self.refuse is not None else None
            refused = self._carry_out(operation) if ordered is None else ordered
            if refused:
                failures.append(routing_failure(operation, Refusal(refused)))
        return failures

    def watch(self) -> None:
        self._watching = True

    def fileno(self) -> int:
        return self._bell.fileno() if self._watching else -1

    def read_events(self) -> list[RoutingEvent]:
        events = list(self._waiting)
        self._waiting.clear()
        self._bell.silence()
        return events

    @property
    def writes(self) -> int:
        return self._writes

    def close(self) -> None:
        self._bell.close()

    # Controls

    def add_route(self, route: Route) -> None:
        """Somebody else adds a route, before others to the same destination."""
        self._routes.setdefault(route_slot(route), []).insert(0, route)

    def remove_route(self, route: Route) -> None:
        """Somebody else deletes a route that leads the same way. Raises KeyError where there is none."""
        held = self._routes.get(route_slot(route), [])
        found = next((other for other in held if leads(other, route)), None)
        if found is None:
            raise KeyError(route.identity)
        held.remove(found)
        self._tell(RouteChanged(found, gone=True))

    def remove_rule(self, rule: Rule) -> None:
        """Somebody else deletes a rule. Raises ValueError where there is none."""
        self._rules.remove(kernel_rule(rule))
        self._tell(RuleChanged(rule))

    def lose_events(self) -> None:
        """Events that wait are lost: an overrun of the socket."""
        self._waiting.clear()
        self._tell(RoutingLost())

    # Inside

    def _tell(self, event: RoutingEvent) -> None:
        if self._watching:
            self._waiting.append(event)
            self._bell.ring()

    def _carry_out(self, operation: RoutingOperation) -> int:
        """Returns 0 or an errno."""
        if isinstance(operation, RouteOperation):
            route = self._kernel_form(operation.route)
            if route is None:
                return 0 if isinstance(operation, DelRoute) else errno.ENODEV
            if isinstance(operation, DelRoute):
                return self._delete(route)
            return self._refused(route) or self._put(operation, route)
        if isinstance(operation, RuleOperation):
            rule = kernel_rule(operation.rule)
            if isinstance(operation, AddRule):
                if rule not in self._rules:
                    self._rules.append(rule)
            elif rule in self._rules:
                self._rules.remove(rule)
                self._tell(RuleChanged(rule))
        return 0

    def _kernel_form(self, route: Route) -> Route | None:
        """As the kernel keeps it; None where there is no such VRF."""
        table = route.table if route.vrf is None else self.vrfs.get(route.vrf)
        if table is None:
            return None
        return msgspec.structs.replace(
            route,
            table=table,
            vrf=None,
            scope=kernel_scope(route),
            priority=kernel_priority(route),
            mode="prepend",
            track=True,
            track_group=None,
        )

    def _refused(self, route: Route) -> int:
        links = self._host.links()
        for hop in legs(route):
            if hop.device is not None:
                link = links.get(hop.device)
                if link is None:
                    return errno.ENODEV
                if not link.up:
                    return errno.ENETDOWN
            if hop.via is not None and not hop.onlink and not self._reachable(hop.via, hop.device):
                return errno.EHOSTUNREACH if route.family == "inet6" else errno.ENETUNREACH
        if route.source is not None and all(key.address != route.source for key in self._host.addresses()):
            return errno.EINVAL
        return 0

    def _reachable(self, via: str, device: str | None) -> bool:
        address = ipaddress.ip_address(via)
        if address.version == 6 and address.is_link_local:
            return device is not None
        links = self._host.links()
        networks = [
            (key.device, ipaddress.ip_network((key.address, key.prefix), strict=False))
            for key in self._host.addresses()
        ]
        networks += [
            (hop.device or "", ipaddress.ip_network(route.destination))
            for held in self._routes.values()
            for route in held
            for hop in legs(route)
            if hop.via is None and hop.device is not None
        ]
        return any(
            (device is None or device == on) and address in network and on in links and links[on].up
            for on, network in networks
            if network.version == address.version
        )

    def _put(self, operation: RouteOperation, route: Route) -> int:
        held = self._routes.setdefault(route_slot(route), [])
        if isinstance(operation, ReplaceRoute):
            held[:1] = [route]
            self._tell(RouteChanged(route, gone=False))
            return 0
        assert isinstance(operation, AddRoute)
        if route in held:
            return 0  # ours already
        if held and operation.route.mode == "add":
            return errno.EEXIST
        if route.family == "inet6" and any(leads(other, route) for other in held):
            return errno.EEXIST
        held.insert(len(held) if operation.route.mode == "append" else 0, route)
        return 0

    def _delete(self, route: Route) -> int:
        held = self._routes.get(route_slot(route), [])
        for other in held:
            if (
                other.type == route.type
                and other.protocol == route.protocol
                and (route.source is None or route.source == other.source)
                and leads(other, route)
            ):
                held.remove(other)
                self._tell(RouteChanged(other, gone=True))
                break
        return 0

    def _drop(self, condition: Callable[[Route], bool]) -> None:
        for held in self._routes.values():
            held[:] = [route for route in held if not condition(route)]

    def _address_lost(self, key: AddressKey) -> None:
        left = self._host.addresses()
        if all(other.address != key.address for other in left):
            self._drop(lambda route: route.source == key.address and route.family == "inet")
        if ":" not in key.address and all(
            other.device != key.device or family != "inet" for other, family in left.items()
        ):
            self._drop(
                lambda route: route.family == "inet" and any(h.device == key.device for h in legs(route))
            )

    def _link_lost(self, device: str) -> None:
        self._drop(lambda route: any(hop.device == device for hop in legs(route)))
