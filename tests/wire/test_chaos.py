"""Some two hundred things happen to a director in a minute or so, under load, and its peer sees none of them."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from lab import needs
from wire import chaos

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]


def require() -> None:
    needs.require_netns()
    needs.require_keepalived()
    if os.geteuid() != 0:
        pytest.skip("a file system of its own for the run directory needs root")


def test_nothing_of_what_happens_inside_is_seen_outside(
    record_property: Callable[[str, object], None],
) -> None:
    require()
    report = chaos.play(seed=2, events=200)
    record_property(
        "figures",
        {
            "table": "krun: a story of random deaths, stops, reloads, full file systems and noise",
            "row": f"{report.events.total()} events in {report.took:.0f} s",
            "masters": str(report.masters),
            "address_changes": str(len(report.flaps)),
            "gap_ms": f"{report.longest_gap * 1000:.0f}",
        },
    )
    assert not report.failures(), f"{report.failures()}\n{report.logs}"
    assert report.events.total() == 200


def test_the_same_verdict_sees_what_becomes_of_keepalived(
    record_property: Callable[[str, object], None],
) -> None:
    """Its VRRP process alone is killed: the address goes, and for a while nobody has it. So this verdict can fail."""
    require()
    seen = chaos.play_keepalived(kills=1)
    record_property(
        "figures",
        {
            "table": "krun: a story of random deaths, stops, reloads, full file systems and noise",
            "row": "keepalived, its VRRP process killed once",
            "masters": str(seen.masters),
            "address_changes": str(seen.flaps),
            "gap_ms": f"{seen.longest_gap * 1000:.0f}",
        },
    )
    assert seen.flaps >= 2
    assert seen.longest_gap > 2 * chaos.CELL.interval
