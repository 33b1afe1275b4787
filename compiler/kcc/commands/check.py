"""``kcc check``: every mistake of a configuration, at its place."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kcc.commands.beyond import Beyond, UsageError, add_beyond, beyond
from kcc.commands.options import add_reading, code_list
from kcc.commands.verdicts import Verdict, judge, judge_all, verdict
from kcc.compile import STDIN, Compiled, compile_input, options_for, warn
from kcc.diagnostics.model import Diagnostic, Severity
from kcc.diagnostics.texts import SourceTexts
from kcc.source.options import Options

if TYPE_CHECKING:
    from kcc.commands.diff_against import Against

FORMATS = ("text", "json", "sarif", "github", "gitlab")
MOST_ROUNDS = 10
"""How often --fix looks again: a fix may make place for another one."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="a keepalived.conf, an ir.json, or - for standard input"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="how findings are printed")
    parser.add_argument("--strict", action="store_true", help="exit 1 for warnings too")
    parser.add_argument(
        "--select",
        metavar="CODES",
        type=code_list,
        default=(),
        help="only these codes, or codes that begin so",
    )
    parser.add_argument("--ignore", metavar="CODES", type=code_list, default=(), help="not these codes")
    parser.add_argument(
        "--fix", action="store_true", help="make the safe fixes in the files, and report what is left"
    )
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=_jobs,
        help="check several files in N processes (default: the processors of this machine)",
    )
    parser.add_argument(
        "--against",
        metavar="OLD",
        help="what runs now, a keepalived.conf or an ir.json: print what FILE would change, after its findings",
    )
    parser.add_argument(
        "--max-impact",
        metavar="IMPACT",
        choices=("none", "hitless", "degraded", "failover", "outage"),
        help="with --against: a worse impact than none, hitless, degraded, failover or outage is an error",
    )
    add_beyond(parser)
    add_reading(parser, "keepalived-2.4.3")


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number of processes from 1 to 1024")
    return int(text)


def run(args: argparse.Namespace) -> int:
    started = time.perf_counter()
    options = options_for(args.target, args.config_id, dict(args.define))
    try:
        more = beyond(args)
    except UsageError as e:
        warn(f"kcc check: {e}")
        return 2
    if (problem := _misused(args, more)) is not None:
        warn(f"kcc check: {problem}")
        return 2
    if args.fix:
        if STDIN in args.files:
            warn("kcc check: --fix cannot change standard input; name a file")
            return 2
        for name in args.files:
            _fix(name, options, args)
    compared: Against | None = None
    if args.against is not None:
        found = _compare(args, more, options)
        if found is None:
            return 2
        verdicts, compared = found
    elif more.active:
        verdicts = _together(args.files, more, options)
    else:
        verdicts = judge_all(args.files, options, args.jobs)
    shown = [_selected(v.items, args.select, args.ignore) for v in verdicts]
    _report(args.format, verdicts, shown, time.perf_counter() - started, compared)
    if any(v.unreadable for v in verdicts):
        return 2
    worst = max((d.severity for part in shown for d in part), default=Severity.NOTE)
    dropped = any(v.dropped for v in verdicts)
    limit = Severity.WARNING if args.strict else Severity.ERROR
    return 1 if worst >= limit or dropped else 0


def _misused(args: argparse.Namespace, more: Beyond) -> str | None:
    """What is wrong with the words about a comparison."""
    if args.against is None:
        return None if args.max_impact is None else "--max-impact needs --against OLD: what runs now"
    if len(args.files) > 1 or more.cluster:
        return (
            "--against compares one FILE with OLD; `kcc diff --cluster` compares the directors of a cluster"
        )
    if args.files[0] == args.against == STDIN:
        return "only one of FILE and OLD can be standard input"
    return None


def _compare(
    args: argparse.Namespace, more: Beyond, options: Options
) -> tuple[list[Verdict], Against | None] | None:
    """The verdict on the one file, and what it changes; None where OLD is unusable, which was said."""
    from kcc.commands.diff_against import against
    from kcc.commands.findings import show

    name = args.files[0]
    result = compile_input(name, more.options(0, options))
    more.judge([result], options.target)
    found = against(args.against, result, more.options(0, options))
    if isinstance(found, Compiled):
        if found.lowered is None:
            show([found], Severity.ERROR)
            warn(f"kcc check: --against {args.against} cannot be read: nothing to compare with")
            return None
        return [verdict(result)], None  # FILE itself cannot be read, and its findings say so
    if args.max_impact is not None:
        found.judge(args.max_impact)
    return [verdict(result)], found


def _selected(
    items: Sequence[Diagnostic], select: tuple[str, ...], ignore: tuple[str, ...]
) -> list[Diagnostic]:
    return [
        d
        for d in items
        if (not select or d.code.startswith(select)) and not (ignore and d.code.startswith(ignore))
    ]


def _together(names: Sequence[str], more: Beyond, options: Options) -> list[Verdict]:
    """The verdicts where inputs are judged with the facts of their hosts, or against each other."""
    results = [compile_input(name, more.options(n, options)) for n, name in enumerate(names)]
    more.judge(results, options.target)
    return [verdict(result) for result in results]


def _fix(name: str, options: Options, args: argparse.Namespace) -> None:
    """Make the safe fixes of one input and say what was changed."""
    from kcc.fixes import Change, apply

    changes: list[Change] = []
    found = 0
    refused: dict[str, None] = {}
    for number in range(MOST_ROUNDS):
        read_at = time.time_ns()
        items = _selected(judge(name, options).items, args.select, args.ignore)
        if number == 0:
            found = len(items)
        outcome = apply(items, read_at)
        refused.update(dict.fromkeys(outcome.refused))
        changes += outcome.changes
        if not outcome.changes:
            break
    if changes:
        warn(f"{name}: fixed {len(changes)} of {max(found, len(changes))}:")
        for change in changes:
            warn(f"  {change.file}:{change.line}: {change.title} ({change.code})")
    for reason in refused:
        warn(f"kcc check: not fixed: {reason}")


def _report(
    form: str,
    verdicts: Sequence[Verdict],
    shown: Sequence[Sequence[Diagnostic]],
    seconds: float,
    compared: Against | None,
) -> None:
    if form == "text":
        _print(verdicts, shown, seconds)
        if compared is not None:
            sys.stdout.write("\n")
            compared.print(sys.stdout)
        return
    dropped = sum(v.dropped for v in verdicts)
    texts = SourceTexts({name: text for v in verdicts for name, text in v.given.items()})
    everything = texts.veiled([d for part in shown for d in part])
    if form == "json":
        from kcc.diagnostics.render import json

        more = {"diff": compared.object()} if compared is not None else {}
        print(json.report([v.name for v in verdicts], everything, dropped, more))
    elif form == "sarif":
        from kcc.diagnostics.render import sarif

        print(sarif.report(everything, texts, not any(v.unreadable for v in verdicts), dropped))
    elif form == "github":
        from kcc.diagnostics.render import github

        sys.stdout.write(github.report(everything, dropped))
        if compared is not None:
            sys.stdout.write(github.notice(compared.summary()))
    else:
        from kcc.diagnostics.render import gitlab

        print(gitlab.report(everything, texts))


def _print(verdicts: Sequence[Verdict], shown: Sequence[Sequence[Diagnostic]], seconds: float) -> None:
    from kcc.diagnostics.render.json import counts
    from kcc.diagnostics.render.text import Writer, plural, render, summary

    writer = Writer(sys.stdout)
    for n, (found, items) in enumerate(zip(verdicts, shown, strict=True)):
        texts = SourceTexts(found.given)
        render(texts.veiled(items), texts, sys.stdout)
        details = []
        if found.files and not found.unreadable:
            details = [plural(len(set(found.files)), "file")]
            if not found.is_ir:
                details.append(plural(found.lines, "line"))
        if found.hidden:
            details.insert(0, f"{found.hidden:,} hidden by comments")
        if found.dropped:
            details.insert(0, f"{found.dropped:,} more findings not shown")
        if n == len(verdicts) - 1:
            details.append(f"{seconds * 1000:.0f} ms")
        writer.line(*summary(found.name, counts(items), details))
