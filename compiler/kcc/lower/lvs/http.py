"""The requests of an HTTP check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.lower.scope import wrote
from kir.model import StatusRange, Url

if TYPE_CHECKING:
    from kcc.language.parsed import Field, Node
    from kcc.lower.lvs.draft import ServerDraft

_GOOD = (StatusRange(low=200, high=299),)


def lower_urls(server: ServerDraft, node: Node) -> tuple[Url, ...]:
    """The urls of a check, without those that keepalived drops; none: the whole check is dropped."""
    scope = server.pool.scope
    found: list[Url] = []
    refused = False
    blocks = node.children("url")
    for block in blocks:
        path = block.get("path")
        if not path:
            refused = True
            if not wrote(block, "path"):
                scope.say(
                    "KC0802",
                    f"`url` of {node.keyword.name} {server.address} has no `path`",
                    block,
                    consequence="keepalived drops the request",
                    help="add `path /`",
                )
            continue
        found.append(_url(server, node, block, path))
    if not found and not refused:
        scope.say(
            "KC0801",
            f"`{node.keyword.name}` of {server.address} has no `url`",
            node,
            consequence="keepalived drops the check: the server counts as up for ever",
            help="add `url { path / status_code 200 }`, one keyword a line",
        )
    return tuple(found)


def _url(server: ServerDraft, node: Node, block: Node, path: str) -> Url:
    """Host: the url's ``virtualhost``, else the check's, the real server's, the virtual server's.

    The name in the TLS handshake follows the same way, but leaves out the real server's.
    """
    tls = node.keyword.name == "SSL_GET"
    inner = block.get("virtualhost") or node.get("virtualhost")
    sni = None
    if tls and (node.get("enable_sni", False) or "sni_name" in node.fields):
        named = node.get("sni_name")
        sni = (named if isinstance(named, str) else None) or inner or server.pool.virtualhost
    compliant = tls and block.get("tls_compliant", node.get("tls_compliant", False))
    status = block.repeated.get("status_code")
    single = block.fields.get("status_code")
    said = status if status else [single] if single is not None else []
    host = inner or server.virtualhost
    key = (Url, path, host, sni, block.get("digest"), tuple(field.value for field in said), compliant)
    scope = server.pool.scope
    made: Url | None = scope.made.get(key)
    if made is None:
        digest = block.get("digest")
        made = scope.made[key] = Url(
            path=path,
            host=host,
            sni=sni,
            digest=digest.lower() if digest else None,
            status=status_ranges(said),
            tls_compliant=compliant,
        )
    return made


def status_ranges(said: list[Field]) -> tuple[StatusRange, ...]:
    """The union of all ``status_code`` lines as sorted ranges that do not touch."""
    ranges = sorted(pair for field in said for pair in field.value)
    merged: list[tuple[int, int]] = []
    for low, high in ranges:
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(StatusRange(low=low, high=high) for low, high in merged) or _GOOD
