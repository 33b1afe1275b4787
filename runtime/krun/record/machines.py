"""Which machines a process has, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from krun.record.file import Section
from krun.record.moments import Moment, ReplayError


def replayer(process: str) -> Callable[[Section], Iterator[Moment]]:
    """What runs the recording of ``process`` again. Raises `ReplayError` for a name that this release does not know."""
    if process == "vrrp":
        from krun.vrrp.replayed import replay

        return replay
    if process == "check":
        from krun.check.replayed import replay as replay_checks

        return replay_checks
    raise ReplayError(f"recorded by a process {process[:40]!r}, which this release does not have")
