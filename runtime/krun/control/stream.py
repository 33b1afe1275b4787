"""A connection that carries messages both ways and never blocks: over any `krun.loop.events.EventLoop`."""

from __future__ import annotations

import socket
from collections.abc import Callable

from krun.control.framing import MAX_MESSAGE, Decoder, FramingError, Message, encode
from krun.loop.events import EventLoop, Handle

STALLED_S = 30.0
"""How long a peer may take to read anything at all of what waits for it."""

NOT_READING = "it does not read its answers"

Received = Callable[["Stream", Message], None]
Ended = Callable[["Stream", str], None]


class Stream:
    """Messages over a connected stream socket.

    ``received`` is called for each message, ``ended`` once, with the reason, when the other side closed or broke the framing;
    not after `close`. ``limit`` bounds a message that comes in; ``backlog`` the octets that wait to go out: a peer that asks
    and never reads is cut off.
    """

    def __init__(
        self,
        loop: EventLoop,
        sock: socket.socket,
        received: Received,
        ended: Ended,
        *,
        limit: int = MAX_MESSAGE,
        backlog: int = 2 * MAX_MESSAGE,
        stalled_s: float = STALLED_S,
    ) -> None:
        self._stalled_s = stalled_s
        sock.setblocking(False)
        self._loop = loop
        self._socket: socket.socket | None = sock
        self._fd = sock.fileno()
        self._received = received
        self._ended = ended
        self._decoder = Decoder(limit)
        self._backlog = backlog
        self._out = bytearray()
        self._writing = False
        self._sent = 0
        self._patience: Handle | None = None
        loop.add_reader(self._fd, self._readable)

    @property
    def open(self) -> bool:
        return self._socket is not None

    def send(self, message: Message) -> None:
        """Send soon; a connection that is gone swallows it. Raises `FramingError` for a message that is too long."""
        if self._socket is None:
            return
        self._out += encode(message)
        if len(self._out) > self._backlog:
            self._finish(NOT_READING)
            return
        self._write()

    @property
    def unsent(self) -> int:
        """How many octets wait to go out."""
        return len(self._out)

    def flush(self, seconds: float) -> None:
        """Write what waits, blocking for at most ``seconds`` a write; used where the loop ends right after."""
        if self._socket is not None and self._out:
            self._socket.settimeout(seconds)
            try:
                self._socket.sendall(self._out)
            except OSError:
                pass  # The other side is gone: there is nobody left to tell.
            self._out.clear()

    def close(self) -> None:
        """Close now; what waits to go out is lost."""
        if self._socket is None:
            return
        self._loop.remove_reader(self._fd)
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)
        self._socket.close()
        self._socket = None
        self._out.clear()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _finish(self, why: str) -> None:
        if self._socket is not None:
            self.close()
            self._ended(self, why)

    def _write(self) -> None:
        assert self._socket is not None
        try:
            while self._out:
                sent = self._socket.send(self._out)
                self._sent += sent
                del self._out[:sent]
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._fd, self._writable)
            if self._patience is None:
                self._wait_for_reader()
            return
        except OSError:
            # The end of the connection is noticed by the reader as well; there it is dealt with, in one place.
            self._out.clear()
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _wait_for_reader(self) -> None:
        sent = self._sent

        def late() -> None:
            self._patience = None
            if self._socket is None or not self._out:
                return
            if self._sent == sent:
                self._finish(NOT_READING)
            else:
                self._wait_for_reader()

        self._patience = self._loop.call_later(self._stalled_s, late)

    def _writable(self) -> None:
        if self._socket is not None:
            self._write()

    def _readable(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(262144)
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(error.strerror or str(error))
            return
        if not data:
            self._finish("it closed the connection")
            return
        try:
            messages = self._decoder.feed(data)
        except FramingError as error:
            self._finish(str(error))
            return
        for message in messages:
            if not self.open:  # closed by the answer to the one before
                return
            self._received(self, message)
