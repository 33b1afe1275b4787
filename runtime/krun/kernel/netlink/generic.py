"""Generic netlink: families have names; the kernel gives each a number at run time (linux/genetlink.h)."""

from __future__ import annotations

import errno
import struct

from krun.kernel.netlink.codec import Attribute, AttributeTable, Kind
from krun.kernel.netlink.socket import NetlinkSocket

NETLINK_GENERIC = 16
GENL_ID_CTRL = 0x10
CTRL_CMD_GETFAMILY = 3

GENERIC_HEADER = struct.Struct("=BBH")
"""struct genlmsghdr: command, version, reserved."""

CONTROL = AttributeTable(
    "generic netlink controller",
    {"family_id": Attribute(1, Kind.U16), "family_name": Attribute(2, Kind.STRING)},
)


def family_number(sock: NetlinkSocket, name: str) -> int | None:
    """The message type of the family ``name``; None where the kernel has none. The kernel tries to load its module first."""
    body = GENERIC_HEADER.pack(CTRL_CMD_GETFAMILY, 1, 0) + CONTROL.pack({"family_name": name})
    try:
        answer = sock.request(GENL_ID_CTRL, 0, body)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    for message in answer:
        number = CONTROL.unpack(message.data, message.start + GENERIC_HEADER.size, message.end).get(
            "family_id"
        )
        if isinstance(number, int):
            return number
    return None
