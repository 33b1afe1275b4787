"""HTTP checks: the requests, and where the names of hosts in them are said."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kcc.decompile.words import Unprintable, expression
from kcc.decompile.writer import Writer
from kir.model import HttpCheck, RealServer, Regex, StatusRange, Url, VirtualServer

__all__ = ["Names", "names_above", "print_http"]

_GOOD = (StatusRange(low=200, high=299),)


class Names(msgspec.Struct, frozen=True):
    """``virtualhost`` of the virtual server and of each real server by identity: said only where a check cannot say it.

    A request's Host comes from the nearest ``virtualhost`` above it, the name in the TLS handshake leaves out that of the
    real server. So a request whose two names differ has them from above.
    """

    pool: str | None = None
    servers: dict[str, str] = {}


def names_above(v: VirtualServer) -> Names:
    """What must be said above the checks of ``v``. Raises Unprintable where no place can say it."""
    servers: dict[str, str] = {}
    pools: set[str | None] = set()
    for server in v.real_servers:
        apart = {(u.host, u.sni) for u in _urls([server]) if u.host != u.sni}
        mixed = {
            (u.host, u.sni)
            for c in server.checkers
            if isinstance(c, HttpCheck) and _common(c) is None
            for u in c.urls
        }
        odd = apart & mixed
        if not odd:
            continue
        if len(odd) > 1 or any(u.host is None for u in _urls([server])):
            raise Unprintable(
                f"the requests of a check of {server.identity} say different names in the TLS handshake"
            )
        host, sni = odd.pop()
        servers[server.identity] = host or ""
        pools.add(sni)
    pool = pools.pop() if pools else None
    if pools or (pool is not None and any(u.host is None for u in _urls(v.real_servers))):
        raise Unprintable(f"the checks of {v.name} say different names in the TLS handshake")
    return Names(pool, servers)


def _urls(servers: Iterable[RealServer]) -> Iterable[Url]:
    return (u for r in servers for c in r.checkers if isinstance(c, HttpCheck) for u in c.urls)


def _common(check: HttpCheck) -> list[str] | None:
    """How the check itself says the name in the handshake: its line (nothing: no name); None where it cannot alone."""
    if all(url.sni is None for url in check.urls):
        return []
    if all(url.sni == url.host for url in check.urls):
        return ["enable_sni"]
    names = {url.sni for url in check.urls}
    return ["sni_name", next(iter(names)) or ""] if len(names) == 1 else None


def print_http(check: HttpCheck, server: RealServer, names: Names, out: Writer) -> None:
    """What an HTTP check has beside the connection and its timing."""
    if check.protocol != "1.0":
        out.say("http_protocol", check.protocol)
    common = _common(check)
    line = ["enable_sni"] if common is None else common
    if line:
        out.say(*line)
    out.flag("fast_recovery", check.fast_recovery)
    above = names.servers.get(server.identity, names.pool)
    for url in check.urls:
        _url(url, above if common is None and url.sni != url.host else None, out)


def _url(u: Url, above: str | None, out: Writer) -> None:
    """``above``: the Host that holds where nothing is said here."""
    with out.block("url"):
        out.say("path", u.path)
        out.setting("virtualhost", u.host, above)
        out.setting("digest", u.digest)
        if u.status != _GOOD:
            out.raw(" ".join(["status_code", *(_range(s) for s in u.status)]))
        if u.regex is not None:
            _regex(u.regex, out)
        out.flag("tls_compliant", u.tls_compliant)


def _range(s: StatusRange) -> str:
    return str(s.low) if s.low == s.high else f"{s.low}-{s.high}"


def _regex(r: Regex, out: Writer) -> None:
    out.raw(f"regex {expression(r.pattern)}")
    out.flag("regex_no_match", r.no_match)
    if r.options:
        out.say("regex_options", *r.options)
    out.setting("regex_min_offset", r.min_offset, 0)
    out.setting("regex_max_offset", r.max_offset)
    if r.stack_start is not None and r.stack_max is not None:
        out.say("regex_stack", r.stack_start, r.stack_max)
    elif r.stack_start is not None or r.stack_max is not None:
        raise Unprintable("`regex_stack` takes a start and a maximum, and one is missing")
