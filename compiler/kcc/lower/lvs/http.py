"""The requests of an HTTP check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.lower.scope import wrote
from kir.model import Regex, StatusRange, Url

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
            consequence="keepalived drops the check: without another one nothing takes the server out of the pool, dead or not",
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
    regex = _regex(server, block) if len(block.fields) > 1 else None
    key = (Url, path, host, sni, block.get("digest"), tuple(field.value for field in said), compliant, regex)
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
            regex=regex,
        )
    return made


_REGEX = ("regex_no_match", "regex_options", "regex_min_offset", "regex_max_offset", "regex_stack")


def _regex(server: ServerDraft, block: Node) -> Regex | None:
    """The expression with its options. Options alone, and offsets that leave no room, are cleared."""
    fields = block.fields
    pattern = block.get("regex")
    if pattern is None:
        alone = next((name for name in _REGEX if name in fields), None)
        if alone is not None and not wrote(block, "regex"):
            server.pool.scope.say(
                "KC0809",
                f"`{alone}` without `regex`",
                fields[alone],
                consequence="keepalived ignores it: the content of the page is not looked at",
                help="add `regex EXPRESSION`, or remove the line",
            )
        return None
    options = tuple(sorted(set(block.get("regex_options", ()))))
    if _refused(server, fields["regex"], pattern, options):
        return None
    low, high = block.get("regex_min_offset", 0), block.get("regex_max_offset")
    if high is not None and low >= high:
        server.pool.scope.say(
            "KC0809",
            f"`regex_min_offset` {low} is not below `regex_max_offset` {high}",
            fields.get("regex_min_offset", fields["regex_max_offset"]),
            consequence="keepalived clears both: the expression may match anywhere",
            help="write a larger `regex_max_offset`",
        )
        low, high = 0, None
    stack = block.get("regex_stack")
    return Regex(
        pattern=pattern,
        no_match=block.get("regex_no_match", False),
        options=options,
        min_offset=low,
        max_offset=high,
        stack_start=stack[0] if stack else None,
        stack_max=stack[1] if stack else None,
    )


def _refused(server: ServerDraft, said: Field, pattern: str, options: tuple[str, ...]) -> bool:
    """Whether PCRE2 surely refuses the expression; keepalived then goes on without it."""
    from kcc.lower.lvs.pcre import mistake

    wrong = mistake(pattern, options)
    if wrong is None:
        return False
    server.pool.scope.say(
        "KC0813",
        f"this `regex` is no regular expression: {wrong}",
        said,
        consequence="keepalived drops it with a line in its log: a page with any content is good",
        help="a backslash takes the next character as it is: `\\(`, `\\[`, `\\*`",
    )
    return True


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
