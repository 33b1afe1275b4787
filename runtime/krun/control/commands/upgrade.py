"""``krunctl upgrade``: have krun replace itself by the program that is installed now, and wait until that one is there."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from krun.control.client import NoDaemonError, ask
from krun.control.framing import Message

JUDGE_S = 60.0
"""How long krun may take to have the new program judged."""

UP_S = 30.0
"""How long the new one may take to be there with all of its processes."""

DONE, REFUSED = 0, 1


def add(commands: Any) -> None:
    """The subcommand."""
    commands.add_parser(
        "upgrade",
        help="replace the running krun by the program that is installed now: nobody outside notices, state and deadlines stay",
    )


def run(socket: Path, _options: argparse.Namespace) -> int:
    """Returns the exit status."""
    before = _state(socket)
    began = time.monotonic()
    answer = ask(socket, {"op": "upgrade"}, JUDGE_S)
    if not answer.get("ok"):
        sys.stderr.write(f"krunctl: refused: {answer.get('error', 'no reason given')}\n")
        return REFUSED
    since = (before or {}).get("parent", {}).get("since")
    state: Message | None = None
    while time.monotonic() - began < JUDGE_S + UP_S:
        time.sleep(0.05)
        state = _state(socket)
        if state is not None and state["parent"]["since"] != since and _complete(state):
            took = time.monotonic() - began
            parent = state["parent"]
            print(f"krun {answer['before']} -> {parent['release']} (pid {parent['pid']}), in {took:.1f} s")
            return DONE
        if time.monotonic() - began > UP_S and state is not None and state["parent"]["since"] == since:
            break
    same = state is not None and state["parent"]["since"] == since
    sys.stderr.write(
        "krunctl: krun runs as before; its log says why\n"
        if same
        else "krunctl: krun was replaced, and is not there with all of its processes yet; its log says why\n"
    )
    return REFUSED


def _state(socket: Path) -> Message | None:
    try:
        answer = ask(socket, {"op": "status"}, 10.0)
    except NoDaemonError:
        return None
    state: Message | None = answer.get("state") if answer.get("ok") else None
    return state


def _complete(state: Message) -> bool:
    return all(p["state"] == "running" and p["answered"] for p in state["processes"])
