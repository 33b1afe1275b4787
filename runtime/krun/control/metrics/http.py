"""As much of HTTP/1.1 (RFC 9112) as a scrape needs: one request a connection, no body. Pure: octets in, a verdict out."""

from __future__ import annotations

import re
from dataclasses import dataclass

LIMIT = 8192
"""The longest request head in octets."""

PATH = "/metrics"

_LINE = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,4000}) HTTP/1\.([01])")
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``status`` 200: answer with the metrics; ``head``: without the body. Else refuse with ``words``."""

    status: int
    words: str = ""
    head: bool = False


def judge(data: bytes) -> Verdict | None:
    """What a connection said so far: None while more must come. Never raises."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return Verdict(431, f"a request's head may have {LIMIT} octets") if len(data) > LIMIT else None
    if end > LIMIT:
        return Verdict(431, f"a request's head may have {LIMIT} octets")
    match = _LINE.fullmatch(data[:end].partition(b"\r\n")[0])
    if match is None:
        return Verdict(400, "this is no HTTP/1 request")
    method, target = match[1], match[2].decode("ascii")
    if method not in (b"GET", b"HEAD"):
        return Verdict(405, "only GET and HEAD")
    if target.partition("?")[0] != PATH:
        return Verdict(404, f"the metrics are at {PATH}")
    return Verdict(200, head=method == b"HEAD")


def response(status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> bytes:
    """A whole response; the connection ends after it."""
    allow = "Allow: GET, HEAD\r\n" if status == 405 else ""
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"{allow}Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def refusal(verdict: Verdict) -> bytes:
    """The response to what is not answered."""
    return response(verdict.status, f"{verdict.words}\n".encode())


def without_body(whole: bytes) -> bytes:
    """For HEAD: the same head, its length included (RFC 9110 section 9.3.2)."""
    return whole[: whole.index(b"\r\n\r\n") + 4]
