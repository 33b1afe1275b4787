"""Hypothesis strategies for routes and routing rules."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import strategies as st

from kir.model import EncapIla, EncapIp, EncapIp6, EncapMpls, Metric, Nexthop, Range, Realms, Route, Rule
from support.decompile_words import address

U32 = 0xFFFFFFFF
_ANY = {"inet": "0.0.0.0/0", "inet6": "::/0"}
_COUNTS = ("advmss", "cwnd", "initcwnd", "initrwnd", "mtu", "reordering", "ssthresh", "window")
TIMES = ("rtt_us", "rttvar_us", "rto_min_us")
_LOCKABLE = ("advmss", "cwnd", "mtu", "reordering", "ssthresh")
TABLE_NAMES = ("special", "wan_1", "x-2")
names = st.sampled_from(TABLE_NAMES)
octets = st.integers(0, 255)
devices = st.none() | st.sampled_from(["eth1", "bond0.7"])


def prefix(family: str) -> st.SearchStrategy[str]:
    full = 32 if family == "inet" else 128
    one = st.builds(
        lambda a, n: str(ipaddress.ip_network((a, n), strict=False)), address(family), st.integers(8, full)
    )
    return st.just(_ANY[family]) | one


realms = st.builds(Realms, source=st.none() | octets | names, destination=octets | names)


@st.composite
def encaps(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(["ip", "ip6", "mpls", "ila"]))
    if kind == "mpls":
        return EncapMpls(labels=tuple(draw(st.lists(st.integers(0, 0xFFFFF), min_size=1, max_size=2))))
    if kind == "ila":
        return EncapIla(locator=":".join(f"{n:x}" for n in draw(st.tuples(*[st.integers(0, 0xFFFF)] * 4))))
    family = "inet" if kind == "ip" else "inet6"
    key = draw(st.none() | st.integers(0, 2**64 - 1))
    common: dict[str, Any] = {
        "id": key,
        "destination": draw(address(family) if key is None else st.none() | address(family)),
        "source": draw(st.none() | address(family)),
        "flags": draw(st.none() | st.integers(0, 65535)),
    }
    traffic, hops = draw(st.none() | octets | names), draw(st.none() | octets)
    if kind == "ip":
        return EncapIp(tos=traffic, ttl=hops, **common)
    return EncapIp6(tclass=traffic, hoplimit=hops, **common)


@st.composite
def nexthops(draw: st.DrawFn, family: str) -> Nexthop:
    device = draw(devices)
    # IPv4 may go by way of an IPv6 router (RFC 8950), never the reverse.
    any_address = address("inet6") if family == "inet6" else address("inet") | address("inet6")
    return Nexthop(
        via=draw(any_address if device is None else st.none() | any_address),
        device=device,
        weight=draw(st.integers(1, 256)),
        onlink=draw(st.booleans()),
        encap=draw(st.none() | encaps()),
        realms=draw(st.none() | realms) if family == "inet" else None,
    )


@st.composite
def metrics(draw: st.DrawFn) -> tuple[Metric, ...]:
    found = []
    for name in draw(st.sets(st.sampled_from(_COUNTS), max_size=3)):
        lock = name in _LOCKABLE and draw(st.booleans())
        found.append(Metric(name=name, value=draw(st.integers(0, U32)), lock=lock))  # type: ignore[arg-type]
    if draw(st.booleans()):
        found.append(Metric(name="hoplimit", value=draw(octets)))
    for name in draw(st.sets(st.sampled_from(["quickack", "fastopen_no_cookie"]))):
        found.append(Metric(name=name, value=draw(st.integers(0, 1))))  # type: ignore[arg-type]
    for name in draw(st.sets(st.sampled_from(TIMES))):
        value = draw(st.integers(200, 120_000).map(lambda ms: ms * 1000) | st.integers(200_000, 120_000_000))
        found.append(Metric(name=name, value=value, lock=draw(st.booleans())))  # type: ignore[arg-type]
    return tuple(sorted(found, key=lambda m: m.name))


@st.composite
def routes(draw: st.DrawFn, groups: list[str]) -> Route:
    """A route; ``groups``: the track groups, where it may be in one."""
    family: Any = draw(st.sampled_from(["inet", "inet6"]))
    six = family == "inet6"
    device = draw(devices)
    hops = tuple(draw(st.lists(nexthops(family), max_size=2)))
    watched = device is not None or any(h.device is not None for h in hops)
    track = watched and draw(st.booleans())
    congctl = draw(st.none() | st.sampled_from(["cubic", "bbr"]))
    kinds: list[Any] = ["unicast", "local", "blackhole", "throw", "xresolve", 0, 12, 255]
    return Route(
        family=family,
        destination=draw(prefix(family)),
        type=draw(st.sampled_from(kinds)),
        source_prefix=draw(st.none() | prefix(family)) if six else None,
        via=draw(st.none() | address(family)),
        device=device,
        source=draw(st.none() | address(family)),
        onlink=draw(st.booleans()),
        table=draw(st.just(254) | st.integers(0, U32) | names),
        vrf=draw(st.none() | st.just("red")),
        protocol=18 if track else draw(octets | names),
        scope=draw(st.none() | octets | names),
        tos=draw(octets | names),
        priority=draw(st.none() | st.integers(0, U32)),
        metrics=draw(metrics()),
        congctl=congctl,
        congctl_lock=congctl is not None and draw(st.booleans()),
        ecn=draw(st.booleans()),
        realms=None if six else draw(st.none() | realms),
        expires_s=draw(st.none() | st.integers(0, U32)) if six else None,
        preference=draw(st.none() | octets) if six else None,
        ttl_propagate=draw(st.none() | st.booleans()),
        encap=draw(st.none() | encaps()),
        nexthops=hops,
        mode=draw(st.sampled_from(["prepend", "append", "add"])),
        track=track,
        track_group=draw(st.sampled_from(groups))
        if groups and track and device and draw(st.booleans())
        else None,
    )


def ranges(most: int) -> st.SearchStrategy[Range | None]:
    pair = st.tuples(st.integers(0, most), st.integers(0, most)).map(sorted)
    return st.none() | pair.map(lambda p: Range(low=p[0], high=p[1]))


@st.composite
def rules(draw: st.DrawFn, groups: list[str]) -> Rule:
    """A rule; ``groups``: the track groups, where it may be in one."""
    family: Any = draw(st.sampled_from(["inet", "inet6"]))
    kind: Any = draw(
        st.sampled_from(["table", "l3mdev", "goto", "nop", "blackhole", "unreachable", "prohibit"])
    )
    looks_up = kind in ("table", "l3mdev")
    priority = draw(st.integers(1, U32 - 1))
    mark = draw(st.none() | st.integers(0, U32))
    iif = draw(devices)
    track = draw(st.booleans())
    return Rule(
        family=family,
        priority=priority,
        action="table" if looks_up else kind,
        table=draw(st.integers(1, U32) | names) if kind == "table" else None,
        l3mdev=kind == "l3mdev",
        goto=draw(st.integers(priority + 1, U32)) if kind == "goto" else None,
        inverted=draw(st.booleans()),
        source=draw(st.none() | prefix(family)),
        destination=draw(st.none() | prefix(family)),
        tos=draw(octets | names),
        fwmark=mark,
        fwmask=draw(st.none() | st.integers(0, U32)) if mark is not None else None,
        iif=iif,
        oif=draw(devices),
        uids=draw(ranges(U32)),
        ip_protocol=draw(st.none() | st.sampled_from([6, 17]) | names),
        source_ports=draw(ranges(65535)),
        destination_ports=draw(ranges(65535)),
        tunnel_id=draw(st.none() | st.integers(0, 2**64 - 1)),
        realms=draw(st.none() | realms) if family == "inet" and looks_up else None,
        suppress_prefixlength=draw(st.none() | st.integers(0, 128)) if looks_up else None,
        suppress_ifgroup=draw(st.none() | st.integers(0, U32 >> 1) | names) if looks_up else None,
        protocol=18 if track else draw(octets),
        track=track,
        track_group=draw(st.sampled_from(groups))
        if groups and track and iif and draw(st.booleans())
        else None,
    )


def some_routes(groups: list[str]) -> st.SearchStrategy[tuple[Route, ...]]:
    return st.lists(routes(groups), max_size=2, unique_by=lambda r: r.identity).map(tuple)


def some_rules(groups: list[str]) -> st.SearchStrategy[tuple[Rule, ...]]:
    return st.lists(rules(groups), max_size=2, unique_by=lambda r: r.identity).map(tuple)
