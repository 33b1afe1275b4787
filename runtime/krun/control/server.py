"""The listening side of a control socket: accepts, answers, bounds."""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from krun.control.framing import Message
from krun.control.stream import Stream
from krun.loop.events import EventLoop

log = logging.getLogger("krun.control")

REQUEST_LIMIT = 1024 * 1024
"""The longest request in octets: requests are names and paths, never configurations."""

CONNECTIONS = 64
"""The most connections at once; one more is closed at once, and logged."""

Answer = Callable[[Message], None]
Handler = Callable[[Message, Answer], None]


def listen(path: Path) -> socket.socket:
    """A listening unix socket at ``path``, mode 0600, non-blocking. What was there before is replaced.

    Raises OSError, also where the path is longer than the 107 octets that sun_path holds (unix(7)).
    """
    raw = os.fsencode(path)
    if len(raw) > 107:
        raise OSError(
            f"{path}: a unix socket's path may have 107 octets, this one has {len(raw)}; choose a shorter --run-dir"
        )
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.bind(raw)
        path.chmod(0o600)
        sock.listen(CONNECTIONS)
    except OSError:
        sock.close()
        raise
    return sock


class ControlServer:
    """Answers requests on ``listener``. ``handler`` gets each request and a function that takes its answer, now or later.

    A request's ``id`` is put into its answer, so that one connection may have several under way. With ``peers`` a request's ``peer`` is
    who asks, whatever the request itself says: ``uid``, ``gid`` and ``pid`` of the process that made the connection (unix(7), SO_PEERCRED).
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
        self._streams: dict[Stream, dict[str, int]] = {}
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
            peer = _peer(sock)
            self._streams[Stream(self._loop, sock, self._received, self._ended, limit=self._limit)] = peer

    def _received(self, stream: Stream, request: Message) -> None:
        identity = request.get("id")

        def answer(message: Message) -> None:
            stream.send(message if identity is None else {**message, "id": identity})

        if self._peers:
            request = {**request, "peer": self._streams.get(stream, {})}
        self._handler(request, answer)

    def _ended(self, stream: Stream, _why: str) -> None:
        self._streams.pop(stream, None)

    def close(self, flush_s: float = 0.5) -> None:
        """Stop listening, hand out what was answered, close the connections."""
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for stream in self._streams:
            stream.flush(flush_s)
            stream.close()
        self._streams.clear()


def _peer(sock: socket.socket) -> dict[str, int]:
    """Who is at the other end (socket(7), struct ucred); empty where the kernel does not say."""
    try:
        pid, uid, gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    except OSError:
        return {}
    return {"pid": pid, "uid": uid, "gid": gid}
