"""``krunctl``: ask and direct the krun of a run directory."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kir import __version__
from krun.control import hand
from krun.control.client import NoDaemonError, ask
from krun.control.commands import explain, memory, metrics, record, replay, top, upgrade
from krun.control.duration import clock, parse_us
from krun.control.framing import Message
from krun.place import DEFAULT_RUN_DIR, run_dir_of

RELOAD_S = 180.0
"""How long a reload may take: both of its phases, and the way back, have limits of their own below it."""

DONE, REFUSED, NO_DAEMON = 0, 1, 2


def parser() -> argparse.ArgumentParser:
    """The command line of ``krunctl``."""
    p = argparse.ArgumentParser(
        prog="krunctl",
        description="Ask and direct a running krun.",
        epilog="Exit status: 0 done, 1 refused (the reason is on stderr), 2 wrong usage or no krun there.",
    )
    where = p.add_mutually_exclusive_group()
    where.add_argument(
        "--run-dir",
        metavar="DIR",
        type=Path,
        default=DEFAULT_RUN_DIR,
        help=f"that krun's run directory [{DEFAULT_RUN_DIR}]",
    )
    where.add_argument(
        "--instance",
        metavar="NAME",
        type=run_dir_of,
        dest="run_dir",
        help=f"the krun whose configuration says `instance NAME`: it is in {run_dir_of('NAME')}",
    )
    p.add_argument("--version", action="version", version=f"krunctl {__version__}")
    commands = p.add_subparsers(dest="command", metavar="COMMAND", required=True)
    status = commands.add_parser("status", help="what runs, who is master, which servers are up")
    status.add_argument("--json", action="store_true", help="the whole state document")
    reload = commands.add_parser("reload", help="read the IR again, or another one, and apply what differs")
    reload.add_argument("ir", metavar="IR.json", nargs="?", type=Path, help="from now on this file")
    reload.add_argument(
        "--confirm-within",
        metavar="T",
        type=_time,
        help="go back to what runs now unless `krunctl confirm` comes in time (90s, 5m, 1h30m; a bare number is seconds)",
    )
    _add_limit(reload)
    _add_drain(reload)
    reload.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and do not do it: as plan"
    )
    reload.add_argument("--json", action="store_true", help="the result as one object")
    plan = commands.add_parser("plan", help="say what a reload would do, as things stand, and do not do it")
    plan.add_argument(
        "ir",
        metavar="IR.json",
        nargs="?",
        type=Path,
        help="the file to judge [the one that runs, read again]",
    )
    _add_limit(plan)
    _add_drain(plan)
    plan.add_argument(
        "--format", choices=("text", "json", "markdown"), default="text", help="how it is printed [text]"
    )
    plan.add_argument(
        "--json",
        action="store_const",
        const="json",
        dest="format",
        default=argparse.SUPPRESS,
        help="as --format json",
    )
    commands.add_parser("confirm", help="keep what was reloaded with --confirm-within")
    undo = commands.add_parser(
        "undo", help="back to the IR before the last reload, confirmed or not; one step"
    )
    undo.add_argument("--json", action="store_true", help="the result as one object")
    facts = commands.add_parser("facts", help="what is true of this host, for `kcc check --host`")
    facts.add_argument(
        "ir", metavar="IR.json", nargs="?", type=Path, help="whose scripts are examined [the one that runs]"
    )
    facts.add_argument(
        "--file", metavar="PATH", action="append", default=[], help="examine this file too; may be repeated"
    )
    events = commands.add_parser("events", help="what happened lately in all processes")
    events.add_argument("--follow", action="store_true", help="and what happens, until Ctrl-C")
    events.add_argument(
        "--format", choices=("text", "json"), default="text", help="lines, or an object a line [text]"
    )
    events.add_argument(
        "--json",
        action="store_const",
        const="json",
        dest="format",
        default=argparse.SUPPRESS,
        help="as --format json",
    )
    top.add(commands)
    explain.add(commands)
    metrics.add(commands)
    memory.add(commands)
    record.add(commands)
    replay.add(commands)
    hand.add(commands)
    upgrade.add(commands)
    commands.add_parser("stop", help="stop in order: priority-0 adverts, addresses and services removed")
    return p


def _add_limit(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--max-delete",
        metavar="N|N%",
        type=_limit,
        help="refuse where more would be deleted: N services, real servers, VIPs, routes and rules in all, or N%% of any kind",
    )


def _add_drain(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--drain",
        metavar="T",
        type=_drain,
        help="servers and services that go get no new connections from now on, and are deleted when they have none left or after this"
        " time; 0: at once [as krun was started]",
    )


def _drain(text: str) -> int:
    return 0 if text.strip() == "0" else _time(text)


def _limit(text: str) -> str:
    from krun.control.deletions import parse_limit

    try:
        parse_limit(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _time(text: str) -> int:
    try:
        return parse_us(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
    request = _request("reload", options)
    if options.dry_run:
        return _show_plan(socket, request, "json" if options.json else "text")
    if options.confirm_within is not None:
        request["confirm_within_us"] = options.confirm_within
    return _reloaded(ask(socket, request, RELOAD_S), options.json)


def _undo(socket: Path, options: argparse.Namespace) -> int:
    return _reloaded(ask(socket, {"op": "undo"}, RELOAD_S), options.json)


def _plan(socket: Path, options: argparse.Namespace) -> int:
    return _show_plan(socket, _request("plan", options), options.format)


def _request(operation: str, options: argparse.Namespace) -> Message:
    request: Message = {"op": operation}
    if options.ir is not None:
        request["path"] = str(options.ir.absolute())
    if options.max_delete is not None:
        request["max_delete"] = options.max_delete
    if options.drain is not None:
        request["drain_us"] = options.drain
    return request


def _reloaded(answer: Message, as_json: bool) -> int:
    report = answer.get("reload")
    if as_json and report is not None:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    if not answer.get("ok"):
        _say_limit(report)
        return _refused(answer)
    if not as_json and report is not None:
        counts = [f"{name} {count}" for name, count in report["operations"].items()]
        total = report["total"]
        print(
            f"made {total} operation{'' if total == 1 else 's'} in {report['duration_us'] / 1000:.1f} ms"
            + (f": {' · '.join(counts)}" if counts else "")
        )
        if report["confirm_by"] is not None:
            print(f"it goes away at {clock(report['confirm_by'])} unless `krunctl confirm` comes before")
        for what in ("started", "ended"):
            for name in report.get(what, ()):
                print(
                    f"the {name} process {what}: what it did in doing so is in the log, and not counted here"
                )
        for failure in report["failures"]:
            sys.stderr.write(f"krunctl: {failure}\n")
    _warn(answer)
    return DONE


def _say_limit(report: Message | None) -> None:
    """What a limit on deletions found, one object a line: the error itself names only some."""
    for kind, found in ((report or {}).get("limit") or {}).items():
        for name in found["deleted"]:
            sys.stderr.write(f"  - {kind}: {name}\n")


def _show_plan(socket: Path, request: Message, style: str) -> int:
    from krun.control import plan_words, planning

    try:
        planned = planning.make(socket, request)
    except planning.Refused as error:
        return _refused({"error": str(error)})
    if style == "json":
        print(json.dumps(planning.as_json(planned), indent=1, ensure_ascii=False))
    else:
        sys.stdout.write(plan_words.markdown(planned) if style == "markdown" else plan_words.text(planned))
    return DONE


def _confirm(socket: Path, _options: argparse.Namespace) -> int:
    answer = ask(socket, {"op": "confirm"}, 10.0)
    if not answer.get("ok"):
        return _refused(answer)
    print(f"{answer['path']} ({answer['digest'][:19]}…) stays")
    _warn(answer)
    return DONE


def _facts(socket: Path, options: argparse.Namespace) -> int:
    from krun.control import facts

    return facts.run(socket, options.ir, options.file)


def _events(socket: Path, options: argparse.Namespace) -> int:
    from krun.control import follow

    return follow.show(socket, options.follow, options.format)


def _stop(socket: Path, _options: argparse.Namespace) -> int:
    answer = ask(socket, {"op": "stop"}, 30.0)
    return DONE if answer.get("ok") else _refused(answer)


def _warn(answer: Message) -> None:
    if answer.get("warning"):
        sys.stderr.write(f"krunctl: warning: {answer['warning']}\n")


def _refused(answer: Message) -> int:
    sys.stderr.write(f"krunctl: refused: {answer.get('error', 'no reason given')}\n")
    return REFUSED


_COMMANDS: dict[str, Callable[[Path, argparse.Namespace], int]] = {
    "status": _status,
    "reload": _reload,
    "plan": _plan,
    "confirm": _confirm,
    "undo": _undo,
    "facts": _facts,
    "events": _events,
    "top": top.run,
    "explain": explain.run,
    "metrics": metrics.run,
    "memory": memory.run,
    "record": record.run,
    "replay": replay.run,
    "upgrade": upgrade.run,
    "stop": _stop,
    **hand.COMMANDS,
}
