"""The listening side of a control socket: accepts, answers, bounds."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from krun.control.access import Peer, peer_of
from krun.control.framing import MAX_MESSAGE, Message
from krun.control.stream import NOT_READING, Stream
from krun.loop.books import Books, Entry
from krun.loop.events import EventLoop

log = logging.getLogger("krun.control")

REQUEST_LIMIT = 1024 * 1024
"""The longest request in octets: requests are names and paths, never configurations."""

SUN_PATH = 107
"""Octets that sun_path holds (unix(7))."""

CONNECTIONS = 64
"""The most connections at once. One more takes the place of the one that has been idle for the longest time; where none is, it is closed."""

UNDER_WAY = 64
"""How many requests of one connection may wait for their answers; one more is refused."""

BACKLOG = 4 * MAX_MESSAGE
"""How many octets may wait to go out in all: the connection whose answer would be beyond that is cut off."""

SAY_S = 60.0
"""How often at most it is said that connections were turned away."""

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


@dataclass(slots=True)
class _Client:
    """Who is at a connection, how many requests wait for an answer, and when the last thing happened (the loop's time)."""

    peer: Peer | None
    last: float
    under_way: int = 0


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
        backlog: int = BACKLOG,
        peers: bool = False,
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._handler = handler
        self._limit = limit
        self._most = connections
        self._backlog = backlog
        self._peers = peers
        self._streams: dict[Stream, _Client] = {}
        self._said_at = float("-inf")
        self.refused = 0
        """Connections that were turned away, and requests that were too many of one connection."""
        self.cut_off = 0
        """Connections that were ended: idle when all were in use, or not reading."""
        listener.setblocking(False)
        loop.add_reader(listener.fileno(), self._acceptable)

    def status(self) -> dict[str, int]:
        """For the state document."""
        return {
            "connections": len(self._streams),
            "limit": self._most,
            "refused": self.refused,
            "cut_off": self.cut_off,
            "unsent": sum(stream.unsent for stream in self._streams),
        }

    def _acceptable(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._say(f"cannot accept a connection: {error}")
                return
            if len(self._streams) >= self._most and not self._make_room():
                self.refused += 1
                self._say(f"{self._most} connections are in use, one more was closed")
                sock.close()
                continue
            stream = Stream(self._loop, sock, self._received, self._ended, limit=self._limit)
            self._streams[stream] = _Client(peer_of(sock), self._loop.time())

    def _make_room(self) -> bool:
        """End the connection that nothing has happened on for the longest time; False where all are in use."""
        idle = [
            (c.last, n, s)
            for n, (s, c) in enumerate(self._streams.items())
            if not c.under_way and not s.unsent
        ]
        if not idle:
            return False
        _, _, stream = min(idle)
        client = self._streams.pop(stream)
        stream.close()
        self.cut_off += 1
        self._say(
            f"{self._most} connections are open: the one of {client.peer or 'somebody'} was idle the longest, and was closed"
        )
        return True

    def _say(self, words: str) -> None:
        """Now and then: whoever opens connections decides how often there is something to say."""
        now = self._loop.time()
        if now - self._said_at >= SAY_S:
            self._said_at = now
            log.warning("control socket: %s", words)

    def _received(self, stream: Stream, request: Message) -> None:
        identity = request.get("id")
        client = self._streams.get(stream)
        if client is None:
            return
        client.last = self._loop.time()

        def send(message: Message) -> None:
            stream.send(message if identity is None else {**message, "id": identity})
            if stream.unsent and sum(one.unsent for one in self._streams) > self._backlog:
                self._streams.pop(stream, None)
                stream.close()
                self.cut_off += 1
                self._say(f"more than {self._backlog} octets wait to be read: a connection was closed")

        if client.under_way >= UNDER_WAY:
            self.refused += 1
            send({"ok": False, "error": f"{UNDER_WAY} requests of this connection are not answered yet"})
            return
        client.under_way += 1

        def answer(message: Message) -> None:
            client.under_way -= 1
            send(message)

        if self._peers:
            request = {**request, "peer": client.peer}
        self._handler(request, answer)

    def _ended(self, stream: Stream, why: str) -> None:
        if self._streams.pop(stream, None) is not None and why == NOT_READING:
            self.cut_off += 1

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for stream, client in self._streams.items():
            yield Entry("control connection", str(client.peer or "unknown"), stream)

    def close(self, flush_s: float = 0.5) -> None:
        """Stop listening, hand out what was answered, close the connections."""
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for stream in self._streams:
            stream.flush(flush_s)
            stream.close()
        self._streams.clear()
