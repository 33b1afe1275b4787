"""One letter over one connection: `krun.notify.mail.smtp` between a socket and the event loop, by callbacks that never block."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable

from krun.loop.clock import now_us
from krun.notify.mail import smtp
from krun.notify.mail.session import (
    Closed,
    Connected,
    Event,
    Finished,
    HangUp,
    Outcome,
    Phase,
    Received,
    Send,
    Tick,
)

_CHUNK = 4096

Done = Callable[[Outcome], None]
Clock = Callable[[], int]


class Transfer:
    """``address``: numeric. ``done`` hears the outcome, exactly once, from the loop and never from inside the constructor; ``gone`` hears
    that the connection is closed, after that.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: str,
        port: int,
        settings: smtp.Settings,
        done: Done,
        gone: Callable[[Transfer], None],
        clock: Clock = now_us,
    ) -> None:
        self.to = address
        self._loop = loop
        self._settings = settings
        self._done = done
        self._gone = gone
        self._clock = clock
        self._sock: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = b""
        self._writing = False
        self._session = smtp.begin(settings, clock())
        self._start: asyncio.Handle | None = loop.call_soon(self._connect, address, port)

    def abandon(self) -> None:
        """Drop the connection; nobody hears of it."""
        self._done = lambda _outcome: None
        self._gone = lambda _self: None
        if self._start is not None:
            self._start.cancel()
        self._close()

    # The socket.

    def _connect(self, address: str, port: int) -> None:
        self._start = None
        try:
            # A number is no question to a name server: this cannot block.
            family, _, _, _, where = socket.getaddrinfo(
                address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
            )[0]
            self._sock = socket.socket(
                family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            )
            status = self._sock.connect_ex(where)
        except OSError as error:
            self._feed(Closed(error.strerror or str(error)))
            return
        if status == errno.EINPROGRESS:
            self._write_when_ready()
            self._rearm()
        elif status:
            self._feed(Closed(os.strerror(status)))
        else:
            self._connected()

    def _connected(self) -> None:
        assert self._sock is not None
        self._loop.add_reader(self._sock.fileno(), self._readable)
        self._feed(Connected())

    def _writable(self) -> None:
        if self._sock is None:
            return
        self._loop.remove_writer(self._sock.fileno())
        self._writing = False
        if self._session.phase is Phase.CONNECTING:
            status = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if status:
                self._feed(Closed(os.strerror(status)))
            else:
                self._connected()
        else:
            self._flush()

    def _readable(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._feed(Closed(error.strerror or str(error)))
            return
        self._feed(Received(data) if data else Closed("the server closed the connection"))

    def _flush(self) -> None:
        while self._unsent and self._sock is not None:
            try:
                count = self._sock.send(self._unsent, socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                self._write_when_ready()
                return
            except OSError as error:
                self._unsent = b""
                self._feed(Closed(error.strerror or str(error)))
                return
            self._unsent = self._unsent[count:]

    def _write_when_ready(self) -> None:
        if not self._writing and self._sock is not None:
            self._writing = True
            self._loop.add_writer(self._sock.fileno(), self._writable)

    # The machine.

    def _feed(self, event: Event) -> None:
        self._session, actions = smtp.step(self._settings, self._session, event, self._clock())
        for action in actions:
            if isinstance(action, Send):
                self._unsent += action.data
            elif isinstance(action, Finished):
                self._done(action.outcome)
            elif isinstance(action, HangUp):
                self._close()
                self._gone(self)
        if self._sock is not None:
            self._rearm()
            self._flush()

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._session.deadline is not None:
            wait = max(self._session.deadline - self._clock(), 0) / 1e6
            self._timer = self._loop.call_later(wait, self._late)

    def _late(self) -> None:
        self._timer = None
        self._feed(Tick())

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        sock, self._sock = self._sock, None
        if sock is not None:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
            with contextlib.suppress(OSError):
                sock.close()


__all__ = ["Transfer"]
