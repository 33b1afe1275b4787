"""The addresses of a mail server that the configuration names: asked of the host's resolver by the script process, since that may
take as long as it likes there (getent(1), so ``/etc/hosts`` and nsswitch.conf count as everywhere).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Protocol

from krun.notify.client import ScriptResult, ScriptRun

GETENT = "/usr/bin/getent"
TIMEOUT_US = 20_000_000

Found = Callable[[list[str], str], None]
"""Hears the addresses, or none and why."""


class Runs(Protocol):
    """What is needed of `krun.notify.client.ScriptClient`."""

    def run(self, spec: ScriptRun, done: Callable[[ScriptResult], None] | None = None) -> int: ...


def numeric(host: str) -> bool:
    """Whether ``host`` is an address (with a zone, perhaps) rather than a name."""
    try:
        socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return True


def look_up(scripts: Runs, host: str, found: Found) -> None:
    """Ask for the addresses of ``host``; ``found`` hears the answer from the loop."""

    def ended(result: ScriptResult) -> None:
        addresses = addresses_in(result.output) if result.status == "exited" and result.code == 0 else []
        if addresses:
            found(addresses, "")
        elif result.status == "exited":
            found([], f"smtp_server {host}: no address is known for this name")
        else:
            words = f": {result.output}" if result.output else ""
            found([], f"smtp_server {host}: the name was not looked up ({result.status}{words})")

    scripts.run(
        ScriptRun((GETENT, "ahosts", host), timeout_us=TIMEOUT_US, label=f"look-up of smtp_server {host}"),
        ended,
    )


def addresses_in(output: str) -> list[str]:
    """The addresses in what ``getent ahosts`` prints, each once, in the resolver's order (RFC 6724)."""
    found: dict[str, None] = {}
    for line in output.splitlines():
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        try:
            ipaddress.ip_address(word)
        except ValueError:
            continue
        found[word] = None
    return list(found)
