"""``krunctl set``, ``unset`` and ``overlays``: an operator's hand on real servers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from krun.control.client import ask
from krun.control.duration import clock, span
from krun.control.framing import Message

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

Run = Callable[[Path, argparse.Namespace], int]

DONE, REFUSED = 0, 1
PATIENCE_S = 20.0


def add(commands: Commands) -> None:
    """Add the commands to the command line; `COMMANDS` runs them."""
    service = "its name as `krunctl status` shows it: 'tcp 10.0.0.1:80', 'fwmark 7 inet', 'group WEB tcp'"
    put = commands.add_parser(
        "set",
        help="give a real server another weight for a while",
        description="Give a real server another weight for a while: it counts instead of the configured one and of what checks make of it,"
        " survives reloads and restarts, and ends by itself. Weight 0: no new connections, established ones stay.",
    )
    put.add_argument("service", metavar="SERVICE", help=service)
    put.add_argument("server", metavar="SERVER", help="address and port: 192.168.0.1:80")
    put.add_argument("--weight", metavar="N", type=_weight, required=True, help="0 to 65535")
    put.add_argument(
        "--for",
        metavar="T",
        type=_span,
        required=True,
        dest="span_us",
        help="until it ends by itself: 90s, 30m, 2h, at most 30d",
    )
    put.add_argument(
        "--reason", metavar="TEXT", default="", help="for those who wonder; it is in log and status"
    )
    put.add_argument("--json", action="store_true", help="the result as one object")
    unset = commands.add_parser("unset", help="end what `krunctl set` began")
    unset.add_argument("service", metavar="SERVICE", help=service)
    unset.add_argument("server", metavar="SERVER", nargs="?", help="address and port [all of the service]")
    unset.add_argument("--json", action="store_true", help="the result as one object")
    listing = commands.add_parser("overlays", help="list what `krunctl set` began and has not ended")
    listing.add_argument("--json", action="store_true", help="the list as JSON")


def _weight(text: str) -> int:
    from krun.control.overlays import weight_of

    try:
        return weight_of(int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"`{text}`: {error}") from None


def _span(text: str) -> int:
    from krun.control.overlays import parse_span

    try:
        return parse_span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _set(socket: Path, options: argparse.Namespace) -> int:
    request: Message = {
        "op": "set",
        "service": options.service,
        "server": options.server,
        "weight": options.weight,
        "for_us": options.span_us,
        "reason": options.reason,
    }
    answer = ask(socket, request, PATIENCE_S)
    if not answer.get("ok"):
        return _refused(answer)
    if options.json:
        print(json.dumps({k: v for k, v in answer.items() if k != "ok"}, indent=1, ensure_ascii=False))
    else:
        overlay = answer["overlay"]
        again = " (in place of an earlier one)" if answer["replaced"] else ""
        print(
            f"{overlay['virtual_server']} -> {overlay['real_server']}: weight {overlay['weight']} until {clock(overlay['until'])}{again}"
        )
        _say_done(answer)
    return _warn(answer)


def _unset(socket: Path, options: argparse.Namespace) -> int:
    answer = ask(socket, {"op": "unset", "service": options.service, "server": options.server}, PATIENCE_S)
    if not answer.get("ok"):
        return _refused(answer)
    if options.json:
        print(json.dumps({k: v for k, v in answer.items() if k != "ok"}, indent=1, ensure_ascii=False))
    else:
        for overlay in answer["removed"]:
            print(
                f"{overlay['virtual_server']} -> {overlay['real_server']}: weight {overlay['weight']} ended"
            )
        _say_done(answer)
    return _warn(answer)


def _overlays(socket: Path, options: argparse.Namespace) -> int:
    answer = ask(socket, {"op": "status"}, PATIENCE_S)
    if not answer.get("ok"):
        return _refused(answer)
    found = answer["state"]["overlays"]
    if options.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return DONE
    for overlay in found:
        effect = "" if overlay["in_effect"] else " (rests: that server is not configured)"
        reason = f": {overlay['reason']}" if overlay["reason"] else ""
        print(
            f"{overlay['virtual_server']} -> {overlay['real_server']}: weight {overlay['weight']} for {span(overlay['left_s'])} more,"
            f" since {clock(overlay['since'])} by {overlay['by']}{reason}{effect}"
        )
    if not found:
        print("no overlay")
    return DONE


def _say_done(answer: Message) -> None:
    """What the checker process made of it."""
    done = answer.get("done") or {}
    for line in done.get("news", ()):
        print(f"  {line}")
    counts = " · ".join(f"{name} {count}" for name, count in (done.get("operations") or {}).items())
    if "operations" in done:
        print(f"  {counts or 'nothing to write: the table is as it should be'}")
    for failure in done.get("failures", ()):
        sys.stderr.write(f"krunctl: {failure}\n")


def _warn(answer: Message) -> int:
    if answer.get("warning"):
        sys.stderr.write(f"krunctl: warning: {answer['warning']}\n")
    return DONE


def _refused(answer: Message) -> int:
    sys.stderr.write(f"krunctl: refused: {answer.get('error', 'no reason given')}\n")
    return REFUSED


COMMANDS: dict[str, Run] = {"set": _set, "unset": _unset, "overlays": _overlays}
