"""The kernel scenarios: each in a kernel of its own, all of them side by side, krun and the control."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kernel.guest import SCENARIOS
from lab import kernel_lab, needs
from lab.once import once

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
]

TESTS = Path(__file__).parents[1]
#: What the scenarios report, in the order of the table's columns.
FIGURES = ("ipvs_writes", "route_writes", "longest_advert_gap_ms", "out_after_s", "back_after_s")

Place = tuple[str, str]
PLACES: list[Place] = [
    (program, name)
    for program in ("krun", "keepalived")
    for name in SCENARIOS
    if (program, name) != ("keepalived", "chaos")  # its control is on a wire: wire.chaos.play_keepalived
]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[Place, kernel_lab.Outcome]:
    """Every selected scenario's outcome; as many kernels at a time as there are CPUs."""
    needs.require_kernel_lab()
    needs.require_keepalived()
    wanted = [
        item.callspec.params["place"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]

    def play(place: Place) -> kernel_lab.Outcome:
        program, name = place
        argv = [sys.executable, "-m", "kernel.guest", name, "--program", program]
        return kernel_lab.run(argv, timeout=300, cwd=TESTS, env={"PYTHONPATH": str(TESTS)})

    def play_all() -> dict[Place, kernel_lab.Outcome]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return dict(zip(wanted, pool.map(play, wanted), strict=True))

    return once(tmp_path_factory, "kernel-scenarios", play_all)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def test_scenario(
    place: Place, outcomes: dict[Place, kernel_lab.Outcome], record_property: Callable[[str, object], None]
) -> None:
    outcome = outcomes[place]
    told = dict(
        line.removeprefix("figure ").split("=", 1)
        for line in outcome.stdout.splitlines()
        if line.startswith("figure ")
    )
    figures = {name: told.get(name, "-") for name in FIGURES} | {"lab_s": f"{outcome.wall:.0f}"}
    record_property("figures", {"table": "kernel scenarios", "row": "-".join(place), **figures})
    assert outcome.status == 0, (
        f"{SCENARIOS[place[1]].__doc__}\n{outcome.lab_error}\n{outcome.stdout}\n{outcome.stderr}"
    )
