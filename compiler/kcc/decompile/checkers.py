"""Health checks: what a check says for itself, where it differs from what its server gives it."""

from __future__ import annotations

from kcc.decompile.words import Unprintable, command, duration, whole_seconds
from kcc.decompile.writer import Writer, account_words, guard
from kir.model import Checker, Endpoint, HttpCheck, MiscCheck, RealServer, StatusRange, TcpCheck, Timing, Url

__all__ = ["print_checker"]

SECOND = 1_000_000
_GOOD = (StatusRange(low=200, high=299),)


def print_checker(checker: Checker, server: RealServer, delay_loop_us: int, out: Writer) -> None:
    """One check of ``server``; ``delay_loop_us`` is that of the virtual server."""
    if isinstance(checker, TcpCheck):
        guard(checker, "timing", "endpoint")
        with out.block("TCP_CHECK"):
            _endpoint(checker.endpoint, server, out)
            _timing(checker.timing, server, delay_loop_us, 1, SECOND, out)
    elif isinstance(checker, HttpCheck):
        _http(checker, server, delay_loop_us, out)
    elif isinstance(checker, MiscCheck):
        guard(checker, "timing", "argv", "account", "timeout_us", "dynamic")
        with out.block("MISC_CHECK"):
            out.raw(f"misc_path {command(checker.argv)}")
            if checker.timeout_us != delay_loop_us:
                out.say("misc_timeout", whole_seconds(checker.timeout_us, "misc_timeout"))
            out.flag("misc_dynamic", checker.dynamic)
            user = account_words(checker.account)
            if user:
                out.raw(" ".join(["user", *user]))
            _timing(checker.timing, server, delay_loop_us, 0, SECOND, out)
    else:
        raise Unprintable(
            f"a check of the kind {type(checker).__name__} cannot be decompiled by this release"
        )


def _endpoint(e: Endpoint, server: RealServer, out: Writer) -> None:
    guard(e, "address", "port", "bind_address", "bind_port", "bind_interface", "fwmark", "timeout_us")
    if e.address != server.address:
        out.say("connect_ip", e.address)
    if e.port != server.port:
        out.say("connect_port", e.port)
    if e.bind_address is not None:
        out.say("bindto", e.bind_address)
    if e.bind_port:
        out.say("bind_port", e.bind_port)
    if e.bind_interface is not None:
        out.say("bind_if", e.bind_interface)
    if e.fwmark:
        out.say("fwmark", e.fwmark)
    if e.timeout_us != 5 * SECOND:
        out.say("connect_timeout", duration(e.timeout_us))


def _timing(
    t: Timing, server: RealServer, delay_loop_us: int, retry: int, delay_before_retry_us: int, out: Writer
) -> None:
    """``retry`` and ``delay_before_retry_us`` are the defaults of this kind of check."""
    guard(t, "delay_loop_us", "warmup_us", "retry", "delay_before_retry_us", "alpha", "log_all_failures")
    if t.delay_loop_us != delay_loop_us:
        out.say("delay_loop", duration(t.delay_loop_us))
    if t.warmup_us != t.delay_loop_us:
        out.say("warmup", duration(t.warmup_us))
    if t.retry != retry:
        out.say("retry", t.retry)
    if t.delay_before_retry_us != delay_before_retry_us:
        out.say("delay_before_retry", duration(t.delay_before_retry_us))
    if t.alpha != server.alpha:
        out.raw("alpha" if t.alpha else "alpha false")
    out.flag("log_all_failures", t.log_all_failures)


def _http(check: HttpCheck, server: RealServer, delay_loop_us: int, out: Writer) -> None:
    guard(check, "timing", "endpoint", "urls", "tls", "protocol", "fast_recovery")
    with out.block("SSL_GET" if check.tls else "HTTP_GET"):
        if check.protocol != "1.0":
            out.say("http_protocol", check.protocol)
        _server_name(check.urls, server, out)
        out.flag("fast_recovery", check.fast_recovery)
        for url in check.urls:
            _url(url, out)
        _endpoint(check.endpoint, server, out)
        _timing(check.timing, server, delay_loop_us, 1, 3 * SECOND, out)


def _server_name(urls: tuple[Url, ...], server: RealServer, out: Writer) -> None:
    """The name in the TLS handshake: the Host of each request, or one name for all."""
    if all(url.sni is None for url in urls):
        return
    if all(url.sni == url.host for url in urls):
        out.raw("enable_sni")
    elif len({url.sni for url in urls}) == 1:
        out.say("sni_name", urls[0].sni or "")
    else:
        raise Unprintable(
            f"the requests of a check of {server.identity} say different names in the TLS handshake"
        )


def _url(u: Url, out: Writer) -> None:
    guard(u, "path", "host", "sni", "digest", "status", "tls_compliant")
    with out.block("url"):
        out.say("path", u.path)
        if u.host is not None:
            out.say("virtualhost", u.host)
        if u.digest is not None:
            out.say("digest", u.digest)
        if u.status != _GOOD:
            for s in u.status:
                guard(s, "low", "high")
            out.raw(" ".join(["status_code", *(_range(s) for s in u.status)]))
        out.flag("tls_compliant", u.tls_compliant)


def _range(s: StatusRange) -> str:
    return str(s.low) if s.low == s.high else f"{s.low}-{s.high}"
