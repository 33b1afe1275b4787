"""Everything that lowering and the rules say, against golden cases; each finding has a twin without it."""

from pathlib import Path

import pytest

from kcc.diagnostics.codes import CODES
from support.lowering_cases import OURS, Case, check

HERE = Path(__file__).parent
CASES = sorted([*HERE.glob("cases/*.case"), *HERE.parent.glob("rules/cases/*.case")])


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_case(path: Path) -> None:
    check(path)


def _codes(path: Path) -> set[str]:
    return {line.split()[1] for line in Case.load(path).expected}


@pytest.mark.parametrize("code", sorted(code for code in CODES if code.startswith(OURS)))
def test_each_code_has_a_bad_case_and_a_good_twin(code: str) -> None:
    bad = [path for path in CASES if path.stem.startswith(code.lower()) and not path.stem.endswith("_ok")]
    assert bad, f"no case shows {code}"
    for path in bad:
        assert code in _codes(path), f"{path.name} does not show {code}"
        twin = path.with_name(f"{path.stem}_ok.case")
        assert twin.exists(), f"{path.name} has no twin"
        assert code not in _codes(twin), f"{twin.name} shows {code}"
