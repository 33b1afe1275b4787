"""One mistake, one message: what only follows from a mistake that was reported is not reported again.

Each stage says what it sees. Where the text of a line was broken already (a quote that is not closed, a definition that does
not exist), the stages behind it see words that nobody wrote; where a value was refused, they miss it; where a block was
skipped, they miss its name. Their findings about that are taken out here. The one that stays keeps the weight of what it caused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from kcc.diagnostics.model import Diagnostic, Findings, Lost, Related, Severity

_REST_OF_LINE = frozenset(("KC0003", "KC0101", "KC0114"))
"""After these nothing on the line is what it looks like."""

_WORD = frozenset(("KC0104", "KC0105", "KC0106", "KC0108", "KC0111", "KC0118"))
"""After these the word that they point at stays as it was written, and is refused as a keyword or a value."""

_STRUCTURE_LOST = "KC0207"
_CONTINUED = "KC0114"
_OPTION = "KC0311"
_BRACE_MISSING = "KC0205"
_BRACE_LEFT = "KC0203"

_CHECKS = (
    "TCP_CHECK",
    "HTTP_GET",
    "SSL_GET",
    "SMTP_CHECK",
    "MISC_CHECK",
    "DNS_CHECK",
    "UDP_CHECK",
    "PING_CHECK",
    "FILE_CHECK",
    "BFD_CHECK",
)

_IN_BLOCK: dict[str, tuple[str, ...]] = {
    "KC0501": ("virtual_router_id",),
    "KC0502": ("interface", "unicast_src_ip"),
    "KC0508": ("virtual_ipaddress",),
    "KC0510": ("state", "priority"),
    "KC0514": ("authentication", "auth_type", "auth_pass"),
    "KC0516": ("unicast_peer",),
    "KC0530": ("group",),
    "KC0562": ("virtual_ipaddress", "unicast_peer"),
    "KC0607": ("script",),
    "KC0608": ("interval", "timeout"),
    "KC0701": ("real_server",),
    "KC0704": ("virtual_server_group",),
    "KC0705": ("protocol",),
    "KC0709": ("lvs_sched", "lb_algo"),
    "KC0711": ("lvs_method", "lb_kind"),
    "KC0712": ("quorum", "weight", "real_server"),
    "KC0713": ("quorum", "hysteresis"),
    "KC0720": _CHECKS,
    "KC0801": ("url",),
    "KC0802": ("path",),
    "KC0803": ("misc_path",),
    "KC0806": ("delay_loop", "misc_timeout", "connect_timeout", "retry"),
}
"""What is missed, and the keywords of the same top-level block whose loss explains it."""

_ANYWHERE: dict[str, tuple[str, ...]] = {
    "KC0401": ("global_defs", "enable_script_security"),
    "KC0404": ("global_defs", "smtp_server", "notification_email"),
    "KC0405": ("global_defs", "script_user"),
    "KC0533": ("vrrp_instance", "interface", "virtual_router_id", "group"),
    "KC0604": ("sync_group_tracking_weight",),
}
"""What is missed, and the keywords anywhere in the configuration whose loss explains it."""

_NAMED = {"KC0531": "vrrp_instance", "KC0601": "vrrp_script", "KC0703": "virtual_server_group"}
"""Names that lead nowhere, and what they are names of."""

_MISPLACED = "must stand before"
_PLACES = 12

_NAME = r"`(\w+) (\S+)`"


def one_cause(findings: Findings, blocks: Sequence[tuple[str, int]] = ()) -> None:
    """Take out of ``findings`` what follows from another finding. Cheap where there is little to look at.

    ``blocks``: file and first line of each top-level statement.
    """
    items = findings.items
    if len(items) < 2:
        return
    before = _errors(items)
    lost_files = {d.span.file for d in items if d.code == _STRUCTURE_LOST}
    causes: dict[tuple[str, int], list[int]] = {}
    for n, d in enumerate(items):
        if d.code in _REST_OF_LINE or (d.code in _WORD and d.severity > Severity.NOTE):
            causes.setdefault((d.span.file, d.span.line), []).append(n)
    gone: set[int] = set()
    if causes:
        _language(items, causes, gone)
    _options(items, gone)
    _braces(items, gone)
    if lost_files:
        gone.update(
            n for n, d in enumerate(items) if d.span.file in lost_files and "KC0208" <= d.code < "KC09"
        )
    void: dict[int, int] = {}
    if findings.lost:
        _missed(items, findings.lost, blocks, gone, void)
    _names(items, gone, void)
    for n, cause in void.items():
        if cause == n:
            continue
        if len(items[cause].related) < _PLACES:
            place = Related(items[n].span, items[n].message)
            items[cause] = replace(items[cause], related=(*items[cause].related, place))
        gone.add(n)
    if gone:
        items[:] = [d for n, d in enumerate(items) if n not in gone]
        findings.errors += _errors(items) - before


def _errors(items: list[Diagnostic]) -> int:
    return sum(d.severity is Severity.ERROR for d in items)


def _language(items: list[Diagnostic], causes: dict[tuple[str, int], list[int]], gone: set[int]) -> None:
    """Findings about keywords and values of a word that was broken before they were looked at."""
    for n, d in enumerate(items):
        if not "KC0201" <= d.code < "KC04":
            continue
        cause = next((c for c in causes.get((d.span.file, d.span.line), ()) if _follows(d, items[c])), None)
        if cause is None and d.code == "KC0201":
            above = causes.get((d.span.file, d.span.line - 1), ())
            cause = next((c for c in above if items[c].code == _CONTINUED), None)
        if cause is None:
            continue
        gone.add(n)
        if d.severity > items[cause].severity:
            items[cause] = replace(
                items[cause], severity=d.severity, consequence=d.consequence or items[cause].consequence
            )


def _follows(d: Diagnostic, cause: Diagnostic) -> bool:
    if cause.code in _REST_OF_LINE:
        return True
    return d.span.column < cause.span.end_column and cause.span.column < d.span.end_column


def _options(items: list[Diagnostic], gone: set[int]) -> None:
    """The word behind an unknown option is its value, not a second unknown option."""
    last: Diagnostic | None = None
    for n, d in enumerate(items):
        if d.code != _OPTION:
            continue
        if (
            last is not None
            and (d.span.file, d.span.line) == (last.span.file, last.span.line)
            and 0 < d.span.column - last.span.end_column < 4
        ):
            gone.add(n)
        last = d


def _braces(items: list[Diagnostic], gone: set[int]) -> None:
    """The `}` that is left over because its `{` is missing, just above."""
    missing = {(d.span.file, d.span.line) for d in items if d.code == _BRACE_MISSING}
    for n, d in enumerate(items):
        if d.code == _BRACE_LEFT and (d.span.file, d.span.line - 1) in missing:
            gone.add(n)


def _missed(
    items: list[Diagnostic],
    lost: list[Lost],
    blocks: Sequence[tuple[str, int]],
    gone: set[int],
    void: dict[int, int],
) -> None:
    """Findings that miss something which was there, and was refused. ``void``: names that lead nowhere, and their cause."""
    at: dict[tuple[str, int], int] = {}
    for n, d in enumerate(items):
        at.setdefault((d.span.file, d.span.line), n)
    starts = sorted(blocks)
    anywhere = {entry.keyword for entry in lost}
    inside: dict[str, set[tuple[str, int]]] = {}
    for entry in lost:
        inside.setdefault(entry.keyword, set()).add(_block(starts, entry.file, entry.line))
    words = frozenset().union(*(entry.words for entry in lost))
    for n, d in enumerate(items):
        wanted = _IN_BLOCK.get(d.code)
        if wanted is not None:
            here = _block(starts, d.span.file, d.span.line)
            if any(here in inside.get(keyword, ()) for keyword in wanted):
                gone.add(n)
        elif d.code in _ANYWHERE:
            if not anywhere.isdisjoint(_ANYWHERE[d.code]):
                gone.add(n)
        elif d.code in _NAMED:
            kind = _NAMED[d.code]
            name = _name(d, kind)
            for entry in lost:
                if (entry.keyword == kind and _may_be(entry, name)) or (
                    entry.keyword == "script" and _name(d, "vrrp_script") and _MISPLACED in d.message
                ):
                    void[n] = at.get((entry.file, entry.line), n)
                    break
        elif d.code == "KC0606" and _name(d, "vrrp_script") in words:
            gone.add(n)


def _may_be(entry: Lost, name: str | None) -> bool:
    """Whether a block that was lost may have been called ``name``: it says so, or it was lost for want of a name."""
    return name in entry.words or entry.nameless


def _block(starts: list[tuple[str, int]], file: str, line: int) -> tuple[str, int]:
    """The top-level statement that ``line`` belongs to; where it begins."""
    from bisect import bisect_right

    at = bisect_right(starts, (file, line)) - 1
    return starts[at] if at >= 0 and starts[at][0] == file else (file, 0)


def _name(d: Diagnostic, kind: str) -> str | None:
    """The name of a block of ``kind`` that the message is about."""
    return next((m[2] for m in re.finditer(_NAME, d.message) if m[1] == kind), None)


def _names(items: list[Diagnostic], gone: set[int], void: dict[int, int]) -> None:
    """A name that was misspelt where it is used: what it should have named is not unused, a group it was left out of not small."""
    groups = {d.message.partition(":")[0] for d in items if d.code in ("KC0531", "KC0532")}
    scripts = {
        _name(d, "vrrp_script"): n for n, d in enumerate(items) if d.code == "KC0607" and n not in gone
    }
    similar = {r.span for d in items if d.code == "KC0601" for r in d.related}
    for n, d in enumerate(items):
        if (d.code == "KC0533" and any(d.message.startswith(group) for group in groups)) or (
            d.code == "KC0606" and d.span in similar
        ):
            gone.add(n)
        elif d.code == "KC0601" and (cause := scripts.get(_name(d, "vrrp_script"))) is not None:
            void[n] = cause


__all__ = ["one_cause"]
