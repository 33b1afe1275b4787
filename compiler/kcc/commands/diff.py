"""``kcc diff``: what a deploy will change, which operations that means, and what it disrupts."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from kcc.commands.findings import show
from kcc.commands.options import add_reading
from kcc.compile import Compiled, compile_input, options_for, warn
from kcc.diagnostics.model import Severity
from kir.codec import Document
from kir.plan.plan import Plan, plan


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="what runs now: a keepalived.conf, an ir.json, or -")
    parser.add_argument("new", metavar="NEW", help="what shall run: a keepalived.conf, an ir.json, or -")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how the plan is printed")
    parser.add_argument(
        "--allow-errors",
        action="store_true",
        help="compare what keepalived would run of a side that has errors",
    )
    add_reading(parser, "krun")


def run(args: argparse.Namespace) -> int:
    if args.old == args.new == "-":
        warn("kcc diff: only one side can be standard input")
        return 2
    options = options_for(args.target, args.config_id, dict(args.define))
    sides = [compile_input(name, options) for name in (args.old, args.new)]
    broken = [s for s in sides if s.lowered is None or (s.broken and not args.allow_errors)]
    if broken:
        show(broken, Severity.ERROR)
        for side in broken:
            what = "cannot be read" if side.unreadable else "has errors"
            hint = "" if side.lowered is None else "; --allow-errors compares what keepalived would run"
            warn(f"kcc diff: {side.name} {what}{hint}")
        return 2
    old, new = (side.document(allow_errors=True) for side in sides)
    found = plan(old.config, new.config)
    if args.format == "json":
        print(json.dumps(as_json(sides, (old, new), found), indent=1))
    else:
        from kcc.commands.diff_text import print_plan

        print_plan(old, new, found, sys.stdout)
        if unseen := _unseen(sides):
            warn(f"not compared, for the IR does not carry them yet: {', '.join(unseen)}")
    return 1 if found.changes else 0


def as_json(sides: list[Compiled], docs: tuple[Document, Document], found: Plan) -> dict[str, Any]:
    """The object of ``--format json``."""
    old, new = ({"file": s.name, "digest": d.digest} for s, d in zip(sides, docs, strict=True))
    return {
        "version": 1,
        "old": old,
        "new": new,
        "impact": found.impact.word,
        "wire": found.wire,
        "changes": [
            {
                "action": c.action,
                "path": list(c.path),
                "old": c.old,
                "new": c.new,
                "wire": c.wire,
                "reason": c.reason or None,
            }
            for c in found.changes
        ],
        "operations": [
            {
                "op": o.op,
                "target": o.target,
                "impact": o.impact.word,
                "seconds": o.seconds,
                "reason": o.reason or None,
                "detail": o.detail(),
            }
            for o in found.operations
        ],
        "summary": found.counts(),
        "not_compared": _unseen(sides),
    }


def _unseen(sides: list[Compiled]) -> list[str]:
    """Keywords of either side that the comparison cannot see."""
    return sorted({word for side in sides for word in side.uncarried})
