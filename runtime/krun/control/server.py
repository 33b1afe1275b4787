"""The listening side of a control socket: accepts, answers, bounds."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

from krun.control.access import Peer, peer_of
from krun.control.framing import Message
from krun.control.stream import Stream
from krun.loop.books import Books, Entry
from krun.loop.events import EventLoop

log = logging.getLogger("krun.control")

REQUEST_LIMIT = 1024 * 1024
"""The longest request in octets: requests are names and paths, never configurations."""

SUN_PATH = 107
"""Octets that sun_path holds (unix(7))."""

CONNECTIONS = 64
"""The most connections at once; one more is closed at once, and logged."""

Answer = Callable[[Message], None]
Handler = Callable[[Message, Answer], None]


def listen(path: Path, group: int | None = None) -> socket.socket:
    """A listening unix socket at ``path``, non-blocking, mode 0600; with ``group`` (its number) 0660 and that group's. What was there
    before is replaced.

    Raises OSError, also where the path is longer than the 107 octets that sun_path holds (unix(7)).
    """
    raw = os.fsencode(path)
    if too_long := sun_path_problem(path):
        raise OSError(too_long)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.bind(raw)
        if group is None:
            path.chmod(0o600)
        else:
            os.chown(path, -1, group)
            path.chmod(0o660)
        sock.listen(CONNECTIONS)
    except OSError:
        sock.close()
        raise
    return sock


def sun_path_problem(path: Path) -> str:
    """What is wrong with a socket at ``path``, if it is too long; else empty."""
    length = len(os.fsencode(path))
    if length <= SUN_PATH:
        return ""
    return f"{path}: a unix socket's path may have {SUN_PATH} octets, this one has {length}; choose a shorter --run-dir"


class ControlServer:
    """Answers requests on ``listener``. ``handler`` gets each request and a function that takes its answer, now or later.

    A request's ``id`` is put into its answer, so that one connection may have several under way. With ``peers`` a request's ``peer`` is
    who asks, whatever the request itself says: the `krun.control.access.Peer` that made the connection, None where nobody knows.
    """

    def __init__(
        self,
        loop: EventLoop,
        listener: socket.socket,
        handler: Handler,
        *,
        limit: int = REQUEST_LIMIT,
        connections: int = CONNECTIONS,
        peers: bool = False,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._handler = handler
        self._limit = limit
        self._most = connections
        self._peers = peers
        self._streams: dict[Stream, Peer | None] = {}
        listener.setblocking(False)
        loop.add_reader(listener.fileno(), self._acceptable)

    def _acceptable(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                log.error("control socket: cannot accept a connection: %s", error)
                return
            if len(self._streams) >= self._most:
                log.warning("control socket: %d connections are open, one more was closed", self._most)
                sock.close()
                continue
            peer = peer_of(sock)
            self._streams[Stream(self._loop, sock, self._received, self._ended, limit=self._limit)] = peer

    def _received(self, stream: Stream, request: Message) -> None:
        identity = request.get("id")

        def answer(message: Message) -> None:
            stream.send(message if identity is None else {**message, "id": identity})

        if self._peers:
            request = {**request, "peer": self._streams.get(stream)}
        self._handler(request, answer)

    def _ended(self, stream: Stream, _why: str) -> None:
        self._streams.pop(stream, None)

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for stream, peer in self._streams.items():
            yield Entry("control connection", str(peer or "unknown"), stream)

    def close(self, flush_s: float = 0.5) -> None:
        """Stop listening, hand out what was answered, close the connections."""
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for stream in self._streams:
            stream.flush(flush_s)
            stream.close()
        self._streams.clear()
