"""A configuration against the facts of its host: each rule with a bad case and a good twin."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcc.diagnostics.codes import CODES
from support.cluster_cases import check

CASES = sorted((Path(__file__).parent / "cases").glob("*.case"))


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_case(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    items = check(path, tmp_path)
    if path.stem.endswith("_ok"):
        assert items == []
    else:
        assert {d.code for d in items} == {path.stem[:6].upper()}
    for d in items:
        assert d.span.line
        assert d.consequence
        assert d.help


def test_every_rule_has_twins() -> None:
    wanted = {c.lower() for c in CODES if c.startswith("KC12")}
    bad = {p.stem[:6] for p in CASES if not p.stem.endswith("_ok")}
    good = {p.stem[:6] for p in CASES if p.stem.endswith("_ok")}
    assert bad == good == wanted
