"""``kcc check``: every mistake of a configuration, at its place."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from kcc.commands.options import add_reading, code_list
from kcc.compile import Compiled, compile_input, options_for
from kcc.diagnostics.model import Diagnostic, Severity


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a keepalived.conf, an ir.json, or - for standard input"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how findings are printed")
    parser.add_argument("--strict", action="store_true", help="exit 1 for warnings too")
    parser.add_argument(
        "--select",
        metavar="CODES",
        type=code_list,
        default=(),
        help="only these codes, or codes that begin so",
    )
    parser.add_argument("--ignore", metavar="CODES", type=code_list, default=(), help="not these codes")
    add_reading(parser, "keepalived-2.4.3")


def run(args: argparse.Namespace) -> int:
    started = time.perf_counter()
    options = options_for(args.target, args.config_id, dict(args.define))
    results = [compile_input(name, options) for name in args.files]
    shown = [_selected(r.findings.items, args.select, args.ignore) for r in results]
    if args.format == "json":
        from kcc.diagnostics.render.json import report

        everything = [d for part in shown for d in part]
        print(report(args.files, everything, sum(r.findings.dropped for r in results)))
    else:
        _print(results, shown, time.perf_counter() - started)
    if any(r.unreadable for r in results):
        return 2
    worst = max((d.severity for part in shown for d in part), default=Severity.NOTE)
    dropped = any(r.findings.dropped for r in results)
    limit = Severity.WARNING if args.strict else Severity.ERROR
    return 1 if worst >= limit or dropped else 0


def _selected(
    items: Sequence[Diagnostic], select: tuple[str, ...], ignore: tuple[str, ...]
) -> list[Diagnostic]:
    return [
        d
        for d in items
        if (not select or d.code.startswith(select)) and not (ignore and d.code.startswith(ignore))
    ]


def _print(results: Sequence[Compiled], shown: Sequence[Sequence[Diagnostic]], seconds: float) -> None:
    from kcc.diagnostics.render.json import counts
    from kcc.diagnostics.render.text import Writer, plural, render, summary
    from kcc.diagnostics.texts import SourceTexts

    writer = Writer(sys.stdout)
    for n, (result, items) in enumerate(zip(results, shown, strict=True)):
        render(items, SourceTexts(result.texts), sys.stdout)
        details = []
        if result.files and not result.unreadable:
            details = [plural(len(set(result.files)), "file")]
            if result.loaded is None:
                details.append(plural(result.lines, "line"))
        if result.findings.dropped:
            details.insert(0, f"{result.findings.dropped:,} more findings not shown")
        if n == len(results) - 1:
            details.append(f"{seconds * 1000:.0f} ms")
        writer.line(*summary(result.name, counts(items), details))
