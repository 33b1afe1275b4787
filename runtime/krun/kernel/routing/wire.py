"""Routes and rules in rtnetlink: message types, headers, attribute tables.

Sources: rtnetlink(7), linux/rtnetlink.h, linux/fib_rules.h, linux/lwtunnel.h, linux/mpls_iptunnel.h, linux/ila.h.
"""

from __future__ import annotations

import struct

from krun.kernel.netlink.codec import Attribute, AttributeTable, Kind

RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34

NLM_F_APPEND = 0x800

GROUP_IPV4_ROUTE, GROUP_IPV4_RULE, GROUP_IPV6_ROUTE, GROUP_IPV6_RULE = 7, 8, 11, 19
"""RTNLGRP_*: numbers of multicast groups, the first of which is 1."""

HEADER = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, destination and source length, TOS, table, protocol, scope, type, flags. struct fib_rule_hdr: the
same with two unused octets for protocol and scope, and the action for the type."""

NEXTHOP = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, weight less one, interface index."""

RTNH_F_ONLINK = 4
FIB_RULE_INVERT = 2
RT_TABLE_UNSPEC = 0
RTPROT_KEEPALIVED = 18

TYPES = {
    "unicast": 1,
    "local": 2,
    "broadcast": 3,
    "anycast": 4,
    "multicast": 5,
    "blackhole": 6,
    "unreachable": 7,
    "prohibit": 8,
    "throw": 9,
    "nat": 10,
    "xresolve": 11,
}
TYPE_NAMES = {number: name for name, number in TYPES.items()}

ACTIONS = {"table": 1, "goto": 2, "nop": 3, "blackhole": 6, "unreachable": 7, "prohibit": 8}
ACTION_NAMES = {number: name for name, number in ACTIONS.items()}

U64 = 8

METRICS = AttributeTable(
    "metrics",
    {
        "lock": Attribute(1, Kind.U32),
        "mtu": Attribute(2, Kind.U32),
        "window": Attribute(3, Kind.U32),
        "rtt_us": Attribute(4, Kind.U32),
        "rttvar_us": Attribute(5, Kind.U32),
        "ssthresh": Attribute(6, Kind.U32),
        "cwnd": Attribute(7, Kind.U32),
        "advmss": Attribute(8, Kind.U32),
        "reordering": Attribute(9, Kind.U32),
        "hoplimit": Attribute(10, Kind.U32),
        "initcwnd": Attribute(11, Kind.U32),
        "features": Attribute(12, Kind.U32),
        "rto_min_us": Attribute(13, Kind.U32),
        "initrwnd": Attribute(14, Kind.U32),
        "quickack": Attribute(15, Kind.U32),
        "congctl": Attribute(16, Kind.STRING),
        "fastopen_no_cookie": Attribute(17, Kind.U32),
    },
)
"""RTAX_*; the names are those of `kir.model.Metric`, though the kernel counts times in other units (`METRIC_UNIT_US`)."""

METRIC_UNIT_US = {"rtt_us": 125, "rttvar_us": 250, "rto_min_us": 1000}
"""Microseconds in the kernel's unit: eighths and quarters of a millisecond, milliseconds."""

METRIC_LIMITS = {"advmss": 65535 - 40, "mtu": 65535 - 15, "hoplimit": 255}
"""What the kernel cuts larger values to."""

FEATURE_ECN = 1

ROUTE = AttributeTable(
    "route",
    {
        "destination": Attribute(1, Kind.BYTES),
        "source_prefix": Attribute(2, Kind.BYTES),
        "oif": Attribute(4, Kind.U32),
        "gateway": Attribute(5, Kind.BYTES),
        "priority": Attribute(6, Kind.U32),
        "source": Attribute(7, Kind.BYTES),
        "metrics": Attribute(8, Kind.NESTED),
        "multipath": Attribute(9, Kind.BYTES),
        "flow": Attribute(11, Kind.U32),
        "cacheinfo": Attribute(12, Kind.BYTES, 32),
        "table": Attribute(15, Kind.U32),
        "via": Attribute(18, Kind.BYTES),
        "preference": Attribute(20, Kind.U8),
        "encap_type": Attribute(21, Kind.U16),
        "encap": Attribute(22, Kind.NESTED),
        "expires": Attribute(23, Kind.U32),
        "ttl_propagate": Attribute(26, Kind.U8),
        "nexthop_id": Attribute(30, Kind.U32),
    },
)
"""RTA_*. ``metrics`` and ``encap`` are nests of their own tables; ``multipath`` a row of `NEXTHOP`s with attributes."""

RULE = AttributeTable(
    "rule",
    {
        "destination": Attribute(1, Kind.BYTES),
        "source": Attribute(2, Kind.BYTES),
        "iif": Attribute(3, Kind.STRING),
        "goto": Attribute(4, Kind.U32),
        "priority": Attribute(6, Kind.U32),
        "fwmark": Attribute(10, Kind.U32),
        "flow": Attribute(11, Kind.U32),
        "tunnel_id": Attribute(12, Kind.BYTES, U64),
        "suppress_ifgroup": Attribute(13, Kind.U32),
        "suppress_prefixlength": Attribute(14, Kind.U32),
        "table": Attribute(15, Kind.U32),
        "fwmask": Attribute(16, Kind.U32),
        "oif": Attribute(17, Kind.STRING),
        "l3mdev": Attribute(19, Kind.U8),
        "uids": Attribute(20, Kind.BYTES, 8),
        "protocol": Attribute(21, Kind.U8),
        "ip_protocol": Attribute(22, Kind.U8),
        "source_ports": Attribute(23, Kind.BYTES, 4),
        "destination_ports": Attribute(24, Kind.BYTES, 4),
    },
)
"""FRA_*."""

ENCAP_MPLS, ENCAP_IP, ENCAP_ILA, ENCAP_IP6 = 1, 2, 3, 4

TUNNEL = AttributeTable(
    "tunnel",
    {
        "id": Attribute(1, Kind.BYTES, U64),
        "destination": Attribute(2, Kind.BYTES),
        "source": Attribute(3, Kind.BYTES),
        "ttl": Attribute(4, Kind.U8),
        "tos": Attribute(5, Kind.U8),
        "flags": Attribute(6, Kind.BE16),
    },
)
"""LWTUNNEL_IP_* and, with hop limit and traffic class for TTL and TOS, LWTUNNEL_IP6_*."""

MPLS = AttributeTable("MPLS", {"labels": Attribute(1, Kind.BYTES)})
ILA = AttributeTable("ILA", {"locator": Attribute(1, Kind.BYTES, U64)})
