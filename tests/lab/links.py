"""Two directors with several links between them: more virtual routers than the 255 VRIDs of one link."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from lab.netns import Director

__all__ = ["ON_EACH", "adverts", "listener", "wires"]

ON_EACH = 250
"""VRIDs on one link."""

ETH_P_IP, SO_TIMESTAMPNS, SO_RCVBUFFORCE = 0x0800, 35, 33
IPPROTO_VRRP = 112


@contextlib.contextmanager
def wires(links: int, folder: Path) -> Iterator[tuple[Director, Director]]:
    """``a`` and ``b``, with devices ``e0``, ``e1`` … between them, and an address on each."""
    a, b = Director("a", [], folder / "a"), Director("b", [], folder / "b")
    try:
        for n in range(links):
            b.ip(
                f"link add name e{n} type veth peer name e{n} netns {a.path}",
                f"link set dev e{n} up",
                f"addr add 198.51.{n}.2/24 dev e{n}",
            )
            a.ip(f"link set dev e{n} up", f"addr add 198.51.{n}.1/24 dev e{n}")
        yield a, b
    finally:
        a.close()
        b.close()


def listener(director: Director) -> socket.socket:
    """All IPv4 that comes in there, stamped by the kernel."""
    with director:
        sock = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(ETH_P_IP)
        )
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    return sock


def adverts(sock: socket.socket) -> dict[tuple[str, int], list[float]]:
    """What waits in ``sock``: times (seconds since the epoch) of the adverts, by device and VRID."""
    found: dict[tuple[str, int], list[float]] = {}
    while True:
        try:
            data, ancillary, _, sender = sock.recvmsg(256, 64)
        except BlockingIOError:
            return found
        if data[9] != IPPROTO_VRRP or len(data) < 28:
            continue
        seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2][:16])
        found.setdefault((sender[0], data[21]), []).append(seconds + nanoseconds / 1e9)
