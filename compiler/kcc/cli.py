"""The command line of ``kcc``. Commands are imported when they are run: ``kcc --version`` must not wait for a parser."""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence

COMMANDS = {
    "check": "explain every mistake of a configuration, at its line and column",
    "build": "compile a configuration to the IR that krun runs",
    "diff": "show what a deploy will change, which operations that means, and what it disrupts",
    "explain": "print the page of a code or the reference entry of a keyword",
    "schema": "print the JSON Schema of the IR",
    "fmt": "lay a configuration out in the canonical way, meaning unchanged",
    "expand": "print the text after includes, definitions, conditions and replication",
    "decompile": "turn an IR back into a keepalived.conf of the same meaning",
    "graph": "draw instances, groups, addresses, trackers, services and servers",
    "genhash": "print the digest of a page as `digest` of HTTP_GET wants it",
    "lsp": "serve an editor: findings while you write, completion, reference, formatting",
}

EPILOG = """exit status: 0 nothing wrong (diff: no change), 1 errors found (diff: there are changes),
2 wrong usage or unreadable input"""


def _formatter(prog: str) -> argparse.HelpFormatter:
    """With the width of the terminal. argparse makes a formatter for each argument, and without a width loads shutil for it."""
    width = os.environ.get("COLUMNS", "")
    if width.isdigit() and int(width):
        columns = int(width)
    else:
        try:
            columns = os.get_terminal_size(
                sys.__stdout__.fileno() if sys.__stdout__ is not None else 1
            ).columns
        except (OSError, ValueError):
            columns = 0
    return argparse.RawDescriptionHelpFormatter(prog, width=(columns or 80) - 2)


def parser(command: str | None, *, alone: bool = False) -> argparse.ArgumentParser:
    """The argument parser; only the arguments of ``command`` are filled in. ``alone``: the other commands are not even named."""
    top = argparse.ArgumentParser(
        prog="kcc",
        description="keepalived's configuration, compiled",
        epilog=EPILOG,
        formatter_class=_formatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    subs = top.add_subparsers(dest="command", metavar="COMMAND", prog="kcc")
    for name, words in COMMANDS.items():
        if alone and name != command:
            continue
        sub = subs.add_parser(
            name,
            help=words,
            description=words[0].upper() + words[1:] + ".",
            epilog=EPILOG,
            formatter_class=_formatter,
        )
        if name == command:
            importlib.import_module(f"kcc.commands.{name}").arguments(sub)
    return top


def process() -> int:
    """`main` as a process of its own, which sets up what belongs to the process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # One pass over immutable data: collecting a million live nodes again and again would find nothing, nor would the end of
    # the process, which frees them all.
    gc.disable()
    atexit.register(gc.freeze)
    return main()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the result is the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((w for w in words if not w.startswith("-")), None)
    args = parser(command, alone=words[:1] == [command] and command in COMMANDS).parse_args(words)
    if args.version:
        from kir.release import __version__
        from kir.versions import CURRENT

        print(f"kcc {__version__} (IR {CURRENT})")
        return 0
    if args.command is None:
        parser(None).print_help(sys.stderr)
        return 2
    try:
        code: int = importlib.import_module(f"kcc.commands.{args.command}").run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MemoryError, RecursionError) as e:
        sys.stderr.write(
            f"kcc: internal limit reached ({type(e).__name__}); this is a defect, please report it\n"
        )
        return 2
    return code


if __name__ == "__main__":
    sys.exit(process())
