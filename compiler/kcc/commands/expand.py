"""``kcc expand``: the text that the parser sees, with the origin of each line."""

from __future__ import annotations

import argparse
import sys

from kcc.commands.findings import show
from kcc.commands.options import add_reading
from kcc.compile import STDIN, Compiled, options_for, warn
from kcc.diagnostics.model import Findings, Span
from kcc.layout.expanded import expanded_text
from kcc.layout.verify import signature
from kcc.source.options import Options
from kcc.syntax import Tree, parse_file, parse_text


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a keepalived.conf, or - for standard input")
    parser.add_argument(
        "--no-origins",
        action="store_true",
        help="leave out the comments `# FILE:LINE < FILE:LINE …` that say where a line was written, and through which "
        "include, definition or replication it came",
    )
    add_reading(parser, "keepalived-2.4.3")


def run(args: argparse.Namespace) -> int:
    options = options_for(args.target, args.config_id, dict(args.define))
    findings = Findings()
    texts: dict[str, bytes] = {}
    tree = _parse(args.file, findings, options, texts)
    show([Compiled(args.file, findings, files=tree.files, texts=texts)])
    if not tree.body and any(d.code in ("KC0001", "KC0002", "KC0005") for d in findings.items):
        return 2
    made = expanded_text(tree, origins=not args.no_origins, limit=options.limits.max_line_bytes)
    text = made.encode("utf-8", "surrogateescape")
    again = parse_text(text, args.file, Findings(), options)
    if signature(again.body).digest() != signature(tree.body).digest():
        warn(
            f"kcc expand: {args.file}: the expanded text cannot say all that the original says (a reference or a comment "
            "sign is left in it that would mean something else); use it for reading only"
        )
        findings.errors += 1
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()
    return 1 if findings.errors else 0


def _parse(name: str, findings: Findings, options: Options, texts: dict[str, bytes]) -> Tree:
    if name != STDIN:
        return parse_file(name, findings, options)
    from kcc.source.files import Unusable, read_stdin

    try:
        texts[name] = read_stdin(options.limits.max_file_bytes)
    except Unusable as e:
        findings.report("KC0001", f"standard input cannot be read: {e.reason}", Span(name, 0))
        return Tree([], (name,), 0)
    return parse_text(texts[name], name, findings, options)
