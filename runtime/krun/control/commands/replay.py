"""``krunctl replay``: a recording run again on the machines of this release, and shown."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from krun.record.file import Recording
    from krun.record.moments import Moment
    from krun.record.timeline import Chosen

SAME, DIFFERS, UNREADABLE = 0, 1, 2


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command line."""
    command = commands.add_parser(
        "replay",
        help="run a file of `krunctl record` again, and show what came in and what was decided",
        description="Run a file of `krunctl record` again on the machines of this release: nothing is touched, no root, no krun is"
        " needed. Shows what came in and what was decided on it; what says the same again is counted. Exit status: 0 decided as it"
        " was, 1 something is decided otherwise now, 2 the file cannot be read.",
    )
    command.add_argument("file", metavar="FILE", type=Path, help="what `krunctl record` wrote")
    command.add_argument(
        "--instance", "--subject", dest="subject", metavar="NAME",
        help="only what is about this instance, sync group, script, interface, virtual or real server",
    )  # fmt: skip
    command.add_argument(
        "--since",
        metavar="T",
        help="from then on: 90s, 5m, 1h30m before the end, or a local time 2026-11-30T21:00:00",
    )
    command.add_argument("--until", metavar="T", help="up to then, likewise")
    command.add_argument("--all", action="store_true", help="every advert and every timer, too")
    command.add_argument("--differences", action="store_true", help="only what is decided otherwise now")
    command.add_argument("--json", action="store_true", help="an object a line")


def run(_socket: Path, options: argparse.Namespace) -> int:
    """Returns the exit status."""
    from krun.record import file, timeline
    from krun.record.moments import ReplayError

    try:
        recording = file.read(options.file)
        chosen = timeline.Chosen(
            options.subject,
            _moment(options.since, recording, float("-inf")),
            _moment(options.until, recording, float("inf")),
            options.all,
        )
    except (file.RecordError, ValueError) as error:
        sys.stderr.write(f"krunctl: {error}\n")
        return UNREADABLE
    player = Player(recording)
    try:
        if options.json:
            for moment, at in player.moments():
                if chosen(moment, at) and (moment.differs or not options.differences):
                    print(json.dumps(timeline.as_json(moment, at), ensure_ascii=False))
        else:
            _show(player, chosen, only_differences=options.differences)
    except ReplayError as error:
        sys.stderr.write(f"krunctl: {options.file}: {error}\n")
        return UNREADABLE
    if not recording.whole:
        sys.stderr.write(f"krunctl: {options.file} is not whole: its end is missing\n")
    player.summary(sys.stderr if options.json else sys.stdout)
    return DIFFERS if player.different else SAME


class Player:
    """``count``: moments so far; ``different``: those that are decided otherwise now."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.count = 0
        self.different = 0

    def moments(self) -> Iterator[tuple[Moment, float]]:
        """Those of all processes, by their time. Raises `krun.record.moments.ReplayError`."""
        from krun.record.machines import moments

        for moment, at in moments(self.recording):
            self.count += 1
            self.different += moment.differs
            yield moment, at

    def summary(self, out: object) -> None:
        """The last lines."""
        header = self.recording.header
        lost = sum(section.ring.lost for section in self.recording.sections)
        print(
            f"{self.count:,} inputs of krun {header.release} at {header.host.get('name', '?')}"
            + (f"; {lost:,} messages before them were not remembered any more" if lost else ""),
            file=out,  # type: ignore[call-overload]
        )
        if header.crash:
            print(f"written by a process that ended by an internal error: {header.crash}", file=out)  # type: ignore[call-overload]
        if self.different:
            print(f"{self.different:,} are decided OTHERWISE by this release", file=out)  # type: ignore[call-overload]
        else:
            print("all decided as they were", file=out)  # type: ignore[call-overload]


def _show(player: Player, chosen: Chosen, *, only_differences: bool) -> None:
    from krun.record import timeline

    moments = player.moments()
    if only_differences:
        moments = ((moment, at) for moment, at in moments if moment.differs)
    shown = timeline.lines(moments, chosen)
    if not sys.stdout.isatty():
        for line in shown:
            print(f"{timeline.clock(line.at)} {line.process:<6} {line.text}")
        return
    from rich.console import Console
    from rich.text import Text

    styles = {"": "", "good": "green", "bad": "red", "quiet": "dim"}
    console = Console(highlight=False)
    for line in shown:
        text = Text(f"{timeline.clock(line.at)} ", style="dim")
        text.append(f"{line.process:<6} ", style="cyan")
        text.append(line.text, style=styles[line.tone])
        console.print(text, soft_wrap=True)


def _moment(text: str | None, recording: Recording, default: float) -> float:
    """A time of the command line, in seconds since the epoch. Raises ValueError with words for the user."""
    from krun.control.duration import parse_us

    if text is None:
        return default
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M"):
        try:
            return time.mktime(time.strptime(text, form))
        except (ValueError, OverflowError):
            continue
    try:
        return recording.header.saved_at - parse_us(text) / 1e6
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a time before the end (90s, 5m) nor a local time (2026-11-30T21:00:00)"
        ) from None
