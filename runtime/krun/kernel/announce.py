"""Gratuitous ARP (RFC 826, RFC 5227) and unsolicited neighbour advertisements (RFC 4861), as whole Ethernet frames."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from krun.kernel.door import Link
from krun.kernel.netlink.socket import SO_SNDBUFFORCE, address_octets, grow

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
ARPHRD_ETHER = 1
BROADCAST = b"\xff" * 6
ALL_NODES = address_octets("ff02::1")
ALL_NODES_MAC = bytes.fromhex("333300000001")
ICMPV6, NEIGHBOUR_ADVERTISEMENT = 58, 136
ROUTER, OVERRIDE = 0x80, 0x20
TARGET_LINK_LAYER_ADDRESS = 2

CACHED_FRAMES = 8192
"""Frames kept for the next time; each is some 100 octets."""

SEND_BUFFER = 8 << 20
"""A frame on its way counts with some 800 octets: a burst for ten thousand addresses fits."""

PATIENCE = 20
"""How many milliseconds one call may wait, in all, for a full queue of an interface."""

_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_ADVERTISEMENT = struct.Struct("!BBHB3x16sBB6s")


def gratuitous_arp(mac: bytes, address: bytes) -> bytes:
    """The broadcast frame that tells everybody that ``address`` (4 octets) is at ``mac``.

    A request for the sender's own address (RFC 5227 section 3), with the broadcast address as the target's hardware
    address, as keepalived sends it.
    """
    arp = _ARP.pack(ARPHRD_ETHER, 0x0800, 6, 4, 1, mac, address, BROADCAST, address)
    return _ETHERNET.pack(BROADCAST, mac, ETH_P_ARP) + arp


def neighbour_advertisement(mac: bytes, address: bytes, *, router: bool) -> bytes:
    """The unsolicited advertisement to all nodes that ``address`` (16 octets) is at ``mac`` (RFC 4861 section 7.2.6)."""
    flags = OVERRIDE | (ROUTER if router else 0)
    fields = (flags, address, TARGET_LINK_LAYER_ADDRESS, 1, mac)
    size = _ADVERTISEMENT.size
    pseudo = address + ALL_NODES + struct.pack("!II", size, ICMPV6)
    checksum = internet_checksum(pseudo + _ADVERTISEMENT.pack(NEIGHBOUR_ADVERTISEMENT, 0, 0, *fields))
    body = _ADVERTISEMENT.pack(NEIGHBOUR_ADVERTISEMENT, 0, checksum, *fields)
    header = _IPV6.pack(6 << 28, size, ICMPV6, 255, address, ALL_NODES)
    return _ETHERNET.pack(ALL_NODES_MAC, mac, ETH_P_IPV6) + header + body


def internet_checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class LinuxAnnouncer:
    """Sends announcements by packet sockets, one an interface. ``links`` gives the interfaces as they are now."""

    def __init__(self, links: Callable[[], Mapping[str, Link]]) -> None:
        self._links = links
        self._sockets: dict[int, socket.socket] = {}
        self._frames: dict[tuple[bytes, bool, str], bytes] = {}

    def announce(self, device: str, addresses: Sequence[str]) -> None:
        """Send one message for each address on the device, in order; nothing where the interface does no ARP.

        Raises OSError: at once where the interface cannot be used, after trying all where one message could not be sent.
        """
        link = self._links().get(device)
        if link is None:
            raise OSError(errno.ENODEV, f"cannot announce addresses: there is no interface {device}")
        if not link.arp or link.loopback:
            return
        if link.hardware != ARPHRD_ETHER or len(link.mac) != 6:
            raise OSError(
                errno.EAFNOSUPPORT,
                f"cannot announce addresses on {device}: only Ethernet is supported, it is of hardware type {link.hardware}",
            )
        router = any(":" in address for address in addresses) and _forwards_ipv6(device)
        sock = self._socket(link)
        first: OSError | None = None
        patience = PATIENCE
        for address in addresses:
            try:
                patience = _send(sock, self._frame(link.mac, router, address), patience)
            except OSError as error:
                first = first or OSError(
                    error.errno, f"cannot announce {address} on {device}: {os.strerror(error.errno or 0)}"
                )
        if first is not None:
            raise first

    def close(self) -> None:
        """Close all sockets."""
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def _socket(self, link: Link) -> socket.socket:
        sock = self._sockets.get(link.index)
        if sock is None:
            present = {other.index for other in self._links().values()}
            for index in [i for i in self._sockets if i not in present]:
                self._sockets.pop(index).close()
            # Protocol 0: nothing is received.
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            sock = socket.socket(socket.AF_PACKET, kind, 0)
            try:
                grow(sock, SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER)
                sock.bind((link.name, 0))
            except BaseException:
                sock.close()
                raise
            self._sockets[link.index] = sock
        return sock

    def _frame(self, mac: bytes, router: bool, address: str) -> bytes:
        key = (mac, router, address)
        frame = self._frames.get(key)
        if frame is None:
            octets = address_octets(address)
            if len(octets) == 4:
                frame = gratuitous_arp(mac, octets)
            else:
                frame = neighbour_advertisement(mac, octets, router=router)
            if len(self._frames) >= CACHED_FRAMES:
                self._frames.clear()
            self._frames[key] = frame
        return frame


def _send(sock: socket.socket, frame: bytes, patience: int) -> int:
    """Send a frame; where the interface's queue is full, wait a millisecond, ``patience`` times. Returns what is left of it."""
    while True:
        try:
            sock.send(frame)
        except OSError as error:
            if error.errno not in (errno.ENOBUFS, errno.EAGAIN) or not patience:
                raise
            patience -= 1
            time.sleep(0.001)
        else:
            return patience


def _forwards_ipv6(device: str) -> bool:
    try:
        return (Path("/proc/sys/net/ipv6/conf") / device / "forwarding").read_text().strip() != "0"
    except OSError:
        return False
