"""Opening a non-blocking connection to a checked server."""

from __future__ import annotations

import errno
import os
import socket

from kir.model import Endpoint
from krun.check.outcome import Outcome, bad, unable

REFUSING = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.ETIMEDOUT,
        errno.EPIPE,
        errno.EPROTO,
    }
)
"""What says something of the server or of the way to it; any other error of connect(2) is this host's own trouble."""


def words(code: int) -> str:
    """An errno in words: ``connection refused``."""
    text = os.strerror(code)
    return text[:1].lower() + text[1:]


def judge(code: int) -> Outcome:
    """What an error of connect(2) says: the server failed, or nothing about it."""
    return bad(words(code)) if code in REFUSING else unable(f"cannot connect: {words(code)}")


def open_connection(endpoint: Endpoint) -> tuple[socket.socket, bool] | Outcome:
    """A non-blocking socket that is connected (True) or connecting (False), or why there is none.

    Bound to the endpoint's address, port, interface and mark before the connect. A socket that cannot be made or bound is
    ``unable``; a refusal or an unreachable network is ``bad``.
    """
    family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        return unable(f"cannot create a socket: {words(error.errno or 0)}")
    try:
        if endpoint.fwmark:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, endpoint.fwmark)
        if endpoint.bind_interface:
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, endpoint.bind_interface.encode() + b"\0"
            )
        if endpoint.bind_address or endpoint.bind_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 (any local address, as configured)
            sock.bind(_place(endpoint, endpoint.bind_address or any_address, endpoint.bind_port))
        target = _place(endpoint, endpoint.address, endpoint.port)
    except OSError as error:
        sock.close()
        return unable(f"cannot set up the socket ({_setting(endpoint)}): {words(error.errno or 0)}")
    try:
        sock.connect(target)
    except BlockingIOError:
        return sock, False
    except OSError as error:
        sock.close()
        return judge(error.errno or 0)
    return sock, True


def _place(endpoint: Endpoint, address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """A socket address. A link-local IPv6 address needs the index of its interface (RFC 4007)."""
    if ":" not in address:
        return (address, port)
    scope = 0
    if endpoint.bind_interface and address.lower().startswith(("fe8", "fe9", "fea", "feb")):
        scope = socket.if_nametoindex(endpoint.bind_interface)
    return (address, port, 0, scope)


def _setting(endpoint: Endpoint) -> str:
    """The configured parts of the endpoint that can go wrong on this host."""
    parts = []
    if endpoint.bind_address or endpoint.bind_port:
        parts.append(f"bindto {endpoint.bind_address or 'any'} port {endpoint.bind_port or 'any'}")
    if endpoint.bind_interface:
        parts.append(f"bind_if {endpoint.bind_interface}")
    if endpoint.fwmark:
        parts.append(f"fwmark {endpoint.fwmark}")
    return ", ".join(parts) or "no options"
