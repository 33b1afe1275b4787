"""Hypothesis strategies for virtual servers, their real servers and checks."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from hypothesis import strategies as st

from kir.model import (
    BfdCheck,
    Checker,
    DnsCheck,
    Endpoint,
    FileCheck,
    Forwarding,
    HttpCheck,
    MiscCheck,
    Persistence,
    PingCheck,
    RealServer,
    Regex,
    Service,
    SmtpCheck,
    SorryServer,
    StatusRange,
    TcpCheck,
    Timing,
    UdpCheck,
    Url,
    VirtualServer,
)
from support.decompile_tracks import Tracks
from support.decompile_words import SECOND, accounts, address, argvs, maybe_script, us, words

forwardings = st.one_of(
    st.just(Forwarding()),
    st.just(Forwarding(method="DR")),
    st.just(Forwarding(method="TUN", tunnel_type="ipip")),
    st.builds(
        lambda port, checksum: Forwarding(
            method="TUN", tunnel_type="gue", tunnel_port=port, tunnel_checksum=checksum
        ),
        st.integers(1, 65535),
        st.sampled_from(["nocsum", "csum", "remcsum"]),
    ),
    st.builds(
        lambda checksum: Forwarding(method="TUN", tunnel_type="gre", tunnel_checksum=checksum),
        st.sampled_from(["nocsum", "csum"]),
    ),
)


def timings(kind_alpha: st.SearchStrategy[bool]) -> st.SearchStrategy[Timing]:
    return st.builds(
        Timing,
        delay_loop_us=us(1, 10_000_000_000),
        warmup_us=us(0, 10_000_000_000),
        retry=st.integers(0, 9),
        delay_before_retry_us=us(0, 10_000_000_000),
        alpha=kind_alpha,
        log_all_failures=st.booleans(),
    )


@st.composite
def endpoints(draw: st.DrawFn, family: str, own: str, port: int) -> Endpoint:
    return Endpoint(
        address=draw(st.just(own) | address(family)),
        port=draw(st.just(port) | st.integers(1, 65535)),
        bind_address=draw(st.none() | address(family)),
        bind_port=draw(st.just(0) | st.integers(1, 65535)),
        bind_interface=draw(st.none() | st.just("eth9")),
        fwmark=draw(st.just(0) | st.integers(0, 2**32 - 1)),
        timeout_us=draw(us(1, 4_294_000_000)),
    )


statuses = st.sampled_from(
    [
        (StatusRange(low=200, high=299),),
        (StatusRange(low=200, high=200),),
        (StatusRange(low=100, high=101), StatusRange(low=301, high=599)),
    ]
)


PATTERNS = ["ok", "^a b$", "\\d+\\.\\w\\\\", 'it\'s "x"', "#!{2}$", "${A}", "\n\t", "ä°", ""]


@st.composite
def regexes(draw: st.DrawFn) -> Regex:
    low, high = draw(st.integers(0, 9)), draw(st.none() | st.integers(10, 2**64 - 1))
    stack = draw(st.just((None, None)) | st.tuples(st.integers(0, 9999), st.integers(9999, 99999)))
    odd = st.text(st.sampled_from("ab \"'\\$#!{}\n\t~`°.^"), max_size=8).map(re.escape)
    return Regex(
        pattern=draw(st.sampled_from(PATTERNS) | odd),
        no_match=draw(st.booleans()),
        options=tuple(sorted(draw(st.sets(st.sampled_from(["caseless", "dotall", "multiline"]))))),
        min_offset=low,
        max_offset=high,
        stack_start=stack[0],
        stack_max=stack[1],
    )


Above = tuple[str | None, str | None]
"""The Host that holds for a request which says none, and the name in the TLS handshake that goes with it."""


@st.composite
def http_checks(draw: st.DrawFn, endpoint: Endpoint, timing: Timing, above: Above) -> HttpCheck:
    tls = draw(st.booleans())
    how = draw(st.sampled_from(["none", "host", "name"])) if tls else "none"
    name = draw(words)
    urls = []
    for _ in range(draw(st.integers(1, 3))):
        own = draw(st.none() | words)
        host, sni = above if own is None else (own, own)
        urls.append(
            Url(
                path=draw(words),
                host=host,
                sni=sni if how == "host" else name if how == "name" else None,
                digest=draw(st.none() | st.just("0123456789abcdef" * 2)),
                status=draw(statuses),
                tls_compliant=tls and draw(st.booleans()),
                regex=draw(st.none() | regexes()),
            )
        )
    return HttpCheck(
        timing=timing,
        endpoint=endpoint,
        urls=tuple(urls),
        tls=tls,
        protocol=draw(st.sampled_from(["1.0", "1.0C", "1.1"])),
        fast_recovery=draw(st.booleans()),
    )


def _hex(digits: str) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(digits), min_size=1, max_size=40).map(lambda t: t + "0" * (len(t) % 2))


@st.composite
def udp_checks(draw: st.DrawFn, endpoint: Endpoint, timing: Timing) -> UdpCheck:
    replies = draw(st.booleans())
    shortest = draw(st.integers(0, 65535))
    return UdpCheck(
        timing=timing,
        endpoint=endpoint,
        payload=draw(st.none() | _hex("0123456789abcdef")),
        require_reply=replies,
        reply=draw(st.none() | _hex("09afx")) if replies else None,
        min_reply_length=shortest,
        max_reply_length=draw(st.integers(shortest, 65535)),
    )


@st.composite
def checkers(
    draw: st.DrawFn, family: str, own: str, port: int, above: Above, files: list[str], bfds: list[str]
) -> Checker:
    timing = draw(timings(st.booleans()))
    watched = [*(["file"] if files else []), *(["bfd"] if bfds else [])]
    kind = draw(st.sampled_from(["tcp", "http", "misc", "smtp", "dns", "udp", "ping", *watched]))
    if kind == "file":
        weight = st.integers(-(2**31) + 1, 2**31 - 1)
        return FileCheck(
            track_file=draw(st.sampled_from(files)), weight=draw(weight), reverse=draw(st.booleans())
        )
    if kind == "bfd":
        return BfdCheck(bfd=draw(st.sampled_from(bfds)), alpha=draw(st.booleans()))
    if kind == "misc":
        return MiscCheck(
            timing=timing,
            argv=draw(argvs),
            account=draw(accounts),
            timeout_us=draw(st.integers(1, 4294)) * SECOND,
            dynamic=draw(st.booleans()),
        )
    endpoint = draw(endpoints(family, own, port))
    if kind == "http":
        return draw(http_checks(endpoint, timing, above))
    if kind == "smtp":
        return SmtpCheck(timing=timing, endpoint=endpoint, helo_name=draw(words))
    if kind == "dns":
        types: list[Any] = ["A", "SOA", "DNSKEY"]
        return DnsCheck(
            timing=timing,
            endpoint=msgspec.structs.replace(endpoint, port=endpoint.port or 53),
            type=draw(st.sampled_from(types)),
            name=draw(st.sampled_from([".", "example.org", "a b.example", "_x.#"])),
        )
    if kind == "udp":
        return draw(udp_checks(endpoint, timing))
    if kind == "ping":
        return PingCheck(timing=timing, endpoint=msgspec.structs.replace(endpoint, port=0, bind_port=0))
    return TcpCheck(timing=timing, endpoint=endpoint)


@st.composite
def real_servers(
    draw: st.DrawFn, text: str, family: str, port: int, marked: bool, pool: str | None, known: Tracks
) -> RealServer:
    """``pool``: the virtualhost of the virtual server."""
    forwarding = draw(forwardings)
    if forwarding.method == "NAT":
        port = draw(st.integers(1, 65535))
    elif marked:
        port = 0
    above = (draw(st.just(pool) | words) if pool is not None or draw(st.booleans()) else None, pool)
    files, bfds = [f.name for f in known.files], [b.name for b in known.bfds if b.checker]
    return RealServer(
        address=text,
        port=port,
        family="inet6" if family == "inet6" else "inet",
        weight=draw(st.integers(0, 2**31 - 1)),
        forwarding=forwarding,
        upper_threshold=draw(st.just(0) | st.integers(0, 2**32 - 1)),
        lower_threshold=draw(st.just(0) | st.integers(0, 2**32 - 1)),
        inhibit_on_failure=draw(st.booleans()),
        alpha=draw(st.booleans()),
        notify_up=draw(maybe_script),
        notify_down=draw(maybe_script),
        smtp_alert=draw(st.booleans()),
        snmp_name=draw(st.none() | words),
        checkers=_each_session_once(
            draw(st.lists(checkers(family, text, port, above, files, bfds), max_size=2))
        ),
    )


def _each_session_once(found: list[Checker]) -> tuple[Checker, ...]:
    seen = [c.bfd if isinstance(c, BfdCheck) else None for c in found]
    return tuple(c for n, c in enumerate(found) if seen[n] is None or seen[n] not in seen[:n])


@st.composite
def services(draw: st.DrawFn, number: int) -> tuple[str, tuple[Service, ...]]:
    """Name and services: of its own, of a mark, or of a group. ``number`` keeps those of two virtual servers apart."""
    family: Any = draw(st.sampled_from(["inet", "inet6"]))
    protocol: Any = draw(st.sampled_from(["tcp", "udp", "sctp"]))
    port = draw(st.integers(1, 65535))
    base = f"203.0.{number}." if family == "inet" else f"2001:db8:{number + 1}::"

    def at(n: int, p: int) -> Service:
        return Service(family=family, protocol=protocol, address=f"{base}{n}", port=p)

    kind = draw(st.sampled_from(["address", "mark", "group", "marks"]))
    if kind == "address":
        one = at(1, port)
        return one.identity, (one,)
    if kind == "mark":
        one = Service(family=family, fwmark=number * 10 + 1)
        return one.identity, (one,)
    marks = [
        Service(family=family, fwmark=number * 10 + n) for n in draw(st.sets(st.integers(1, 9), min_size=1))
    ]
    if kind == "marks":
        return f"group g{number} {family}", tuple(marks)
    numbers = draw(st.sets(st.integers(1, 9), min_size=1))
    own = [at(n, p) for n in numbers for p in draw(st.sets(st.sampled_from([80, port]), min_size=1))]
    return f"group g {number} {protocol}", (*own, *(marks if draw(st.booleans()) else ()))


@st.composite
def virtual_servers(draw: st.DrawFn, number: int, known: Tracks) -> VirtualServer:
    name, its = draw(services(number))
    family, marked = its[0].family, its[0].fwmark != 0
    ports = {s.port for s in its if s.address is not None}
    grouped = name.startswith("group")
    texts = draw(st.lists(address(family), min_size=1, max_size=4, unique=True))
    port = 0 if grouped or marked else ports.copy().pop()
    virtualhost = draw(st.none() | words)
    pool = [draw(real_servers(text, family, port, marked, virtualhost, known)) for text in texts]
    total = sum(r.weight for r in pool)
    quorum = draw(st.integers(1, max(total, 1)))
    forwarding = draw(forwardings)
    sorry = None
    if draw(st.booleans()):
        sorry = SorryServer(
            address="10.3.0.9" if family == "inet" else "2001:db8:ffff::9",
            port=draw(st.integers(1, 65535)) if forwarding.method == "NAT" else port,
            family=family,
            forwarding=forwarding,
            inhibit=draw(st.booleans()),
        )
    wide = "255.255.255.255" if family == "inet" else "128"
    udp = all(s.protocol in ("udp", None) for s in its)
    flags = draw(st.sets(st.sampled_from(["flag-1", "flag-2", "flag-3", *(["ops"] if udp else [])])))
    persistence = st.builds(
        Persistence,
        timeout_us=st.integers(1, 2678400).map(lambda s: s * SECOND),
        granularity=st.sampled_from([wide, "255.255.255.0" if family == "inet" else "64"]),
        engine=st.none() | st.just("sip"),
    )
    return VirtualServer(
        name=name,
        services=its,
        scheduler=draw(st.sampled_from(["rr", "wlc", "sh", "mh", "sed"])),
        flags=tuple(sorted(flags)),
        persistence=draw(st.none() | persistence),
        quorum=quorum,
        hysteresis=draw(st.integers(0, quorum - 1)),
        quorum_up=draw(maybe_script),
        quorum_down=draw(maybe_script),
        alpha=draw(st.booleans()),
        omega=draw(st.booleans()),
        ha_suspend=not any(s.fwmark for s in its) and draw(st.booleans()),
        smtp_alert=draw(st.booleans()),
        sorry_server=sorry,
        real_servers=tuple(pool),
        delay_loop_us=draw(us(1, 10_000_000_000)),
        snmp_name=draw(st.none() | words),
    )
