"""`keepalived -t` and `kcc check` on configurations grown from the keyword tree: no disagreement that is not explained."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FUZZ = Path(__file__).resolve().parents[3] / "fuzz"


@pytest.fixture(scope="module")
def differential() -> Iterator[ModuleType]:
    sys.path.insert(0, str(FUZZ))
    try:
        yield importlib.import_module("differential")
    finally:
        sys.path.remove(str(FUZZ))


def test_what_is_grown_is_mostly_valid(differential: ModuleType) -> None:
    """Without mistakes made on purpose most configurations have no error: else the campaign would test refusals only."""
    import random

    clean = 0
    for seed in range(60):
        text = "\n".join(differential.render(differential.Grower(random.Random(seed)).configuration())) + "\n"
        clean += not [d for d in differential.check(text) if d.severity is differential.Severity.ERROR]
    assert clean >= 20


def test_a_difference_is_seen_and_made_small(differential: ModuleType) -> None:
    text = ["vrrp_instance a {", "    state MASTER", "}"]
    verdict = sys.modules["oracle"].Verdict(5, {2: ["nonsense"]}, [], set(), False)
    found = list(differential.compare(text, verdict, []))
    assert [(d.missed, d.keyword, d.line) for d in found] == [(True, "vrrp_instance > state", 2)]
    assert not list(
        differential.compare(text, sys.modules["oracle"].Verdict(139, {2: ["x"]}, [], set(), False), [])
    )


@pytest.mark.keepalived
@pytest.mark.netns
@pytest.mark.slow
def test_no_unexplained_disagreement(differential: ModuleType) -> None:
    if "v2.2.7" not in differential.release():
        pytest.skip("the expectations are of keepalived 2.2.7")
    try:
        oracle = differential.Oracle()
    except OSError as e:
        pytest.skip(str(e))
    with oracle:
        judged, found = differential.campaign(oracle, 20_000, 600, 400, differential.explained())
    assert judged == 400
    assert not found, "\n\n".join(found.values())
