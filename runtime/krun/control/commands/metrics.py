"""``krunctl metrics``: what the endpoint serves, once, on standard output."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from krun.control.client import NoDaemonError, ask

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DONE, REFUSED = 0, 1


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "metrics",
        help="print the metrics once, as `krun --metrics` serves them",
        description="Print the metrics once in Prometheus' text format. For node_exporter's textfile collector write them beside their"
        " place and rename: `krunctl metrics > krun.prom.tmp && mv krun.prom.tmp krun.prom`.",
    )
    command.add_argument(
        "--or-down",
        action="store_true",
        help="where no krun answers print krun_up 0 and exit with 0, so that a collector sees it",
    )


def run(socket: Path, options: argparse.Namespace) -> int:
    """Returns the exit status. Raises `NoDaemonError`."""
    from krun.control.metrics.document import render, unreachable

    try:
        answer = ask(socket, {"op": "status"}, 10.0)
    except NoDaemonError:
        if not options.or_down:
            raise
        sys.stdout.write(unreachable())
        return DONE
    if not answer.get("ok"):
        sys.stderr.write(f"krunctl: refused: {answer.get('error', 'no reason given')}\n")
        return REFUSED
    sys.stdout.write(render(answer["state"]))
    return DONE
