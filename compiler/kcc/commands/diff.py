"""``kcc diff``: what a deploy will change, which operations that means, and what it disrupts."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

import msgspec

from kcc.commands.findings import show
from kcc.commands.options import add_reading
from kcc.compile import STDIN, Compiled, compile_input, options_for, warn
from kcc.diagnostics.model import Severity
from kcc.source.options import Options
from kir.codec import Document, document
from kir.plan.plan import Plan, plan

FORMATS = ("text", "json", "markdown")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="what runs now: a keepalived.conf, an ir.json, or -")
    parser.add_argument("new", metavar="NEW", help="what shall run: a keepalived.conf, an ir.json, or -")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how the plan is printed")
    parser.add_argument(
        "--drain",
        metavar="T",
        type=drain_time,
        default=0,
        help="servers that go lose their weight first, and are deleted when they have no connection left, or after T (300s, 5m)",
    )
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="OLD and NEW are directories with a file for each director of a cluster: print the plan of each, and in which order "
        "they must change",
    )
    parser.add_argument(
        "--allow-errors",
        action="store_true",
        help="compare what keepalived would run of a side that has errors",
    )
    add_reading(parser, "krun")


def drain_time(words: str) -> int:
    """``300``, ``300s``, ``5m``, ``1h``, ``1500ms`` as microseconds."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)?", words)
    if found is None:
        raise argparse.ArgumentTypeError(f"`{words}` is not a time: write 300s, 5m or 1h")
    unit = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}[found[2] or "s"]
    return round(float(found[1]) * unit)


def run(args: argparse.Namespace) -> int:
    if args.old == args.new == STDIN:
        warn("kcc diff: only one side can be standard input")
        return 2
    options = options_for(args.target, args.config_id, dict(args.define))
    if args.cluster:
        from kcc.commands.diff_cluster import run_cluster

        return run_cluster(args, options)
    sides = [compile_input(name, options) for name in (args.old, args.new)]
    if refused(sides, args.allow_errors):
        return 2
    old, new = (meaning(side) for side in sides)
    found = plan(old.config, new.config, drain_us=args.drain)
    print_as(args.format, sides, (old, new), found)
    return 1 if found.changes else 0


def refused(sides: Sequence[Compiled], allow_errors: bool) -> bool:
    """Whether a side cannot be compared; then it was said why."""
    broken = [s for s in sides if s.lowered is None or (s.broken and not allow_errors)]
    if broken:
        show(broken, Severity.ERROR)
        for side in broken:
            what = "cannot be read" if side.unreadable else "has errors"
            hint = "" if side.lowered is None else "; --allow-errors compares what keepalived would run"
            warn(f"kcc diff: {side.name} {what}{hint}")
    return bool(broken)


def meaning(side: Compiled) -> Document:
    """The IR of a side, without where each piece of it was written: a comparison of meanings has no use for it."""
    assert side.lowered is not None
    return document(side.lowered.config)


def print_as(form: str, sides: Sequence[Compiled], docs: tuple[Document, Document], found: Plan) -> None:
    """Print a plan in one of the formats."""
    old, new = docs
    if form == "json":
        import json

        print(json.dumps(as_json(sides, docs, found), indent=1))
    elif form == "markdown":
        from kcc.commands.diff_markdown import render

        sys.stdout.write(render((sides[0].name, sides[1].name), docs, found))
    else:
        from kcc.commands.diff_text import print_plan

        print_plan(old, new, found, sys.stdout)
    if form != "json" and (unseen := uncompared(sides)):
        warn(f"not compared, for the IR does not carry them yet: {', '.join(unseen)}")


def as_json(sides: Sequence[Compiled], docs: tuple[Document, Document], found: Plan) -> dict[str, object]:
    """The object of ``--format json``."""
    from kir.plan.document import plan_object

    old, new = ({"file": s.name, "digest": d.digest} for s, d in zip(sides, docs, strict=True))
    return {**plan_object(old, new, found), "not_compared": uncompared(sides)}


def uncompared(sides: Sequence[Compiled]) -> list[str]:
    """Keywords of either side that the comparison cannot see."""
    return sorted({word for side in sides for word in side.uncarried})


def reading(options: Options, name: str) -> Options:
    """Reading options for the director ``name``: `@ID` lines are its own, where nothing else was said."""
    if options.config_id is not None:
        return options
    return msgspec.structs.replace(options, config_id=name)
