"""Health checks of a real server. A checker's identity is its kind and its position in the real server."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kir.model.base import U32, Microseconds, Model, Octet, Port, Secret
from kir.model.scripts import Account


class Timing(Model, frozen=True):
    """When a check runs: first after a random part of ``warmup_us``, then each ``delay_loop_us``; ``retry`` more tries,
    ``delay_before_retry_us`` apart, before a failure counts. ``alpha``: the server is down until the first success.
    """

    delay_loop_us: Microseconds = 60_000_000
    warmup_us: Microseconds = 60_000_000
    retry: U32 = 1
    delay_before_retry_us: Microseconds = 1_000_000
    alpha: bool = False
    log_all_failures: bool = False


class Endpoint(Model, frozen=True):
    """Where a network check connects, from where, and how long each step may take. ``fwmark`` 0: no SO_MARK."""

    address: str
    port: Port
    bind_address: str | None = None
    bind_port: Port = 0
    bind_interface: str | None = None
    fwmark: U32 = 0
    timeout_us: Microseconds = 5_000_000


class TcpCheck(Model, frozen=True, tag_field="kind", tag="TCP_CHECK"):
    """Success: the connection is established."""

    timing: Timing
    endpoint: Endpoint


class StatusRange(Model, frozen=True):
    """HTTP status codes ``low`` to ``high``, both included."""

    low: int
    high: int


class Regex(Model, frozen=True):
    """A PCRE2 expression that the body of a reply must match; with ``no_match``, must not.

    ``options`` are names of PCRE2 compile options (pcre2_compile(3): ``caseless`` is PCRE2_CASELESS), sorted. A match may start
    from octet ``min_offset`` to ``max_offset`` (None: to the end). ``stack_start`` and ``stack_max``: octets of the matcher's
    stack (pcre2_jit_stack_create(3)), None: PCRE2's own 32 KiB.
    """

    pattern: str
    no_match: bool = False
    options: tuple[str, ...] = ()
    min_offset: int = 0
    max_offset: int | None = None
    stack_start: int | None = None
    stack_max: int | None = None


class Url(Model, frozen=True):
    """One request of an HTTP check and what its reply must be. ``digest``: MD5 of the body in lower-case hex, None: any.

    ``host`` is the value of the Host header without a port, None: the address and port that are connected to.
    ``sni`` is the server name sent in the TLS handshake, None: none.
    """

    path: str
    host: str | None = None
    sni: str | None = None
    digest: str | None = None
    status: tuple[StatusRange, ...] = (StatusRange(low=200, high=299),)
    tls_compliant: bool = False
    regex: Regex | None = None


class HttpCheck(Model, frozen=True, tag_field="kind", tag="HTTP_GET"):
    """``urls`` are asked in order, one a round; all must be good. ``tls``: an SSL_GET."""

    timing: Timing
    endpoint: Endpoint
    urls: tuple[Url, ...]
    tls: bool = False
    protocol: Literal["1.0", "1.0C", "1.1"] = "1.0"
    fast_recovery: bool = False


class MiscCheck(Model, frozen=True, tag_field="kind", tag="MISC_CHECK"):
    """A script: exit 0 is success. ``dynamic``: an exit status of 2 to 255 sets the weight to that minus 2."""

    timing: Timing
    argv: tuple[str, ...]
    account: Account = Account()
    timeout_us: Microseconds = 60_000_000
    dynamic: bool = False


class SmtpCheck(Model, frozen=True, tag_field="kind", tag="SMTP_CHECK"):
    """A mail server that greets with 220 and answers 250 to ``HELO helo_name`` (RFC 5321)."""

    timing: Timing
    endpoint: Endpoint
    helo_name: str = "smtpchecker.keepalived.org"


class DnsCheck(Model, frozen=True, tag_field="kind", tag="DNS_CHECK"):
    """A name server that answers a question over UDP without an error. ``name`` ``.`` is the root (RFC 1035 section 4.1.2)."""

    timing: Timing
    endpoint: Endpoint
    type: Literal["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"] = "SOA"
    name: str = "."


class UdpCheck(Model, frozen=True, tag_field="kind", tag="UDP_CHECK"):
    """A datagram is sent; success is the absence of an ICMP error, or with ``require_reply`` a reply.

    ``payload``: what is sent, two lower-case hex digits an octet, None: 32 octets of filler. ``reply``: the octets that the reply
    must begin with, ``x`` for any nibble, None: any reply; with one its length must be ``min_reply_length`` to
    ``max_reply_length`` octets.
    """

    timing: Timing
    endpoint: Endpoint
    payload: str | None = None
    require_reply: bool = False
    reply: str | None = None
    min_reply_length: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    max_reply_length: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 255


class PingCheck(Model, frozen=True, tag_field="kind", tag="PING_CHECK"):
    """An ICMP echo that is answered (RFC 792, RFC 4443). The port of the endpoint is 0."""

    timing: Timing
    endpoint: Endpoint


class FileCheck(Model, frozen=True, tag_field="kind", tag="FILE_CHECK"):
    """The number in a track file, times ``weight`` (negated with ``reverse``), is added to the weight of the real server.

    ``weight`` 0: any number but 0 means down. ``track_file`` names a `TrackFile`.
    """

    track_file: str
    weight: Annotated[int, msgspec.Meta(ge=-0x7FFFFFFF, le=0x7FFFFFFF)] = 1
    reverse: bool = False

    @property
    def timing(self) -> Timing:
        """A file is watched, not polled: what holds for every check."""
        return _WATCHED


class BfdCheck(Model, frozen=True, tag_field="kind", tag="BFD_CHECK"):
    """Up while the BFD session ``bfd`` is; ``alpha``: down until it first is. ``bfd`` names a `BfdInstance`."""

    bfd: str
    alpha: bool = False

    @property
    def timing(self) -> Timing:
        """A session is watched, not polled: what holds for every check."""
        return Timing(alpha=self.alpha)


class TlsClient(Model, frozen=True):
    """What TLS checks present and trust: PEM files of the ``ca``, of the own ``certificate`` and its ``key``, the key's password."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    password: Secret | None = None


_WATCHED = Timing()

NetworkCheck = TcpCheck | HttpCheck | SmtpCheck | DnsCheck | UdpCheck | PingCheck
"""The checks that send something to an `Endpoint`."""

Checker = (
    TcpCheck | HttpCheck | MiscCheck | SmtpCheck | DnsCheck | UdpCheck | PingCheck | FileCheck | BfdCheck
)

__all__ = [
    "BfdCheck",
    "Checker",
    "DnsCheck",
    "Endpoint",
    "FileCheck",
    "HttpCheck",
    "MiscCheck",
    "NetworkCheck",
    "Octet",
    "PingCheck",
    "Regex",
    "SmtpCheck",
    "StatusRange",
    "TcpCheck",
    "Timing",
    "TlsClient",
    "UdpCheck",
    "Url",
]
