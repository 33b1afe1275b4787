"""``krunctl record``: what the processes were told and what they decided, in one file."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command line."""
    command = commands.add_parser(
        "record",
        help="save what the processes were told lately, and what they decided, into a file for `krunctl replay`",
        description="Save what the VRRP and the checker process were told lately (adverts, timers, links, results of checks and scripts,"
        " reloads) and what they decided on it, with the configurations that ran, into one file that `krunctl replay` runs again"
        " anywhere, without root. Passwords and keys are replaced by stand-ins; addresses, names and script commands are not.",
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="where to [krun-HOST-TIME.krec in this directory]"
    )
    command.add_argument(
        "--with-secrets", action="store_true", help="leave passwords and keys in it as they are"
    )


def run(socket: Path, options: argparse.Namespace) -> int:
    """Returns the exit status. Raises `krun.control.client.NoDaemonError`."""
    import platform

    from krun.record.save import Saver

    moment = time.strftime("%Y%m%d-%H%M%S")
    target: Path = options.output or Path(f"krun-{platform.node().partition('.')[0] or 'host'}-{moment}.krec")
    saver = Saver(socket.parent, with_secrets=options.with_secrets)
    try:
        size = saver.save(target)
    except OSError as error:
        sys.stderr.write(f"krunctl: {target}: {error.strerror or error}\n")
        return 1
    for problem in saver.problems:
        sys.stderr.write(f"krunctl: not recorded: {problem}\n")
    counts = ", ".join(f"{name} {count:,}" for name, count in saver.counts.items())
    if not counts:
        target.unlink(missing_ok=True)
        return 1
    secrets = "secrets as they are" if options.with_secrets else "passwords and keys replaced"
    print(f"{target}: {size / 1000:,.0f} kB, messages: {counts}; {secrets}")
    return 0
