"""``kcc decompile``: a keepalived.conf of the same meaning as an IR."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kcc.commands.findings import show
from kcc.commands.options import add_reading
from kcc.compile import Compiled, compile_input, options_for, warn
from kcc.decompile import Unprintable, count_secrets, text_of
from kcc.diagnostics.model import Findings, Severity
from kcc.source.options import Options
from kcc.targets import KRUN, TARGETS
from kir import onestep
from kir.canonical import digest
from kir.diff import diff
from kir.model import Config

SHOWN = 5
NEWEST = next(target for target in reversed(TARGETS) if target != KRUN)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Turn an IR back into a keepalived.conf of the same meaning: compiled again, it has the same digest. Passwords "
        "stand in it in clear."
    )
    parser.add_argument(
        "file",
        metavar="IR",
        help="an ir.json, or a configuration (which is compiled first), or - for standard input",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="CONF",
        default="-",
        help="where to write the configuration, readable by you alone (default: standard output)",
    )
    add_reading(parser, "krun")


def run(args: argparse.Namespace) -> int:
    options = options_for(args.target, args.config_id, dict(args.define))
    result = compile_input(args.file, options)
    show([result], Severity.ERROR)
    if result.unreadable or (result.lowered is None and not result.findings.errors):
        return 2
    if result.lowered is None or (result.broken and result.loaded is None):
        warn(f"kcc decompile: {args.file} has errors; nothing was written")
        return 1
    config = result.document(allow_errors=True).config
    try:
        text = text_of(config, title=f"{digest(config)}\nDecompiled by kcc.").encode(
            "utf-8", "surrogateescape"
        )
    except Unprintable as e:
        warn(f"kcc decompile: {args.file}: {e}; nothing was written")
        return 1
    # An IR does not say for whom it was compiled: keepalived takes a few things that krun does not, and the other way round.
    targets = [args.target, *(t for t in (KRUN, NEWEST) if result.loaded is not None and t != args.target)]
    lost: list[str] = []
    for target in targets:
        found = differences(config, text, args.file, target)
        lost = min(lost, found, key=len) if lost else found
        if not lost:
            break
    if lost:
        for line in lost[:SHOWN]:
            warn(f"  {line}")
        more = f", {len(lost) - SHOWN} more not shown" if len(lost) > SHOWN else ""
        warn(
            f"kcc decompile: {args.file}: the text would not mean the same ({len(lost)} differences{more}); nothing was "
            "written. The configuration language cannot say what stands above"
        )
        return 1
    return _write(text, config, args.output)


def differences(config: Config, text: bytes, name: str, target: str = KRUN) -> list[str]:
    """What ``config`` and the meaning of ``text`` do not have in common; nothing where the digests agree."""
    again = compile_text(text, name, target)
    if again.lowered is None:
        return [d.message for d in again.findings.items if d.severity is Severity.ERROR] or [
            "it cannot be read"
        ]
    if digest(again.lowered.config) == digest(config):
        return []
    found = [
        f"{c.action} {' / '.join(c.path)}: {c.old!r} → {c.new!r}" for c in diff(config, again.lowered.config)
    ]
    return found or ["the digests differ"]


def compile_text(text: bytes, name: str, target: str = KRUN) -> Compiled:
    """Compile a text at hand as ``target`` would have it."""
    from kcc.language.descent import descend
    from kcc.lower import lower
    from kcc.syntax import parse_text

    findings = Findings()
    options = Options(target=target, config_id="")
    tree = parse_text(text, name, findings, options)
    result = Compiled(name, findings, files=tree.files, lines=tree.lines)
    if tree.body or not findings.errors:
        result.lowered = lower(descend(tree, findings, options.target), findings, options.target)
    return result


def _write(text: bytes, config: Config, output: str) -> int:
    secrets = count_secrets(config)
    if output == "-":
        if secrets and sys.stdout.isatty():
            warn(
                f"kcc decompile: {secrets} passwords follow in clear; `-o FILE` writes them where only you can read"
            )
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        return 0
    try:
        onestep.write(Path(output), text)
    except OSError as e:
        warn(f"kcc decompile: {output}: cannot be written: {e.strerror or e}")
        return 2
    held = f", {secrets} passwords in clear" if secrets else ""
    warn(f"{output}: {text.count(10):,} lines{held}, mode 0600")
    return 0
