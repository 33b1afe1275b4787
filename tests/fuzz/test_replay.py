"""Past crashes stay fixed: every file in fuzz/crashes and fuzz/seeds goes through its target once."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
_spec = importlib.util.spec_from_file_location("fuzz_run", FUZZ / "run.py")
assert _spec is not None and _spec.loader is not None
run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(run)
TARGETS = run.targets()


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_past_inputs(name: str) -> None:
    inputs = run.corpus(name)
    assert inputs, f"no inputs in fuzz/crashes/{name} or fuzz/seeds/{name}"
    for data in inputs:
        TARGETS[name].one_input(data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_short_campaign(name: str) -> None:
    assert run.campaign(name, TARGETS[name].one_input, 1.0, 5.0, seed=1) == 0
