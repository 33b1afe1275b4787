"""``krunctl top``: the director, live. On a terminal a picture that is drawn anew; elsewhere text, one picture after the other."""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from krun.control.client import NoDaemonError, ask
from krun.control.commands.frame import Frame, frame, plain
from krun.control.duration import parse_us

if TYPE_CHECKING:
    from rich.console import Group

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

DONE, REFUSED = 0, 1
ANSWER_S = 10.0
PLAIN_LINES = 60
"""How long a picture is where there is no screen to say so."""

_GOOD = {"MASTER", "up", "running"}
_BAD = {"FAULT", "down", "waiting", "silent"}


class Asker:
    """Pictures, each with the rates since the one before."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._before: dict[str, Any] | None = None
        self._at = 0.0

    def next(self, lines: int) -> Frame:
        """Raises `NoDaemonError`, ValueError for a refusal."""
        answer = ask(self._socket, {"op": "status"}, ANSWER_S)
        if not answer.get("ok"):
            raise ValueError(str(answer.get("error", "no reason given")))
        now, state = time.monotonic(), answer["state"]
        picture = frame(state, self._before, now - self._at, lines)
        self._before, self._at = state, now
        return picture


def add(commands: Commands) -> None:
    """Add the command to the command line."""
    command = commands.add_parser(
        "top",
        help="the director, live: q or Ctrl-C ends",
        description="Show the director live: processes, instances with advert rates, virtual servers, and the real servers that are not simply up."
        " On a terminal q or Ctrl-C ends; elsewhere it prints one picture after the other.",
    )
    command.add_argument(
        "--interval", metavar="T", type=_interval, default=1.0, help="how often: 1s to 1h [1s]"
    )
    command.add_argument("--count", metavar="N", type=_count, help="end after so many pictures")


def _interval(text: str) -> float:
    try:
        seconds = parse_us(text) / 1e6
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds > 3600:
        raise argparse.ArgumentTypeError(f"`{text}` is more than an hour")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"`{text}` is no number of pictures")
    return int(text)


def run(socket: Path, options: argparse.Namespace) -> int:
    """Returns the exit status. Raises `NoDaemonError` where there is no krun to begin with; one that goes away later is waited for."""
    asker = Asker(socket)
    try:
        if sys.stdout.isatty() and sys.stdin.isatty():
            return _live(asker, options.interval, options.count)
        return _repeated(asker, options.interval, options.count)
    except ValueError as error:
        sys.stderr.write(f"krunctl: refused: {error}\n")
        return REFUSED
    except KeyboardInterrupt:
        return DONE


def _repeated(asker: Asker, interval: float, count: int | None) -> int:
    shown = 0
    gone = False
    while True:
        try:
            text = plain(asker.next(PLAIN_LINES))
        except NoDaemonError as error:
            if not shown:
                raise
            text = "" if gone else f"{error}; waiting for it\n"
            gone = True
        else:
            gone = False
        if text:
            sys.stdout.write(("\n" if shown else "") + text)
            sys.stdout.flush()
        shown += 1
        if shown == count:
            return DONE
        time.sleep(interval)


def _live(asker: Asker, interval: float, count: int | None) -> int:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    first = asker.next(_lines())
    console = Console(highlight=False)
    with (
        _keys() as keys,
        Live(
            _drawn(first), console=console, screen=True, auto_refresh=False, vertical_overflow="crop"
        ) as live,
    ):
        live.refresh()
        shown = 1
        while shown != count:
            if _ended(keys, interval):
                return DONE
            try:
                live.update(_drawn(asker.next(_lines())), refresh=True)
            except NoDaemonError as error:
                live.update(Text(f"{error}; waiting for it   (q ends)", style="red"), refresh=True)
            shown += 1
    return DONE


def _lines() -> int:
    return max(10, shutil.get_terminal_size().lines - 1)


def _drawn(one: Frame) -> Group:
    from rich import box
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

    things: list[RenderableType] = [
        Text(line, style="bold red" if line.startswith("ALARM") else "", no_wrap=True, overflow="ellipsis")
        for line in one.head
    ]
    things[0] = Text(f"{one.head[0]}   (q ends)", style="dim")
    for part in one.parts:
        table = Table(
            title=part.title,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            padding=(0, 1),
            show_edge=False,
        )
        for heading in part.headings:
            table.add_column(heading, no_wrap=True, overflow="ellipsis")
        for row in part.rows:
            table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
        things.append(table)
        things.append(Text(f" … and {part.more} more" if part.more else "", style="dim"))
    return Group(*things)


def _style(cell: str) -> str:
    word = cell.split(",", 1)[0]
    return "green" if word in _GOOD else "red" if word in _BAD else "yellow" if word == "drains" else ""


@contextmanager
def _keys() -> Iterator[int]:
    """Standard input key by key, without echo. The terminal gets back what it had, also at SIGTERM and SIGHUP."""
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    old = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    tty.setcbreak(handle)
    try:
        yield handle
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
        for number, handler in old.items():
            signal.signal(number, handler)


def _ended(keys: int, seconds: float) -> bool:
    """Wait for so long; whether somebody pressed q meanwhile, or the terminal is gone."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([keys], [], [], left)
        if ready:
            pressed = os.read(keys, 64)
            if not pressed or b"q" in pressed.lower():
                return True
    return False
