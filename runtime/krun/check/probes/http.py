"""HTTP_GET and SSL_GET: one request for one url, its status and the digest of its body."""

from __future__ import annotations

import socket
from functools import lru_cache

from kir.model import Endpoint, HttpCheck, Url, endpoint_text
from krun.check.outcome import GOOD, Outcome, bad
from krun.check.poller import READ, WRITE
from krun.check.probes.base import Done, Environment
from krun.check.probes.connect import judge, open_connection, words
from krun.check.probes.response import ResponseError, ResponseReader
from krun.check.probes.tcp import seconds
from krun.check.probes.tls import TlsError, TlsPipe
from krun.check.schedule import Alarm

READ_SIZE = 64 * 1024
READS_A_TURN = 16
"""How often one wake-up reads, so that a fast and endless body does not keep the loop from the others."""
PATIENCE = 10
"""The whole exchange may take this many times the timeout of a step, and never less than a minute: keepalived would wait forever
for a body that drips."""
MIN_PATIENCE_US = 60_000_000


@lru_cache(maxsize=4096)
def request(url: Url, protocol: str, address: str, port: int) -> bytes:
    """The request, as keepalived writes it: ``Host`` is the virtual host alone, or the address with its port, always."""
    version = "1.1" if protocol == "1.1" else "1.0"
    close = "" if protocol == "1.0" else "Connection: close\r\n"
    host = url.host if url.host is not None else endpoint_text(address, port)
    return f"GET {url.path} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: {host}\r\n\r\n".encode()


def verdict(url: Url, reader: ResponseReader) -> Outcome:
    """What a complete reply means for the check."""
    if not any(r.low <= reader.status <= r.high for r in url.status):
        return bad(f"{url.path}: HTTP status {reader.status}")
    if url.digest is not None:
        found = reader.digests()
        if url.digest not in found:
            return bad(f"{url.path}: the body's MD5 digest is {found[0]}, not {url.digest}")
    return GOOD


class HttpProbe:
    """Connect, shake hands (TLS), ask, read to the end. Each step may take the endpoint's timeout."""

    __slots__ = (
        "_alarm",
        "_check",
        "_deadline",
        "_done",
        "_endpoint",
        "_environment",
        "_give_up",
        "_out",
        "_reader",
        "_sock",
        "_step",
        "_tls",
        "_url",
        "_writing",
    )

    def __init__(self, environment: Environment, check: HttpCheck, url: int, done: Done) -> None:
        self._environment = environment
        self._check = check
        self._endpoint: Endpoint = check.endpoint
        self._url = check.urls[url]
        self._done: Done | None = done
        self._sock: socket.socket | None = None
        self._tls: TlsPipe | None = None
        self._reader = ResponseReader(self._url.digest is not None)
        self._out = b""
        self._writing = False
        self._alarm: Alarm | None = None
        self._deadline = 0
        self._give_up = 0
        self._step = "connection"

    def start(self) -> None:
        opened = open_connection(self._endpoint)
        if isinstance(opened, Outcome):
            self._finish(opened)
            return
        self._sock, connected = opened
        now = self._environment.clock()
        self._give_up = now + max(PATIENCE * self._endpoint.timeout_us, MIN_PATIENCE_US)
        self._deadline = now + self._endpoint.timeout_us
        self._alarm = self._environment.grid.at(self._deadline, self._late)
        self._environment.poller.watch(self._sock.fileno(), WRITE, self._event)
        self._writing = True
        if connected:
            self._connected()

    def cancel(self) -> None:
        self._done = None
        self._release()

    # Steps.

    def _event(self, events: int) -> None:
        if self._step == "connection":
            assert self._sock is not None
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._finish(judge(code))
            else:
                self._connected()
            return
        if events & WRITE and self._writing:
            self._send(b"")
        if events & ~WRITE:
            self._readable()

    def _connected(self) -> None:
        if self._check.tls:
            try:
                self._tls = TlsPipe(self._url.sni)
            except TlsError as error:
                self._finish(bad(str(error)))
                return
            self._enter("TLS handshake")
            self._shake_hands()
        else:
            self._ask()

    def _shake_hands(self) -> None:
        assert self._tls is not None
        try:
            done = self._tls.handshake()
        except TlsError as error:
            self._finish(bad(str(error)))
            return
        if done:
            self._ask()
        else:
            self._send(self._tls.outgoing())

    def _ask(self) -> None:
        self._enter("reply")
        endpoint = self._endpoint
        data = request(self._url, self._check.protocol, endpoint.address, endpoint.port)
        if self._tls is not None:
            self._tls.write(data)
            data = self._tls.outgoing()
        self._send(data)

    def _send(self, data: bytes) -> None:
        """Send ``data`` after what still waits; room to write is of interest only while something waits."""
        if self._sock is None:
            return
        out = self._out + data if self._out else data
        try:
            while out:
                out = out[self._sock.send(out) :]
        except BlockingIOError:
            pass
        except OSError as error:
            # A server that answers before it reads, and closes: the answer may still be in the socket.
            if self._step != "reply" or error.errno is None:
                self._finish(bad(f"cannot send the request: {words(error.errno or 0)}"))
                return
            out = b""
        self._out = out
        if bool(out) != self._writing:
            self._writing = bool(out)
            self._environment.poller.change(self._sock.fileno(), READ | WRITE if out else READ)

    def _readable(self) -> None:
        for _ in range(READS_A_TURN):
            if self._sock is None:
                return
            try:
                data = self._sock.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self._finish(bad(f"no complete {self._step}: {words(error.errno or 0)}"))
                return
            self._touch()
            try:
                self._take(data)
            except (ResponseError, TlsError) as error:
                self._finish(bad(f"{self._url.path}: {error}"))
                return
            if len(data) < READ_SIZE and data:
                return

    def _take(self, data: bytes) -> None:
        tls = self._tls
        if tls is None:
            self._parse(data, ended=not data)
            return
        tls.incoming(data)
        if not tls.established:
            self._shake_hands()
            if not tls.established:
                return
        while self._sock is not None:
            plain = tls.read(READ_SIZE)
            if not plain and not tls.ended:
                break
            self._parse(plain, ended=tls.ended)
        if self._sock is not None:
            pending = tls.outgoing()  # a key update's answer, say
            if pending:
                self._send(pending)

    def _parse(self, data: bytes, ended: bool) -> None:
        reader = self._reader
        if data:
            reader.receive(data)
        if ended:
            reader.close()
        if reader.complete:
            self._finish(verdict(self._url, reader))

    # Time and the end.

    def _enter(self, step: str) -> None:
        self._step = step
        self._touch()

    def _touch(self) -> None:
        """The server made progress: the step's time starts again, within the limit of the whole. The alarm is moved when it rings."""
        self._deadline = min(self._environment.clock() + self._endpoint.timeout_us, self._give_up)

    def _late(self) -> None:
        now = self._environment.clock()
        if now < self._deadline:
            self._alarm = self._environment.grid.at(self._deadline, self._late)
        elif now >= self._give_up:
            self._finish(
                bad(f"{self._url.path}: the reply has not ended after {seconds(MIN_PATIENCE_US)} or more")
            )
        else:
            step = self._step
            if step == "reply" and self._reader.total:
                step = "end of the reply"
            self._finish(bad(f"no {step} within {seconds(self._endpoint.timeout_us)}"))

    def _finish(self, outcome: Outcome) -> None:
        self._release()
        done, self._done = self._done, None
        if done is not None:
            done(outcome)

    def _release(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        sock, self._sock = self._sock, None
        if sock is None:
            return
        self._environment.poller.forget(sock.fileno())
        if self._tls is not None and self._tls.established and self._url.tls_compliant:
            self._tls.bye()
            try:
                sock.send(self._tls.outgoing())
            except OSError:
                pass  # it is over either way
        sock.close()
