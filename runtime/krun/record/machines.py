"""A whole recording run again: the machines of every process, side by side in time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from krun.record.file import Recording, Section
from krun.record.moments import Moment, ReplayError


def moments(recording: Recording) -> Iterator[tuple[Moment, float]]:
    """Those of all processes, by their time, which is told in seconds since the epoch. Raises `ReplayError`, and nothing else."""
    tracks = [_track(section) for section in recording.sections]
    yield from heapq.merge(*tracks, key=lambda pair: pair[1])


def _track(section: Section) -> Iterator[tuple[Moment, float]]:
    count = 0
    try:
        for moment in _replayer(section.name)(section):
            count += 1
            yield moment, moment.at / 1e6 + section.offset_s
    except ReplayError:
        raise
    except Exception as error:  # noqa: BLE001 - a file may hold anything, and so may a release have any defect
        raise ReplayError(
            f"the {section.name[:40]} process, after {count} inputs: {type(error).__name__}: {error}"
        ) from None


def _replayer(process: str) -> Callable[[Section], Iterator[Moment]]:
    """What runs the recording of ``process`` again."""
    if process == "vrrp":
        from krun.vrrp.replayed import replay

        return replay
    if process == "check":
        from krun.check.replayed import replay as replay_checks

        return replay_checks
    raise ReplayError(f"recorded by a process {process[:40]!r}, which this release does not have")
