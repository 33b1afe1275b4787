"""A plan for people: what it does to traffic, the worst first, a line an operation; then what was changed, by object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TextIO

from kcc.commands.diff_rollout import advice
from kcc.commands.diff_words import folded, label, lines, on_wire, order, value, worst
from kcc.diagnostics.render.text import Segment, Writer, clean, plural
from kir.codec import Document
from kir.diff import Change
from kir.model import Config
from kir.plan.operations import Impact
from kir.plan.plan import Plan

IMPACT_STYLE = {
    Impact.NONE: "help",
    Impact.HITLESS: "help",
    Impact.DEGRADED: "warning",
    Impact.FAILOVER: "warning",
    Impact.OUTAGE: "error",
}
SIGNS = {
    "add": ("+", "help"),
    "remove": ("-", "error"),
    "change": ("~", "warning"),
    "rename": ("→", "warning"),
}
WORDS = {
    "vrrp_instance": "vrrp",
    "virtual_server": "ipvs",
    "vrrp_sync_group": "group",
    "vrrp_script": "script",
    "vrrp_track_process": "process",
    "bfd_instance": "bfd",
    "global_defs": "global",
    "static_ipaddress": "static address",
    "static_routes": "static route",
    "static_rules": "static rule",
}
MOST_LINES = 40
"""Lines of one group that are shown; a large pool must not hide the rest."""
MOST_GROUPS = 60
"""Changed objects that are shown."""
WIDEST = 60
"""Columns of an operation before its reason, at most: longer ones push theirs out."""


def print_plan(old: Document, new: Document, plan: Plan, stream: TextIO, *, rollout: bool = True) -> None:
    """Print ``plan``; nothing but one line where there is no change. ``rollout``: with a line on peers, where they must follow."""
    writer = Writer(stream)
    if not plan.changes:
        writer.line(("no changes", "help"), (f"  ({new.digest[:19]}…)", ""))
        return
    writer.line(*_impact(plan), ("    wire: ", "message"), *_wire(plan))
    writer.line()
    for heading, impact, operations in order(plan):
        writer.line((f" {heading}", IMPACT_STYLE[impact]))
        rows = lines(operations)
        width = min(max(len(f"{r.target} {r.what}".strip()) for r in rows), WIDEST)
        for row in _limited(
            [
                [
                    (f"   {r.op:<20} ", ""),
                    (f"{f'{r.target} {r.what}'.strip():<{width}}", "message"),
                    (f"   {r.reason}" if r.reason else "", "secondary"),
                ]
                for r in rows
            ]
        ):
            writer.line(*row)
        writer.line()
    objects = _objects(plan.changes)
    sides = _Side(old.config), _Side(new.config)
    for (kind, name), changes in list(objects.items())[:MOST_GROUPS]:
        title = f"{WORDS.get(kind, kind)}  {clean(name)}".rstrip()
        writer.line((f" {title}", "message"), (_note(kind, name, *sides), ""))
        for line in _limited([_change(c) for c in folded(changes)]):
            writer.line(("   ", ""), *line)
        if more := _unchanged(kind, name, *sides):
            writer.line((f"   = {more}", "secondary"))
    if len(objects) > MOST_GROUPS:
        writer.line((f" … and {len(objects) - MOST_GROUPS:,} more objects (--format json tells all)", ""))
    writer.line()
    if rollout and plan.wire == "breaking":
        for words in advice(plan, old.config, new.config):
            writer.line(("peers: ", "message"), (clean(words), ""))
    counts = " · ".join(f"{name} {count}" for name, count in plan.counts().items())
    total = len(plan.operations)
    writer.line(
        (plural(total, "operation"), "message"),
        (f": {counts}" if total else " (nothing touches the kernel)", ""),
        ("    ", ""),
        *_impact(plan),
    )


def _impact(plan: Plan) -> list[Segment]:
    hit = worst(plan)
    return [
        ("impact: ", "message"),
        (plan.impact.word, IMPACT_STYLE[plan.impact]),
        (f" ({hit})" if hit else "", ""),
    ]


def _wire(plan: Plan) -> list[Segment]:
    seen = on_wire(plan)
    return [(plan.wire, "error" if plan.wire == "breaking" else ""), (f" ({seen})" if seen else "", "")]


def _objects(changes: Sequence[Change]) -> dict[tuple[str, str], list[Change]]:
    """The changes by the object that they are about: keyword and identity."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        kind = change.path[0]
        name = change.path[1] if len(change.path) > 1 and kind != "global_defs" else ""
        groups.setdefault((kind, name), []).append(change)
    return groups


class _Side:
    """The objects of a configuration that a heading tells more of, by name."""

    def __init__(self, config: Config) -> None:
        self.servers = {v.name: v for v in config.virtual_servers}
        self.instances = {i.name: i for i in config.vrrp_instances}


def _note(kind: str, name: str, old: _Side, new: _Side) -> str:
    if kind == "virtual_server":
        server = new.servers.get(name) or old.servers.get(name)
        if server is not None:
            methods = sorted({r.forwarding.method for r in server.real_servers})
            words = [server.scheduler, "/".join(methods), plural(len(server.real_servers), "server")]
            return f"  ({', '.join(w for w in words if w)})"
    if kind == "vrrp_instance":
        i = new.instances.get(name) or old.instances.get(name)
        if i is not None:
            return f"  (version {i.version}, vrid {i.vrid} on {i.interface}, priority {i.priority})"
    return ""


def _unchanged(kind: str, name: str, old: _Side, new: _Side) -> str:
    """``14 servers unchanged``, of a pool in which others did change."""
    if kind != "virtual_server":
        return ""
    before, after = old.servers.get(name), new.servers.get(name)
    if before is None or after is None or before.real_servers == after.real_servers:
        return ""
    known = {r.identity: r for r in before.real_servers}
    same = sum(known.get(r.identity) == r for r in after.real_servers)
    return f"{plural(same, 'server')} unchanged" if same else ""


def _limited(rows: list[list[Segment]]) -> Iterable[list[Segment]]:
    yield from rows[:MOST_LINES]
    if len(rows) > MOST_LINES:
        yield [(f"   … and {len(rows) - MOST_LINES:,} more", "")]


def _change(change: Change | tuple[str, str, list[Change]]) -> list[Segment]:
    if isinstance(change, tuple):
        action, word, members = change
        sign, style = SIGNS[action]
        span = f"{members[0].path[-1]} … {members[-1].path[-1]}"
        return [(f"{sign} ", style), (clean(f"{len(members):,} × {label(word + ' ').strip()}  {span}"), "")]
    sign, style = SIGNS[change.action]
    rest = change.path[2:] if len(change.path) > 1 and change.path[0] != "global_defs" else change.path[1:]
    if change.action == "rename":
        return [(f"{sign} ", style), (clean(f"renamed from {change.old}"), "")]
    name = label(" ".join(rest))
    words = ""
    if change.action == "change":
        words = clean(value(change))
    elif not rest:
        name = "new" if change.action == "add" else "removed"
    line: list[Segment] = [(f"{sign} ", style), (f"{clean(name):<38}", ""), (f" {words}", "")]
    if change.wire != "local":
        line.append(
            (
                f"   {change.wire}: {clean(change.reason)}",
                "error" if change.wire == "breaking" else "secondary",
            )
        )
    return line
