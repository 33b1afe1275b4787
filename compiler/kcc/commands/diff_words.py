"""The words of a plan for people: values with units, what an operation does, many alike in one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kcc.diagnostics.render.text import clean
from kir.diff import Change
from kir.model import MASK
from kir.plan.operations import (
    AddDest,
    BfdOperation,
    CheckerOperation,
    DaemonOperation,
    DestOperation,
    EditDest,
    EditService,
    Impact,
    Operation,
    TrackerOperation,
    VrrpOperation,
    changed,
)
from kir.plan.plan import Plan

FOLDED = 3
"""Operations of one kind on one object that are still told one by one."""


def label(words: str) -> str:
    """A path for people: units are shown with the values, so the names lose them."""
    return (
        without_unit(words)
        .replace("virtual_ipaddress_excluded ", "excluded vip ")
        .replace("virtual_ipaddress ", "vip ")
    )


def without_unit(name: str) -> str:
    """``advert_int_us`` → ``advert_int``."""
    for suffix in ("_us", "_s"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


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
        return " ".join(
            f"{without_unit(k)} {text(k, v)}" for k, v in value.items() if v not in (None, [], "", False)
        )
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


def seconds(value: float) -> str:
    """``3.61 s``."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + " s"


def what(operation: Operation) -> str:
    """What an operation changes, beside its target: ``weight 1 → 7``; empty where the target says it all."""
    if isinstance(operation, AddDest):
        return f"weight {operation.params.weight}, {operation.params.forwarding.method}"
    if isinstance(operation, (EditDest, EditService)):
        differing = changed(operation.old, operation.params)
        return ", ".join(
            f"{without_unit(k)} {text(k, v['old'])} → {text(k, v['new'])}" for k, v in differing.items()
        )
    if isinstance(
        operation, (VrrpOperation, TrackerOperation, BfdOperation, CheckerOperation, DaemonOperation)
    ):
        found = getattr(operation, "fields", ())
        return ", ".join(without_unit(f) for f in found)
    return ""


def value(change: Change) -> str:
    """``1 s → 2 s``, of a changed value; a secret is only said to have changed."""
    key = change.path[-1]
    old, new = text(key, change.old), text(key, change.new)
    return "changed (secret)" if MASK in old and MASK in new else f"{old} → {new}"


def within(us: int | None) -> str:
    """``within 3 s``, never too long; ``at once`` where it cannot be told."""
    return f"within {duration(us // 100_000 * 100_000)}" if us is not None and us >= 100_000 else "at once"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the operations: one of them, or several that differ in one server only."""

    op: str
    target: str
    what: str
    reason: str
    impact: Impact
    count: int = 1


def lines(operations: Iterable[Operation]) -> list[Line]:
    """The operations as lines, in their order; servers of one service for which the same holds are one line."""
    groups: dict[tuple[Any, ...], list[Operation]] = {}
    for number, o in enumerate(operations):
        key: tuple[Any, ...] = (number,)
        if isinstance(o, DestOperation):
            key = (o.op, o.service, o.reason, what(o), o.phase)
        elif isinstance(o, CheckerOperation):
            key = (o.op, o.virtual_server, o.reason, what(o))
        groups.setdefault(key, []).append(o)
    found: list[Line] = []
    for members in groups.values():
        if len(members) > FOLDED:
            found.append(_folded(members))
        else:
            found += [Line(o.op, clean(o.target), clean(what(o)), clean(o.reason), o.impact) for o in members]
    return found


def _folded(members: Sequence[Operation]) -> Line:
    first, last = members[0], members[-1]
    if isinstance(first, DestOperation) and isinstance(last, DestOperation):
        target = f"{first.service.identity} -> {len(members):,} servers, {first.dest} … {last.dest}"
    else:
        assert isinstance(first, CheckerOperation)
        target = f"{first.virtual_server} -> {len(members):,} checks"
    return Line(first.op, clean(target), clean(what(first)), clean(first.reason), first.impact, len(members))


MANY = 5
"""Objects of one list that come, or go, which are still told one by one."""


def folded(changes: Sequence[Change]) -> list[Change | tuple[str, str, list[Change]]]:
    """The changes of one object, in their order; where many objects of a list come or go, they are one entry: action, list, changes."""
    groups: dict[tuple[Any, ...], list[Change]] = {}
    for number, change in enumerate(changes):
        alike = change.action in ("add", "remove") and len(change.path) >= 4
        key = (change.action, change.path[:-1], change.wire, change.reason) if alike else (number,)
        groups.setdefault(key, []).append(change)
    found: list[Change | tuple[str, str, list[Change]]] = []
    for members in groups.values():
        if len(members) > MANY:
            found.append((members[0].action, members[0].path[-2], members))
        else:
            found += members
    return found


def order(plan: Plan) -> list[tuple[str, Impact, list[Operation]]]:
    """The operations by phase and impact: what is done now first, the worst first; a heading for each group."""
    groups: dict[tuple[bool, int], list[Operation]] = {}
    for o in plan.operations:
        groups.setdefault((o.phase != "now", -o.impact), []).append(o)
    after = f", after the drain ({duration(plan.drain_us)} at most)"
    return [
        (f"{Impact(-negative).word}{after if later else ''}", Impact(-negative), members)
        for (later, negative), members in sorted(groups.items(), key=lambda g: g[0])
    ]


def worst(plan: Plan) -> str:
    """What the worst impact hits, and for how long at most: ``VI_1, up to 3.61 s``; empty where nobody notices anything."""
    if plan.impact <= Impact.HITLESS:
        return ""
    hit = [o for o in plan.operations if o.impact is plan.impact]
    targets = _targets(hit)
    who = ", ".join(targets[:3]) + (f" and {len(targets) - 3:,} more" if len(targets) > 3 else "")
    longest = max((o.seconds for o in hit if o.seconds is not None), default=None)
    return f"{who}, up to {seconds(longest)}" if longest else who


def _targets(operations: Iterable[Operation]) -> list[str]:
    """The targets, in their order; several servers of one service are told together."""
    found: dict[str, list[str]] = {}
    for o in operations:
        whole = o.service.identity if isinstance(o, DestOperation) else o.target
        found.setdefault(whole, []).append(o.target)
    return [
        clean(
            each[0] if len(each) == 1 else f"{whole} ({len(each):,} servers)" if each[0] != whole else whole
        )
        for whole, each in found.items()
    ]


def on_wire(plan: Plan) -> str:
    """The changes with the worst wire label: ``VI_1: advert_int 1 s → 2 s``; empty where peers see nothing."""
    if plan.wire == "local":
        return ""
    seen = [c for c in plan.changes if c.wire == plan.wire]
    return "; ".join(_short(c) for c in seen[:2]) + (f"; and {len(seen) - 2:,} more" if len(seen) > 2 else "")


def _short(change: Change) -> str:
    name = change.path[1] if len(change.path) > 1 else change.path[0]
    rest = " ".join(change.path[2:])
    if change.action == "change":
        words = f"{label(rest)} {value(change)}"
    elif rest:
        words = f"{'+' if change.action == 'add' else '-'} {label(rest)}"
    else:
        words = {"add": "new", "remove": "removed", "rename": f"renamed from {change.old}"}[change.action]
    return clean(f"{name}: {words}")
