"""What the kernel's error numbers mean for routes and rules (net/ipv4/fib_semantics.c, net/ipv6/route.c, net/core/fib_rules.c)."""

from __future__ import annotations

import errno
import os

from kir.model import Route
from kir.plan.route_operations import AddRule, RouteOperation, RoutingOperation, RuleOperation
from kir.route_state import legs
from krun.kernel.door import Failure
from krun.kernel.netlink.codec import Refusal


def routing_failure(operation: RoutingOperation, refused: Refusal) -> Failure:
    """The `Failure` for an operation that the kernel refused."""
    words = _words(operation, refused)
    reason = words if words is not None else os.strerror(refused.errno)
    if refused.text:
        reason = f"{reason} (kernel: {refused.text})"
    return Failure(operation, refused.errno, f"{operation.op} {operation.target}: {reason}")


def _words(operation: RoutingOperation, refused: Refusal) -> str | None:
    number = refused.errno
    if number == errno.EPERM:
        return "not permitted: krun needs CAP_NET_ADMIN in the network namespace; run it as root or grant the capability"
    if number == errno.ENOMEM:
        return "the kernel is out of memory"
    if number == errno.EAFNOSUPPORT:
        return "the kernel has no policy routing or no IPv6 (CONFIG_IP_MULTIPLE_TABLES, CONFIG_IPV6_MULTIPLE_TABLES)"
    if isinstance(operation, RouteOperation):
        return _route(operation.route, number)
    if isinstance(operation, RuleOperation):
        return _rule(operation, number)
    return None


def _route(route: Route, number: int) -> str | None:
    devices = ", ".join(dict.fromkeys(hop.device for hop in legs(route) if hop.device)) or "its interface"
    gateways = ", ".join(dict.fromkeys(hop.via for hop in legs(route) if hop.via)) or "its gateway"
    if number == errno.ENODEV:
        missing = f"{devices} or VRF {route.vrf}" if route.vrf is not None else devices
        return f"there is no interface {missing}; create it, or correct the configuration"
    if number == errno.EEXIST:
        more = ": `add` refuses any second one" if route.mode == "add" else ""
        return (
            f"a route to {route.destination} with the same metric is there already and is not ours{more};"
            " remove it, or give one of them another metric"
        )
    if number == errno.ENETDOWN:
        return f"{devices} is down; it is tried again when the interface comes up"
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return (
            f"{gateways} cannot be reached directly; add an address of its network to {devices}, or `onlink`"
        )
    if number == errno.EOPNOTSUPP:
        encaps = [hop.encap for hop in legs(route) if hop.encap is not None]
        if encaps:
            return "the kernel has no such encapsulation; load its module (mpls_iptunnel, ip_tunnel, ip6_tunnel, ila)"
        return "the kernel does not have what this route asks for"
    if number == errno.EINVAL and route.source is not None:
        return f"the kernel does not take this route; is {route.source} (src) an address of this host?"
    if number == errno.EINVAL:
        return "the kernel does not take this route as it is written"
    return None


def _rule(operation: RuleOperation, number: int) -> str | None:
    if number == errno.EEXIST and isinstance(operation, AddRule):
        return "the same rule is there already and is not ours; remove it"
    if number in (errno.EINVAL, errno.EOPNOTSUPP):
        return "the kernel does not take this rule as it is written"
    return None
