"""``krunctl explain NAME``: why an instance, a group, a tracker, a virtual or a real server is what it is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krun.control.client import ask
from krun.control.commands.explain import servers, vrrp
from krun.control.commands.explain.find import Found, UnknownError, find

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DONE, REFUSED = 0, 1

Words = Callable[[dict[str, Any], Found, float], list[str]]

_WORDS: dict[str, Words] = {
    "instance": vrrp.instance,
    "sync group": vrrp.group,
    "tracker": vrrp.tracker,
    "virtual server": servers.virtual_server,
    "real server": servers.real_server,
    "drain": servers.drain,
}


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "explain",
        help="why is it what it is: an instance, a virtual server …",
        description="Say why an instance, sync group, track script, virtual server or real server is what it is: the adverts that it heard and what"
        " became of them, how its priority comes about, which timer fires next; checks, quorum, overlays and drains.",
    )
    command.add_argument(
        "name",
        metavar="NAME",
        help="as `krunctl status` shows it: VI_1, 'tcp 10.0.0.1:80', 192.168.0.1:80, 'tcp 10.0.0.1:80 -> 192.168.0.1:80'",
    )
    command.add_argument("--all", action="store_true", help="all servers, also the many that are well")
    command.add_argument("--json", action="store_true", help="what is known of it, as one object")


def run(socket: Path, options: argparse.Namespace) -> int:
    """Returns the exit status. Raises `NoDaemonError`."""
    import time

    answer = ask(socket, {"op": "status"}, 10.0)
    if not answer.get("ok"):
        sys.stderr.write(f"krunctl: refused: {answer.get('error', 'no reason given')}\n")
        return REFUSED
    state = answer["state"]
    try:
        found = find(state, options.name)
    except UnknownError as error:
        sys.stderr.write(f"krunctl: refused: {error}\n")
        return REFUSED
    found.all = options.all
    lines = _WORDS[found.kind](state, found, time.time())
    if options.json:
        print(json.dumps({"kind": found.kind, "objects": found.objects, "why": lines}, ensure_ascii=False))
    else:
        print("\n".join(lines))
    return DONE
