"""Serving scrapes without ever waiting for a client: bounded connections, requests, and times."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable

from krun.control.metrics.family import CONTENT_TYPE
from krun.control.metrics.http import LIMIT, Verdict, judge, refusal, response, without_body
from krun.loop.books import Books, Entry
from krun.loop.events import EventLoop, Handle

log = logging.getLogger("krun.metrics")

CONNECTIONS = 16
"""The most at once; one more is told so and closed."""

REQUEST_S = 5.0
"""How long a client may take to say what it wants."""

ANSWER_S = 15.0
"""How long a client may take to read its answer, from the moment that there is one."""

FRESH_S = 0.5
"""Scrapes that come within this time share one answer: many scrapers cost the director no more than one."""

Fetch = Callable[[Callable[[str], None]], None]
"""Calls back once with the text of the metrics."""


class Endpoint:
    """Answers on ``listener``; ``fetch`` gets the text, now or later. Time is the loop's."""

    def __init__(self, loop: EventLoop, listener: socket.socket, fetch: Fetch) -> None:
        self._loop = loop
        self._listener = listener
        self._fetch = fetch
        self._clients: set[_Client] = set()
        self._waiting: list[_Client] = []
        self._fetching = False
        self._body = b""
        self._made_at = float("-inf")
        self.scrapes = 0
        self.refused = 0
        loop.add_reader(listener.fileno(), self._acceptable)

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for client in self._clients:
            yield Entry("metrics connection", "a scraper", client)

    def close(self) -> None:
        """No more; who waits is cut off."""
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for client in list(self._clients):
            client.close()

    def _acceptable(self) -> None:
        # One each time: a flood of connections leaves the loop its other work.
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("metrics: cannot accept a connection: %s", error.strerror or error)
            return
        sock.setblocking(False)
        if len(self._clients) >= CONNECTIONS:
            self.refused += 1
            _turn_away(sock)
            return
        self._clients.add(_Client(self._loop, sock, self._wanted, self._gone))

    def _gone(self, client: _Client) -> None:
        self._clients.discard(client)
        if client in self._waiting:
            self._waiting.remove(client)

    def _wanted(self, client: _Client, verdict: Verdict) -> None:
        if verdict.status != 200:
            self.refused += 1
            client.answer(refusal(verdict))
            return
        self.scrapes += 1
        if self._loop.time() - self._made_at <= FRESH_S:
            client.answer(self._body)
            return
        self._waiting.append(client)
        if not self._fetching:
            self._fetching = True
            self._fetch(self._fetched)

    def _fetched(self, text: str) -> None:
        self._fetching = False
        self._body = response(200, text.encode(), CONTENT_TYPE)
        self._made_at = self._loop.time()
        waiting, self._waiting = self._waiting, []
        for client in waiting:
            client.answer(self._body)


def _turn_away(sock: socket.socket) -> None:
    with sock:
        with contextlib.suppress(OSError):
            sock.recv(
                LIMIT
            )  # what is unread when it closes would reset the connection, and with it the answer
        with contextlib.suppress(OSError):
            sock.send(refusal(Verdict(503, f"{CONNECTIONS} scrapes are under way")))


class _Client:
    """One connection: a request, an answer, the end."""

    def __init__(
        self,
        loop: EventLoop,
        sock: socket.socket,
        wanted: Callable[[_Client, Verdict], None],
        gone: Callable[[_Client], None],
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._wanted = wanted
        self._gone = gone
        self._said = b""
        self._verdict: Verdict | None = None
        self._left: memoryview | None = None
        self._open = True
        self._timer: Handle = loop.call_later(REQUEST_S, self._late)
        loop.add_reader(sock.fileno(), self._readable)

    def _late(self) -> None:
        if self._verdict is None:
            self._verdict = Verdict(408, "no request came")
            self._wanted(self, self._verdict)
        else:
            self.close()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if self._verdict is not None:
            # One request a connection. What follows it is of no interest; an end only says that it will send no more, which
            # a broken connection says by refusing the answer.
            if not data:
                self._loop.remove_reader(self._socket.fileno())
            return
        if not data:
            self.close()
            return
        self._said += data
        self._verdict = judge(self._said)
        if self._verdict is not None:
            self._said = b""
            self._timer.cancel()
            self._wanted(self, self._verdict)

    def answer(self, whole: bytes) -> None:
        """Send this and close."""
        if not self._open:
            return
        self._timer.cancel()
        self._timer = self._loop.call_later(ANSWER_S, self.close)
        if self._verdict is not None and self._verdict.head:
            whole = without_body(whole)
        self._left = memoryview(whole)
        self._loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        if self._left is None:
            return
        try:
            self._left = self._left[self._socket.send(self._left) :]
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not self._left:
            self.close()

    def close(self) -> None:
        """The end, whoever wants it."""
        if not self._open:
            return
        self._open = False
        self._timer.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        try:
            # A client that sent more than was read would otherwise get a reset in place of the rest of its answer.
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self._socket.close()
        self._left = None
        self._gone(self)
