"""Health checks: what a check says for itself, where it differs from what its server gives it."""

from __future__ import annotations

import msgspec

from kcc.decompile.http import Names, print_http
from kcc.decompile.words import Unprintable, command
from kcc.decompile.writer import Writer, account_words
from kir.model import (
    BfdCheck,
    Checker,
    DnsCheck,
    Endpoint,
    FileCheck,
    HttpCheck,
    MiscCheck,
    PingCheck,
    RealServer,
    SmtpCheck,
    TcpCheck,
    Timing,
    UdpCheck,
)

__all__ = ["print_checker"]

SECOND = 1_000_000
_GROUP = 32  # hexadecimal digits of a payload between two blanks


class Defaults(msgspec.Struct, frozen=True):
    """What holds for a check that says nothing: the retries and the pause of its kind (None: its own ``delay_loop``)."""

    retry: int = 1
    pause_us: int | None = SECOND


def print_checker(
    checker: Checker, server: RealServer, names: Names, delay_loop_us: int, out: Writer
) -> None:
    """One check of ``server``; ``delay_loop_us`` is that of the virtual server, ``names`` what is said above the check."""
    match checker:
        case TcpCheck():
            with out.block("TCP_CHECK"):
                _endpoint(checker.endpoint, server, out)
                _timing(checker.timing, server, delay_loop_us, Defaults(), out)
        case HttpCheck():
            with out.block("SSL_GET" if checker.tls else "HTTP_GET"):
                print_http(checker, server, names, out)
                _endpoint(checker.endpoint, server, out)
                _timing(checker.timing, server, delay_loop_us, Defaults(pause_us=3 * SECOND), out)
        case SmtpCheck():
            with out.block("SMTP_CHECK"):
                out.setting("helo_name", checker.helo_name, "smtpchecker.keepalived.org")
                _endpoint(checker.endpoint, server, out)
                _timing(checker.timing, server, delay_loop_us, Defaults(), out)
        case DnsCheck():
            with out.block("DNS_CHECK"):
                out.setting("type", checker.type, "SOA")
                out.setting("name", checker.name, ".")
                _endpoint(checker.endpoint, server, out)
                _timing(checker.timing, server, delay_loop_us, Defaults(3, None), out)
        case UdpCheck():
            with out.block("UDP_CHECK"):
                _datagrams(checker, out)
                _endpoint(checker.endpoint, server, out)
                _timing(checker.timing, server, delay_loop_us, Defaults(), out)
        case PingCheck():
            if checker.endpoint.port or checker.endpoint.bind_port:
                raise Unprintable(f"a PING_CHECK of {server.identity} has a port")
            with out.block("PING_CHECK"):
                _endpoint(checker.endpoint, msgspec.structs.replace(server, port=0), out)
                _timing(checker.timing, server, delay_loop_us, Defaults(), out)
        case MiscCheck():
            _misc(checker, server, delay_loop_us, out)
        case FileCheck():
            with out.block("FILE_CHECK"):
                out.say("track_file", checker.track_file)
                if checker.weight != 1 or checker.reverse:
                    out.say("weight", checker.weight, *(["reverse"] if checker.reverse else []))
        case BfdCheck():
            with out.block("BFD_CHECK"):
                out.say("name", checker.bfd)
                _alpha(checker.alpha, server, out)


def _misc(check: MiscCheck, server: RealServer, delay_loop_us: int, out: Writer) -> None:
    with out.block("MISC_CHECK"):
        out.raw(f"misc_path {command(check.argv)}")
        out.whole("misc_timeout", check.timeout_us, delay_loop_us)
        out.flag("misc_dynamic", check.dynamic)
        user = account_words(check.account)
        if user:
            out.raw(" ".join(["user", *user]))
        _timing(check.timing, server, delay_loop_us, Defaults(retry=0), out)


def _datagrams(check: UdpCheck, out: Writer) -> None:
    if check.payload is not None:
        out.say("payload", *_octets(check.payload))
    if check.require_reply:
        out.say("require_reply", *_octets(check.reply or ""))
    elif check.reply is not None:
        raise Unprintable("a UDP_CHECK has a pattern of the reply, and needs none")
    out.setting("min_reply_length", check.min_reply_length, 0)
    out.setting("max_reply_length", check.max_reply_length, 255)


def _octets(text: str) -> list[str]:
    return [text[at : at + _GROUP] for at in range(0, len(text), _GROUP)]


def _endpoint(e: Endpoint, server: RealServer, out: Writer) -> None:
    out.setting("connect_ip", e.address, server.address)
    out.setting("connect_port", e.port, server.port)
    out.setting("bindto", e.bind_address)
    out.setting("bind_port", e.bind_port, 0)
    out.setting("bind_if", e.bind_interface)
    out.setting("fwmark", e.fwmark, 0)
    out.seconds("connect_timeout", e.timeout_us, 5 * SECOND)


def _timing(t: Timing, server: RealServer, delay_loop_us: int, kind: Defaults, out: Writer) -> None:
    out.seconds("delay_loop", t.delay_loop_us, delay_loop_us)
    out.seconds("warmup", t.warmup_us, t.delay_loop_us)
    out.setting("retry", t.retry, kind.retry)
    pause = t.delay_loop_us if kind.pause_us is None else kind.pause_us
    out.seconds("delay_before_retry", t.delay_before_retry_us, pause)
    _alpha(t.alpha, server, out)
    out.flag("log_all_failures", t.log_all_failures)


def _alpha(alpha: bool, server: RealServer, out: Writer) -> None:
    if alpha != server.alpha:
        out.raw("alpha" if alpha else "alpha false")
