"""The probes against real servers on the loopback: good, slow, broken, hostile, absent."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import ssl
import subprocess
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from check_world import SECOND, Scripts, timing

from kir.model import Account, Endpoint, HttpCheck, MiscCheck, StatusRange, TcpCheck, Url
from krun.check.outcome import Outcome
from krun.check.poller import Poller
from krun.check.probes import Environment, make_probe
from krun.check.probes.http import request
from krun.check.schedule import Grid
from krun.notify.client import ScriptResult

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LOCAL = "127.0.0.1"
QUICK_US = 200_000


def answering(*parts: bytes, pause: float = 0.0, close: bool = True) -> Handler:
    """A server that reads a request and sends ``parts``, with a pause between them."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            handle.requests.append(await reader.readuntil(b"\r\n\r\n"))  # type: ignore[attr-defined]
            for n, part in enumerate(parts):
                if n:
                    await asyncio.sleep(pause)
                writer.write(part)
                await writer.drain()
            if close:
                writer.close()
            else:
                await asyncio.sleep(30)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    handle.requests = []  # type: ignore[attr-defined]
    return handle


def ask(
    handler: Handler | None,
    url: Url | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    check: Callable[[Endpoint], Any] | None = None,
    timeout_us: int = 2 * SECOND,
    address: str = LOCAL,
    **endpoint: Any,
) -> Outcome:
    """One run against a server with ``handler`` (None: nobody listens): an HTTP check of ``url``, or the check that is given."""

    async def go() -> Outcome:
        loop = asyncio.get_running_loop()
        trouble: list[Any] = []
        loop.set_exception_handler(lambda _loop, info: trouble.append(info))
        server = None
        if handler is None:
            with socket.socket() as free:
                free.bind((LOCAL, 0))
                port = free.getsockname()[1]
        else:
            server = await asyncio.start_server(handler, address, 0, ssl=tls)
            port = server.sockets[0].getsockname()[1]
        end = Endpoint(**{"address": address, "port": port, "timeout_us": timeout_us, **endpoint})
        made = (
            check(end)
            if check is not None
            else HttpCheck(timing=timing(), endpoint=end, urls=(url or Url(path="/"),), tls=tls is not None)
        )
        grid, poller = Grid(loop), Poller(loop)
        done: asyncio.Future[Outcome] = loop.create_future()
        before = set(os.listdir("/proc/self/fd")) if server is None else None
        probe = make_probe(Environment(poller, grid), Scripts(), made, 0, "", done.set_result)
        probe.start()
        outcome = await asyncio.wait_for(done, 10)
        if before is not None:
            assert set(os.listdir("/proc/self/fd")) <= before
        probe.cancel()
        grid.close()
        assert len(poller) == 0
        poller.close()
        if server is not None:
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        assert not [t for t in trouble if not isinstance(t.get("exception"), (OSError, ssl.SSLError))]
        return outcome

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the servers here are left in the middle on purpose
        return asyncio.run(go())


def tcp_check(end: Endpoint) -> TcpCheck:
    return TcpCheck(timing=timing(), endpoint=end)


OK = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello"
HELLO = hashlib.md5(b"hello").hexdigest()


class TestTcp:
    def test_a_listener_is_enough(self) -> None:
        assert ask(answering(b""), check=tcp_check).verdict == "good"

    def test_ipv6(self) -> None:
        assert ask(answering(b""), check=tcp_check, address="::1").verdict == "good"

    def test_refused(self) -> None:
        assert ask(None, check=tcp_check) == Outcome("bad", "connection refused")

    def test_no_answer(self) -> None:
        # A full backlog: the kernel drops further SYNs.
        with socket.socket() as deaf:
            deaf.bind((LOCAL, 0))
            deaf.listen(0)
            port = deaf.getsockname()[1]
            fill = [socket.socket() for _ in range(4)]
            for sock in fill:
                sock.setblocking(False)
                sock.connect_ex((LOCAL, port))
            outcome = ask(None, check=tcp_check, port=port, timeout_us=QUICK_US)
            for sock in fill:
                sock.close()
        assert outcome == Outcome("bad", "no connection within 0.2 s")

    def test_unreachable_is_bad(self) -> None:
        outcome = ask(None, check=tcp_check, address="255.255.255.255", timeout_us=QUICK_US)
        assert outcome.verdict in ("bad", "unable")
        assert outcome.reason

    def test_an_address_that_is_not_here_cannot_be_bound(self) -> None:
        outcome = ask(None, check=tcp_check, bind_address="192.0.2.77")
        assert outcome.verdict == "unable"
        assert "bindto 192.0.2.77" in outcome.reason

    def test_an_interface_that_is_not_here(self) -> None:
        outcome = ask(None, check=tcp_check, bind_interface="nosuch0")
        assert outcome.verdict == "unable"
        assert "bind_if nosuch0" in outcome.reason

    def test_bound_source(self) -> None:
        seen = []

        async def handle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(writer.get_extra_info("peername"))
            writer.close()

        async def settle(outcome: Outcome) -> None:
            await asyncio.sleep(0.05)

        with socket.socket() as free:
            free.bind(("127.0.0.5", 0))
            port = free.getsockname()[1]
        url = Url(path="/")  # the HTTP probe reads, so that the server has seen the connection when it ends
        assert ask(handle, url, bind_address="127.0.0.5", bind_port=port).verdict == "bad"
        assert seen == [("127.0.0.5", port)]

    def test_cancelled_in_the_middle(self) -> None:
        async def go() -> None:
            loop = asyncio.get_running_loop()
            server = await asyncio.start_server(answering(OK), LOCAL, 0)
            port = server.sockets[0].getsockname()[1]
            grid, poller = Grid(loop), Poller(loop)
            files = len(os.listdir("/proc/self/fd"))
            end = Endpoint(address=LOCAL, port=port)
            http = HttpCheck(timing=timing(), endpoint=end, urls=(Url(path="/"),))
            answers: list[Outcome] = []
            for check in (tcp_check(end), http):
                probe = make_probe(Environment(poller, grid), Scripts(), check, 0, "", answers.append)
                if isinstance(check, TcpCheck):
                    continue
                probe.start()
                probe.cancel()
                probe.cancel()
            await asyncio.sleep(0.1)
            assert answers == []
            assert len(os.listdir("/proc/self/fd")) == files
            grid.close()
            poller.close()
            server.close()

        asyncio.run(go())


class TestHttp:
    def test_good(self) -> None:
        handler = answering(OK)
        assert ask(handler).verdict == "good"
        [sent] = handler.requests  # type: ignore[attr-defined]
        lines = sent.decode().split("\r\n")
        assert lines[:2] == ["GET / HTTP/1.0", "User-Agent: KeepAliveClient"]
        assert lines[2].startswith("Host: 127.0.0.1:")

    @pytest.mark.parametrize(
        ("url", "protocol", "address", "text"),
        [
            (
                Url(path="/a?b"),
                "1.0",
                "10.0.0.1",
                "GET /a?b HTTP/1.0|User-Agent: KeepAliveClient|Host: 10.0.0.1:80||",
            ),
            (
                Url(path="/", host="www.example.org"),
                "1.0C",
                "10.0.0.1",
                "GET / HTTP/1.0|User-Agent: KeepAliveClient|Connection: close|Host: www.example.org||",
            ),
            (
                Url(path="/"),
                "1.1",
                "2001:db8::1",
                "GET / HTTP/1.1|User-Agent: KeepAliveClient|Connection: close|Host: [2001:db8::1]:80||",
            ),
        ],
    )
    def test_request(self, url: Url, protocol: str, address: str, text: str) -> None:
        assert request(url, protocol, address, 80).decode() == text.replace("|", "\r\n")

    @pytest.mark.parametrize(
        ("status", "ranges", "verdict"),
        [
            (200, None, "good"),
            (299, None, "good"),
            (301, None, "bad"),
            (404, None, "bad"),
            (500, None, "bad"),
            (404, ((200, 200), (404, 404)), "good"),
            (403, ((200, 200), (404, 404)), "bad"),
        ],
    )
    def test_status(self, status: int, ranges: Any, verdict: str) -> None:
        url = Url(path="/x")
        if ranges:
            url = Url(path="/x", status=tuple(StatusRange(low=a, high=b) for a, b in ranges))
        outcome = ask(answering(b"HTTP/1.1 %d Whatever\r\n\r\n" % status), url)
        assert outcome.verdict == verdict
        assert verdict == "good" or outcome.reason == f"/x: HTTP status {status}"

    def test_digest(self) -> None:
        assert ask(answering(OK), Url(path="/", digest=HELLO)).verdict == "good"
        outcome = ask(answering(OK), Url(path="/", digest="0" * 32))
        assert outcome.verdict == "bad"
        assert HELLO in outcome.reason

    def test_digest_ends_at_the_content_length(self) -> None:
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"
        assert ask(answering(reply), Url(path="/", digest=HELLO)).verdict == "good"

    def test_digest_of_a_chunked_body_with_and_without_its_framing(self) -> None:
        body = b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"
        reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        for digest in (HELLO, hashlib.md5(body).hexdigest()):
            assert ask(answering(reply, close=False), Url(path="/", digest=digest)).verdict == "good"

    def test_octet_by_octet(self) -> None:
        parts = [OK[n : n + 1] for n in range(len(OK))]
        assert ask(answering(*parts, pause=0.001), Url(path="/", digest=HELLO)).verdict == "good"

    def test_a_server_that_keeps_the_connection_open_after_the_length(self) -> None:
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
        assert ask(answering(reply, close=False), Url(path="/", digest=HELLO)).verdict == "good"

    def test_a_short_body_is_judged_by_what_came(self) -> None:
        assert ask(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello")).verdict == "good"

    def test_a_long_body_streams_by(self) -> None:
        body = os.urandom(1 << 20) * 8
        url = Url(path="/", digest=hashlib.md5(body).hexdigest())
        assert ask(answering(b"HTTP/1.0 200 OK\r\n\r\n", body)).verdict == "good"
        assert ask(answering(b"HTTP/1.0 200 OK\r\n\r\n", body), url).verdict == "good"

    def test_interim_replies_are_skipped(self) -> None:
        assert (
            ask(
                answering(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK), Url(path="/", digest=HELLO)
            ).verdict
            == "good"
        )

    @pytest.mark.parametrize(
        ("reply", "words"),
        [
            (b"", "without a reply"),
            (b"HTTP/1.0 200 OK\r\nX: y", "middle of the headers"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
            (b"\x16\x03\x01\x00\x00", "not HTTP"),
            (b"HTTP/1.0\r\n\r\n", "no status code"),
            (b"HTTP/1.0 abc Hello\r\n\r\n", "no status code"),
            (b"HTTP/1.0 20000 Hello\r\n\r\n", "no status code"),
            (b"HTTP/1.0 200 OK\r\nContent-Length: -5\r\n\r\nx", "Content-Length"),
            (b"HTTP/1.0 200 OK\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\nx", "Content-Length"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello", "chunk"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "chunked body"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", "longer than"),
            (b"HTTP/1.1 200 " + b"O" * 100_000, "longer than"),
        ],
    )
    def test_malformed_replies_are_failures_with_a_reason(self, reply: bytes, words: str) -> None:
        outcome = ask(answering(reply))
        assert outcome.verdict == "bad"
        assert words in outcome.reason

    def test_bare_line_feeds_are_taken(self) -> None:
        assert (
            ask(answering(b"HTTP/1.0 200 OK\nX: y\n\nhello"), Url(path="/", digest=HELLO)).verdict == "good"
        )

    def test_refused(self) -> None:
        assert ask(None) == Outcome("bad", "connection refused")

    def test_silence_after_the_request(self) -> None:
        assert ask(answering(b"", close=False), timeout_us=QUICK_US) == Outcome(
            "bad", "no reply within 0.2 s"
        )

    def test_silence_in_the_body(self) -> None:
        outcome = ask(answering(b"HTTP/1.0 200 OK\r\n\r\nhel", close=False), timeout_us=QUICK_US)
        assert outcome == Outcome("bad", "no end of the reply within 0.2 s")

    def test_every_step_has_its_own_time(self) -> None:
        parts = [OK[n : n + 12] for n in range(0, len(OK), 12)]
        assert ask(answering(*parts, pause=0.3), timeout_us=SECOND).verdict == "good"

    def test_an_endless_drip_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("krun.check.probes.http.MIN_PATIENCE_US", 300_000)
        monkeypatch.setattr("krun.check.probes.http.PATIENCE", 1)
        outcome = ask(
            answering(b"HTTP/1.0 200 OK\r\n\r\n", *([b"x"] * 1000), pause=0.05), timeout_us=SECOND // 2
        )
        assert outcome.verdict == "bad"
        assert "has not ended" in outcome.reason

    def test_reset(self) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            writer.transport.abort()

        outcome = ask(handle)
        assert outcome.verdict == "bad"

    def test_half_closed_by_the_server_after_its_answer(self) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            writer.write_eof()
            await asyncio.sleep(5)

        assert ask(handle, Url(path="/", digest=HELLO)).verdict == "good"


@pytest.fixture(scope="session")
def certificate() -> Iterator[ssl.SSLContext]:
    with tempfile.TemporaryDirectory() as folder:
        key, cert = Path(folder, "key.pem"), Path(folder, "cert.pem")
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-keyout",
                key,
                "-out",
                cert,
                "-days",
                "1",
                "-subj",
                "/CN=wrong.example",
            ],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        yield context


class TestTls:
    def test_a_self_signed_certificate_with_another_name_is_no_obstacle(
        self, certificate: ssl.SSLContext
    ) -> None:
        assert ask(answering(OK), Url(path="/", digest=HELLO), tls=certificate).verdict == "good"

    def test_server_name(self, certificate: ssl.SSLContext) -> None:
        names: list[str | None] = []
        certificate.sni_callback = lambda _object, name, _context: names.append(name)
        for sni in (None, "www.example.org"):
            assert ask(answering(OK), Url(path="/", sni=sni), tls=certificate).verdict == "good"
        assert names == [None, "www.example.org"]

    def test_an_impossible_server_name(self, certificate: ssl.SSLContext) -> None:
        outcome = ask(answering(OK), Url(path="/", sni="." * 300), tls=certificate)
        assert outcome.verdict == "bad"
        assert "TLS" in outcome.reason

    def test_a_long_body(self, certificate: ssl.SSLContext) -> None:
        body = os.urandom(3_000_000)
        url = Url(path="/", digest=hashlib.md5(body).hexdigest())
        assert ask(answering(b"HTTP/1.0 200 OK\r\n\r\n", body), url, tls=certificate).verdict == "good"
        assert ask(answering(OK), Url(path="/", tls_compliant=True), tls=certificate).verdict == "good"

    def https(self, end: Endpoint) -> HttpCheck:
        return HttpCheck(timing=timing(), endpoint=end, urls=(Url(path="/"),), tls=True)

    def test_a_server_that_speaks_no_tls(self) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            writer.close()

        outcome = ask(handle, check=self.https)
        assert outcome.verdict == "bad"
        assert "TLS" in outcome.reason

    def test_a_server_that_hangs_in_the_handshake(self) -> None:
        async def handle(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            await asyncio.sleep(30)

        assert ask(handle, check=self.https, timeout_us=QUICK_US) == Outcome(
            "bad", "no TLS handshake within 0.2 s"
        )

    def test_a_server_that_closes_in_the_handshake(self) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10_000)
            writer.close()

        outcome = ask(handle, check=self.https)
        assert outcome.verdict == "bad"
        assert "TLS" in outcome.reason


class TestMisc:
    @pytest.mark.parametrize(
        ("dynamic", "result", "outcome"),
        [
            (False, ScriptResult("exited", 0), Outcome("good")),
            (
                False,
                ScriptResult("exited", 1, "no route\nreally\n"),
                Outcome("bad", "exit status 1 (really)"),
            ),
            (False, ScriptResult("exited", 12), Outcome("bad", "exit status 12")),
            (True, ScriptResult("exited", 0), Outcome("good")),
            (True, ScriptResult("exited", 1), Outcome("bad", "exit status 1")),
            (True, ScriptResult("exited", 2), Outcome("good", weight=0)),
            (True, ScriptResult("exited", 255), Outcome("good", weight=253)),
            (True, ScriptResult("signaled", 9), Outcome("bad", "ended by signal 9")),
            (False, ScriptResult("timeout"), Outcome("bad", "not finished within 3 s, killed")),
            (
                False,
                ScriptResult("refused", output="no such file"),
                Outcome("bad", "the script was not started: no such file"),
            ),
        ],
    )
    def test_results(self, dynamic: bool, result: ScriptResult, outcome: Outcome) -> None:
        assert self.run(result, dynamic) == [outcome]

    def test_a_lost_script_says_nothing_of_the_server(self) -> None:
        assert self.run(ScriptResult("lost"))[0].verdict == "unable"

    def run(self, result: ScriptResult, dynamic: bool = False) -> list[Outcome]:
        scripts, outcomes = Scripts(), []
        check = MiscCheck(
            timing=timing(),
            argv=("/c", "x y"),
            account=Account(user="u"),
            timeout_us=3 * SECOND,
            dynamic=dynamic,
        )
        probe = make_probe(None, scripts, check, 0, "tcp a -> b MISC_CHECK 0", outcomes.append)  # type: ignore[arg-type]
        probe.start()
        [(token, spec)] = scripts.runs
        assert (spec.argv, spec.account.user, spec.timeout_us, spec.queue) == (
            ("/c", "x y"),
            "u",
            3 * SECOND,
            None,
        )
        scripts.waiting[token](result)
        probe.cancel()
        assert scripts.cancelled == []
        return outcomes

    def test_cancel(self) -> None:
        scripts, outcomes = Scripts(), []
        check = MiscCheck(timing=timing(), argv=("/c",))
        probe = make_probe(None, scripts, check, 0, "", outcomes.append)  # type: ignore[arg-type]
        probe.start()
        done = scripts.waiting[1]
        probe.cancel()
        assert scripts.cancelled == [1]
        done(ScriptResult("exited"))
        assert outcomes == []
