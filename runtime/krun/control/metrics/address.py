"""Where metrics may be served: a unix socket or the loopback. What they say is nobody else's business."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

BACKLOG = 16
_SUN_PATH = 107
"""Octets that sun_path holds (unix(7))."""


@dataclass(frozen=True, slots=True)
class Where:
    """``path`` of a unix socket, or a loopback ``host`` and ``port``."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Where:
    """``unix:/PATH``, ``127.0.0.1:9650`` or ``[::1]:9650``. Raises ValueError with words for the user."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError(f"`{text}`: give the socket's whole path, as in unix:/run/krun-metrics.sock")
        if "\0" in path or len(os.fsencode(path)) > _SUN_PATH:
            raise ValueError(f"`{text}`: a unix socket's path may have {_SUN_PATH} octets")
        return Where(path=path)
    host, colon, digits = text.rpartition(":")
    if not colon or not digits.isascii() or not digits.isdecimal():
        raise ValueError(f"`{text}` is no place: write unix:/PATH or 127.0.0.1:PORT")
    if not 1024 <= int(digits) <= 65535:
        raise ValueError(
            f"`{text}`: the port must be 1024 to 65535: the process that serves metrics has no privileges"
        )
    if host == "localhost":
        host = "127.0.0.1"
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(f"`{host}` is no address: write unix:/PATH, 127.0.0.1:PORT or [::1]:PORT") from None
    if not address.is_loopback:
        raise ValueError(
            f"`{host}` is not the loopback: metrics name every address and server here and are served without a password; "
            "bind 127.0.0.1 or a unix socket, and put a proxy with TLS and authentication before it"
        )
    return Where(host=str(address), port=int(digits))


def listen(where: Where) -> socket.socket:
    """A listening socket, non-blocking. Raises OSError with words.

    A socket that an earlier process left is replaced; anything else at that path is not. Whoever reaches the path may read: its folder decides
    who does.
    """
    if where.path:
        return _listen_unix(where.path)
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((where.host, where.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(f"metrics at {where}: {error.strerror or error}") from None
    return sock


def _listen_unix(name: str) -> socket.socket:
    path = Path(name)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if path.is_symlink() or path.exists():
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise OSError(f"metrics at unix:{name}: there is a file that is no socket; remove it")
            path.unlink()
        sock.bind(name)
        path.chmod(0o666)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno is None:
            raise
        raise OSError(f"metrics at unix:{name}: {error.strerror or error}") from None
    return sock
