"""A route as an rtnetlink message, and back."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from kir.model import Metric, Realms, Route
from kir.model.route import Nexthop
from kir.route_state import kernel_priority, kernel_scope
from krun.kernel.netlink.codec import Message
from krun.kernel.netlink.socket import address_octets, address_text
from krun.kernel.routing.encap import encap_payload, parse_encap
from krun.kernel.routing.wire import (
    FEATURE_ECN,
    HEADER,
    METRIC_UNIT_US,
    METRICS,
    NEXTHOP,
    ROUTE,
    RT_TABLE_UNSPEC,
    RTNH_F_ONLINK,
    TYPE_NAMES,
    TYPES,
)

FAMILIES: dict[int, str] = {socket.AF_INET: "inet", socket.AF_INET6: "inet6"}
NUMBERS: dict[str, int] = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}

USER_HZ = 100
"""Clock ticks a second in rtnetlink (struct rta_cacheinfo)."""

_LOOPBACK_INDEX = 1

Indexes = Callable[[str], int]
"""Interface name → index; raises OSError ENODEV where there is no such interface."""


def route_body(route: Route, indexes: Indexes, table: int, *, away: bool = False) -> bytes:
    """The payload of RTM_NEWROUTE, or with ``away`` of RTM_DELROUTE. Names must be numbers; ``table`` is the real one.

    Raises OSError and ValueError for what cannot be put into a message. What is given to a deletion must match, so it names
    what tells routes apart and no metrics.
    """
    destination, length = _prefix(route.destination)
    source, source_length = _prefix(route.source_prefix) if route.source_prefix is not None else (b"", 0)
    values: dict[str, Any] = {
        "destination": destination if length else None,
        "source_prefix": source if source_length else None,
        "table": table,
        # A deletion without a metric means any; IPv4 has no way to mean 0 alone.
        "priority": kernel_priority(route) or None if away else route.priority,
        "source": None if route.source is None else address_octets(route.source),
    }
    parts: list[bytes] = []
    flags = 0
    if route.nexthops:
        values["multipath"] = b"".join(_pack_hop(hop, route.family, indexes) for hop in route.nexthops)
    else:
        values["oif"] = None if route.device is None else indexes(route.device)
        parts.append(_way(route.via, route.family))
        parts.append(_encap(route))
        flags = RTNH_F_ONLINK if route.onlink else 0
        if not away:
            values["flow"] = _flow(route.realms)
    if not away:
        values["metrics"] = _metrics(route)
        values["preference"] = route.preference
        values["expires"] = route.expires_s
        values["ttl_propagate"] = None if route.ttl_propagate is None else int(route.ttl_propagate)
    header = HEADER.pack(
        NUMBERS[route.family],
        length,
        source_length,
        0 if away and route.family == "inet6" else int(route.tos),
        table if table < 256 else RT_TABLE_UNSPEC,
        int(route.protocol),
        int(kernel_scope(route)),
        TYPES[route.type] if isinstance(route.type, str) else route.type,
        flags,
    )
    return header + ROUTE.pack(values) + b"".join(parts)


def _prefix(text: str) -> tuple[bytes, int]:
    address, _, length = text.partition("/")
    octets = address_octets(address)
    return octets, int(length) if length else 8 * len(octets)


def _way(via: str | None, family: str) -> bytes:
    """RTA_GATEWAY, or RTA_VIA for a gateway of the other family."""
    if via is None:
        return b""
    octets = address_octets(via)
    other = "inet6" if ":" in via else "inet"
    if other == family:
        return ROUTE.pack({"gateway": octets})
    return ROUTE.pack({"via": NUMBERS[other].to_bytes(2, sys.byteorder) + octets})


def _encap(of: Route | Nexthop) -> bytes:
    if of.encap is None:
        return b""
    kind, payload = encap_payload(of.encap)
    return ROUTE.pack({"encap_type": kind, "encap": payload})


def _flow(realms: Realms | None) -> int | None:
    if realms is None:
        return None
    return int(realms.source or 0) << 16 | int(realms.destination or 0)


def _pack_hop(hop: Nexthop, family: str, indexes: Indexes) -> bytes:
    attributes = _way(hop.via, family) + _encap(hop) + ROUTE.pack({"flow": _flow(hop.realms)})
    return (
        NEXTHOP.pack(
            NEXTHOP.size + len(attributes),
            RTNH_F_ONLINK if hop.onlink else 0,
            hop.weight - 1,
            0 if hop.device is None else indexes(hop.device),
        )
        + attributes
    )


def _metrics(route: Route) -> bytes | None:
    values: dict[str, Any] = {}
    lock = 0
    for metric in route.metrics:
        values[metric.name] = metric.value // METRIC_UNIT_US.get(metric.name, 1)
        lock |= metric.lock << METRICS.attributes[metric.name].number
    if route.ecn:
        values["features"] = FEATURE_ECN
    if route.congctl is not None:
        values["congctl"] = route.congctl
        lock |= route.congctl_lock << METRICS.attributes["congctl"].number
    if not values:
        return None
    return METRICS.pack({"lock": lock or None, **values})


def parse_route(message: Message, devices: Mapping[int, str]) -> Route | None:
    """The route of an RTM_NEWROUTE or RTM_DELROUTE message; ``devices``: index → name. None for other families, and for what
    cannot be said in the IR."""
    if message.end - message.start < HEADER.size:
        return None
    number, length, source_length, tos, table, protocol, scope, kind, flags = HEADER.unpack_from(
        message.data, message.start
    )
    family = FAMILIES.get(number)
    if family is None:
        return None
    found = ROUTE.unpack(message.data, message.start + HEADER.size, message.end)
    size = 4 if family == "inet" else 16
    try:
        hops = [_parse_hop(found, flags, 1, found.get("oif", 0), devices)]
        if "multipath" in found:
            hops = _parse_hops(found["multipath"], devices)
        single = hops[0] if len(hops) == 1 else Nexthop()
        reject = kind in (6, 7, 8, 9)
        device = None if reject and found.get("oif", 0) == _LOOPBACK_INDEX else single.device
        return Route(
            family="inet6" if family == "inet6" else "inet",
            destination=_text(found.get("destination"), length, size),
            type=TYPE_NAMES.get(kind, kind),
            source_prefix=_text(found.get("source_prefix"), source_length, size) if source_length else None,
            via=single.via,
            device=device,
            source=None if "source" not in found else address_text(found["source"][:size]),
            onlink=single.onlink,
            table=found.get("table", table),
            protocol=protocol,
            scope=scope,
            tos=tos,
            priority=found.get("priority"),
            realms=single.realms,
            preference=found.get("preference"),
            ttl_propagate=None if "ttl_propagate" not in found else bool(found["ttl_propagate"]),
            expires_s=_expires(found.get("cacheinfo")),
            encap=single.encap,
            nexthops=tuple(hops) if len(hops) > 1 else (),
            **_parse_metrics(found.get("metrics", b"")),
        )
    except ValueError:
        return None


def _text(octets: bytes | None, length: int, size: int) -> str:
    if octets is None or len(octets) < size:
        octets = bytes(size)
    return f"{address_text(octets[:size])}/{length}"


def _expires(cacheinfo: bytes | None) -> int | None:
    if cacheinfo is None:
        return None
    ticks = int.from_bytes(cacheinfo[8:12], sys.byteorder, signed=True)
    return -(-ticks // USER_HZ) if ticks > 0 else None


def _parse_hop(
    found: Mapping[str, Any], flags: int, weight: int, index: int, devices: Mapping[int, str]
) -> Nexthop:
    via = None
    if "gateway" in found:
        via = address_text(found["gateway"])
    elif "via" in found:
        via = address_text(found["via"][2:])
    encap = None
    if "encap" in found:
        encap = parse_encap(found.get("encap_type", 0), found["encap"])
    flow = found.get("flow", 0)
    return Nexthop(
        via=via,
        device=devices.get(index) if index else None,
        weight=weight,
        onlink=bool(flags & RTNH_F_ONLINK),
        encap=encap,
        realms=Realms(source=flow >> 16 or None, destination=flow & 0xFFFF or None) if flow else None,
    )


def _parse_hops(data: bytes, devices: Mapping[int, str]) -> list[Nexthop]:
    hops: list[Nexthop] = []
    start = 0
    while start + NEXTHOP.size <= len(data):
        length, flags, weight, index = NEXTHOP.unpack_from(data, start)
        if length < NEXTHOP.size or start + length > len(data):
            break
        found = ROUTE.unpack(data, start + NEXTHOP.size, start + length)
        hops.append(_parse_hop(found, flags, weight + 1, index, devices))
        start += length + 3 & ~3
    return hops or [Nexthop()]


def _parse_metrics(data: bytes) -> dict[str, Any]:
    found = METRICS.unpack(data)
    lock = found.pop("lock", 0)
    congctl = found.pop("congctl", None)
    features = found.pop("features", 0)
    return {
        "metrics": tuple(
            Metric(
                name=name,  # type: ignore[arg-type]
                value=value * METRIC_UNIT_US.get(name, 1),
                lock=bool(lock >> METRICS.attributes[name].number & 1),
            )
            for name, value in sorted(found.items())
        ),
        "congctl": congctl,
        "congctl_lock": congctl is not None and bool(lock >> METRICS.attributes["congctl"].number & 1),
        "ecn": bool(features & FEATURE_ECN),
    }


def header_of(message: Message) -> tuple[str | None, int]:
    """(family, protocol) of a route message, without looking further; (None, 0) where it is too short."""
    if message.end - message.start < HEADER.size:
        return None, 0
    return FAMILIES.get(message.data[message.start]), message.data[message.start + 5]
