"""The wire matrix: krun and keepalived as each other's master and backup, judged by a capture.

All cells are played side by side when the first of them is judged, so the whole matrix takes about as
long as a few cells. The pairs of two keepalived are the control: the judge has to find the reference
right as well. The measured times are printed at the end of the run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from lab import needs
from lab.dissect import dissect
from lab.once import once
from lab.packets import Frame
from wire.cell import Cell, Peers, Story, play
from wire.judge import faults

pytestmark = [
    pytest.mark.netns,
    pytest.mark.keepalived,
    pytest.mark.slow,
]

#: Cells at a time: most of a cell's life is waiting, but each krun of it starts four Python processes.
SIDE_BY_SIDE = 8 * (os.cpu_count() or 1)

PEERS = (
    Peers("krun", "krun"),
    Peers("krun", "keepalived"),
    Peers("keepalived", "krun"),
    Peers("keepalived", "keepalived"),
)
CELLS = [Cell(*place) for place in product(PEERS, (2, 3), (4, 6), (False, True))]
CELLS += [Cell(peers, 2, 4, unicast=False, password="s3cret") for peers in PEERS]


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[Cell, Story]:
    """Every selected cell played, and its packets judged by tshark."""
    needs.require_netns()
    needs.require_keepalived()
    needs.require_tshark()
    wanted = {
        item.callspec.params["cell"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    # The long ones (version 2 counts in whole seconds) first.
    order = sorted((cell for cell in CELLS if cell in wanted), key=lambda cell: cell.version)

    def play_all() -> dict[Cell, Story]:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return dict(zip(order, pool.map(play, order), strict=True))

    return once(tmp_path_factory, "wire-matrix", play_all)


@pytest.fixture(scope="module")
def complaints(stories: dict[Cell, Story]) -> Callable[[Cell], list[str]]:
    """What tshark finds wrong with the packets of a cell; one run of it for all cells."""
    frames: list[Frame] = []
    owner: list[Cell] = []
    for cell, story in stories.items():
        frames += story.frames
        owner += [cell] * len(story.frames)
    verdict = dissect(frames)
    if frames:
        assert verdict.seen.get("vrrp", 0) > 0, f"tshark recognised no VRRP packet: {verdict.seen}"

    def of(cell: Cell) -> list[str]:
        return [
            f"{complaint.protocol}: {complaint.message}: {frames[complaint.index].data.hex()}"
            for complaint in verdict.complaints
            if owner[complaint.index] == cell
        ]

    return of


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cell(
    cell: Cell,
    stories: dict[Cell, Story],
    complaints: Callable[[Cell], list[str]],
    record_property: Callable[[str, object], None],
) -> None:
    story = stories[cell]
    record_property(
        "figures",
        {
            "table": "wire matrix: milliseconds beyond the protocol's own timer",
            "row": str(cell),
            "takeover after kill -9": story.deviation(cell.master_down("b"), story.takeover),
            "handover after priority 0": story.deviation(cell.skew("b"), story.handover),
            "give-back, with the start": story.deviation(cell.master_down("a"), story.give_back),
            "two masters for": "-" if story.overlap is None else f"{story.overlap * 1000:.0f}",
        },
    )
    found = faults(story) + complaints(cell)[:5]
    assert not found, "\n".join([str(cell), *found, story.logs])
