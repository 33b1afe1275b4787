"""docs/limits.md names the constants of the code, with their values."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    line
    for line in (ROOT / "docs/limits.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| .*`k(run|ir)\.[a-z_.]+\.[A-Z_0-9]+`", line)
]
CASES = [
    (name, row.split("|")[2].strip(), row.split("|")[1])
    for row in ROWS
    for name in re.findall(r"`(k(?:run|ir)\.[a-z_.]+\.[A-Z_0-9]+)`", row)
]


def value(name: str) -> float:
    module, _, constant = name.rpartition(".")
    found: float = getattr(importlib.import_module(module), constant)
    return found


@pytest.mark.parametrize(("name", "told", "what"), CASES, ids=[name for name, _, _ in CASES])
def test_a_limit_is_what_the_table_says(name: str, told: str, what: str) -> None:
    found = value(name)
    number = re.match(r"[\d,]+", told)
    if number is not None and name in what:
        assert float(number[0].replace(",", "")) == found, told
    elif "=" in told:
        assert told.endswith(f"= {found}")


def test_the_table_has_all_parts() -> None:
    assert len(CASES) > 40
    assert {name.split(".")[1] for name, _, _ in CASES} >= {
        "control",
        "vrrp",
        "check",
        "notify",
        "parent",
        "kernel",
    }
