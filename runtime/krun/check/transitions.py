"""The table: what a reload makes of a health check's state, by the kind of change.

Data. The manual shows it (`markdown`), and the tests run every row of it against the checker process; `krun.check.succession` and
`krun.check.machine.adapt` are what makes it true.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """What a checker knows of its server."""

    UP = "up"
    RETRYING = "up, retrying"
    """Up, and the last runs failed: fewer than it takes."""
    DOWN = "down"
    FIRST_UP = "up, not asked yet"
    """No result yet; one failure takes it down."""
    FIRST_DOWN = "down, not asked yet"
    """No result yet; one success brings it up (``alpha``, or a new question to a server that is down)."""
    GONE = "–"
    """The check is no more."""


UP, RETRYING, DOWN, FIRST_UP, FIRST_DOWN, GONE = Health
WAS = (UP, RETRYING, DOWN, FIRST_UP, FIRST_DOWN)


class NextRun(Enum):
    """When the check is made the next time."""

    KEPT = "as planned"
    SOONER = "as planned, at most one new period away"
    ANEW = "as of a new check"
    NONE = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """``change`` is the name of the change, ``words`` what it is. ``becomes``: the check's state after it, for each of `WAS`; ``server_up``:
    whether the real server is in use then, likewise. ``counts``: whether runs, failures and reasons go on.
    """

    change: str
    words: str
    becomes: tuple[Health, ...]
    server_up: tuple[bool, ...]
    next_run: NextRun
    counts: bool


_IN_USE = (True, True, False, True, False)
_ALWAYS = (True,) * 5
_NEW = (FIRST_UP, FIRST_UP, FIRST_DOWN, FIRST_UP, FIRST_DOWN)
_GONE = (GONE,) * 5


def _stays(change: str, words: str, next_run: NextRun = NextRun.KEPT) -> Row:
    return Row(change, words, WAS, _IN_USE, next_run, counts=True)


ROWS: tuple[Row, ...] = (
    _stays("nothing", "nothing, or other words for the same"),
    _stays("weight", "the real server's weight"),
    _stays("limits", "its thresholds or forwarding method"),
    _stays("inhibit", "`inhibit_on_failure` comes or goes"),
    _stays("scheduler", "the virtual server's scheduler or persistence"),
    _stays("quorum", "quorum or sorry server"),
    _stays("order", "the order of virtual servers, real servers or checks"),
    _stays("neighbour", "other real servers come or go"),
    _stays("longer", "a longer `delay_loop`"),
    _stays("shorter", "a shorter `delay_loop`", NextRun.SOONER),
    _stays("more_retries", "more retries"),
    Row(
        "fewer_retries",
        "no retries any more: the next failure takes it down",
        (UP, UP, DOWN, FIRST_UP, FIRST_DOWN),
        _IN_USE,
        NextRun.KEPT,
        counts=True,
    ),
    _stays("alpha", "`alpha` comes: it is for servers that are new"),
    _stays("no_alpha", "`alpha` goes"),
    _stays("renamed", "the virtual server's name (a group's), its services stay"),
    _stays("group", "the service becomes one of a group"),
    _stays("moved", "the real server moves to another virtual server, the check stays"),
    _stays("shared", "a further virtual server gets the same real server with the same check"),
    _stays("overlay", "`krunctl set` on it"),
    Row(
        "question",
        "what is asked: port, URL, pattern, script; or another kind of check",
        _NEW,
        _IN_USE,
        NextRun.ANEW,
        counts=False,
    ),
    _stays(
        "second",
        "a further check comes: that one is not asked yet, and the server stays what it is until then",
    ),
    _stays("second_alpha", "a further check with `alpha` comes: likewise"),
    Row(
        "removed",
        "the check goes, others stay and are good",
        _GONE,
        _ALWAYS,
        NextRun.NONE,
        counts=False,
    ),
    Row("last_removed", "the last check goes: always in use", _GONE, _ALWAYS, NextRun.NONE, counts=False),
    Row(
        "returned",
        "the real server goes in one reload and comes back in a later one: it is new",
        (FIRST_UP, FIRST_UP, FIRST_UP, FIRST_UP, FIRST_DOWN),
        (True, True, True, True, False),
        NextRun.ANEW,
        counts=False,
    ),
)


def markdown() -> str:
    """The table for the manual."""
    lines = [
        "| what changes | " + " | ".join(was.value for was in WAS) + " | next run |",
        "|---" * (len(WAS) + 2) + "|",
    ]
    for row in ROWS:
        if row.becomes == WAS:
            cells = ["stays"] * len(WAS)
        elif row.becomes == _GONE:
            cells = ["in use" if up else "out of use" for up in row.server_up]
        else:
            cells = ["stays" if new is was else new.value for was, new in zip(WAS, row.becomes, strict=True)]
        lines.append(f"| {row.words} | {' | '.join(cells)} | {row.next_run.value} |")
    return "\n".join(lines) + "\n"
