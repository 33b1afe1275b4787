"""Operations on routes and rules, carried out over netlink, and the tables read."""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Callable, Collection, Mapping, Sequence

from kir.model import Route, Rule
from kir.plan.route_operations import (
    AddRoute,
    AddRule,
    DelRoute,
    DelRule,
    ReplaceRoute,
    RouteOperation,
    RoutingOperation,
    RuleOperation,
)
from kir.route_state import RouteTable, kernel_rule, observed_routes, route_key, rule_key
from krun.kernel.door import Failure
from krun.kernel.netlink.codec import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Refusal
from krun.kernel.netlink.socket import NetlinkSocket, Request, interface_index
from krun.kernel.routing.refused import routing_failure
from krun.kernel.routing.routes import NUMBERS, parse_route, route_body
from krun.kernel.routing.rules import parse_rule, rule_body
from krun.kernel.routing.wire import (
    HEADER,
    NLM_F_APPEND,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWROUTE,
    RTM_NEWRULE,
)

log = logging.getLogger("krun.kernel")

SOL_NETLINK, NETLINK_GET_STRICT_CHK = 270, 12

MODES = {
    "prepend": NLM_F_CREATE,
    "append": NLM_F_CREATE | NLM_F_APPEND,
    "add": NLM_F_CREATE | NLM_F_EXCL,
}

_GONE = {
    RTM_DELROUTE: (errno.ESRCH, errno.ENODEV, errno.ENOENT),
    RTM_DELRULE: (errno.ENOENT, errno.ESRCH, errno.EAFNOSUPPORT),
}


class RoutingSocket(NetlinkSocket):
    """A netlink socket whose dumps are filtered by the kernel, where it can (Linux 4.20): a table of a million routes of others
    is walked there and not sent here."""

    def __init__(self) -> None:
        super().__init__(socket.NETLINK_ROUTE)
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError as error:
            log.debug("no strict dumps: %s", error.strerror)


def read_routes(sock: NetlinkSocket, protocols: Collection[int], devices: Mapping[int, str]) -> list[Route]:
    """All routes of these protocols, of both families. Raises OSError."""
    found: list[Route] = []
    for family in NUMBERS.values():
        for protocol in sorted(protocols):
            header = HEADER.pack(family, 0, 0, 0, 0, protocol, 0, 0, 0)
            try:
                answer = sock.dump(RTM_GETROUTE, header)
            except OSError as error:
                if error.errno in (errno.EOPNOTSUPP, errno.ENOENT, errno.EAFNOSUPPORT):
                    continue  # a kernel without the family, or without one of its tables
                raise
            routes = (parse_route(message, devices) for message in answer if message.kind == RTM_NEWROUTE)
            found += [route for route in routes if route is not None and route.protocol == protocol]
    return found


def read_rules(sock: NetlinkSocket) -> list[Rule]:
    """All rules of both families. Raises OSError."""
    found: list[Rule] = []
    for family in NUMBERS.values():
        try:
            answer = sock.dump(RTM_GETRULE, HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0))
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.ENOENT, errno.EAFNOSUPPORT):
                continue
            raise
        rules = (parse_rule(message) for message in answer if message.kind == RTM_NEWRULE)
        found += [rule for rule in rules if rule is not None]
    return found


class RoutingWriter:
    """Carries out operations on routes and rules in batches over ``sock``. ``writes`` counts the requests.

    ``devices`` gives the names of the interfaces by index, ``vrf_tables`` the tables of the VRF devices by name.
    """

    def __init__(
        self,
        sock: NetlinkSocket,
        devices: Callable[[], Mapping[int, str]],
        vrf_tables: Callable[[], Mapping[str, int]],
    ) -> None:
        self._socket = sock
        self._devices = devices
        self._vrf_tables = vrf_tables
        self._indexes: dict[str, int] = {}
        self.writes = 0

    def apply(self, operations: Sequence[RoutingOperation]) -> list[Failure]:
        """Carry them out in order. What is already as wanted, and what is to go and is gone, is no failure."""
        failures: list[Failure] = []
        self._indexes.clear()
        steps: list[tuple[RoutingOperation, Request]] = []
        for operation in operations:
            try:
                steps.append((operation, self._request(operation)))
            except OSError as error:
                refused = Refusal(error.errno or errno.EINVAL)
                if not (isinstance(operation, DelRoute) and refused.errno == errno.ENODEV):
                    failures.append(routing_failure(operation, refused))
            except (ValueError, OverflowError, struct.error) as error:
                words = f"{operation.op} {operation.target}: cannot be put into a netlink message: {error}"
                failures.append(Failure(operation, errno.EINVAL, words))
        met = self._run(steps, failures)
        if met:
            self._reconcile(met, failures)
        crowded = [o for o in operations if isinstance(o, DelRoute) and o.beside]
        if crowded:
            self._make_sure(crowded, failures)
        order = {id(operation): n for n, operation in enumerate(operations)}
        failures.sort(key=lambda f: order.get(id(f.operation), len(order)))
        return failures

    def table_of(self, route: Route) -> int:
        """The table of a route, that of its VRF where it names one. Raises OSError ENODEV where there is no such VRF."""
        if route.vrf is None:
            return int(route.table)
        table = self._vrf_tables().get(route.vrf)
        if table is None:
            raise OSError(errno.ENODEV, f"there is no VRF {route.vrf}")
        return table

    def _request(self, operation: RoutingOperation) -> Request:
        if isinstance(operation, RouteOperation):
            route = operation.route
            away = isinstance(operation, DelRoute)
            body = route_body(route, self._index, self.table_of(route), away=away)
            if away:
                return Request(RTM_DELROUTE, 0, body)
            replace = isinstance(operation, ReplaceRoute)
            return Request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE if replace else MODES[route.mode], body)
        if isinstance(operation, AddRule):
            return Request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule_body(operation.rule))
        if isinstance(operation, DelRule):
            return Request(RTM_DELRULE, 0, rule_body(operation.rule))
        raise TypeError(f"{operation.op} is no operation on routes or rules")

    def _run(
        self, steps: list[tuple[RoutingOperation, Request]], failures: list[Failure], *, final: bool = False
    ) -> list[RoutingOperation]:
        """Send the requests; returns the additions that met something that is there already."""
        self.writes += len(steps)
        met: list[RoutingOperation] = []
        results = self._socket.execute([request for _, request in steps])
        for (operation, request), refused in zip(steps, results, strict=True):
            if refused is None or refused.errno in _GONE.get(request.kind, ()):
                continue
            if refused.errno == errno.EEXIST and not final and isinstance(operation, AddRoute | AddRule):
                met.append(operation)
                continue
            failures.append(routing_failure(operation, refused))
        return met

    def _reconcile(self, met: list[RoutingOperation], failures: list[Failure]) -> None:
        """Additions that met something: what was met may be what was wanted."""
        again: list[tuple[RoutingOperation, Request]] = []
        wanted: RouteTable = {route_key(o.route): o.route for o in met if isinstance(o, RouteOperation)}
        there: RouteTable = {}
        rules: list[Rule] = []
        try:
            if wanted:
                there = self._there(wanted)
            if any(isinstance(o, RuleOperation) for o in met):
                rules = [rule_key(rule) for rule in read_rules(self._socket)]
        except OSError as error:
            log.warning("cannot read routes and rules: %s", error.strerror)
        for operation in met:
            if isinstance(operation, RouteOperation):
                key = route_key(operation.route)
                if there.get(key) is not operation.route:
                    if key in there:  # ours, with other parameters
                        body = route_body(operation.route, self._index, self.table_of(operation.route))
                        again.append((operation, Request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body)))
                    else:
                        failures.append(routing_failure(operation, Refusal(errno.EEXIST)))
            elif isinstance(operation, RuleOperation) and not self._same_rule(operation.rule, rules):
                # The kernel does not compare everything: it takes the rule when it is not asked to refuse a likeness.
                again.append((operation, Request(RTM_NEWRULE, NLM_F_CREATE, rule_body(operation.rule))))
        self._run(again, failures, final=True)

    def _make_sure(self, deletions: Sequence[DelRoute], failures: list[Failure]) -> None:
        """Deletions for which the kernel could have taken another route: delete until the right one is gone, put the others back."""
        for deletion in deletions:
            gone = {route_key(deletion.route): deletion.route}
            staying = {route_key(route): route for route in deletion.beside}
            again: list[RoutingOperation] = []
            try:
                for _ in staying:
                    if not self._there(gone):
                        break
                    self._run([(deletion, self._request(deletion))], failures)
                there = self._there(staying)
                again = [AddRoute(route=r) for key, r in staying.items() if key not in there]
                self._run([(operation, self._request(operation)) for operation in again], failures)
            except OSError as error:
                log.warning("cannot read routes: %s", error.strerror)

    def _there(self, wanted: RouteTable) -> RouteTable:
        protocols = {int(route.protocol) for route in wanted.values()}
        seen = read_routes(self._socket, protocols, self._devices())
        return observed_routes(seen, wanted, self._vrf_tables())[0]

    def _same_rule(self, rule: Rule, rules: Collection[Rule]) -> bool:
        """Whether the rule is there, ours or another's: a second one would do nothing."""
        form = kernel_rule(rule)
        return form in rules

    def _index(self, device: str) -> int:
        index = self._indexes.get(device) or interface_index(device)
        if not index:
            raise OSError(errno.ENODEV, f"there is no interface {device}")
        self._indexes[device] = index
        return index
