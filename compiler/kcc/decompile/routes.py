"""Routes and routing rules: of an instance, and the static ones. Names of tables are numbers where the IR has numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kcc.decompile.words import Unprintable, duration
from kcc.decompile.writer import Writer, refuse
from kir.model import EncapIla, EncapIp, EncapIp6, EncapMpls

if TYPE_CHECKING:
    from kir.model import Encap, Metric, Nexthop, Range, Realms, Route, Rule

__all__ = ["print_routes", "print_rules", "route_words", "rule_words"]

_MAIN = 254
_KEEPALIVED = 18
_PREFERENCES = {0: "medium", 1: "high", 3: "low"}
_RAW_US = {"rtt_us": 125, "rttvar_us": 250, "rto_min_us": 1000}
"""Microseconds in one of the kernel's own units, in which a time without a unit is."""


def print_routes(keyword: str, routes: Sequence[Route], out: Writer, *, static: bool = False) -> None:
    """``virtual_routes`` or, ``static``, ``static_routes``."""
    if not routes:
        return
    with out.section(keyword) if static else out.block(keyword):
        for route in routes:
            if not static:
                refuse(route, route.identity, "track_group")
            out.line(*route_words(route))


def print_rules(keyword: str, rules: Sequence[Rule], out: Writer, *, static: bool = False) -> None:
    """``virtual_rules`` or, ``static``, ``static_rules``."""
    if not rules:
        return
    with out.section(keyword) if static else out.block(keyword):
        for rule in rules:
            if not static:
                refuse(rule, rule.identity, "track_group")
            out.line(*rule_words(rule))


def route_words(r: Route) -> list[str]:
    """The words of a route line. What takes in all that follows, an encapsulation and next hops, stands at the end."""
    words = [] if r.type == "unicast" else [str(r.type)]
    words.append(r.destination)
    words += _given("from", r.source_prefix) + _given("via", r.via) + _given("dev", r.device)
    words += _given("src", r.source) + _on("onlink", r.onlink)
    if r.table != _MAIN:
        words += ["table", str(r.table)]
    words += _given("vrf", r.vrf)
    if r.protocol != _KEEPALIVED:
        if r.track:
            raise Unprintable(f"the route {r.identity}: one that is watched has no `protocol` of its own")
        words += ["protocol", str(r.protocol)]
    words += _given("scope", r.scope) + _given("tos", r.tos or None) + _given("metric", r.priority)
    for metric in r.metrics:
        words += _metric(metric)
    if r.congctl is not None:
        words += ["congctl", *_on("lock", r.congctl_lock), r.congctl]
    elif r.congctl_lock:
        raise Unprintable(f"the route {r.identity}: `congctl_lock` without `congctl`")
    words += ["features", "ecn"] if r.ecn else []
    words += _realms(r.realms) + _given("expires", r.expires_s)
    if r.preference is not None:
        words += ["pref", _PREFERENCES.get(r.preference, str(r.preference))]
    if r.ttl_propagate is not None:
        words += ["ttl-propagate", "enabled" if r.ttl_propagate else "disabled"]
    if r.mode != "prepend":
        words.append(r.mode)
    words += _on("no_track", not r.track) + _given("track_group", r.track_group)
    if r.encap is not None:
        words += ["encap", *_encap(r.encap)]
    for hop in r.nexthops:
        words += ["nexthop", *_hop(hop)]
    return words


def _metric(m: Metric) -> Iterator[str]:
    """``NAME [lock] VALUE``."""
    yield m.name.removesuffix("_us")
    if m.lock:
        yield "lock"
    yield _time(m.value, _RAW_US[m.name]) if m.name in _RAW_US else str(m.value)


def _time(us: int, raw_us: int) -> str:
    """Milliseconds; keepalived takes no decimals of them, but fractions in the kernel's unit."""
    if us % 1000 and not us % raw_us:
        return str(us // raw_us)
    return f"{duration(us * 1000)}ms"


def _hop(h: Nexthop) -> list[str]:
    words = _given("via", h.via) + _given("dev", h.device)
    if h.weight != 1:
        words += ["weight", str(h.weight)]
    words += _on("onlink", h.onlink) + _realms(h.realms)
    return words if h.encap is None else [*words, "encap", *_encap(h.encap)]


def _encap(e: Encap) -> list[str]:
    match e:
        case EncapIp():
            return [
                "ip",
                *_given("id", e.id),
                *_given("dst", e.destination),
                *_given("src", e.source),
                *_given("tos", e.tos),
                *_given("ttl", e.ttl),
                *_given("flags", e.flags),
            ]
        case EncapIp6():
            return [
                "ip6",
                *_given("id", e.id),
                *_given("dst", e.destination),
                *_given("src", e.source),
                *_given("tc", e.tclass),
                *_given("hoplimit", e.hoplimit),
                *_given("flags", e.flags),
            ]
        case EncapMpls():
            return ["mpls", "/".join(map(str, e.labels))]
        case EncapIla():
            return ["ila", e.locator]


def rule_words(r: Rule) -> list[str]:
    """The words of a rule line: selectors, action, suppressors."""
    words = _on("not", r.inverted)
    if r.family == "inet6" and r.source is None and r.destination is None:
        words.append("inet6")
    words += _given("from", r.source) + _given("to", r.destination)
    words += _given("iif", r.iif) + _given("oif", r.oif) + _given("tos", r.tos or None)
    if r.fwmark is not None:
        words += ["fwmark", str(r.fwmark) if r.fwmask is None else f"{r.fwmark}/{r.fwmask}"]
    elif r.fwmask is not None:
        raise Unprintable(f"the rule {r.identity}: `fwmask` without `fwmark`")
    words += _span("uidrange", r.uids) + _given("ipproto", r.ip_protocol)
    words += _span("sport", r.source_ports) + _span("dport", r.destination_ports)
    words += _given("tunnel-id", r.tunnel_id) + _realms(r.realms)
    if r.protocol != _KEEPALIVED:
        if r.track:
            raise Unprintable(f"the rule {r.identity}: one that is watched has no `protocol` of its own")
        words += ["protocol", str(r.protocol)]
    if not r.priority:
        raise Unprintable(f"the rule {r.identity}: `preference 0` is that of the kernel's first rule")
    words += ["preference", str(r.priority), *_action(r)]
    words += _given("suppress_prefixlength", r.suppress_prefixlength)
    words += _given("suppress_ifgroup", r.suppress_ifgroup)
    return words + _on("no_track", not r.track) + _given("track_group", r.track_group)


def _action(r: Rule) -> list[str]:
    """One action: ``l3mdev`` is the table of a device."""
    if (r.table is not None) != (r.action == "table" and not r.l3mdev) or (r.l3mdev and r.action != "table"):
        raise Unprintable(f"the rule {r.identity} has more than one action, or none")
    if (r.goto is not None) != (r.action == "goto"):
        raise Unprintable(f"the rule {r.identity}: `goto` is the action, or is not there")
    if r.l3mdev:
        return ["l3mdev"]
    return _given("table", r.table) + _given("goto", r.goto) or [r.action]


def _given(option: str, value: object) -> list[str]:
    return [] if value is None else [option, str(value)]


def _on(option: str, on: bool) -> list[str]:
    return [option] if on else []


def _span(option: str, numbers: Range | None) -> list[str]:
    return [] if numbers is None else [option, f"{numbers.low}-{numbers.high}"]


def _realms(realms: Realms | None) -> list[str]:
    if realms is None:
        return []
    if realms.destination is None:
        raise Unprintable("realms without a destination")
    source = "" if realms.source is None else f"{realms.source}/"
    return ["realms", f"{source}{realms.destination}"]
