"""Operations on routes and routing rules: each is one write to the kernel, like those of `kir.plan.operations`."""

from __future__ import annotations

from typing import Any

import msgspec

from kir.model import Route, Rule
from kir.plan.operations import Operation, changed
from kir.route_state import route_changes, route_key


class RoutingOperation(Operation, frozen=True, kw_only=True):
    """A write to routes or rules."""


class RouteOperation(RoutingOperation, frozen=True, kw_only=True):
    """A write to the routes of the host."""

    route: Route

    @property
    def target(self) -> str:
        return str(route_key(self.route))

    def detail(self) -> dict[str, Any]:
        return {"family": self.route.family}


class AddRoute(RouteOperation, frozen=True, kw_only=True, tag="ip.add_route"):
    """A new route. ``route.mode`` says where it goes among routes to the same destination."""


class ReplaceRoute(RouteOperation, frozen=True, kw_only=True, tag="ip.replace_route"):
    """Change a route in place (RTM_NEWROUTE with NLM_F_REPLACE): packets find either the old or the new one."""

    old: Route

    def detail(self) -> dict[str, Any]:
        fields = route_changes(self.old, self.route)
        both = changed(self.old, self.route)
        return {name: both[name] for name in both if name in fields}


class DelRoute(RouteOperation, frozen=True, kw_only=True, tag="ip.del_route"):
    """Exactly this route goes. ``beside``: routes that stay and that the kernel could take for it, since to its deletion no gateway
    and, in IPv4, no metric mean any."""

    beside: tuple[Route, ...] = ()


class RuleOperation(RoutingOperation, frozen=True, kw_only=True):
    """A write to the routing rules of the host."""

    rule: Rule

    @property
    def target(self) -> str:
        return self.rule.identity

    def detail(self) -> dict[str, Any]:
        said = msgspec.to_builtins(self.rule)
        plain = {name: value for name, value in said.items() if value not in (None, False, 0)}
        return {n: v for n, v in plain.items() if n not in ("priority", "track", "track_group", "protocol")}


class AddRule(RuleOperation, frozen=True, kw_only=True, tag="ip.add_rule"):
    pass


class DelRule(RuleOperation, frozen=True, kw_only=True, tag="ip.del_rule"):
    pass
