"""Raw VRRP sockets: IP protocol 112 on one interface (RFC 9568 section 5.1, ip(7), ipv6(7), raw(7))."""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import os
import socket
import struct
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from krun.kernel.netlink.socket import SO_RCVBUFFORCE, address_octets, address_text, grow

IPPROTO_VRRP = 112
CONTROL_CLASS = 0xC0
"""TOS and traffic class of adverts: class selector 6, internetwork control (RFC 2474)."""

RECEIVE_BUFFER = 4 << 20
RECEIVE_OCTETS = 65535
TC_PRIO_CONTROL = 7
SOURCES = 64
"""For how many sources of one socket the ancillary data is kept ready."""

SYSTEM_TTL = -1
"""As ``ttl`` of `send`, IPv6 only: the system's default hop limit."""

IP_MULTICAST_ALL = 49
IPV6_MULTICAST_ALL = 29
SO_ATTACH_FILTER = 26

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_PKTINFO = struct.Struct("=16sI")
_INT = struct.Struct("=i")
_ANCILLARY = socket.CMSG_SPACE(_PKTINFO.size) + socket.CMSG_SPACE(_INT.size)
_RETRIES = 16

_Setup = Callable[[socket.socket], None]


_receivers: weakref.WeakSet[socket.socket] = weakref.WeakSet()
_room = [RECEIVE_BUFFER]


def receive_buffer(least: int) -> None:
    """The VRRP sockets of this process have room for ``least`` octets, and never less than `RECEIVE_BUFFER`: those that are open, and those
    to come."""
    wanted = max(RECEIVE_BUFFER, least)
    if wanted != _room[0]:
        _room[0] = wanted
        for sock in list(_receivers):
            if sock.fileno() >= 0:
                grow(sock, SO_RCVBUFFORCE, socket.SO_RCVBUF, wanted)


def _make_room(sock: socket.socket) -> None:
    grow(sock, SO_RCVBUFFORCE, socket.SO_RCVBUF, _room[0])
    _receivers.add(sock)


class AdvertSocket4:
    """VRRP over IPv4. The IP header is ours: the source address may be one that the interface does not (yet) have.

    ``group`` and ``source``: see `krun.kernel.door.Kernel.advert_socket`. ``route_device``: the device that unicast packets
    are sent by, empty for normal routing (the master of a VRF, where the interface is in one). Raises OSError.
    """

    def __init__(self, device: str, group: str | None, source: str | None, route_device: str = "") -> None:
        self._identification = 0

        def receiving(sock: socket.socket) -> None:
            index = _bind_device(sock, device)
            sock.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            if group is not None:
                member = struct.pack("=4s4si", address_octets(group), bytes(4), index)
                with _saying(f"cannot join {group} on {device}"):
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            _make_room(sock)
            local = _bound(group, source, "0.0.0.0")  # noqa: S104
            with _saying(f"cannot bind to {local} (is it an address of this host?)"):
                sock.bind((local, 0))

        def sending(sock: socket.socket) -> None:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, TC_PRIO_CONTROL)
            if group is not None:
                index = _bind_device(sock, device)
                choice = struct.pack("=4s4si", bytes(4), bytes(4), index)
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, choice)
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
            elif route_device:
                _bind_device(sock, route_device)

        # Two sockets: what is sent has its own routing. IPPROTO_RAW receives nothing.
        self._in, self._out = _open_pair(socket.AF_INET, socket.IPPROTO_RAW, receiving, sending)

    def fileno(self) -> int:
        return self._in.fileno()

    def send(self, packet: bytes, source: str, destination: str, ttl: int) -> None:
        """Send one VRRP PDU. Raises OSError; ValueError for a TTL that is not 0 … 255."""
        if not 0 <= ttl <= 255:
            raise ValueError(f"a TTL is 0 to 255, not {ttl}")
        self._identification = self._identification % 0xFFFF + 1  # never 0: the kernel would choose one
        header = _IPV4.pack(
            0x45,
            CONTROL_CLASS,
            _IPV4.size + len(packet),
            self._identification,
            0,
            ttl,
            IPPROTO_VRRP,
            0,  # the kernel fills the header checksum in
            address_octets(source),
            address_octets(destination),
        )
        self._out.sendto(header + packet, (destination, 0))

    def receive(self) -> tuple[bytes, str, str, int] | None:
        """The next packet; one whose header cannot be is passed over."""
        for _ in range(_RETRIES):
            try:
                data = self._in.recv(RECEIVE_OCTETS)
            except BlockingIOError:
                return None
            except OSError as error:
                if _passing(error):
                    continue
                raise
            header = (data[0] & 0x0F) * 4 if data else 0
            if header < _IPV4.size or len(data) < header:
                continue
            return data[header:], address_text(data[12:16]), address_text(data[16:20]), data[8]
        return None

    def close(self) -> None:
        self._in.close()
        self._out.close()


class AdvertSocket6:
    """VRRP over IPv6. The source address must be one of the host, and past duplicate address detection: the kernel checks.

    The PDU's checksum is the caller's: the kernel's own (IPV6_CHECKSUM) is off. Parameters as `AdvertSocket4`.
    """

    def __init__(self, device: str, group: str | None, source: str | None, route_device: str = "") -> None:
        self._scope = 0
        self._multicast = group is not None
        self._ancillary: dict[tuple[str, int], list[tuple[int, int, bytes]]] = {}

        def receiving(sock: socket.socket) -> None:
            index = self._scope = _bind_device(sock, device)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
            if group is not None:
                member = struct.pack("=16sI", address_octets(group), index)
                with _saying(f"cannot join {group} on {device} (is IPv6 enabled on it?)"):
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            _make_room(sock)
            local = _bound(group, source, "::")
            with _saying(f"cannot bind to {local} (is it an address of this host, and not tentative?)"):
                sock.bind((local, 0, 0, index))

        def sending(sock: socket.socket) -> None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, TC_PRIO_CONTROL)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CONTROL_CLASS)
            _receive_nothing(sock)
            if group is not None:
                index = _bind_device(sock, device)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
            elif route_device:
                _bind_device(sock, route_device)

        self._in, self._out = _open_pair(socket.AF_INET6, IPPROTO_VRRP, receiving, sending)

    def fileno(self) -> int:
        return self._in.fileno()

    def send(self, packet: bytes, source: str, destination: str, ttl: int) -> None:
        """Send one VRRP PDU; ``ttl`` `SYSTEM_TTL`: the default hop limit. Raises OSError."""
        ancillary = self._ancillary.get((source, ttl))
        if ancillary is None:
            # An interface here would overrule the routing of unicast packets; a link-local source needs it.
            index = self._scope if self._multicast or source.startswith("fe80") else 0
            ancillary = [
                (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO.pack(address_octets(source), index)),
                (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, _INT.pack(ttl)),
            ]
            if len(self._ancillary) >= SOURCES:
                self._ancillary.clear()
            self._ancillary[(source, ttl)] = ancillary
        # The scope counts for link-local destinations only.
        self._out.sendmsg([packet], ancillary, 0, (destination, 0, 0, self._scope))

    def receive(self) -> tuple[bytes, str, str, int] | None:
        """The next packet."""
        for _ in range(_RETRIES):
            try:
                data, ancillary, _, sender = self._in.recvmsg(RECEIVE_OCTETS, _ANCILLARY)
            except BlockingIOError:
                return None
            except OSError as error:
                if _passing(error):
                    continue
                raise
            destination, ttl = "", -1
            for _level, kind, value in ancillary:
                if kind == socket.IPV6_PKTINFO and len(value) >= _PKTINFO.size:
                    destination = address_text(value[:16])
                elif kind == socket.IPV6_HOPLIMIT and len(value) >= _INT.size:
                    (ttl,) = _INT.unpack_from(value)
            return data, sender[0].partition("%")[0], destination, ttl
        return None

    def close(self) -> None:
        self._in.close()
        self._out.close()


def _open_pair(
    family: int, sending_protocol: int, receiving: _Setup, sending: _Setup
) -> tuple[socket.socket, socket.socket]:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with _saying("cannot open a raw socket (CAP_NET_RAW is needed)"):
        inward = socket.socket(family, kind, IPPROTO_VRRP)
    try:
        receiving(inward)
        outward = socket.socket(family, kind, sending_protocol)
        try:
            sending(outward)
        except BaseException:
            outward.close()
            raise
    except BaseException:
        inward.close()
        raise
    return inward, outward


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Put words before the error of a system call; the number stays."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{what}: {os.strerror(error.errno or 0)}") from error


def _bind_device(sock: socket.socket, device: str) -> int:
    """Bind to an interface; returns its index. Raises OSError where there is none."""
    try:
        index = socket.if_nametoindex(device)
    except OSError:
        raise OSError(errno.ENODEV, f"there is no interface {device}") from None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    return index


def _bound(group: str | None, source: str | None, any_address: str) -> str:
    """What a receiving socket is bound to: the group, or the own unicast address, so that it hears nothing else."""
    if group is not None:
        if not ipaddress.ip_address(group).is_multicast:
            raise OSError(errno.EINVAL, f"{group} is not a multicast address")
        return group
    return source if source is not None else any_address


def _receive_nothing(sock: socket.socket) -> None:
    """A filter that drops all: the sending socket has the protocol's number and would be given every packet too."""
    # struct sock_filter: BPF_RET | BPF_K with 0; struct sock_fprog: count, pointer.
    program = struct.pack("=HBBI", 0x06, 0, 0, 0)
    buffer = (ctypes.c_char * len(program)).from_buffer_copy(program)
    fprog = struct.pack("@HP", 1, ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)


def _passing(error: OSError) -> bool:
    """An error that was queued at the socket and says nothing of the next packet (ICMP errors, an interface going down)."""
    return error.errno in (
        errno.ENETDOWN,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ECONNREFUSED,
        errno.EHOSTDOWN,
        errno.ENOPROTOOPT,
        errno.EPROTO,
        errno.EMSGSIZE,
    )
