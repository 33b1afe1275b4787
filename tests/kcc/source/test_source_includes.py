"""Patterns of include, and include_check."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcc.source.includes import change_checks, find_matches
from kcc.source.replication import parse_replication


@pytest.mark.parametrize(
    ("pattern", "names", "missing"),
    [
        ("a", ["a"], []),
        ("?", ["a", "b"], []),
        ("[ab]", ["a", "b"], []),
        ("{b,a}", ["b", "a"], []),
        ("{b,no}", ["b"], ["brace_match"]),
        ("{?,dd/{x,y}}", ["a", "b", "dd/x", "dd/y"], []),
        ("dd/*", ["dd/x", "dd/y"], []),
        ("dd/z*", [], ["wildcard_match"]),
        ("no/*", [], ["match"]),
        ("n\\*", ["n*"], []),
        ("{}", ["{}"], []),
        ("{a", [], ["match"]),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, names: list[str], missing: list[str]) -> None:
    (tmp_path / "dd").mkdir()
    for name in ("a", "b", "dd/x", "dd/y", ".hid", "n*", "{}"):
        (tmp_path / name).write_text("")
    found = find_matches(pattern, str(tmp_path))
    assert [str(Path(p).relative_to(tmp_path)) for p in found.paths] == names
    assert [check for check, _ in found.missing] == missing


def test_a_pattern_that_multiplies_is_bounded(tmp_path: Path) -> None:
    found = find_matches("{a,b}" * 40, str(tmp_path))
    assert found.too_many and not found.paths and not found.missing


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"read", "match", "wildcard_match", "brace_match"}),
        (["match"], {"read", "match"}),
        (["+brace_match"], {"wildcard_match", "brace_match"}),
        (["-wildcard_match"], set()),
        (["readable"], {"read"}),
    ],
)
def test_include_check(words: list[str], expected: set[str]) -> None:
    assert change_checks(frozenset({"wildcard_match"}), words) == frozenset(expected)


def test_include_check_unknown_word() -> None:
    assert change_checks(frozenset(), ["foo", "match"]) == frozenset({"read", "match"})


def test_replication_is_lazy() -> None:
    rows = iter(parse_replication("~SEQ(X,1,4000000000) x"))
    assert [next(rows), next(rows)] == [("1",), ("2",)]
    assert parse_replication("~SEQ(X,3)  t").end == 9
