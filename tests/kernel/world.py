"""The guest's little data centre: one segment with a client, a director, real servers and a sorry server.

The addresses of both forwarding methods share the segment: NAT servers live in 10.0.0.0/24 with the
director as their default gateway, DR servers are on the client's network and hold the virtual addresses on
their loopback. The director needs no second interface, only to keep from sending redirects.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Director, Namespace, Segment, set_sysctl
from lab.processes import wait_for

__all__ = ["Server", "World"]

VIP = "192.0.2.100"
SERVERS = {
    "one": ("10.0.0.11", "192.0.2.11"),
    "two": ("10.0.0.12", "192.0.2.12"),
    "sorry": ("10.0.0.13", "192.0.2.13"),
}

ADDRESSES: dict[str, Sequence[str]] = {
    "client": ["192.0.2.9/24"],
    "director": ["192.0.2.1/24", "10.0.0.1/24"],
    **{name: [f"{inner}/24", f"{outer}/24"] for name, (inner, outer) in SERVERS.items()},
}


class Server:
    """A real server's service on one port of every address: says its name, then echoes lines.

    As HTTP it answers a GET with ``status`` and its name, so one service does for both kinds of check.
    """

    def __init__(self, namespace: Namespace, name: str, port: int) -> None:
        self.namespace, self.name, self.port = namespace, name, port
        self.status = 200
        self._listener: socket.socket | None = None
        self.start()

    def start(self) -> None:
        """Listen (again)."""
        with self.namespace:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Listen no longer: new connections are refused, open ones stay."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rwb", buffering=0) as stream:
            while line := stream.readline():
                if line.startswith(b"GET "):
                    while stream.readline().strip():  # closing with something unread would be a reset
                        pass
                    body = self.name.encode()
                    head = f"HTTP/1.0 {self.status} X\r\nContent-Length: {len(body)}\r\n\r\n"
                    stream.write(head.encode() + body)
                    return
                stream.write(self.name.encode() + b": " + line)


class World:
    """The segment with everything on it but the director's program. A context manager."""

    def __init__(self) -> None:
        self.programs: list[Keepalived | Krun] = []
        self.segment = Segment(ADDRESSES, label="world")
        self.director: Director = self.segment["director"]
        self.client = self.segment["client"]
        with self.director:
            set_sysctl("net/ipv4/ip_forward", "1")
            for scope in ("all", Director.device):
                set_sysctl(f"net/ipv4/conf/{scope}/send_redirects", "0")
        for name in SERVERS:
            server = self.segment[name]
            with server:
                for scope in ("all", Director.device):
                    set_sysctl(f"net/ipv4/conf/{scope}/arp_ignore", "1")
                    set_sysctl(f"net/ipv4/conf/{scope}/arp_announce", "2")
            # NAT answers go back through the director, from the inner address; DR answers go straight.
            server.ip(
                f"addr add {VIP}/32 dev lo",
                "route add default via 10.0.0.1 table 10",
                "rule add from 10.0.0.0/24 to 10.0.0.0/24 lookup main priority 10",
                "rule add from 10.0.0.0/24 lookup 10 priority 11",
            )

    def run(self, program: str, config: str) -> Keepalived | Krun:
        """Start the director's program and wait until it answers."""
        folder = self.segment.folder / "director"
        running: Keepalived | Krun
        if program == "krun":
            running = Krun(self.director, config, folder=folder)
        else:
            running = Keepalived(self.director, config)
        self.programs.append(running)
        running.wait_running()
        return running

    def table(self) -> list[str]:
        """The lines of ``ipvsadm -Sn``, sorted: the kernel lists services by hash."""
        return sorted(line.rstrip() for line in self.director.run(["ipvsadm", "-Sn"]).stdout.splitlines())

    def wait_table(self, what: str, wanted: Sequence[str], timeout: float = 20.0) -> None:
        """Wait until the table is exactly ``wanted`` (in any order)."""
        expected = sorted(wanted)
        seen: list[list[str]] = [[]]

        def same() -> bool:
            seen[0] = self.table()
            return seen[0] == expected

        try:
            wait_for(what, same, timeout, interval=0.2)
        except AssertionError:
            lacking = [line for line in expected if line not in seen[0]]
            surplus = [line for line in seen[0] if line not in expected]
            raise AssertionError(
                f"waited {timeout:g} s for {what}:\nnot there: {lacking}\nnot expected: {surplus}"
            ) from None

    def connections(self) -> list[str]:
        """The lines of ``ipvsadm -Lcn`` that are established connections."""
        listing = self.director.run(["ipvsadm", "-Lcn"]).stdout.splitlines()
        return [line for line in listing if " ESTABLISHED " in line]

    def connect(self, port: int, timeout: float = 5.0) -> socket.socket:
        """A connection of the client to the virtual address."""
        with self.client:
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.connect((VIP, port))
        return connection

    def ask(self, port: int) -> str:
        """Connect anew and return the name of the server that answered."""
        with self.connect(port) as connection:
            return say(connection, "who")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is not None:
            for number, program in enumerate(self.programs, start=1):
                print(f"--- log of {program.kind} {number}\n{program.logged()[-8000:]}", file=sys.stderr)
        self.segment.close()


def say(connection: socket.socket, word: str) -> str:
    """Send a line over an open connection; returns the name of the server that echoed it."""
    connection.sendall(word.encode() + b"\n")
    name, _, echo = connection.recv(1024).decode().strip().partition(": ")
    assert echo == word, f"{name!r} echoed {echo!r} for {word!r}"
    return name
