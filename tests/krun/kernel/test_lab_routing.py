"""Routes and rules against the lab's kernel, which has what the test machine's may lack."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kernel_guest.routing_scenarios import SCENARIOS
from lab import kernel_lab, needs

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def played() -> dict[str, dict[str, Any]]:
    """Every scenario, played in one kernel; by name."""
    needs.require_kernel_lab()
    argv = [sys.executable, "-m", "kernel_guest.routing_scenarios"]
    outcome = kernel_lab.run(argv, timeout=240, cwd=TESTS, env={"PYTHONPATH": str(TESTS)})
    assert outcome.status == 0, f"{outcome.lab_error}\n{outcome.stdout}\n{outcome.stderr}"
    results = [json.loads(line) for line in outcome.stdout.splitlines() if line.startswith('{"name"')]
    return {result["name"]: result for result in results}


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_in_a_real_kernel(name: str, played: dict[str, dict[str, Any]]) -> None:
    assert played[name]["error"] is None, played[name]["error"]
