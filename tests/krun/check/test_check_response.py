"""The reply reader against h11, and against nonsense."""

from __future__ import annotations

import hashlib
import itertools

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.check.probes.response import MAX_HEAD, ResponseError, ResponseReader


def by_h11(data: bytes) -> tuple[int, bytes] | None:
    """Status and body of a whole reply, None where h11 does not take it."""
    connection = h11.Connection(our_role=h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x"), ("Connection", "close")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, body = 0, b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return status, body
            elif event in (h11.NEED_DATA, h11.PAUSED):
                return None
    except h11.RemoteProtocolError:
        return None


def by_us(data: bytes, cuts: list[int]) -> tuple[int, str]:
    reader = ResponseReader(digest=True)
    places = sorted({0, len(data), *(c % (len(data) + 1) for c in cuts)})
    for a, b in itertools.pairwise(places):
        reader.receive(data[a:b])
    reader.close()
    return reader.status, reader.digests()[0]


HEADER = st.sampled_from(
    [
        b"Server: x",
        b"Date: today",
        b"X-Content-Length: 9",
        b"Cache-Control: no-cache",
        b"Connection: close",
        b"Tea: y",
    ]
)
CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@given(
    st.integers(200, 599),
    st.lists(HEADER, max_size=4),
    st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    st.sampled_from(["length", "chunked", "close"]),
    CUTS,
)
def test_agrees_with_h11_on_whole_replies(
    status: int, headers: list[bytes], pieces: list[bytes], framing: str, cuts: list[int]
) -> None:
    body = b"".join(pieces)
    headers = list(headers)
    content = body
    if framing == "length":
        headers.append(b"content-LENGTH:  %d" % len(body))
    elif framing == "chunked":
        headers.append(b"Transfer-Encoding: chunked")
        content = b"".join(b"%X\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\nTrailer: z\r\n\r\n"
    if status in (204, 304):
        content = body = b""
    data = b"\r\n".join([b"HTTP/1.1 %d Some Reason" % status, *headers, b"", content])
    expected = by_h11(data)
    assert expected is not None
    assert expected[1] == body
    assert by_us(data, cuts) == (status, hashlib.md5(body).hexdigest())


@given(st.binary(max_size=300), CUTS)
def test_nonsense_is_refused_or_read_never_worse(data: bytes, cuts: list[int]) -> None:
    for prefix in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        try:
            status, _ = by_us(prefix + data, cuts)
        except ResponseError as error:
            assert str(error)
        else:
            assert 101 <= status <= 999


@given(st.binary(max_size=200), CUTS)
def test_where_the_cuts_fall_means_nothing(data: bytes, cuts: list[int]) -> None:
    for prefix in (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"):
        results = []
        for where in ([], cuts, list(range(500))):
            try:
                results.append(by_us(prefix + data, where))
            except ResponseError:
                results.append((0, ""))
        assert results[0] == results[1] == results[2]


def test_memory_is_bounded() -> None:
    reader = ResponseReader(digest=False)
    with pytest.raises(ResponseError, match="longer than"):
        for _ in range(100):
            reader.receive(b"HTTP/1.0 200 OK\r\nX: " + b"y" * 4096)
    reader = ResponseReader(digest=True)
    reader.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    with pytest.raises(ResponseError, match="trailer"):
        for _ in range(2 * MAX_HEAD // 8):
            reader.receive(b"Abc: d\r\n")
    reader = ResponseReader(digest=True)
    reader.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(ResponseError, match="too long"):
        for _ in range(1000):
            reader.receive(b"1" * 100)
