"""Health checks of a real server: each takes what it does not say from its server, that from the virtual server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.lower.lvs.http import lower_urls
from kcc.lower.scope import wrote
from kcc.lower.scripts import account
from kir.model import Checker, Endpoint, HttpCheck, MiscCheck, TcpCheck, Timing

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcc.language.parsed import Node
    from kcc.lower.lvs.draft import ServerDraft

SECOND = 1_000_000
DELAY_LOOP_US = 60 * SECOND
CONNECT_TIMEOUT_US = 5 * SECOND
# What a kind of check does where nobody says anything (keepalived.conf(5)): retries and the delay before one.
_RETRY = {"MISC_CHECK": 0}
_BEFORE_RETRY_US = {"HTTP_GET": 3 * SECOND, "SSL_GET": 3 * SECOND}


def lower_checkers(server: ServerDraft, blocks: list[Node]) -> tuple[Checker, ...]:
    """The checks that the IR carries, in the order of the text. What it cannot carry is reported as uncovered elsewhere."""
    found: list[Checker] = []
    for node in blocks:
        make = _KINDS.get(node.keyword.name)
        if make is None:
            continue
        made = make(server, node)
        if made is not None:
            server.pool.scope.nodes[f"{server.path}/checker/{node.keyword.name} {len(found)}"] = node
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
            delay_before_retry_us=_BEFORE_RETRY_US.get(kind, SECOND) if pause is None else pause,
            alpha=alpha,
            log_all_failures=log_all,
        )
        scope.made[key] = made
    return made


def _endpoint(server: ServerDraft, node: Node) -> Endpoint | None:
    """Where the check connects; None where keepalived drops the check."""
    timeout = server.timing[4]
    if timeout is None:
        timeout = CONNECT_TIMEOUT_US
    if not node.fields and not _link_local(server.address):
        return Endpoint(address=server.address, port=server.port, timeout_us=timeout)
    get = node.get
    address, source, link = get("connect_ip", server.address), get("bindto"), get("bind_if")
    if _link_local(address) and link is None:
        server.pool.scope.say(
            "KC0805",
            f"`{node.keyword.name}` of {server.address}: {address} exists on every link",
            node.fields.get("connect_ip", node),
            consequence="keepalived drops the check: the server counts as up for ever",
            help="add `bind_if INTERFACE`",
        )
        return None
    if source is not None and (":" in source) != (":" in address):
        server.pool.scope.say(
            "KC0804",
            f"`{node.keyword.name}` of {server.address}: no connection goes from {source} to {address}",
            node.fields["bindto"],
            consequence="keepalived drops the check: the server counts as up for ever",
            help="write a source address of the same family",
            also=((node.fields["connect_ip"], "the other address"),) if "connect_ip" in node.fields else (),
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


def _misc(server: ServerDraft, node: Node) -> Checker | None:
    path = node.get("misc_path")
    if path is None or not path.argv:
        if not wrote(node, "misc_path"):
            server.pool.scope.say(
                "KC0803",
                f"`MISC_CHECK` of {server.address} has no `misc_path`",
                node,
                consequence="keepalived drops the check: the server counts as up for ever",
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
}
