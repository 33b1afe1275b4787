"""``kcc graph``: the configuration as a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from kcc.commands.findings import show
from kcc.commands.options import add_reading
from kcc.compile import compile_input, options_for, warn
from kcc.diagnostics.model import Severity
from kcc.graph import graph_of

MOST_SERVERS = 12


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a keepalived.conf, an ir.json, or - for standard input")
    parser.add_argument(
        "--format",
        choices=("tree", "mermaid", "dot", "svg"),
        default="tree",
        help="a tree for the terminal (default), a Mermaid flowchart, a Graphviz digraph, or an SVG image",
    )
    parser.add_argument(
        "--max-servers",
        metavar="N",
        type=_count,
        default=MOST_SERVERS,
        help=f"show at most N servers of a pool and count the rest; 0 shows all (default: {MOST_SERVERS})",
    )
    add_reading(parser, "keepalived-2.4.3")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"`{text}` is not a number of servers")
    return int(text[:9])


def run(args: argparse.Namespace) -> int:
    options = options_for(args.target, args.config_id, dict(args.define))
    result = compile_input(args.file, options)
    show([result], Severity.ERROR)
    if result.lowered is None:
        return 2 if result.unreadable else 1
    if result.broken:
        warn(f"kcc graph: {args.file} has errors: this is what keepalived would run")
    graph = graph_of(result.lowered.config, most_servers=args.max_servers)
    if args.format == "tree":
        from kcc.diagnostics.render.text import wants_colour
        from kcc.graph.tree import print_tree

        print_tree(graph, args.file, sys.stdout, colour=wants_colour(sys.stdout))
    elif args.format == "svg":
        from kcc.graph.svg import svg

        _print(svg(graph, args.file))
    else:
        from kcc.graph.text import dot, mermaid

        _print(dot(graph) if args.format == "dot" else mermaid(graph))
    return 1 if result.broken else 0


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
