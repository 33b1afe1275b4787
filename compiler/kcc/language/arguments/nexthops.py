"""What stands at the end of a route: encapsulations and next hops (ip-route(8))."""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.addresses import parse_ip
from kcc.language.arguments.base import REFUSED, Reader, Refused
from kcc.language.arguments.numbers import c_integer
from kcc.language.arguments.route_options import address, interface, named, number, realms, word
from kcc.language.arguments.tables import DSFIELDS
from kir.model import Encap, EncapIla, EncapIp, EncapIp6, EncapMpls, Nexthop

_U64 = 0xFFFFFFFFFFFFFFFF
_LABEL_MAX = 0xFFFFF
_MOST_LABELS = 2  # of keepalived; the kernel takes 30
_TUNNELS = {
    "ip": ("id", "dst", "src", "tos", "ttl", "flags"),
    "ip6": ("id", "dst", "src", "tc", "hoplimit", "flags"),
}
_FIELDS = {"dst": "destination", "src": "source", "tc": "tclass"}


def encap(reader: Reader) -> Encap | Refused:
    """The words behind ``encap``, as far as they belong to it."""
    kind = word(reader)
    if isinstance(kind, Refused):
        return REFUSED
    if kind in _TUNNELS:
        return _tunnel(reader, kind)
    if kind == "mpls":
        return _labels(reader)
    if kind == "ila":
        return _locator(reader)
    return reader.wrong(
        "KC0304", "an encapsulation is `ip`, `ip6`, `mpls` or `ila`", label=f"`{kind}` is not known"
    )


def _tunnel(reader: Reader, kind: str) -> Encap | Refused:
    start = reader.at - 1
    family = "inet" if kind == "ip" else "inet6"
    given: dict[str, Any] = {}
    while reader.peek() in _TUNNELS[kind]:
        option = reader.take()
        value: Any
        if option in ("dst", "src"):
            found = address(reader, option)
            if isinstance(found, Refused):
                return REFUSED
            if found[1] != family:
                return reader.wrong(
                    "KC0306", f"`encap {kind}` takes addresses of its own family", label="of the other family"
                )
            value = found[0]
        elif option in ("tos", "tc"):
            value = named(reader, option, DSFIELDS, 255)
        else:
            value = number(reader, option, 0, {"id": _U64, "flags": 65535}.get(option, 255))
        if isinstance(value, Refused):
            return REFUSED
        given[_FIELDS.get(option, option)] = value
    if "destination" not in given and "id" not in given:
        return reader.wrong(
            "KC0301", f"`encap {kind}` needs `dst` or `id`", at=start, label="neither is given"
        )
    return EncapIp(**given) if kind == "ip" else EncapIp6(**given)


def _labels(reader: Reader) -> Encap | Refused:
    text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    values = [c_integer(part) for part in text.split("/")]
    labels = tuple(v for v in values if v is not None and 0 <= v <= _LABEL_MAX)
    if len(labels) != len(values):
        return reader.wrong(
            "KC0307", "MPLS labels are numbers to 1048575, joined by `/`", label=f"`{text}` is not"
        )
    if len(labels) > _MOST_LABELS and reader.target != "krun":
        return reader.wrong(
            "KC0307",
            f"keepalived puts at most {_MOST_LABELS} MPLS labels on a packet",
            label=f"{len(labels)} labels",
            help=f"write at most {_MOST_LABELS}; krun takes more",
        )
    return EncapMpls(labels=labels)


def _locator(reader: Reader) -> Encap | Refused:
    text = word(reader)
    if isinstance(text, Refused):
        return REFUSED
    parts = text.split(":")
    good = all(0 < len(p) <= 4 and set(p.lower()) <= set("0123456789abcdef") for p in parts)
    if len(parts) != 4 or not good:
        return reader.wrong(
            "KC0307", "a locator is four hexadecimal groups joined by `:`", label=f"`{text}` is not"
        )
    return EncapIla(locator=":".join(f"{int(p, 16):x}" for p in parts))


def nexthops(
    reader: Reader, family: str | None, *, leads: bool
) -> tuple[tuple[Nexthop, ...], str | None] | Refused:
    """All next hops with the family of the route; the first ``nexthop`` has been taken. Nothing may follow them.

    ``family``: as far as the words before say. ``leads``: whether the route has a way without them. What is of the other family
    ends the list: keepalived keeps the next hops before it.
    """
    found: list[Nexthop] = []
    given: dict[str, Any] = {}
    while True:
        option = reader.take() if reader.more() else None
        if option is None or option == "nexthop":
            if "via" not in given and "device" not in given:
                return reader.wrong("KC0301", "a next hop needs `via` or `dev`", label="neither is given")
            found.append(Nexthop(**given))
            given = {}
            if option is None:
                return tuple(found), family
            continue
        if _hop(reader, option, given) is REFUSED:
            return REFUSED
        if option not in ("via", "realms"):
            continue
        own = "inet"
        if option == "via":
            given["via"], own = given["via"]
        family = family or own
        problem = _mismatch(reader, option, family, own)
        if problem:
            kept = "the ones before it are used" if found else "the rest of the route is used"
            reader.wrong(
                "KC0307",
                problem,
                label="of the other family",
                consequence=f"this next hop, and what follows, is left out: {kept}"
                if found or leads
                else "the route has no way: the kernel refuses it",
            )
            reader.rest()
            return (tuple(found), family) if found or leads else REFUSED


def _mismatch(reader: Reader, option: str, family: str, own: str) -> str:
    """What is wrong with a next hop's ``option`` of family ``own``, empty where nothing is."""
    if family == own:
        return ""
    if option == "realms":
        return "realms are of IPv4 only"
    if family == "inet" and reader.target == "krun":
        return ""  # RFC 8950: IPv4 by way of an IPv6 neighbour
    return "IPv4 and IPv6 do not mix in a route"


def _hop(reader: Reader, option: str, given: dict[str, Any]) -> Refused | None:
    """One option of a next hop with its value; that of ``via`` together with its family."""
    value: Any
    field = option
    if option == "via":
        value = address(reader, option)
    elif option in ("dev", "oif"):
        field, value = "device", interface(reader)
    elif option == "weight":
        value = number(reader, option, 1, 256)
    elif option == "onlink":
        value = True
    elif option == "encap":
        value = encap(reader)
    elif option == "realms":
        value = realms(reader)
    else:
        help_ = "write `via` before the address" if parse_ip(option) else None
        return reader.wrong(
            "KC0311", f"`{option}` is not an option of a next hop", label="unknown", help=help_
        )
    if isinstance(value, Refused):
        return REFUSED
    given[field] = value
    return None
