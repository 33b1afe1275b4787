"""What an instance and a sync group have in common: what they follow and whom they tell."""

from __future__ import annotations

from kcc.language.arguments.scripts import SCRIPT
from kcc.language.arguments.track import (
    TRACK_INTERFACE,
    TRACK_NAME,
    TRACK_NAME_254,
)
from kcc.language.tree import (
    CARRIED,
    RUN,
    Coverage,
    Keyword,
    Repeat,
    leaf,
    lines,
)


def script(name: str, when: str, coverage: Coverage = RUN) -> Keyword:
    return leaf(name, SCRIPT, coverage, "none", f"Command run {when}.", repeat=Repeat.FIRST)


def trackers(where: str) -> tuple[Keyword, ...]:
    """The five lists of tracked things, of an instance and of a group alike."""
    return (
        lines("track_interface", TRACK_INTERFACE, RUN, f"Interfaces whose link state {where} follows."),
        lines("track_script", TRACK_NAME, RUN, f"Check scripts whose result {where} follows."),
        lines("track_file", TRACK_NAME_254, CARRIED, f"Files whose number changes the priority of {where}."),
        lines("track_process", TRACK_NAME_254, CARRIED, f"Processes whose presence {where} follows."),
        lines("track_bfd", TRACK_NAME, CARRIED, f"BFD sessions whose state {where} follows."),
    )


def notify(of: str) -> tuple[Keyword, ...]:
    return (
        script("notify_backup", f"when {of} becomes backup"),
        script("notify_master", f"when {of} becomes master"),
        script("notify_fault", f"when {of} goes to FAULT"),
        script("notify_stop", f"when {of} is stopped"),
        script("notify", f"at every change of state of {of}, with type, name, state and priority"),
    )
