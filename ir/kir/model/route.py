"""Routes and routing rules, as rtnetlink takes them (rtnetlink(7), linux/rtnetlink.h, linux/fib_rules.h).

A `Name` is the number of a table, protocol, scope, class of traffic, realm or group; or the name of one that only the director's
own iproute2 files (``rt_tables`` and their like) can turn into a number.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kir.model.base import U32, Model, Octet

Family = Literal["inet", "inet6"]
Name = int | str

RT_TABLE_MAIN = 254
RTPROT_KEEPALIVED = 18


class Realms(Model, frozen=True):
    """Routing realms (ip-route(8)): where packets come from, None: not said, and where they go to."""

    source: Name | None = None
    destination: Name | None = None


class EncapIp(Model, frozen=True, tag_field="kind", tag="ip"):
    """An IPv4 tunnel made by the route (LWTUNNEL_ENCAP_IP). ``id``: the tunnel key. Needs a destination or a key."""

    id: int | None = None
    destination: str | None = None
    source: str | None = None
    tos: Name | None = None
    ttl: Octet | None = None
    flags: int | None = None


class EncapIp6(Model, frozen=True, tag_field="kind", tag="ip6"):
    """An IPv6 tunnel made by the route (LWTUNNEL_ENCAP_IP6)."""

    id: int | None = None
    destination: str | None = None
    source: str | None = None
    tclass: Name | None = None
    hoplimit: Octet | None = None
    flags: int | None = None


class EncapMpls(Model, frozen=True, tag_field="kind", tag="mpls"):
    """Labels put before the packet, the outermost first (LWTUNNEL_ENCAP_MPLS)."""

    labels: tuple[Annotated[int, msgspec.Meta(ge=0, le=0xFFFFF)], ...]


class EncapIla(Model, frozen=True, tag_field="kind", tag="ila"):
    """The locator of identifier-locator addressing: 64 bits as four hexadecimal groups (LWTUNNEL_ENCAP_ILA)."""

    locator: str


Encap = EncapIp | EncapIp6 | EncapMpls | EncapIla


class Nexthop(Model, frozen=True):
    """One way of several. ``weight`` 1 to 256. ``via`` may be of the other family (RTA_VIA)."""

    via: str | None = None
    device: str | None = None
    weight: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    onlink: bool = False
    encap: Encap | None = None
    realms: Realms | None = None


class Metric(Model, frozen=True):
    """A metric of a route (RTA_METRICS), ``lock``: the kernel does not change it. Names in ``_us`` are microseconds."""

    name: Literal[
        "advmss",
        "cwnd",
        "fastopen_no_cookie",
        "hoplimit",
        "initcwnd",
        "initrwnd",
        "mtu",
        "quickack",
        "reordering",
        "rto_min_us",
        "rtt_us",
        "rttvar_us",
        "ssthresh",
        "window",
    ]
    value: U32
    lock: bool = False


class Route(Model, frozen=True):
    """A route. ``destination`` is a prefix, ``0.0.0.0/0`` or ``::/0`` for the default route; ``source_prefix`` (``from``, IPv6) one too;
    ``source`` is the preferred source address (``src``).

    ``type`` is a number where the kernel's has no name here. ``priority`` None: the kernel's own metric (0, IPv6 1024).
    ``scope`` None: host for a local IPv4 route, link for a broadcast or anycast one, else global; global also for a unicast route
    without a gateway, as keepalived has it (ip-route(8) would make that link). ``vrf`` names the VRF device whose table is meant. ``mode``: where it goes among routes to the same destination. ``track`` False: it is
    not watched, and keeps its ``protocol``.
    """

    family: Family
    destination: str
    type: (
        Literal[
            "unicast",
            "local",
            "broadcast",
            "anycast",
            "multicast",
            "blackhole",
            "unreachable",
            "prohibit",
            "throw",
            "nat",
            "xresolve",
        ]
        | Octet
    ) = "unicast"
    source_prefix: str | None = None
    via: str | None = None
    device: str | None = None
    source: str | None = None
    onlink: bool = False
    table: Name = RT_TABLE_MAIN
    vrf: str | None = None
    protocol: Name = RTPROT_KEEPALIVED
    scope: Name | None = None
    tos: Name = 0
    priority: U32 | None = None
    metrics: tuple[Metric, ...] = ()
    congctl: str | None = None
    congctl_lock: bool = False
    ecn: bool = False
    realms: Realms | None = None
    expires_s: U32 | None = None
    preference: Octet | None = None
    ttl_propagate: bool | None = None
    encap: Encap | None = None
    nexthops: tuple[Nexthop, ...] = ()
    mode: Literal["prepend", "append", "add"] = "prepend"
    track: bool = True
    track_group: str | None = None

    @property
    def identity(self) -> str:
        """What tells it from others: destination, table, class of traffic, metric, and the way."""
        words = [self.destination]
        if self.type != "unicast":
            words.insert(0, str(self.type))
        for word, value in (
            ("from", self.source_prefix),
            ("via", self.via),
            ("dev", self.device),
            ("metric", self.priority),
        ):
            if value is not None:
                words += [word, str(value)]
        if self.tos:
            words += ["tos", str(self.tos)]
        words += ["vrf", self.vrf] if self.vrf is not None else ["table", str(self.table)]
        return " ".join(words)


class Range(Model, frozen=True):
    """Numbers ``low`` to ``high``, both included."""

    low: U32
    high: U32


class Rule(Model, frozen=True):
    """A routing rule: packets that match all that is said (``inverted``: that do not) get ``action``. Lower ``priority`` first.

    ``table`` with action ``table`` (None together with ``l3mdev``: the table of the device's VRF), ``goto`` the priority of the
    rule to go on with. ``ip_protocol`` may be a name of the director's ``/etc/protocols``. ``suppress_*`` refuse what the table
    finds when its prefix is no longer than that, or its device in that group.
    """

    family: Family
    priority: U32
    action: Literal["table", "goto", "nop", "blackhole", "unreachable", "prohibit"]
    table: Name | None = None
    l3mdev: bool = False
    goto: U32 | None = None
    inverted: bool = False
    source: str | None = None
    destination: str | None = None
    tos: Name = 0
    fwmark: U32 | None = None
    fwmask: U32 | None = None
    iif: str | None = None
    oif: str | None = None
    uids: Range | None = None
    ip_protocol: Name | None = None
    source_ports: Range | None = None
    destination_ports: Range | None = None
    tunnel_id: int | None = None
    realms: Realms | None = None
    suppress_prefixlength: int | None = None
    suppress_ifgroup: Name | None = None
    protocol: Octet = RTPROT_KEEPALIVED
    track: bool = True
    track_group: str | None = None

    @property
    def identity(self) -> str:
        """Priority, family and the commonest selectors."""
        words = [self.family, str(self.priority)]
        if self.inverted:
            words.append("not")
        for word, value in (
            ("from", self.source),
            ("to", self.destination),
            ("iif", self.iif),
            ("oif", self.oif),
        ):
            if value is not None:
                words += [word, value]
        if self.fwmark is not None:
            words += ["fwmark", str(self.fwmark)]
        words.append(self.action if self.table is None else f"table {self.table}")
        return " ".join(words)


__all__ = [
    "Encap",
    "EncapIla",
    "EncapIp",
    "EncapIp6",
    "EncapMpls",
    "Metric",
    "Name",
    "Nexthop",
    "Range",
    "Realms",
    "Route",
    "Rule",
]
