"""A replay as lines for eyes, or as objects for programs: what came in, what was decided, and where that differs from what was recorded."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from krun.record.moments import Decision, Moment

Tone = Literal["", "good", "bad", "quiet"]


@dataclass(slots=True)
class Shown:
    """A line: when (seconds since the epoch), what about, the text, and how it is to look."""

    at: float
    process: str
    text: str
    tone: Tone = ""


@dataclass(slots=True)
class Chosen:
    """Which moments are shown. ``subject``: an instance, a server, a device. ``since``, ``until``: seconds since the epoch. ``everything``:
    the steady ones, too."""

    subject: str | None = None
    since: float = float("-inf")
    until: float = float("inf")
    everything: bool = False

    def __call__(self, moment: Moment, at: float) -> bool:
        if not self.since <= at <= self.until:
            return False
        if self.subject is None or (moment.process, moment.kind) in _FOR_ALL:
            return True
        return self.subject in moment.about


_FOR_ALL = {("vrrp", "start"), ("vrrp", "stop"), ("vrrp", "reload"), ("check", "reload")}


def lines(moments: Iterable[tuple[Moment, float]], chosen: Chosen) -> Iterator[Shown]:
    """``moments`` come with seconds since the epoch. What says the same again is one line with a count."""
    steady: dict[tuple[str, str, str], list[Any]] = {}
    for moment, at in moments:
        if not chosen(moment, at):
            continue
        if moment.steady and not chosen.everything:
            key = (moment.process, moment.subject, moment.text)
            known = steady.setdefault(key, [0, at])
            known[0] += 1
            known[1] = at
            continue
        for key in [k for k in steady if k[0] == moment.process and (k[1] == moment.subject or not k[1])]:
            yield from _counted(key, *steady.pop(key))
        yield from _one(moment, at)
    for key, (count, last) in sorted(steady.items(), key=lambda item: item[1][1]):
        yield from _counted(key, count, last)


def _counted(key: tuple[str, str, str], count: int, last: float) -> Iterator[Shown]:
    process, subject, text = key
    if count == 1 or text in _UNTOLD or text.endswith("is asked"):
        return
    name = f"({subject}) " if subject else ""
    yield Shown(last, process, f"{name}{text}: {count:,} more, changing nothing", "quiet")


_UNTOLD = ("timer", "the kernel has it")
"""What is counted only where somebody wants to see everything; so are the moments at which checks are asked."""


def _one(moment: Moment, at: float) -> Iterator[Shown]:
    name = f"({moment.subject}) " if moment.subject else ""
    yield Shown(at, moment.process, f"{name}{moment.text}", "bad" if moment.differs else "")
    for words in moment.said:
        yield Shown(at, moment.process, f"  -> {words}", _tone(words))
    if moment.recorded is None:
        yield Shown(at, moment.process, "  the recording ends before this was decided", "quiet")
    elif moment.differs:
        recorded, decided = moment.recorded, moment.decided
        for decision in recorded:
            if decision not in decided:
                yield Shown(at, moment.process, f"  DIFFERS: it was decided then: {_data(decision)}", "bad")
        for decision in decided:
            if decision not in recorded:
                yield Shown(at, moment.process, f"  DIFFERS: it is decided now:  {_data(decision)}", "bad")
        if all(d in decided for d in recorded) and all(d in recorded for d in decided):
            yield Shown(at, moment.process, "  DIFFERS: the same decisions in another order", "bad")


def _tone(words: str) -> Tone:
    if "FAULT" in words or " down" in words or "dropped" in words or "lost" in words:
        return "bad"
    return "good" if "MASTER STATE" in words or words.endswith(" up") else ""


def _data(decision: Decision) -> str:
    return json.dumps(decision, ensure_ascii=False)


def as_json(moment: Moment, at: float) -> dict[str, Any]:
    """One moment as an object. ``recorded`` stands there only where it differs."""
    found: dict[str, Any] = {
        "at": round(at, 6),
        "process": moment.process,
        "input": moment.kind,
        "subject": moment.subject,
        "text": moment.text,
        "data": _plain(moment.what),
        "steady": moment.steady,
        "decided": moment.decided,
        "said": moment.said,
    }
    if moment.differs:
        found["recorded"] = moment.recorded
    return found


def _plain(what: Any) -> Any:
    try:
        return msgspec.to_builtins(what)
    except TypeError:
        return None  # a whole configuration has keys that JSON does not know; it is in the file


def clock(at: float) -> str:
    """Local time to the millisecond."""
    try:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return f"{at:.3f}"
    return f"{moment}.{int(at % 1 * 1000):03d}"
