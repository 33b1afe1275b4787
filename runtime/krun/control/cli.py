"""``krunctl``: ask and direct the krun of a run directory."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kir import __version__
from krun.control.client import NoDaemonError, ask
from krun.control.framing import Message

DEFAULT_RUN_DIR = Path("/run/krun")

DONE, REFUSED, NO_DAEMON = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """The command line of ``krunctl``."""
    p = argparse.ArgumentParser(
        prog="krunctl",
        description="Ask and direct a running krun.",
        epilog="Exit status: 0 done, 1 refused (the reason is on stderr), 2 wrong usage or no krun there.",
    )
    p.add_argument(
        "--run-dir",
        metavar="DIR",
        type=Path,
        default=DEFAULT_RUN_DIR,
        help=f"that krun's run directory [{DEFAULT_RUN_DIR}]",
    )
    p.add_argument("--version", action="version", version=f"krunctl {__version__}")
    commands = p.add_subparsers(dest="command", metavar="COMMAND", required=True)
    status = commands.add_parser("status", help="what runs, who is master, which servers are up")
    status.add_argument("--json", action="store_true", help="the whole state document")
    reload = commands.add_parser("reload", help="read the IR again, or another one, and apply what differs")
    reload.add_argument("ir", metavar="IR.json", nargs="?", type=Path, help="from now on this file")
    reload.add_argument("--json", action="store_true", help="the result as one object")
    plan = commands.add_parser("plan", help="ask what a reload would do, and do not do it")
    plan.add_argument(
        "ir", metavar="IR.json", nargs="?", type=Path, help="the file to judge [the one that runs]"
    )
    plan.add_argument("--json", action="store_true", help="the result as one object")
    facts = commands.add_parser("facts", help="what is true of this host, for `kcc check --host`")
    facts.add_argument(
        "ir", metavar="IR.json", nargs="?", type=Path, help="whose scripts are examined [the one that runs]"
    )
    facts.add_argument(
        "--file", metavar="PATH", action="append", default=[], help="examine this file too; may be repeated"
    )
    commands.add_parser("stop", help="stop in order: priority-0 adverts, addresses and services removed")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = parser().parse_args(argv)
    socket = options.run_dir / "krun.sock"
    try:
        return _COMMANDS[options.command](socket, options)
    except NoDaemonError as error:
        sys.stderr.write(f"krunctl: {error}\n")
        return NO_DAEMON
    except BrokenPipeError:
        # The reader of our output had enough; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return DONE
    except KeyboardInterrupt:
        return REFUSED


def _status(socket: Path, options: argparse.Namespace) -> int:
    answer = ask(socket, {"op": "status"}, 10.0)
    if not answer.get("ok"):
        return _refused(answer)
    state = answer["state"]
    if options.json:
        print(json.dumps(state, indent=1, ensure_ascii=False))
        return DONE
    from krun.control import table

    if sys.stdout.isatty():
        from rich.console import Console

        table.render(state, Console(highlight=False))
    else:
        sys.stdout.write(table.plain(state))
    return DONE


def _reload(socket: Path, options: argparse.Namespace) -> int:
    request: Message = {"op": options.command}
    if options.ir is not None:
        request["path"] = str(options.ir.absolute())
    answer = ask(socket, request, 120.0)
    report = answer.get("reload")
    if options.json and report is not None:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    if not answer.get("ok"):
        return _refused(answer)
    if not options.json and report is not None:
        counts = [f"{name} {count}" for name, count in report["operations"].items()]
        total = report["total"]
        head = "would make" if options.command == "plan" else "made"
        print(
            f"{head} {total} operation{'' if total == 1 else 's'} in {report['duration_us'] / 1000:.1f} ms"
            + (f": {' · '.join(counts)}" if counts else "")
        )
        for failure in report["failures"]:
            sys.stderr.write(f"krunctl: {failure}\n")
    return DONE


def _facts(socket: Path, options: argparse.Namespace) -> int:
    from krun.control import facts

    return facts.run(socket, options.ir, options.file)


def _stop(socket: Path, _options: argparse.Namespace) -> int:
    answer = ask(socket, {"op": "stop"}, 30.0)
    return DONE if answer.get("ok") else _refused(answer)


def _refused(answer: Message) -> int:
    sys.stderr.write(f"krunctl: refused: {answer.get('error', 'no reason given')}\n")
    return REFUSED


_COMMANDS: dict[str, Callable[[Path, argparse.Namespace], int]] = {
    "status": _status,
    "reload": _reload,
    "plan": _reload,
    "facts": _facts,
    "stop": _stop,
}
