"""``kcc lsp``: the language server."""

from __future__ import annotations

import argparse
import gc
import logging
import os

from kcc.commands.options import add_reading
from kcc.compile import options_for, warn

_INSTALL = """\
kcc lsp: the language server needs pygls, which is not installed
  help: install it with `pip install 'kcc-krun[lsp]'`"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Serve an editor over standard input and output: findings while you write, reference entries, completion, "
        "formatting, repairs, and the way to definitions. Your editor starts it."
    )
    parser.add_argument(
        "--stdio", action="store_true", help="talk over standard input and output (always so)"
    )
    parser.add_argument(
        "--main",
        metavar="FILE",
        help="the file that keepalived is started with, where the files you edit are included by it "
        "(default: a keepalived.conf in the same folder or above that includes them)",
    )
    add_reading(parser, "keepalived-2.4.3")


def run(args: argparse.Namespace) -> int:
    try:
        import pygls.lsp.server  # noqa: F401
    except ImportError:
        warn(_INSTALL)
        return 2
    from kcc.lsp.features import make

    gc.enable()  # unlike the other commands this one lives for days
    logging.basicConfig(level=logging.CRITICAL)  # what goes wrong is said to the editor, not to its log alone
    # Nothing but the protocol may reach the editor; whatever else is printed goes to its log.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    server = make(options_for(args.target, args.config_id, dict(args.define)), args.main)
    server.start_io(stdout=out)
    return 0 if server.finished else 1
