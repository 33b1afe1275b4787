"""sd_notify(3): a datagram to the socket that systemd names in NOTIFY_SOCKET."""

from __future__ import annotations

import logging
import os
import socket
import time

log = logging.getLogger("krun.parent")


def wanted() -> bool:
    """Whether somebody wants to hear of us."""
    return os.environ.get("NOTIFY_SOCKET", "").startswith(("/", "@"))


def notify(*lines: str) -> None:
    """Send ``KEY=VALUE`` lines; nothing where nobody asked for them. Never blocks, never raises."""
    if not wanted():
        return
    address = os.environ["NOTIFY_SOCKET"]
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        ) as sock:
            sock.sendto("\n".join(lines).encode(), name)
    except OSError as error:
        log.warning("sd_notify: %s: %s", address, error.strerror or error)


def ready() -> None:
    """The start is over, or a reload."""
    notify("READY=1", f"MAINPID={os.getpid()}")


def reloading(longest_s: float) -> None:
    """Type=notify-reload wants the moment, so that it can tell this reload's READY from an older one's. ``longest_s``: what it may take;
    systemd would otherwise give it TimeoutStartSec.
    """
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", _extend(longest_s))


def stopping(longest_s: float) -> None:
    """The orderly stop begins and may take ``longest_s``, however short the unit's TimeoutStopSec is."""
    notify("STOPPING=1", "STATUS=stops", _extend(longest_s))


def _extend(seconds: float) -> str:
    return f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}"


def watchdog_s() -> float:
    """How often at least WATCHDOG=1 must come, in seconds (sd_watchdog_enabled(3)); 0: nobody watches this process."""
    try:
        span = int(os.environ.get("WATCHDOG_USEC", "0"))
        pid = int(os.environ.get("WATCHDOG_PID") or os.getpid())
    except ValueError:
        return 0.0
    return span / 1e6 if span > 0 and pid == os.getpid() else 0.0
