"""Links and addresses in rtnetlink: message types, headers, flags, attribute tables (rtnetlink(7), linux/if_link.h, if_addr.h)."""

from __future__ import annotations

import struct

from krun.kernel.netlink.codec import Attribute, AttributeTable, Kind

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22

RTMGRP_LINK = 0x1
RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV6_IFADDR = 0x100

LINK_HEADER = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, hardware type, index, flags, change mask."""

ADDRESS_HEADER = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, prefix length, flags, scope, index."""

IFF_UP, IFF_LOOPBACK, IFF_RUNNING, IFF_NOARP, IFF_MULTICAST = 0x1, 0x8, 0x40, 0x80, 0x1000

IFA_F_SECONDARY = 0x01
IFA_F_NODAD = 0x02
IFA_F_DADFAILED = 0x08
IFA_F_HOMEADDRESS = 0x10
IFA_F_DEPRECATED = 0x20
IFA_F_TENTATIVE = 0x40
IFA_F_PERMANENT = 0x80
IFA_F_MANAGETEMPADDR = 0x100
IFA_F_NOPREFIXROUTE = 0x200
IFA_F_MCAUTOJOIN = 0x400

FOREVER = 0xFFFFFFFF
"""A lifetime without end (INFINITY_LIFE_TIME)."""

IFAPROT_KEEPALIVED = 18
"""Who added an address (IFA_PROTO, Linux 5.18): the number that `rtnetlink.h` reserves for keepalived's routes."""

CACHE_INFO = struct.Struct("=IIII")
"""struct ifa_cacheinfo: preferred and valid lifetime in seconds, two time stamps."""

LINK_INFO = AttributeTable(
    "link info", {"kind": Attribute(1, Kind.STRING), "data": Attribute(2, Kind.NESTED)}
)
"""IFLA_INFO_*; ``data`` is a nest of the driver's own table."""

VRF = AttributeTable("VRF", {"table": Attribute(1, Kind.U32)})
"""IFLA_VRF_*."""

LINK = AttributeTable(
    "link",
    {
        "mac": Attribute(1, Kind.BYTES),
        "broadcast": Attribute(2, Kind.BYTES),
        "name": Attribute(3, Kind.STRING),
        "mtu": Attribute(4, Kind.U32),
        "master": Attribute(10, Kind.U32),
        "info": Attribute(18, Kind.NESTED, table=LINK_INFO),
    },
)

ADDRESS = AttributeTable(
    "address",
    {
        "address": Attribute(1, Kind.BYTES),
        "local": Attribute(2, Kind.BYTES),
        "label": Attribute(3, Kind.STRING),
        "broadcast": Attribute(4, Kind.BYTES, 4),
        "cacheinfo": Attribute(6, Kind.BYTES, CACHE_INFO.size),
        "flags": Attribute(8, Kind.U32),
        "protocol": Attribute(11, Kind.U8),
    },
)
