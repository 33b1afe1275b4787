"""``krunctl events``: what happened, and what happens."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from krun.control.client import NoDaemonError, ask

LOOK_S = 0.5
"""How often a follower asks for what is new."""


def show(socket: Path, follow: bool, style: str) -> int:
    """Print the events that krun remembers, then (``follow``) those that come, until Ctrl-C. Returns the exit status.

    A krun that goes away while it is followed is waited for. Raises `NoDaemonError` where there is none to begin with.
    """
    known: dict[str, int] = {}
    _print(_ask(socket, known), style)
    gone = False
    try:
        while follow:
            time.sleep(LOOK_S)
            try:
                events = _ask(socket, known)
            except NoDaemonError as error:
                if not gone:
                    sys.stderr.write(f"krunctl: {error}; waiting for it\n")
                gone = True
                continue
            gone = False
            _print(events, style)
    except KeyboardInterrupt:
        return 0
    return 0


def _ask(socket: Path, known: dict[str, int]) -> list[dict[str, Any]]:
    """What is new, in the order in which it happened; ``known`` learns it. Events that were lost in between become one of their own."""
    answer = ask(socket, {"op": "events", "since": known}, 10.0)
    events: list[dict[str, Any]] = answer.get("events", [])
    lost: list[dict[str, Any]] = []
    for event in sorted(events, key=lambda event: event["number"]):
        key = f"{event['process']}.{event['pid']}"
        gap = event["number"] - known.get(key, event["number"] - 1) - 1
        if gap > 0:
            text = f"{gap} events of this process came and went between two looks"
            lost.append({**event, "kind": "events.lost", "level": "warning", "subject": "", "text": text})
        known[key] = event["number"]
    return sorted([*lost, *events], key=lambda event: event["at"])


def _print(events: list[dict[str, Any]], style: str) -> None:
    for event in events:
        print(json.dumps(event, ensure_ascii=False) if style == "json" else line(event))
    sys.stdout.flush()


def line(event: dict[str, Any]) -> str:
    """``12:00:00.123 krun-vrrp vrrp (VI_1) Entering MASTER STATE``."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event["at"]))
    thousandths = int(event["at"] % 1 * 1000)
    level = "" if event["level"] == "info" else f"{event['level']}: "
    text = event["text"].replace("\n", "\\n")
    return f"{moment}.{thousandths:03d} {event['process']:<11} {event['kind']:<18} {level}{text}"
