"""A routing rule as an rtnetlink message, and back."""

from __future__ import annotations

import struct
from typing import Any

from kir.model import Range, Realms, Rule
from krun.kernel.netlink.codec import Message
from krun.kernel.netlink.socket import address_octets, address_text
from krun.kernel.routing.routes import FAMILIES, NUMBERS
from krun.kernel.routing.wire import ACTION_NAMES, ACTIONS, FIB_RULE_INVERT, HEADER, RT_TABLE_UNSPEC, RULE

_PORTS = struct.Struct("=HH")
_UIDS = struct.Struct("=II")
_NONE = 0xFFFFFFFF
"""The kernel's word for a suppressor that is not there: -1."""


def rule_body(rule: Rule) -> bytes:
    """The payload of RTM_NEWRULE and RTM_DELRULE: a deletion must match in all of it. Names must be numbers.

    Raises OSError and ValueError for what cannot be put into a message.
    """
    source, source_length = _prefix(rule.source)
    destination, length = _prefix(rule.destination)
    table = 0 if rule.table is None else int(rule.table)
    values: dict[str, Any] = {
        "destination": destination,
        "source": source,
        "iif": rule.iif,
        "oif": rule.oif,
        "goto": rule.goto if rule.action == "goto" else None,
        "priority": rule.priority,
        "fwmark": rule.fwmark,
        "fwmask": rule.fwmask,
        "flow": None
        if rule.realms is None
        else int(rule.realms.source or 0) << 16 | int(rule.realms.destination or 0),
        "tunnel_id": None if rule.tunnel_id is None else rule.tunnel_id.to_bytes(8, "big"),
        "suppress_ifgroup": rule.suppress_ifgroup,
        "suppress_prefixlength": rule.suppress_prefixlength,
        "table": table if rule.action == "table" and table else None,
        "l3mdev": 1 if rule.l3mdev else None,
        "uids": None if rule.uids is None else _UIDS.pack(rule.uids.low, rule.uids.high),
        "protocol": rule.protocol,
        "ip_protocol": rule.ip_protocol,
        "source_ports": _ports(rule.source_ports),
        "destination_ports": _ports(rule.destination_ports),
    }
    header = HEADER.pack(
        NUMBERS[rule.family],
        length,
        source_length,
        int(rule.tos),
        table if table < 256 else RT_TABLE_UNSPEC,
        0,
        0,
        ACTIONS[rule.action],
        FIB_RULE_INVERT if rule.inverted else 0,
    )
    return header + RULE.pack(values)


def _prefix(text: str | None) -> tuple[bytes | None, int]:
    if text is None:
        return None, 0
    address, _, length = text.partition("/")
    octets = address_octets(address)
    bits = int(length) if length else 8 * len(octets)
    return (octets, bits) if bits else (None, 0)


def _ports(ports: Range | None) -> bytes | None:
    return None if ports is None else _PORTS.pack(ports.low, ports.high)


def parse_rule(message: Message) -> Rule | None:
    """The rule of an RTM_NEWRULE or RTM_DELRULE message. None for other families, and for what the IR cannot say."""
    if message.end - message.start < HEADER.size:
        return None
    number, length, source_length, tos, table, _, _, action, flags = HEADER.unpack_from(
        message.data, message.start
    )
    family, act = FAMILIES.get(number), ACTION_NAMES.get(action)
    if family is None or act is None:
        return None
    found = RULE.unpack(message.data, message.start + HEADER.size, message.end)
    size = 4 if family == "inet" else 16
    flow = found.get("flow", 0)
    l3mdev = bool(found.get("l3mdev", 0))
    mark, mask = found.get("fwmark"), found.get("fwmask")
    if mask is not None and mark is None:
        mark = 0
    try:
        return Rule(
            family="inet6" if family == "inet6" else "inet",
            priority=found.get("priority", 0),
            action=act,  # type: ignore[arg-type]
            table=None if act != "table" or l3mdev else found.get("table", table) or None,
            l3mdev=l3mdev,
            goto=found.get("goto") if act == "goto" else None,
            inverted=bool(flags & FIB_RULE_INVERT),
            source=_text(found.get("source"), source_length, size),
            destination=_text(found.get("destination"), length, size),
            tos=tos,
            fwmark=mark,
            fwmask=mask,
            iif=found.get("iif"),
            oif=found.get("oif"),
            uids=_range(_UIDS, found.get("uids")),
            ip_protocol=found.get("ip_protocol") or None,
            source_ports=_range(_PORTS, found.get("source_ports")),
            destination_ports=_range(_PORTS, found.get("destination_ports")),
            tunnel_id=int.from_bytes(found["tunnel_id"][:8], "big") or None if "tunnel_id" in found else None,
            realms=Realms(source=flow >> 16 or None, destination=flow & 0xFFFF or None) if flow else None,
            suppress_prefixlength=_suppressor(found.get("suppress_prefixlength")),
            suppress_ifgroup=_suppressor(found.get("suppress_ifgroup")),
            protocol=found.get("protocol", 0),
        )
    except ValueError:
        return None


def _text(octets: bytes | None, length: int, size: int) -> str | None:
    if octets is None or len(octets) < size or not length:
        return None
    return f"{address_text(octets[:size])}/{length}"


def _range(layout: struct.Struct, octets: bytes | None) -> Range | None:
    if octets is None:
        return None
    low, high = layout.unpack_from(octets)
    return Range(low=low, high=high)


def _suppressor(number: int | None) -> int | None:
    return None if number is None or number == _NONE else number
