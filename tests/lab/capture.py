"""Every frame of a segment, as the switch received it, with the kernel's time stamp.

One packet socket in the switch's namespace sees all ports; frames that the switch sends are left out,
so each frame appears once, and with the port it *came in* by: who sent it is known whatever its
addresses say. Nothing runs in between: the kernel stamps and queues, the test drains when it looks.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.netns import Segment
from lab.packets import Advert, Arp, Frame, NeighborAdvert, Record, parse
from lab.processes import wait_for

__all__ = ["Capture", "write_pcap"]

# include/uapi/linux/if_ether.h, if_packet.h, asm-generic/socket.h
ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33

RECEIVE_BUFFER = 8 << 20
NANOSECOND_PCAP = 0xA1B23C4D
LINKTYPE_ETHERNET = 1


class Capture:
    """A capture on all ports of ``segment`` from now on. A context manager; frames stay after the close."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._ports = set(segment.directors)
        self.frames: list[Frame] = []
        self._records: list[Record] = []
        self.dropped = 0
        with segment.switch:
            # A protocol and no bind: every interface of the namespace.
            self._socket = socket.socket(
                socket.AF_PACKET,
                socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
                socket.htons(ETH_P_ALL),
            )
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            with contextlib.suppress(OSError):  # root of a user namespace may not go past rmem_max
                self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
            self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        except BaseException:
            self._socket.close()
            raise

    def drain(self) -> None:
        """Take over what the kernel has queued. Called by every reader of this class."""
        if self._socket.fileno() < 0:
            return
        while True:
            try:
                data, ancillary, _, sender = self._socket.recvmsg(65536, 64)
            except BlockingIOError:
                break
            except OSError:  # ENETDOWN: an interface went down; the socket goes on
                continue
            port = sender[0]
            if port not in self._ports:
                continue  # the bridge itself: a second copy of what came in by a port
            time = 0.0
            for level, kind, value in ancillary:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("@ll", value[:16])
                    time = seconds + nanoseconds / 1e9
            frame = Frame(time, port, data)
            self.frames.append(frame)
            record = parse(frame)
            if record is not None:
                self._records.append(record)
        _, dropped = struct.unpack("@II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.dropped += dropped

    def records(self) -> list[Record]:
        """Every VRRP, ARP and NA packet so far, in the order of arrival."""
        self.drain()
        return self._records

    def adverts(
        self, *, port: str | None = None, vrid: int | None = None, since: float = 0.0, until: float = 1e18
    ) -> list[Advert]:
        """The VRRP adverts that came in by ``port``, for ``vrid``, in that time (seconds since the epoch)."""
        return [
            record
            for record in self.records()
            if isinstance(record, Advert)
            and (port is None or record.port == port)
            and (vrid is None or record.vrid == vrid)
            and since <= record.time < until
        ]

    def announcements(
        self, address: str, *, port: str | None = None, since: float = 0.0, until: float = 1e18
    ) -> list[Arp | NeighborAdvert]:
        """Gratuitous ARP packets and unsolicited neighbour advertisements for ``address``."""
        return [
            record
            for record in self.records()
            if (
                (isinstance(record, Arp) and record.gratuitous and record.sender == address)
                or (isinstance(record, NeighborAdvert) and not record.solicited and record.address == address)
            )
            and (port is None or record.port == port)
            and since <= record.time < until
        ]

    def wait_advert(
        self,
        what: str,
        wanted: Callable[[Advert], bool],
        *,
        since: float = 0.0,
        timeout: float = 10.0,
    ) -> Advert:
        """The first advert after ``since`` that is ``wanted``, as soon as it is there."""
        return wait_for(what, lambda: next(filter(wanted, self.adverts(since=since)), None), timeout)

    def save(self, path: Path) -> Path:
        """Write every frame so far as a pcap file with nanosecond time stamps."""
        self.drain()
        write_pcap(path, self.frames)
        return path

    def close(self) -> None:
        """Take over what is queued and stop. Can be called twice."""
        self.drain()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_pcap(path: Path, frames: list[Frame]) -> None:
    """Write frames as a pcap file (nanosecond variant, Ethernet)."""
    with path.open("wb") as file:
        file.write(struct.pack("=IHHiIII", NANOSECOND_PCAP, 2, 4, 0, 0, 262144, LINKTYPE_ETHERNET))
        for frame in frames:
            seconds, rest = divmod(round(frame.time * 1e9), 1_000_000_000)
            size = len(frame.data)
            file.write(struct.pack("=IIII", seconds, rest, size, size) + frame.data)
