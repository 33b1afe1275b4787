"""Health checks of a real server: each takes what it does not say from its server, that from the virtual server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kcc.language.parsed import versions
from kcc.lower.lvs.http import lower_urls
from kcc.lower.lvs.watched import bfd_check, file_check
from kcc.lower.scope import wrote
from kcc.lower.scripts import account
from kir.model import (
    Checker,
    DnsCheck,
    Endpoint,
    HttpCheck,
    MiscCheck,
    PingCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    UdpCheck,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcc.language.parsed import Field, Node
    from kcc.lower.lvs.draft import ServerDraft

SECOND = 1_000_000
DELAY_LOOP_US = 60 * SECOND
CONNECT_TIMEOUT_US = 5 * SECOND
DNS_PORT = 53
_CONNECTION = ("connect_ip", "connect_port", "bindto", "bind_port", "bind_if", "fwmark", "connect_timeout")
# What a kind of check does where nobody says anything (keepalived.conf(5)): retries and the delay before one.
_RETRY = {"MISC_CHECK": 0, "DNS_CHECK": 3}
_BEFORE_RETRY_US = {"HTTP_GET": 3 * SECOND, "SSL_GET": 3 * SECOND}


def lower_checkers(server: ServerDraft, blocks: list[Node]) -> tuple[Checker, ...]:
    """The checks, in the order of the text, without those that keepalived drops."""
    found: list[Checker] = []
    for node in blocks:
        kind = node.keyword.name
        make = _KINDS.get(kind)
        if make is None:
            continue
        # The old form of SMTP_CHECK: each `host` is a check of its own, and takes only the name in the HELO from outside;
        # beside them the block itself is one only where it says whom to ask.
        hosts = node.children("host") if kind == "SMTP_CHECK" and node.blocks else []
        own = not hosts or any(name in node.fields for name in _CONNECTION)
        for block in (*((node,) if own else ()), *hosts):
            made = _smtp(server, block, node) if block is not node else make(server, node)
            if made is not None:
                server.pool.scope.nodes[f"{server.path}/checker/{kind} {len(found)}"] = block
                found.append(made)
    return tuple(found)


def _timing(server: ServerDraft, node: Node) -> Timing:
    outer, get, kind = server.timing, node.get, node.keyword.name
    scope = server.pool.scope
    retry = get("retry", outer[2])
    if retry is None and "nb_get_retry" in node.fields:
        retry = node.fields["nb_get_retry"].value
    log_all = get("log_all_failures", scope.defaults.log_all_failures)
    key = (
        Timing,
        kind,
        get("delay_loop", outer[0]),
        get("warmup", outer[1]),
        retry,
        get("delay_before_retry", outer[3]),
        get("alpha", server.alpha),
        log_all,
    )
    made = scope.made.get(key)
    if made is None:
        _, _, loop, warmup, _, pause, alpha, _ = key
        loop = DELAY_LOOP_US if loop is None else loop
        made = Timing(
            delay_loop_us=loop,
            warmup_us=loop if warmup is None else warmup,
            retry=_RETRY.get(kind, 1) if retry is None else retry,
            delay_before_retry_us=_pause(kind, loop) if pause is None else pause,
            alpha=alpha,
            log_all_failures=log_all,
        )
        scope.made[key] = made
    return made


def _pause(kind: str, loop: int) -> int:
    """The delay before a retry where nobody says anything."""
    return loop if kind == "DNS_CHECK" else _BEFORE_RETRY_US.get(kind, SECOND)


def _endpoint(server: ServerDraft, node: Node) -> Endpoint | None:
    """Where the check connects; None where keepalived drops the check."""
    timeout = server.timing[4]
    if timeout is None:
        timeout = CONNECT_TIMEOUT_US
    if not node.fields and not _link_local(server.address):
        return Endpoint(address=server.address, port=server.port, timeout_us=timeout)
    get, link = node.get, node.get("bind_if")
    address, source = _addresses(server, node)
    if address is None:
        return None
    if _link_local(address) and link is None:
        server.pool.scope.say(
            "KC0805",
            f"`{node.keyword.name}` of {server.address}: {address} exists on every link",
            node.fields.get("connect_ip", node),
            consequence="keepalived drops the check: without another one nothing takes the server out of the pool, dead or not",
            help="add `bind_if INTERFACE`",
        )
        return None
    return Endpoint(
        address=address,
        port=get("connect_port", server.port),
        bind_address=source,
        bind_port=get("bind_port", 0),
        bind_interface=link,
        fwmark=get("fwmark", 0),
        timeout_us=get("connect_timeout", timeout),
    )


def _addresses(server: ServerDraft, node: Node) -> tuple[str | None, str | None]:
    """Where the check connects (None: nowhere) and from where.

    ``connect_ip`` and ``bindto`` are compared line by line, as they stand, an SMTP check's only with each other.
    """
    said = [*versions(node.fields.get("connect_ip")), *versions(node.fields.get("bindto"))]
    said.sort(key=lambda field: field.statement.line.number)
    late = node.keyword.name in ("SMTP_CHECK", "host")
    connect: str | None = None if late else server.address
    bind: str | None = None
    for field in said:
        to = field.statement.keyword == "connect_ip"
        other = bind if to else connect
        value = field.value
        if other is not None and (":" in other) != (":" in value):
            gone = "keepalived ignores the line, and then has no address to ask: the check does nothing"
            back = f"keepalived ignores the line: the check connects to {server.address}"
            _other_family(
                server,
                node,
                field,
                (other, value) if to else (value, other),
                "keepalived ignores the line: the system chooses the source address"
                if not to
                else back
                if late
                else gone,
            )
            value = None
        if to:
            connect = value
        else:
            bind = value
    if connect is None and late:
        connect = server.address
        if bind is not None and (":" in bind) != (":" in connect):
            effect = "the kernel refuses each connection: the server gets no traffic"
            _other_family(server, node, node.fields["bindto"], (bind, connect), effect)
            bind = None
    return connect, bind


def _other_family(
    server: ServerDraft, node: Node, at: Field, ends: tuple[str, str], consequence: str
) -> None:
    server.pool.scope.say(
        "KC0804",
        f"`{node.keyword.name}` of {server.address}: no connection goes from {ends[0]} to {ends[1]}",
        at,
        consequence=consequence,
        help="write an address of the same family",
    )


def _link_local(address: str) -> bool:
    """fe80::/10 (RFC 4291 section 2.5.6)."""
    return address[:3] in ("fe8", "fe9", "fea", "feb") and ":" in address


def _tcp(server: ServerDraft, node: Node) -> Checker | None:
    endpoint = _endpoint(server, node)
    return None if endpoint is None else TcpCheck(timing=_timing(server, node), endpoint=endpoint)


def _http(server: ServerDraft, node: Node) -> Checker | None:
    endpoint = _endpoint(server, node)
    urls = lower_urls(server, node)
    if endpoint is None or not urls:
        return None
    version = node.get("http_protocol", "1.0")
    return HttpCheck(
        timing=_timing(server, node),
        endpoint=endpoint,
        urls=urls,
        tls=node.keyword.name == "SSL_GET",
        protocol="1.1" if version == "1.1" else "1.0C" if version in ("1.0C", "1.0c") else "1.0",
        fast_recovery=node.get("fast_recovery", False),
    )


def _smtp(server: ServerDraft, node: Node, outer: Node | None = None) -> Checker | None:
    endpoint = _endpoint(server, node)
    if endpoint is None:
        return None
    helo = (outer or node).get("helo_name", "smtpchecker.keepalived.org")
    return SmtpCheck(timing=_timing(server, node), endpoint=endpoint, helo_name=helo)


def _dns(server: ServerDraft, node: Node) -> Checker | None:
    endpoint = _endpoint(server, node)
    if endpoint is None:
        return None
    if not endpoint.port:
        endpoint = msgspec.structs.replace(endpoint, port=DNS_PORT)
    return DnsCheck(
        timing=_timing(server, node),
        endpoint=endpoint,
        type=node.get("type", "SOA"),
        name=_domain(node.get("name", ".")),
    )


def _domain(name: str) -> str:
    """A domain name without the dot at its end, in lower case (RFC 4343); the root is ``.``."""
    return name.rstrip(".").lower() or "."


def _ping(server: ServerDraft, node: Node) -> Checker | None:
    endpoint = _endpoint(server, node)
    if endpoint is None:
        return None
    return PingCheck(
        timing=_timing(server, node), endpoint=msgspec.structs.replace(endpoint, port=0, bind_port=0)
    )


def _udp(server: ServerDraft, node: Node) -> Checker | None:
    endpoint = _endpoint(server, node)
    if endpoint is None:
        return None
    low, high = node.get("min_reply_length", 0), node.get("max_reply_length", 255)
    if low > high:
        server.pool.scope.say(
            "KC0812",
            f"`UDP_CHECK` of {server.address}: `min_reply_length` {low} is above `max_reply_length` {high}",
            node.fields.get("min_reply_length", node),
            consequence="no reply is good: the server is taken out of the pool",
            help=f"add `max_reply_length {low}`, or more"
            if "max_reply_length" not in node.fields
            else "swap them",
        )
    payload, reply = node.get("payload"), node.get("require_reply")
    return UdpCheck(
        timing=_timing(server, node),
        endpoint=endpoint,
        payload=payload.lower() if payload is not None else None,
        require_reply=reply is not None,
        reply=reply.lower() if reply else None,
        min_reply_length=low,
        max_reply_length=high,
    )


def _misc(server: ServerDraft, node: Node) -> Checker | None:
    path = node.get("misc_path")
    if path is None or not path.argv:
        if not wrote(node, "misc_path"):
            server.pool.scope.say(
                "KC0803",
                f"`MISC_CHECK` of {server.address} has no `misc_path`",
                node,
                consequence="keepalived drops the check: without another one nothing takes the server out of the pool, dead or not",
                help='add `misc_path "COMMAND"`',
            )
        return None
    timeout = node.get("misc_timeout", 0) * SECOND
    pool_loop = server.pool.timing[0]
    return MiscCheck(
        timing=_timing(server, node),
        argv=path.argv,
        account=account(node.get("user") or path.account, server.pool.scope),
        timeout_us=timeout or (DELAY_LOOP_US if pool_loop is None else pool_loop),
        dynamic=node.get("misc_dynamic", False),
    )


_KINDS: dict[str, Callable[[ServerDraft, Node], Checker | None]] = {
    "TCP_CHECK": _tcp,
    "HTTP_GET": _http,
    "SSL_GET": _http,
    "MISC_CHECK": _misc,
    "SMTP_CHECK": _smtp,
    "DNS_CHECK": _dns,
    "UDP_CHECK": _udp,
    "PING_CHECK": _ping,
    "FILE_CHECK": file_check,
    "BFD_CHECK": bfd_check,
}
