"""What others do to routes and rules, as the kernel tells it."""

from __future__ import annotations

import ctypes
import errno
import logging
import socket
import struct
import sys
from collections.abc import Mapping

from krun.kernel.door import RouteChanged, RoutingEvent, RoutingLost, RuleChanged
from krun.kernel.netlink.codec import NLM_F_REPLACE, Message
from krun.kernel.netlink.socket import NetlinkSocket
from krun.kernel.routing.routes import header_of, parse_route
from krun.kernel.routing.rules import parse_rule
from krun.kernel.routing.wire import (
    GROUP_IPV4_ROUTE,
    GROUP_IPV4_RULE,
    GROUP_IPV6_ROUTE,
    GROUP_IPV6_RULE,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_NEWROUTE,
    RTPROT_KEEPALIVED,
)

log = logging.getLogger("krun.kernel")

DATAGRAMS_PER_READ = 4096
SO_ATTACH_FILTER = 26

_LD_H, _LD_B, _JEQ, _JSET, _RET = 0x28, 0x30, 0x15, 0x45, 0x06
_ALL = 0xFFFFFFFF


def _filter() -> list[tuple[int, int, int, int]]:
    """A classic BPF program (bpf(4)) for what a director need not hear: a routing daemon's thousands of routes.

    Let through: rules, deleted routes of protocol keepalived, and routes of whomever that took the place of another.
    """
    kind, flags, protocol = 4, 6, 16 + 5
    little = sys.byteorder == "little"

    def native(number: int) -> int:  # BPF loads in network order what the kernel wrote in its own
        return struct.unpack("!H", struct.pack("=H", number))[0] if little else number

    return [
        (_LD_H, 0, 0, kind),
        (_JEQ, 0, 2, native(RTM_DELROUTE)),
        (_LD_B, 0, 0, protocol),
        (_JEQ, 3, 4, RTPROT_KEEPALIVED),
        (_JEQ, 0, 2, native(RTM_NEWROUTE)),
        (_LD_H, 0, 0, flags),
        (_JSET, 0, 1, native(NLM_F_REPLACE)),
        (_RET, 0, 0, _ALL),
        (_RET, 0, 0, 0),
    ]


def attach_filter(sock: socket.socket) -> None:
    """Have the kernel drop what `_filter` does not let through."""
    program = b"".join(struct.pack("=HBBI", *line) for line in _filter())
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)


class WatchSocket(NetlinkSocket):
    """Subscribed to routes and rules."""

    def __init__(self) -> None:
        groups = sum(
            1 << group - 1 for group in (GROUP_IPV4_ROUTE, GROUP_IPV4_RULE, GROUP_IPV6_ROUTE, GROUP_IPV6_RULE)
        )
        super().__init__(socket.NETLINK_ROUTE, groups)
        try:
            attach_filter(self._socket)
        except OSError as error:
            log.warning("cannot filter the news of routes: %s", error.strerror)


class Watch:
    """Reads the news. A loss of some is an event too: compare everything."""

    def __init__(self) -> None:
        self._socket = WatchSocket()
        self.overruns = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self, devices: Mapping[int, str]) -> list[RoutingEvent]:
        """The events that came in since, never blocking."""
        events: list[RoutingEvent] = []
        for _ in range(DATAGRAMS_PER_READ):
            try:
                received = self._socket.receive()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                events.append(RoutingLost())
                continue
            if received is None:
                break
            for message in received:
                event = _event(message, devices)
                if event is not None:
                    events.append(event)
        return events


def _event(message: Message, devices: Mapping[int, str]) -> RoutingEvent | None:
    if message.kind == RTM_DELRULE:
        rule = parse_rule(message)
        return None if rule is None else RuleChanged(rule)
    if message.kind == RTM_DELROUTE:
        if header_of(message)[1] != RTPROT_KEEPALIVED:
            return None
    elif message.kind != RTM_NEWROUTE or not message.flags & NLM_F_REPLACE:
        return None
    route = parse_route(message, devices)
    return None if route is None else RouteChanged(route, gone=message.kind == RTM_DELROUTE)


__all__ = ["Watch", "WatchSocket", "attach_filter"]
