"""``kcc fmt``: the canonical layout."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from pathlib import Path

from kcc.compile import STDIN, warn
from kcc.layout import Refused, formatted
from kcc.source.files import Unusable, read_file, read_stdin
from kcc.source.options import Limits
from kir import onestep


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="configurations, each formatted by itself and in place; - reads standard input and writes standard output",
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file would change")
    parser.add_argument("--diff", action="store_true", help="change nothing; print what would change")
    parser.add_argument(
        "--fragment",
        action="store_true",
        help="the files are included by others, which define the `${NAME}`s that are used here",
    )


def run(args: argparse.Namespace) -> int:
    changed = refused = 0
    for name in args.files:
        try:
            outcome = _one(name, args)
        except Unusable as e:
            warn(f"kcc fmt: {name}: cannot be read: {e.reason}")
            refused += 1
        except Refused as e:
            where = f"{name}:{e.line}" if e.line else name
            warn(
                f"kcc fmt: {where}: {e.reason}; nothing was changed"
                + (f"\n  help: {e.help}" if e.help else "")
            )
            refused += 1
        except OSError as e:
            warn(f"kcc fmt: {name}: cannot be written: {e.strerror or e}")
            refused += 1
        else:
            changed += outcome
    if refused:
        return 2
    return 1 if changed and args.check else 0


def _one(name: str, args: argparse.Namespace) -> bool:
    """Format one file; whether it was (or would be) changed."""
    most = Limits().max_file_bytes
    data = read_stdin(most) if name == STDIN else read_file(name, most)
    made = formatted(data, name, fragment=args.fragment)
    if args.diff and made != data:
        sys.stdout.write(difference(data, made, name))
    if args.check or args.diff:
        if args.check and made != data:
            warn(f"would reformat {name}")
    elif name == STDIN:
        sys.stdout.buffer.write(made)
        sys.stdout.buffer.flush()
    elif made != data:
        replace(Path(name), made)
        warn(f"reformatted {name}")
    return made != data


def difference(old: bytes, new: bytes, name: str) -> str:
    """The unified diff of two versions of a file."""
    before, after = (part.decode("utf-8", "replace").splitlines(keepends=True) for part in (old, new))
    lines = [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(before, after, fromfile=name, tofile=f"{name} (formatted)")
    ]
    return "".join(lines)


def replace(path: Path, data: bytes) -> None:
    """Write ``data`` in one step: a reload that comes in between never sees half a file. Mode and owner stay.

    Raises OSError.
    """
    target = Path(os.path.realpath(path))
    onestep.write(target, data, like=target.stat())
