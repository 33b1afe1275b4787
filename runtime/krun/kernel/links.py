"""Interfaces as rtnetlink tells of them."""

from __future__ import annotations

from krun.kernel.door import Link
from krun.kernel.netlink.codec import Message
from krun.kernel.netlink.rtnl import (
    IFF_LOOPBACK,
    IFF_MULTICAST,
    IFF_NOARP,
    IFF_RUNNING,
    IFF_UP,
    LINK,
    LINK_HEADER,
    VRF,
)

AF_UNSPEC = 0


def parse_link(message: Message) -> Link | None:
    """The interface of an RTM_NEWLINK or RTM_DELLINK message.

    None for what is no news of an interface: a bridge tells of its ports with messages of the same type and the family
    AF_BRIDGE, where RTM_DELLINK means only that the port left the bridge.
    """
    if message.end - message.start < LINK_HEADER.size:
        return None
    family, hardware, index, flags, _ = LINK_HEADER.unpack_from(message.data, message.start)
    if family != AF_UNSPEC:
        return None
    found = LINK.unpack(message.data, message.start + LINK_HEADER.size, message.end)
    name = found.get("name")
    if not name:
        return None
    info = found.get("info", {})
    kind = info.get("kind", "")
    running = IFF_UP | IFF_RUNNING
    return Link(
        index=index,
        name=name,
        up=flags & running == running,
        mtu=found.get("mtu", 0),
        mac=found.get("mac", b""),
        arp=not flags & IFF_NOARP,
        multicast=bool(flags & IFF_MULTICAST),
        loopback=bool(flags & IFF_LOOPBACK),
        master=found.get("master", 0),
        hardware=hardware,
        kind=kind,
        vrf_table=VRF.unpack(info.get("data", b"")).get("table", 0) if kind == "vrf" else 0,
    )
