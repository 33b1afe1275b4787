"""``kcc build``: the IR of a configuration, for krun."""

from __future__ import annotations

import argparse
import sys

from kcc.commands.findings import show
from kcc.commands.options import add_reading
from kcc.compile import compile_input, options_for, warn
from kcc.diagnostics.render.text import plural
from kir.codec import dumps, write


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="a keepalived.conf, an ir.json of any version, or - for standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="IR",
        default="-",
        help="where to write the IR, readable by you alone (default: standard output)",
    )
    parser.add_argument(
        "--allow-errors",
        action="store_true",
        help="build what keepalived would have run, and list in the IR what was lost",
    )
    add_reading(parser, "krun")


def run(args: argparse.Namespace) -> int:
    options = options_for(args.target, args.config_id, dict(args.define))
    result = compile_input(args.file, options, building=True)
    show([result])
    if result.unreadable:
        return 2
    if result.lowered is None or (result.broken and not args.allow_errors):
        warn(f"kcc build: {args.file} has errors; nothing was written" + _hint(result.lowered is not None))
        return 1
    doc = result.document(args.allow_errors)
    if args.output == "-":
        sys.stdout.buffer.write(dumps(doc))
        sys.stdout.buffer.flush()
        return 0
    try:
        write(doc, args.output)
    except OSError as e:
        warn(f"kcc build: {args.output}: cannot be written: {e.strerror or e}")
        return 2
    c = doc.config
    servers = sum(len(v.real_servers) for v in c.virtual_servers)
    counts = [
        plural(len(c.vrrp_instances), "VRRP instance"),
        plural(len(c.virtual_servers), "virtual server"),
        plural(servers, "real server"),
    ]
    if losses := len(doc.origins.losses):
        counts.append("1 loss" if losses == 1 else f"{losses} losses")
    warn(f"{args.output}: {doc.digest[:19]}…, {', '.join(counts)}")
    return 0


def _hint(possible: bool) -> str:
    return " (--allow-errors builds what keepalived would have run)" if possible else ""
