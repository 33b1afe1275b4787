"""What the kernel of a namespace says about its addresses: every one that comes, goes or is edited, whoever does it (rtnetlink(7))."""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Self

from lab.netns import Namespace

__all__ = ["AddressEvents"]

# include/uapi/linux/rtnetlink.h, if_addr.h
RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
RTM_NEWADDR, RTM_DELADDR = 20, 21
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
IFA_ADDRESS, IFA_LOCAL = 1, 2
_HEADER, _ADDRESS, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BBBBI"), struct.Struct("=HH")


class AddressEvents:
    """``add 192.0.2.100/24 eth0`` and ``del …``, in the kernel's order, of ``namespace`` from now on. A context manager.

    An edit in place is an ``add``, too. Interfaces keep the name that they have when an event is read first.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._names: dict[int, str] = {}
        with namespace:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0
            )
            # More than any test makes: a storm of addresses on another link is not to hide what happens on this one.
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            self._socket.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
            self._names = dict(socket.if_nameindex())

    def take(self) -> list[str]:
        """The events since the last call."""
        found: list[str] = []
        while True:
            try:
                data = self._socket.recv(1 << 20)
            except BlockingIOError:
                return found
            while len(data) >= _HEADER.size:
                length, kind, *_ = _HEADER.unpack_from(data)
                if length < _HEADER.size:
                    break
                if kind in (RTM_NEWADDR, RTM_DELADDR):
                    found.append(self._words(kind, data[_HEADER.size : length]))
                data = data[(length + 3) & ~3 :]

    def _words(self, kind: int, body: bytes) -> str:
        family, prefix, _, _, index = _ADDRESS.unpack_from(body)
        if index not in self._names:
            with self._namespace:
                self._names |= dict(socket.if_nameindex())
        found: dict[int, bytes] = {}
        at = _ADDRESS.size
        while at + _ATTRIBUTE.size <= len(body):
            size, number = _ATTRIBUTE.unpack_from(body, at)
            found[number] = body[at + _ATTRIBUTE.size : at + size]
            at += max((size + 3) & ~3, _ATTRIBUTE.size)
        address = socket.inet_ntop(family, found.get(IFA_LOCAL) or found[IFA_ADDRESS])
        device = self._names.get(index, f"#{index}")
        return f"{'add' if kind == RTM_NEWADDR else 'del'} {address}/{prefix} {device}"

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
