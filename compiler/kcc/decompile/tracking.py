"""What is followed (scripts, files, processes, groups of instances), and the lists of an instance or a sync group that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kcc.decompile.words import command
from kcc.decompile.writer import Writer, account_words

if TYPE_CHECKING:
    from kir.model import (
        SyncGroup,
        TrackedBfd,
        TrackedFile,
        TrackedInterface,
        TrackedProcess,
        TrackedScript,
        TrackFile,
        TrackGroup,
        TrackProcess,
        VrrpInstance,
        VrrpScript,
    )

    Tracked = TrackedInterface | TrackedScript | TrackedFile | TrackedProcess | TrackedBfd

__all__ = ["print_file", "print_process", "print_script", "print_track_group", "print_tracked"]


def print_script(script: VrrpScript, out: Writer) -> None:
    """One ``vrrp_script``. Its weight was resolved into the lines that use it."""
    with out.section("vrrp_script", script.name):
        argv = (f"<{script.open_file}",) if script.open_file is not None else script.argv
        out.raw(f"script {command(argv)}")
        out.seconds("interval", script.interval_us, -1)
        out.seconds("timeout", script.timeout_us, script.interval_us)
        out.setting("rise", script.rise, 1)
        out.setting("fall", script.fall, 1)
        user = account_words(script.account)
        if user:
            out.raw(" ".join(["user", *user]))
        out.flag("init_fail", script.init_fail)


def print_file(file: TrackFile, out: Writer) -> None:
    """One ``track_file``. Its weight was resolved into the lines that use it."""
    with out.section("track_file", file.name):
        out.say("file", file.path)
        if file.init_value is not None:
            out.say("init_file", file.init_value, *(["overwrite"] if file.overwrite else []))


def print_process(process: TrackProcess, out: Writer) -> None:
    """One ``vrrp_track_process``."""
    with out.section("vrrp_track_process", process.name):
        out.say("process", process.process, *process.parameters)
        if process.match in ("initial", "partial"):
            out.say("param_match", process.match)
        else:
            out.flag("param_match", process.match == "exact" and not process.parameters)
        out.flag("full_command", process.full_command)
        if process.quorum or process.quorum_max != 0:
            out.setting("quorum", process.quorum, 1)
        out.setting("quorum_max", process.quorum_max)
        out.seconds("terminate_delay", process.terminate_delay_us)
        out.seconds("fork_delay", process.fork_delay_us)


def print_track_group(group: TrackGroup, out: Writer) -> None:
    """One ``track_group``."""
    with out.section("track_group", group.name), out.block("group"):
        for name in group.members:
            out.line(name)


def print_tracked(watcher: VrrpInstance | SyncGroup, out: Writer) -> None:
    """The five lists of what an instance or a group follows."""
    _list("track_interface", watcher.track_interfaces, 0, out)
    _list("track_script", watcher.track_scripts, 0, out)
    _list("track_file", watcher.track_files, 1, out)
    _list("track_process", watcher.track_processes, 0, out)
    _list("track_bfd", watcher.track_bfds, 0, out)


def _list(keyword: str, items: Sequence[Tracked], weight: int, out: Writer) -> None:
    """``weight`` is that of a line which says none: that of a definition as it is printed here."""
    if not items:
        return
    with out.block(keyword):
        for item in items:
            said = item.weight != weight or item.reverse
            out.line(
                item.name,
                *(["weight", item.weight] if said else []),
                *(["reverse"] if item.reverse else []),
            )
