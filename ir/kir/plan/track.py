"""Orders about what is tracked: scripts, files, processes."""

from __future__ import annotations

from collections.abc import Sequence

from kir.model import Config, TrackFile, TrackProcess, VrrpScript
from kir.plan.operations import TrackerOperation, TrackerStart, TrackerStop, TrackerUpdate

Tracker = VrrpScript | TrackFile | TrackProcess


def plan_trackers(old: Config, new: Config) -> list[TrackerOperation]:
    """Orders about ``vrrp_script``s, track files and tracked processes. What follows the results of one is the instances' matter."""
    return [
        *_plan("vrrp_script", old.vrrp_scripts, new.vrrp_scripts),
        *_plan("track_file", old.track_files, new.track_files),
        *_plan("vrrp_track_process", old.track_processes, new.track_processes),
    ]


def _plan(kind: str, old: Sequence[Tracker], new: Sequence[Tracker]) -> list[TrackerOperation]:
    if old == new:
        return []
    before = {t.name: t for t in old}
    after = {t.name: t for t in new}
    steps: list[TrackerOperation] = [
        TrackerStart(tracker=name, tracker_kind=kind, reason=_first(tracker))
        for name, tracker in after.items()
        if name not in before
    ]
    for name, tracker in before.items():
        now = after.get(name)
        if now is not None and now != tracker:
            fields = tuple(f for f in tracker.__struct_fields__ if getattr(tracker, f) != getattr(now, f))
            steps.append(
                TrackerUpdate(tracker=name, tracker_kind=kind, fields=fields, reason=_again(tracker, fields))
            )
    steps.extend(
        TrackerStop(tracker=name, tracker_kind=kind, reason="no longer followed")
        for name in before
        if name not in after
    )
    return steps


def _first(tracker: Tracker) -> str:
    if isinstance(tracker, VrrpScript):
        return "runs from now on; until its first result nothing follows it"
    return "followed from now on"


_SAME_QUESTION = {
    VrrpScript: frozenset({"argv", "open_file", "account"}),
    TrackFile: frozenset({"path"}),
    TrackProcess: frozenset({"process", "parameters", "match", "full_command"}),
}
"""Fields that make it another question: with another one of these the old result says nothing."""


def _again(tracker: Tracker, fields: tuple[str, ...]) -> str:
    if _SAME_QUESTION[type(tracker)].isdisjoint(fields):
        return "its last result stays"
    return "it asks something else: its result is awaited anew"
