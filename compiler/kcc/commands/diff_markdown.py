"""A plan as a comment of a merge request: the verdict in the first line, tables, and what is long folded away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from kcc.commands.diff_rollout import advice
from kcc.commands.diff_words import folded, label, lines, on_wire, order, value, worst
from kcc.diagnostics.render.text import clean, plural
from kir.codec import Document
from kir.diff import Change
from kir.plan.operations import Impact
from kir.plan.plan import Plan

SHOWN = 20
"""Rows of operations in sight; with more, those without an impact on traffic are folded away."""
MOST_ROWS = 500
"""Rows of a table at most: a comment has a limit, too (GitLab: 1,000,000 characters, GitHub: 65,536)."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>&-])")
_HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;", "`": "&#96;"}


def escaped(words: str) -> str:
    """Text that Markdown shows as it is, in a table cell too."""
    return _SPECIAL.sub(lambda m: _HTML.get(m[1], f"\\{m[1]}" if m[1] in "\\*_[]" else m[1]), clean(words))


def code(words: str) -> str:
    """Text in the font of code: no character in it has a meaning."""
    return "<code>" + "".join(_HTML.get(c, c) for c in clean(words)) + "</code>" if words else ""


def render(
    names: tuple[str, str],
    docs: tuple[Document, Document],
    plan: Plan,
    *,
    level: int = 3,
    rollout: bool = True,
) -> str:
    """The comment. ``level``: of its heading. ``rollout``: with a line on peers, where they must follow."""
    return "\n".join(_render(names, docs, plan, level, rollout)).rstrip() + "\n"


def _render(
    names: tuple[str, str], docs: tuple[Document, Document], plan: Plan, level: int, rollout: bool
) -> Iterator[str]:
    old, new = names
    head = "#" * level
    if not plan.changes:
        yield f"{head} No changes"
        yield ""
        yield f"{code(old)} and {code(new)} mean the same ({code(docs[1].digest[:19] + '…')})."
        return
    yield f"{head} Impact: **{plan.impact.word}** · wire: **{plan.wire}**"
    yield ""
    hit, seen = worst(plan), on_wire(plan)
    if hit:
        yield f"- {plan.impact.word}: {escaped(hit)}"
    if seen:
        yield f"- {plan.wire} on the wire: {escaped(seen)}"
    if rollout and plan.wire == "breaking":
        for words in advice(plan, docs[0].config, docs[1].config):
            yield f"- peers: {escaped(words)}"
    yield f"- {code(old)} → {code(new)}: {plural(len(plan.changes), 'change')}, {plural(len(plan.operations), 'operation')}"
    yield ""
    yield from _operations(plan)
    yield from _folded(
        plural(len(plan.changes), "change"),
        ["Change", "", "Wire"],
        [_change(c) for c in _all_folded(plan.changes)],
    )


def _operations(plan: Plan) -> Iterator[str]:
    shown: list[list[str]] = []
    quiet: list[list[str]] = []
    for heading, impact, operations in order(plan):
        for row in lines(operations):
            cells = [heading, code(row.op), code(row.target), escaped(row.what), escaped(row.reason)]
            (shown if impact > Impact.HITLESS else quiet).append(cells)
    if len(shown) + len(quiet) <= SHOWN:
        shown, quiet = shown + quiet, []
    head = ["Impact", "Operation", "Target", "", "Why"]
    if shown:
        yield from _table(head, shown)
        yield ""
    if quiet:
        yield from _folded(f"{len(quiet):,} more without an impact on traffic", head, quiet)


def _folded(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from _table(head, rows)
    yield ""
    yield "</details>"
    yield ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join(' --- ' for _ in head)}|"
    for row in rows[:MOST_ROWS]:
        yield f"| {' | '.join(row)} |"
    if len(rows) > MOST_ROWS:
        yield f"| … and {len(rows) - MOST_ROWS:,} more |{' |' * (len(head) - 1)}"


def _all_folded(changes: Sequence[Change]) -> Iterator[Change | tuple[str, str, list[Change]]]:
    """The changes, each object's own folded."""
    for _, members in groupby(changes, key=lambda c: c.path[:2]):
        yield from folded(list(members))


def _change(change: Change | tuple[str, str, list[Change]]) -> list[str]:
    if isinstance(change, tuple):
        action, word, members = change
        where = label(" ".join((*members[0].path[:-2], word, "")))
        span = f"{members[0].path[-1]} … {members[-1].path[-1]}"
        words = f"{len(members):,} {'new' if action == 'add' else 'removed'}"
        return [code(f"{where}{span}"), words, _wire(members[0])]
    name = label(" ".join(change.path))
    if change.action == "change":
        words = value(change)
    elif change.action == "rename":
        words = f"renamed from {change.old}"
    else:
        words = "new" if change.action == "add" else "removed"
    return [code(name), escaped(words), _wire(change)]


def _wire(change: Change) -> str:
    return escaped(change.wire if change.wire == "local" else f"{change.wire}: {change.reason}")
