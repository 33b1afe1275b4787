"""``krunctl memory``: where the memory of each process is, and what was left behind."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krun.control.client import ask

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DONE, REFUSED = 0, 1

ANSWER_S = 40.0
"""With --memory-debug a process reads all of its objects for the answer."""


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "memory",
        help="where the memory of each process is",
        description="Memory, descriptors and objects of each process, and whose they are. With `krun --memory-debug` also what came and went since"
        " the last reload or minute, and what was left behind: things that nobody owns any more and that are still alive, with who keeps them.",
    )
    command.add_argument("--types", action="store_true", help="with --memory-debug: all objects by type, too")
    command.add_argument("--json", action="store_true", help="as an object")


def run(socket: Path, options: argparse.Namespace) -> int:
    """Returns the exit status: 1 also where something was left behind. Raises `NoDaemonError`."""
    answer = ask(socket, {"op": "memory", "types": options.types}, ANSWER_S)
    if not answer.get("ok"):
        sys.stderr.write(f"krunctl: refused: {answer.get('error', 'no reason given')}\n")
        return REFUSED
    processes = answer["processes"]
    if options.json:
        print(json.dumps({"processes": processes}, indent=1, ensure_ascii=False))
    else:
        sys.stdout.write("\n".join(_process(one) for one in processes))
    return REFUSED if any(one.get("left_behind") for one in processes) else DONE


def _process(one: dict[str, Any]) -> str:
    if "problem" in one:
        return f"{one['process']}: no account: {one['problem']}\n"
    lines = [
        f"{one['process']}: {_kb(one.get('pss_kb'))} (PSS), {_kb(one.get('rss_kb'))} resident; {one.get('descriptors', '?')} of"
        f" {one['descriptor_limit']} descriptors; {one.get('threads', '?')} thread{'' if one.get('threads') == 1 else 's'}"
    ]
    for kind, found in one["owners"].items():
        lines.append(f"  {kind:<20} {found['count']:>7}  about {_octets(found['octets'])}")
    for word, key in (("came", "came"), ("went", "gone")):
        for kind, moved in (one.get(key) or {}).items():
            more = "" if moved["count"] <= len(moved["names"]) else ", …"
            lines.append(f"  {word}: {kind} {moved['count']}: {', '.join(moved['names'])}{more}")
    if one.get("changed"):
        lines.append(
            "  changed: " + ", ".join(f"{name} {count:+d}" for name, count in one["changed"].items())
        )
    for left in one.get("left_behind", ()):
        lines.append(
            f"  LEFT BEHIND: {left['kind']} {left['name']} ({left['type']}, {_octets(left['octets'])})"
        )
        lines += [f"    held by {way}" for way in left["held_by"]]
    for name, count in (one.get("types") or {}).items():
        lines.append(f"  {count:>9}  {name}")
    return "\n".join(lines) + "\n"


def _kb(value: int | None) -> str:
    return "?" if value is None else f"{value / 1024:.1f} MB"


def _octets(value: int) -> str:
    for unit, size in (("MB", 1 << 20), ("kB", 1 << 10)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value} octets"
