"""A plan for people: grouped by object, a line a change, the worst first; then the operations that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from kcc.diagnostics.render.text import Segment, Writer, clean, plural
from kir.codec import Document
from kir.diff import Change
from kir.model import Config
from kir.plan.operations import AddDest, EditDest, Impact, Operation
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
    "global_defs": "global",
}
MOST_LINES = 40
"""Lines of one group that are shown; a large pool must not hide the rest."""


def print_plan(old: Document, new: Document, plan: Plan, stream: TextIO) -> None:
    """Print ``plan``; nothing but one line where there is no change."""
    writer = Writer(stream)
    if not plan.changes:
        writer.line(("no changes", "help"), (f"  ({new.digest[:19]}…)", ""))
        return
    _header(plan, writer)
    for title, note, changes in _groups(plan.changes, old.config, new.config):
        writer.line((f" {title}", "message"), (note, ""))
        for line in _limited([_change(c) for c in changes]):
            writer.line(("   ", ""), *line)
    writer.line()
    _operations(plan, writer)


def _header(plan: Plan, writer: Writer) -> None:
    worst = [o for o in plan.operations if o.impact is plan.impact]
    seconds = max((o.seconds for o in worst if o.seconds is not None), default=None)
    who = ", ".join(dict.fromkeys(clean(o.target) for o in worst[:3])) + (", …" if len(worst) > 3 else "")
    line: list[Segment] = [("impact: ", "message"), (plan.impact.word, IMPACT_STYLE[plan.impact])]
    if plan.impact > Impact.HITLESS:
        line.append((f" ({who}{f', up to {seconds:.1f} s' if seconds else ''})", ""))
    breaking = [c for c in plan.changes if c.wire == plan.wire]
    line += [("    wire: ", "message"), (plan.wire, "error" if plan.wire == "breaking" else "")]
    if plan.wire != "local":
        line.append(
            (f" ({'; '.join(_short(c) for c in breaking[:2])}{'; …' if len(breaking) > 2 else ''})", "")
        )
    writer.line(*line)
    writer.line()


def _short(change: Change) -> str:
    name = change.path[1] if len(change.path) > 1 else change.path[0]
    rest = " ".join(change.path[2:])
    arrow = f" {text(rest, change.old)} → {text(rest, change.new)}" if change.action == "change" else ""
    return clean(f"{name}: {label(rest)}{arrow}")


def _groups(changes: Sequence[Change], old: Config, new: Config) -> Iterable[tuple[str, str, list[Change]]]:
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        kind = change.path[0]
        groups.setdefault((kind, "" if kind == "global_defs" else change.path[1]), []).append(change)
    for (kind, name), members in groups.items():
        yield f"{WORDS.get(kind, kind)}  {clean(name)}", _note(kind, name, old, new), members


def _note(kind: str, name: str, old: Config, new: Config) -> str:
    if kind == "virtual_server":
        for config in (new, old):
            for server in config.virtual_servers:
                if server.name == name:
                    methods = sorted({r.forwarding.method for r in server.real_servers})
                    return f"  ({server.scheduler}, {'/'.join(methods)}, {plural(len(server.real_servers), 'server')})"
    if kind == "vrrp_instance":
        for config in (new, old):
            for i in config.vrrp_instances:
                if i.name == name:
                    return f"  (version {i.version}, vrid {i.vrid} on {i.interface}, priority {i.priority})"
    return ""


def _limited(lines: list[list[Segment]]) -> Iterable[list[Segment]]:
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield [(f"… and {len(lines) - MOST_LINES:,} more", "")]


def _change(change: Change) -> list[Segment]:
    sign, style = SIGNS[change.action]
    rest = change.path[2:] if change.path[0] != "global_defs" else change.path[1:]
    what = label(" ".join(rest))
    if change.action == "rename":
        return [(f"{sign} ", style), (clean(f"renamed from {change.old}"), "")]
    if change.action == "change":
        value = f"{text(what_key(rest), change.old)} → {text(what_key(rest), change.new)}"
        return _columns(sign, style, what, clean(value), change)
    if not rest:
        words = "new" if change.action == "add" else "removed"
        return _columns(sign, style, words, "", change)
    return _columns(sign, style, what, "", change)


def _columns(sign: str, style: str, what: str, value: str, change: Change) -> list[Segment]:
    line: list[Segment] = [(f"{sign} ", style), (f"{clean(what):<38}", ""), (f" {value}", "")]
    if change.wire != "local":
        line.append(
            (f"   {change.wire}: {change.reason}", "error" if change.wire == "breaking" else "secondary")
        )
    return line


def what_key(rest: Sequence[str]) -> str:
    return rest[-1] if rest else ""


def label(words: str) -> str:
    """A path for people: units are shown with the values, so the names lose them."""
    for suffix in ("_us", "_s"):
        if words.endswith(suffix):
            words = words.removesuffix(suffix)
    return words.replace("virtual_ipaddress_excluded ", "excluded vip ").replace("virtual_ipaddress ", "vip ")


def text(key: str, value: Any) -> str:
    """A value for people: durations with units, absent ones as ``none``."""
    if value is None:
        return "none"
    if key.endswith("_us") and isinstance(value, int):
        return duration(value)
    if key.endswith("_s") and isinstance(value, int) and not isinstance(value, bool):
        return f"{value} s"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if "argv" in value:
            return " ".join(value["argv"])
        return " ".join(f"{k} {text(k, v)}" for k, v in value.items() if v not in (None, [], "", False))
    if isinstance(value, list):
        return ", ".join(text(key, v) for v in value) or "none"
    return str(value)


def duration(us: int) -> str:
    """``1 s``, ``1.5 s``, ``500 ms``, ``10 µs``."""
    if us >= 1_000_000 or us == 0:
        return f"{us / 1_000_000:.6f}".rstrip("0").rstrip(".") + " s"
    if us >= 1000:
        return f"{us / 1000:.3f}".rstrip("0").rstrip(".") + " ms"
    return f"{us} µs"


def _operations(plan: Plan, writer: Writer) -> None:
    counts = " · ".join(f"{name} {count}" for name, count in plan.counts().items())
    total = len(plan.operations)
    writer.line(
        (plural(total, "operation"), "message"),
        (f": {counts}" if total else " (nothing touches the kernel)", ""),
    )
    ranked = sorted(plan.operations, key=lambda o: -o.impact)
    lines: list[list[Segment]] = []
    for o in ranked:
        lines.append(
            [
                (f"{o.impact.word:<8} ", IMPACT_STYLE[o.impact]),
                (f"{o.op:<18} {clean(_describe(o))}", ""),
                (f"   {clean(o.reason)}" if o.reason else "", "secondary"),
            ]
        )
    for line in _limited(lines):
        writer.line(("   ", ""), *line)


def _describe(o: Operation) -> str:
    if isinstance(o, EditDest) and o.old.weight != o.params.weight:
        return f"{o.target} weight {o.old.weight} → {o.params.weight}"
    if isinstance(o, AddDest):
        return f"{o.target} weight {o.params.weight}"
    return o.target
