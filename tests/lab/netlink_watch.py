"""Every write to the kernel over netlink in a namespace, counted on the wire: IPVS and rtnetlink.

An ``nlmon`` device (``nlmon.ko``) hands a copy of each netlink message of its namespace to packet
sockets. Nothing of the program under test takes part: what is counted here is what the kernel was asked
to do, by whomever, in the order asked. Reads (GET, dumps) are not listed.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lab.netns import Namespace

__all__ = ["NetlinkWatch", "Write"]

NETLINK_ROUTE, NETLINK_GENERIC = 0, 16  # include/uapi/linux/netlink.h
NLM_F_REQUEST = 0x1
ETH_P_ALL = 0x0003
SO_RCVBUFFORCE = 33
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr

#: include/uapi/linux/ip_vs.h, enum of commands; those that only read are absent.
IPVS_WRITES = {
    1: "new_service",
    2: "set_service",
    3: "del_service",
    5: "new_dest",
    6: "set_dest",
    7: "del_dest",
    9: "new_daemon",
    10: "del_daemon",
    12: "set_config",
    16: "zero",
    17: "flush",
}
#: include/uapi/linux/rtnetlink.h: from RTM_NEWLINK on, kinds come in fours: new, delete, get, set.
_ROUTE_KINDS = {0: "link", 1: "address", 2: "route", 3: "neighbour", 4: "rule"}
_ROUTE_ACTIONS = {0: "new", 1: "del", 3: "set"}


@dataclass(frozen=True, slots=True)
class Write:
    """One request that changes something: ``family`` is ``ipvs`` or ``route``, ``name`` e.g. ``set_dest``.

    ``port`` is the netlink port of the sender, which tells programs apart; ``data`` what follows the header.
    """

    family: str
    name: str
    port: int
    data: bytes


class NetlinkWatch:
    """Watches the netlink writes of ``namespace`` from now on. A context manager."""

    DEVICE = "nlmon0"

    def __init__(self, namespace: Namespace) -> None:
        namespace.ip(f"link add name {self.DEVICE} type nlmon", f"link set dev {self.DEVICE} up")
        with namespace:
            self._ipvs = _family_id("IPVS")
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            self._socket.bind((self.DEVICE, ETH_P_ALL))
        self._writes: list[Write] = []

    def take(self) -> list[Write]:
        """The writes since the last call."""
        self._drain()
        taken, self._writes = self._writes, []
        return taken

    def _drain(self) -> None:
        while True:
            try:
                data, sender = self._socket.recvfrom(1 << 20)
            except BlockingIOError:
                return
            self._writes += self._read(sender[1], data)

    def _read(self, protocol: int, data: bytes) -> Iterator[Write]:
        # One send may carry many messages, each padded to four octets.
        while len(data) >= _HEADER.size:
            length, kind, flags, _, port = _HEADER.unpack_from(data)
            if length < _HEADER.size:
                return
            body = data[_HEADER.size : length]
            # The device does not tell directions apart; answers and notifications are no requests.
            if flags & NLM_F_REQUEST and (named := self._name(protocol, kind, body)):
                yield Write(*named, port, body)
            data = data[(length + 3) & ~3 :]

    def _name(self, protocol: int, kind: int, body: bytes) -> tuple[str, str] | None:
        """Family and name of a request that writes; None for one that reads, or of another family."""
        if protocol == NETLINK_GENERIC and kind == self._ipvs and body and body[0] in IPVS_WRITES:
            return "ipvs", IPVS_WRITES[body[0]]
        if protocol == NETLINK_ROUTE and kind >= 16 and (kind - 16) % 4 in _ROUTE_ACTIONS:
            what = _ROUTE_KINDS.get((kind - 16) // 4, f"kind{(kind - 16) // 4}")
            return "route", f"{_ROUTE_ACTIONS[(kind - 16) % 4]}_{what}"
        return None

    def close(self) -> None:
        """Stop watching."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _family_id(name: str) -> int:
    """The number of a generic netlink family in the calling thread's namespace; -1 when it has none."""
    attribute = name.encode() + b"\0"
    body = struct.pack("=BBHHH", 3, 1, 0, 4 + len(attribute), 2) + attribute  # CTRL_CMD_GETFAMILY, by name
    body += b"\0" * (-len(body) % 4)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC) as control:
        control.send(
            _HEADER.pack(_HEADER.size + len(body), 16, 1, 1, 0) + body
        )  # GENL_ID_CTRL, NLM_F_REQUEST
        answer = control.recv(65536)
    if _HEADER.unpack_from(answer)[1] == 2:  # NLMSG_ERROR
        return -1
    at = _HEADER.size + 4
    while at + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, at)
        if kind == 1:  # CTRL_ATTR_FAMILY_ID
            return int(struct.unpack_from("=H", answer, at + 4)[0])
        at += max((length + 3) & ~3, 4)
    return -1
