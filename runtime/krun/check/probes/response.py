"""Reading an HTTP reply: status, end of the body, digest of the body. Sans-IO: octets go in, a verdict comes out.

A checker asks thousands of times a second and wants four things of a reply, so this reader knows only those (RFC 9112): the status
line, Content-Length, chunked framing, and where the message ends. It is as tolerant as a health check has to be: a bare LF ends a
line, unknown headers pass unread. The body is hashed as it streams by and never kept.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

MAX_HEAD = 64 * 1024
"""The longest status line plus headers, in octets; also the longest trailer section of a chunked body."""
MAX_CHUNK_LINE = 4096


class ResponseError(Exception):
    """The reply is not HTTP, or breaks its framing; the text says how."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class ResponseReader:
    """One reply to a GET.

    ``digest``: whether anybody will want `digests`. Feed it with `receive` until `complete`, or until the connection closes, then
    `close`. Attributes: ``status`` (0 until the head is read), ``length`` (Content-Length, None where there is none),
    ``received`` (octets of body framing and all).
    """

    __slots__ = (
        "_chunks",
        "_head",
        "_plain",
        "_raw",
        "_wanted",
        "closed",
        "complete",
        "length",
        "received",
        "status",
        "total",
    )

    def __init__(self, digest: bool) -> None:
        self._head: bytes | None = b""
        self._wanted = digest
        self._raw: _Hash | None = None
        self._plain: _Hash | None = None
        self._chunks: _Chunks | None = None
        self.status = 0
        self.length: int | None = None
        self.received = 0
        self.total = 0
        self.complete = False
        self.closed = False

    def receive(self, data: bytes) -> None:
        """Take what came in. Raises `ResponseError`."""
        self.total += len(data)
        while data and not self.complete:
            if self._head is None:
                self._body(data)
                return
            data = self._read_head(data)

    def close(self) -> None:
        """The server closed the connection. Raises `ResponseError` where the head or a chunked body is cut off."""
        self.closed = True
        if self.complete:
            return
        if self._head is not None:
            if not self.total:
                raise ResponseError("the connection was closed without a reply")
            raise ResponseError("the connection was closed in the middle of the headers")
        if self._chunks is not None:
            raise ResponseError("the connection was closed in the middle of a chunked body")
        self.complete = True

    def digests(self) -> tuple[str, ...]:
        """MD5 of the body in lower-case hex. A chunked body has two: without the framing, and with it (as genhash prints it)."""
        return tuple(h.hexdigest() for h in (self._plain, self._raw) if h is not None)

    # The head (RFC 9112, section 2.1).

    def _read_head(self, data: bytes) -> bytes:
        assert self._head is not None
        head = self._head + data if self._head else data
        end = head.find(b"\r\n\r\n")
        skip = 4
        bare = head.find(b"\n\n", 0, end if end >= 0 else len(head))
        if bare >= 0:
            end, skip = bare, 2
        if end < 0:
            if len(head) > MAX_HEAD:
                raise ResponseError(f"the headers are longer than {MAX_HEAD} octets")
            if len(head) >= 5 and head[:5] != b"HTTP/":
                raise ResponseError(f"the reply is not HTTP: it begins with {_shown(head)}")
            self._head = head
            return b""
        if end > MAX_HEAD:
            raise ResponseError(f"the headers are longer than {MAX_HEAD} octets")
        rest = head[end + skip :]
        lines = head[:end].split(b"\n")
        self.status = _status(lines[0])
        if 100 <= self.status < 200 and self.status != 101:
            self.status = 0  # an interim reply (RFC 9110, section 15.2): the real one follows
            self._head = b""
            return rest
        chunked = self._fields(lines[1:])
        self._head = None
        if self.status in (101, 204, 304) or self.length == 0:
            self.complete = not chunked or self.status in (101, 204, 304)
        if self._wanted:
            self._plain = hashlib.md5(usedforsecurity=False)
        if chunked:
            self.length = None  # RFC 9112, section 6.3: Transfer-Encoding overrides Content-Length
            self._chunks = _Chunks()
            if self._wanted:
                self._raw = hashlib.md5(usedforsecurity=False)
        return rest

    def _fields(self, lines: list[bytes]) -> bool:
        """Read the header fields that matter; whether the body is chunked."""
        chunked = False
        for line in lines:
            first = line[:1]
            if first not in b"cCtT" or not first:
                continue
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"content-length":
                text = value.strip()
                if not text.isdigit():
                    raise ResponseError(f"Content-Length is {_shown(text)}")
                if len(text) > 18:
                    raise ResponseError("Content-Length is beyond all measure")
                if self.length is None:
                    self.length = int(text)
            elif name == b"transfer-encoding":
                chunked = value.strip().lower().endswith(b"chunked")
        return chunked

    # The body (RFC 9112, section 6.3).

    def _body(self, data: bytes) -> None:
        if self._chunks is not None:
            used = self._chunks.receive(data, self._plain)
            self.received += used
            if self._raw is not None:
                self._raw.update(data[:used])
            self.complete = self._chunks.complete
            return
        if self.length is not None:
            data = data[: self.length - self.received]
        self.received += len(data)
        if self._plain is not None:
            self._plain.update(data)
        if self.length is not None and self.received >= self.length:
            self.complete = True


class _Chunks:
    """The chunked transfer coding (RFC 9112, section 7.1)."""

    __slots__ = ("_after", "_left", "_line", "_trailer", "complete")

    def __init__(self) -> None:
        self._line = b""
        self._left = 0
        self._after = False  # the line end after a chunk's data is still to come
        self._trailer = -1  # octets of the trailer section so far; -1: not there yet
        self.complete = False

    def receive(self, data: bytes, plain: _Hash | None) -> int:
        """Take ``data``; how much of it belonged to the body."""
        at = 0
        while at < len(data) and not self.complete:
            if self._left:
                part = data[at : at + self._left]
                if plain is not None:
                    plain.update(part)
                self._left -= len(part)
                self._after = self._left == 0
                at += len(part)
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                at = len(data)
            else:
                line, self._line = self._line + data[at:end], b""
                at = end + 1
                self._take(line.rstrip(b"\r"))
            if len(self._line) > MAX_CHUNK_LINE:
                raise ResponseError("a line of the chunked body is too long")
        return at

    def _take(self, line: bytes) -> None:
        if self._after:
            if line:
                raise ResponseError("a chunk is longer than it says")
            self._after = False
        elif self._trailer >= 0:
            self._trailer += len(line)
            if self._trailer > MAX_HEAD:
                raise ResponseError(f"the trailer is longer than {MAX_HEAD} octets")
            self.complete = not line
        else:
            text = line.partition(b";")[0].strip()
            try:
                size = int(text, 16) if text.isalnum() and len(text) <= 15 else -1
            except ValueError:
                size = -1
            if size < 0:
                raise ResponseError(f"a chunk's size is {_shown(text)}")
            if size:
                self._left = size
            else:
                self._trailer = 0


def _status(line: bytes) -> int:
    """The status code of a status line: ``HTTP/1.1 200 OK``."""
    if not line.startswith(b"HTTP/"):
        raise ResponseError(f"the reply is not HTTP: it begins with {_shown(line)}")
    parts = line.split(None, 2)
    if len(parts) < 2 or len(parts[1]) != 3 or not parts[1].isdigit():
        raise ResponseError(f"no status code in {_shown(line)}")
    return int(parts[1])


def _shown(data: bytes) -> str:
    """Some of ``data``, printable and short."""
    text = ascii(data[:40].decode("latin-1"))
    return text + "…" if len(data) > 40 else text
