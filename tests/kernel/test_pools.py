"""Pools through changes in a real kernel: reloads, adoption, overlays, drains, drift."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kernel.pools import SCENARIOS
from lab import kernel_lab, needs

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, record_property: Callable[[str, object], None]) -> None:
    needs.require_kernel_lab()
    needs.require_keepalived()
    argv = [sys.executable, "-m", "kernel.pools", name]
    outcome = kernel_lab.run(argv, timeout=300, cwd=TESTS, env={"PYTHONPATH": str(TESTS)})
    for line in outcome.stdout.splitlines():
        if line.startswith("figure "):
            record_property(*line.removeprefix("figure ").split("=", 1))
    assert outcome.status == 0, (
        f"{SCENARIOS[name].__doc__}\n{outcome.lab_error}\n{outcome.stdout}\n{outcome.stderr}"
    )
