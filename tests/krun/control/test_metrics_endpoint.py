"""The endpoint: where it may be, what it answers, and that no client can hold it up."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.control.metrics import endpoint as endpoints
from krun.control.metrics.address import Where, listen, parse
from krun.control.metrics.endpoint import CONNECTIONS, Endpoint
from krun.control.metrics.http import LIMIT, Verdict, judge
from krun.loop.reactor import Reactor

ASK = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


# -- where


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("unix:/run/krun-metrics.sock", Where(path="/run/krun-metrics.sock")),
        ("127.0.0.1:9650", Where(host="127.0.0.1", port=9650)),
        ("127.8.0.1:9650", Where(host="127.8.0.1", port=9650)),
        ("localhost:9650", Where(host="127.0.0.1", port=9650)),
        ("[::1]:9650", Where(host="::1", port=9650)),
    ],
)
def test_where_it_may_be(text: str, where: Where) -> None:
    assert parse(text) == where
    assert parse(str(where)) == where


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.0.0.0:9650", "not the loopback"),
        ("[::]:9650", "not the loopback"),
        ("192.0.2.1:9650", "not the loopback"),
        (":9650", "no address"),
        ("9650", "unix:/PATH or 127.0.0.1:PORT"),
        ("example.com:9650", "no address"),
        ("127.0.0.1:80", "no privileges"),
        ("127.0.0.1:70000", "1024 to 65535"),
        ("127.0.0.1:٩٦٥٠", "unix:/PATH or 127.0.0.1:PORT"),
        ("unix:metrics", "whole path"),
        ("unix:/" + "x" * 107, "107 octets"),
        ("", "unix:/PATH or 127.0.0.1:PORT"),
    ],
)
def test_where_it_may_not_be(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@given(st.text(max_size=30))
def test_nonsense_is_refused_in_words(text: str) -> None:
    try:
        where = parse(text)
    except ValueError as error:
        assert text in str(error) or text.rpartition(":")[0] in str(error)
    else:
        assert where.path or where.host in ("127.0.0.1", "::1") or where.host.startswith("127.")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        yield Path(name)


def test_a_socket_that_was_left_is_replaced_and_nothing_else_is(folder: Path) -> None:
    where = Where(path=str(folder / "m"))
    listen(where).close()
    with listen(where):
        assert (folder / "m").stat().st_mode & 0o777 == 0o666
    (folder / "m").unlink()
    (folder / "m").write_text("precious")
    with pytest.raises(OSError, match="no socket; remove it"):
        listen(where)
    (folder / "m").unlink()
    (folder / "m").symlink_to(folder / "elsewhere")
    with pytest.raises(OSError, match="no socket; remove it"):
        listen(where)
    with pytest.raises(OSError, match=r"unix:/nowhere/m: No such file"):
        listen(Where(path="/nowhere/m"))


def test_a_taken_port_is_said_in_words() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=rf"metrics at 127\.0\.0\.1:{port}: Address already in use"):
            listen(Where(host="127.0.0.1", port=port))


# -- what is asked


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (ASK, 200),
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", 200),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/../../etc/shadow HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 405),
        (b"\x16\x03\x01 hello TLS\r\n\r\n", 400),
        (b"GET /metrics HTTP/2.0\r\n\r\n", 400),
        (b"GET  /metrics HTTP/1.1\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * LIMIT + b"\r\n\r\n", 431),
        (b"x" * (LIMIT + 1), 431),
    ],
)
def test_requests(data: bytes, status: int) -> None:
    verdict = judge(data)
    assert verdict is not None
    assert verdict.status == status
    assert verdict.head == data.startswith(b"HEAD")


@given(st.binary(max_size=300))
def test_no_octets_raise(data: bytes) -> None:
    assert isinstance(judge(data), Verdict | None)


@given(st.integers(0, len(ASK) - 1))
def test_half_a_request_waits_for_the_rest(cut: int) -> None:
    assert judge(ASK[:cut]) is None


# -- serving


class Served:
    def __init__(self, folder: Path, body: str = "krun_up 1\n") -> None:
        self.loop = Reactor()
        self.path = str(folder / "m")
        self.fetched = 0
        self.pending: list[Callable[[str], None]] = []
        self.body = body
        self.hold = False
        self.endpoint = Endpoint(self.loop, listen(Where(path=self.path)), self.fetch)

    def fetch(self, done: Callable[[str], None]) -> None:
        self.fetched += 1
        if self.hold:
            self.pending.append(done)
        else:
            self.loop.call_later(0, lambda: done(self.body))

    def client(self, say: bytes = b"") -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.path)
        sock.setblocking(False)
        if say:
            sock.sendall(say)
        return sock

    def turn(self, rounds: int = 20) -> None:
        for _ in range(rounds):
            self.loop.run_once(0.001)

    def rest(self, sock: socket.socket) -> bytes:
        """Everything until the end of the connection."""
        data = b""
        for _ in range(20_000):
            self.loop.run_once(0.001)
            with contextlib.suppress(BlockingIOError):
                while piece := sock.recv(1 << 20):
                    data += piece
                sock.close()
                return data
        raise AssertionError(f"the connection did not end; so far: {data[:200]!r}")


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    one = Served(folder)
    yield one
    one.endpoint.close()
    one.loop.close()


def read(data: bytes, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
    """As an independent reader of HTTP has it."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method=method, target="/metrics", headers=[("Host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(data)
    reader.receive_data(b"")
    body, status, headers = b"", 0, {}
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Response):
            status, headers = event.status_code, dict(event.headers)
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    assert isinstance(reader.next_event(), h11.ConnectionClosed | type(h11.PAUSED))
    return status, headers, body


def test_a_scrape(served: Served) -> None:
    status, headers, body = read(served.rest(served.client(ASK)))
    assert (status, body) == (200, b"krun_up 1\n")
    assert headers[b"content-type"] == b"text/plain; version=0.0.4; charset=utf-8"
    assert headers[b"connection"] == b"close"
    assert served.endpoint.scrapes == 1


def test_head_and_refusals(served: Served) -> None:
    status, headers, body = read(served.rest(served.client(ASK.replace(b"GET", b"HEAD"))), "HEAD")
    assert (status, headers[b"content-length"], body) == (200, b"10", b"")
    status, headers, _ = read(served.rest(served.client(ASK.replace(b"GET", b"POST"))))
    assert (status, headers[b"allow"]) == (405, b"GET, HEAD")
    status, _, body = read(served.rest(served.client(b"GET / HTTP/1.1\r\n\r\n")))
    assert (status, body) == (404, b"the metrics are at /metrics\n")
    assert served.endpoint.refused == 2


def test_a_request_may_come_octet_by_octet(served: Served) -> None:
    sock = served.client()
    for n in range(len(ASK)):
        sock.send(ASK[n : n + 1])
        served.loop.run_once(0.001)
    assert read(served.rest(sock))[0] == 200


def test_many_scrapers_cost_one_question(served: Served) -> None:
    served.hold = True
    clients = [served.client(ASK) for _ in range(10)]
    served.turn()
    assert len(served.pending) == 1
    clients.pop().close()  # one has enough of waiting
    served.turn()
    served.pending[0]("x 1\n")
    assert {read(served.rest(client))[2] for client in clients} == {b"x 1\n"}
    assert read(served.rest(served.client(ASK)))[2] == b"x 1\n", "fresh enough"
    assert served.fetched == 1


def test_an_answer_gets_old(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "FRESH_S", -1.0)
    for n in (1, 2):
        served.rest(served.client(ASK))
        assert served.fetched == n


def test_connections_are_bounded(served: Served) -> None:
    idle = [served.client() for _ in range(CONNECTIONS)]
    served.turn(CONNECTIONS + 5)
    assert read(served.rest(served.client(ASK)))[0] == 503
    for sock in idle:
        sock.close()
    served.turn(CONNECTIONS + 5)
    assert read(served.rest(served.client(ASK)))[0] == 200


def test_who_says_nothing_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "REQUEST_S", 0.05)
    sock = served.client(b"GET /metr")
    assert read(served.rest(sock))[0] == 408


def test_who_does_not_read_is_cut_off_and_holds_nobody_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "ANSWER_S", 0.2)
    served = Served(folder, body="x 1\n" * 2_000_000)
    slow = served.client(ASK)
    served.turn(50)
    assert len(read(served.rest(served.client(ASK)))[2]) == 8_000_000
    served.loop.run_once(0.3)
    served.turn()
    assert not served.endpoint._clients
    slow.close()
    served.endpoint.close()
    served.loop.close()


def test_who_goes_away_is_forgotten(served: Served) -> None:
    served.hold = True
    served.client(ASK).close()
    served.client().close()
    served.turn()
    served.pending[0]("x 1\n")
    served.turn()
    assert not served.endpoint._clients


def test_what_follows_a_request_is_not_answered(served: Served) -> None:
    whole = served.rest(served.client(ASK * 50))
    assert whole.count(b"HTTP/1.1 200") == 1


def test_closing_cuts_everybody_off(folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    served = Served(folder)
    served.hold = True
    clients = [served.client(ASK), served.client()]
    served.turn()
    served.endpoint.close()
    for client in clients:
        assert client.recv(10) == b""
        client.close()
    served.loop.close()
    assert len(os.listdir("/proc/self/fd")) == before
