"""Health checks of a real server. A checker's identity is its kind and its position in the real server."""

from __future__ import annotations

from typing import Literal

from kir.model.base import U32, Microseconds, Model, Octet, Port
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


Checker = TcpCheck | HttpCheck | MiscCheck

__all__ = [
    "Checker",
    "Endpoint",
    "HttpCheck",
    "MiscCheck",
    "Octet",
    "StatusRange",
    "TcpCheck",
    "Timing",
    "Url",
]
