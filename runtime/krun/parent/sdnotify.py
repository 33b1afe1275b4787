"""sd_notify(3): a datagram to the socket that systemd names in NOTIFY_SOCKET."""

from __future__ import annotations

import logging
import os
import socket
import time

log = logging.getLogger("krun.parent")


def notify(*lines: str) -> None:
    """Send ``KEY=VALUE`` lines; nothing where nobody asked for them. Never blocks, never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        ) as sock:
            sock.sendto("\n".join(lines).encode(), name)
    except OSError as error:
        log.warning("sd_notify: %s: %s", address, error.strerror or error)


def reloading() -> None:
    """Type=notify-reload wants the moment, so that it can tell this reload's READY from an older one's."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
