"""The plans of a cluster for people: a part a director, the rollout, the worst impact first and last."""

from __future__ import annotations

from typing import TextIO

from kcc.commands.diff_cluster import Change, Cluster, steps
from kcc.commands.diff_markdown import code, escaped, render
from kcc.commands.diff_text import IMPACT_STYLE, print_plan
from kcc.diagnostics.render.text import Segment, Writer, clean

ASSUMED = "the director of the highest priority counts as master"


def print_cluster(cluster: Cluster, stream: TextIO) -> None:
    """Print all of it as text."""
    writer = Writer(stream)
    writer.line(*_verdict(cluster))
    writer.line()
    for change in cluster.changes:
        writer.line(("── ", "gutter"), (clean(change.name), "message"), (_note(change), "gutter"))
        print_plan(*change.docs, change.plan, stream, rollout=False)
        writer.line()
    first, *more = steps(cluster)
    writer.line(("rollout: ", "message"), (clean(first), ""))
    for words in more:
        writer.line((f"   {clean(words)}", ""))
    if any(c.master_of or c.backup_of for c in cluster.changes):
        writer.line((f"   ({ASSUMED})", "secondary"))
    writer.line(*_verdict(cluster))


def _verdict(cluster: Cluster) -> list[Segment]:
    worst = [c.name for c in cluster.changes if c.plan.changes and c.plan.impact is cluster.impact]
    return [
        ("impact: ", "message"),
        (cluster.impact.word, IMPACT_STYLE[cluster.impact]),
        (f" ({', '.join(map(clean, worst))})" if worst else "", ""),
        ("    wire: ", "message"),
        (cluster.wire, "error" if cluster.wire == "breaking" else ""),
    ]


def _note(change: Change) -> str:
    role = f"  ({change.role})" if change.role else ""
    if change.inputs[0] is None:
        return "  (a new director)"
    return role + ("  is gone" if change.inputs[1] is None else "")


def markdown(cluster: Cluster) -> str:
    """All of it as a comment."""
    rows = [f"### Impact: **{cluster.impact.word}** · wire: **{cluster.wire}**", ""]
    first, *more = steps(cluster)
    rows += [f"Rollout: {escaped(first)}", "", *(f"- {escaped(words)}" for words in more), ""]
    for change in cluster.changes:
        names = tuple("none" if c is None else c.name for c in change.inputs)
        rows += [f"#### {code(change.name)}{escaped(_note(change))}", ""]
        rows.append(render((names[0], names[1]), change.docs, change.plan, level=5, rollout=False))
    return "\n".join(rows).rstrip() + "\n"
