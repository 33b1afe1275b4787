"""A plan in lines: the worst first, one line an operation, in the operations' own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from kir.plan.operations import Impact, Operation
from krun.control.duration import span
from krun.control.planning import Planned

MOST = 200
"""Lines of one impact that are shown; ``--format json`` has all."""

_MARKED = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})


def text(planned: Planned) -> str:
    """For eyes and logs: no colours, columns padded."""
    return "\n".join(_text(planned)) + "\n"


def markdown(planned: Planned) -> str:
    """For a ticket or the comment of a merge request."""
    return "\n".join(_markdown(planned)) + "\n"


def _text(planned: Planned) -> Iterator[str]:
    yield from (f"not seen, counted as it should be: {why}" for why in planned.unseen)
    yield from standing(planned)
    operations = planned.plan.operations
    if not operations:
        yield _nothing(planned)
        return
    yield verdict(planned)
    for impact, steps in _groups(operations):
        yield ""
        yield f"{impact.word} ({len(steps)})"
        shown = steps[:MOST]
        first = max(len(step.op) for step in shown)
        second = min(max(len(step.target) for step in shown), 60)
        for step in shown:
            yield f"  {step.op:<{first}}  {step.target:<{second}}  {words(step)}".rstrip()
        if len(steps) > MOST:
            yield f"  … and {len(steps) - MOST} more (--format json has all)"
    yield ""
    yield _summary(planned)


def _markdown(planned: Planned) -> Iterator[str]:
    operations = planned.plan.operations
    if not operations:
        yield _nothing(planned).translate(_MARKED)
        return
    yield f"**{verdict(planned).translate(_MARKED)}**"
    yield ""
    for why in planned.unseen:
        yield f"- not seen, counted as it should be: {why.translate(_MARKED)}"
    for line in standing(planned):
        yield f"- {line.translate(_MARKED)}"
    for impact, steps in _groups(operations):
        folded = impact <= Impact.HITLESS and len(steps) > 10
        title = f"{impact.word} ({len(steps)})"
        yield from ("", f"<details><summary>{title}</summary>" if folded else f"**{title}**", "")
        yield "| operation | target | |"
        yield "|---|---|---|"
        for step in steps[:MOST]:
            cells = (cell.translate(_MARKED) for cell in (step.op, step.target, words(step)))
            yield f"| {' | '.join(cells)} |"
        if len(steps) > MOST:
            yield f"| … | and {len(steps) - MOST} more | |"
        if folded:
            yield from ("", "</details>")
    yield ""
    yield _summary(planned).translate(_MARKED)


def standing(planned: Planned) -> Iterator[str]:
    """What is under way on the director, and goes on whatever is reloaded."""
    for o in planned.overlays:
        effect = "" if o["in_effect"] else " (rests: that server is not configured)"
        yield (
            f"overlay: {o['virtual_server']} -> {o['real_server']} weight {o['weight']} for {span(o['left_s'])} more, by {o['by']}{effect}"
        )
    for d in planned.drains:
        server = f" -> {d['real_server']}" if d["real_server"] else ""
        left = "an unknown number of" if d["connections"] is None else d["connections"]
        yield f"draining: {d['service']}{server}, {left} connections, {span(d['left_s'])} more at most"


def verdict(planned: Planned) -> str:
    """The first line: how bad, of what, and what peers see."""
    found = planned.plan
    worst = max(found.operations, key=lambda step: (step.impact, step.seconds or 0.0))
    seconds = f", up to {worst.seconds:.3g} s" if worst.seconds is not None else ""
    why = f" ({worst.target}{seconds})" if worst.impact > Impact.HITLESS else ""
    return f"impact: {found.impact.word}{why}; wire: {found.wire}"


def words(step: Operation) -> str:
    """Why a step has its impact, and for how long."""
    seconds = f"up to {step.seconds:.3g} s" if step.seconds is not None else ""
    later = "after the drain" if step.phase == "after_drain" else ""
    return "; ".join(part for part in (step.reason, seconds, later) if part)


def _groups(operations: Sequence[Operation]) -> Iterator[tuple[Impact, list[Operation]]]:
    """By impact, the worst first; within one in the order in which they run."""
    ordered = sorted(operations, key=lambda step: -step.impact)
    for impact, steps in groupby(ordered, key=lambda step: step.impact):
        yield impact, list(steps)


def _summary(planned: Planned) -> str:
    counts = planned.plan.counts()
    total = sum(counts.values())
    listed = " · ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{total} operation{'' if total == 1 else 's'}: {listed}; impact {planned.plan.impact.word}"


def _nothing(planned: Planned) -> str:
    if planned.plan.changes:
        return f"no operation: {planned.new.file} says the same in other words, or only what needs none"
    return f"no operation: {planned.new.file} is what runs, and the director is as it should be"
