"""The names that iproute2 gives to numbers, as far as they are known without its files (rtnetlink(7), linux/rtnetlink.h)."""

from __future__ import annotations

from kcc.language.arguments.numbers import c_integer

SCOPES = {"global": 0, "universe": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
TABLES = {"unspec": 0, "default": 253, "main": 254, "local": 255}
PROTOCOLS = {
    "unspec": 0,
    "redirect": 1,
    "kernel": 2,
    "boot": 3,
    "static": 4,
    "gated": 8,
    "ra": 9,
    "mrt": 10,
    "zebra": 11,
    "bird": 12,
    "dnrouted": 13,
    "xorp": 14,
    "ntk": 15,
    "dhcp": 16,
    "mrouted": 17,
    "keepalived": 18,
    "babel": 42,
    "openr": 99,
    "bgp": 186,
    "isis": 187,
    "ospf": 188,
    "rip": 189,
    "eigrp": 192,
}
# Differentiated services code points shifted to where the octet has them (RFC 2474, RFC 2597, RFC 3246).
DSFIELDS = {
    "default": 0,
    **{f"CS{n}": n << 5 for n in range(8)},
    **{f"AF{c}{d}": c << 5 | d << 3 for c in range(1, 5) for d in range(1, 4)},
    "EF": 0xB8,
}
REALMS = {"cosmos": 0}
GROUPS = {"default": 0}
IP_PROTOCOLS = {
    "ip": 0,
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "ospf": 89,
    "vrrp": 112,
    "sctp": 132,
    "udplite": 136,
}


def table_number(text: str, names: dict[str, int], most: int) -> int | None:
    """The number of ``text``, a name or a number in C notation; None where it is neither."""
    found = names.get(text)
    if found is not None:
        return found
    value = c_integer(text)
    return value if value is not None and 0 <= value <= most else None


def table_name(text: str, names: dict[str, int], most: int) -> int | str | None:
    """The same, or ``text`` itself where it can be a name that only the director's files know; None: it cannot be one."""
    number = table_number(text, names, most)
    if number is not None:
        return number
    name = text.replace("_", "").replace("-", "").replace(".", "").replace("/", "")
    return text if name.isalnum() and not text[0].isdigit() and text[0] not in "-./" else None
