"""Many reloads in a row, in the kernel lab: under traffic beside keepalived, and beside the memory backend."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kcc.compile import Options, compile_input
from kernel.traffic import traffic
from kernel.twin import twin
from kir.codec import write
from lab import kernel_lab, needs
from lab.once import once
from support.reload_walks import Anything, Traffic

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TESTS = Path(__file__).parents[1]
STEPS = {
    ("traffic", "krun"): 200,
    # The comparison waits a second for each table that stays wrong; the whole walk is for whoever asks for it.
    ("traffic", "keepalived"): int(os.environ.get("KEEPALIVED_RELOADS", "20")),
    ("twin", "krun"): 30,
}
TWIN_SEEDS = (1, 2, 3)

Place = tuple[str, str, int]
PLACES: list[Place] = [
    ("traffic", "krun", 1),
    ("traffic", "keepalived", 1),
    *(("twin", "krun", seed) for seed in TWIN_SEEDS),
]
FIGURES = (
    "reloads",
    "reload_ms",
    "wrong_table",
    "connections",
    "broken_short",
    "words",
    "broken_long",
    "slowest_word_ms",
    "operations",
)
DOCS = {"traffic": traffic.__doc__, "twin": twin.__doc__}


def make(walk: str, program: str, seed: int, folder: Path) -> None:
    """Write the configurations of a walk, and their IRs."""
    going = Traffic(seed) if walk == "traffic" else Anything(seed)
    for number in range(STEPS[walk, program] + 1):
        path = folder / f"{number:03}.conf"
        path.write_text(going.step() if number else going.text())
        write(compile_input(str(path), Options(), building=True).document(), path.with_suffix(".json"))


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[Place, kernel_lab.Outcome]:
    """Every selected walk's outcome; as many kernels at a time as there are CPUs."""
    needs.require_kernel_lab()
    needs.require_keepalived()
    wanted: list[Place] = [
        item.callspec.params["place"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]

    def play(place: Place) -> kernel_lab.Outcome:
        walk, program, seed = place
        folder = tmp_path_factory.mktemp(f"{walk}-{program}-{seed}")
        make(walk, program, seed, folder)
        argv = [sys.executable, "-m", "kernel.reloads", walk, "--program", program, str(folder)]
        return kernel_lab.run(argv, timeout=600, cwd=TESTS, env={"PYTHONPATH": str(TESTS)})

    def play_all() -> dict[Place, kernel_lab.Outcome]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return dict(zip(wanted, pool.map(play, wanted), strict=True))

    return once(tmp_path_factory, "kernel-reloads", play_all)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: "-".join(map(str, place)))
def test_walk(
    place: Place, outcomes: dict[Place, kernel_lab.Outcome], record_property: Callable[[str, object], None]
) -> None:
    outcome = outcomes[place]
    told = dict(
        line.removeprefix("figure ").split("=", 1)
        for line in outcome.stdout.splitlines()
        if line.startswith("figure ")
    )
    figures = {name: told.get(name, "-") for name in FIGURES} | {"lab_s": f"{outcome.wall:.0f}"}
    row = "-".join(map(str, place))
    record_property("figures", {"table": "many reloads in a row", "row": row, **figures})
    assert outcome.status == 0, f"{DOCS[place[0]]}\n{outcome.lab_error}\n{outcome.stdout}\n{outcome.stderr}"
