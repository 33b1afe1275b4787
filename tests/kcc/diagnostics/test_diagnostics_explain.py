"""`kcc explain`, and the generated chapters of the manual."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcc.cli import main
from kcc.diagnostics.areas import AREAS
from kcc.diagnostics.codes import CODES
from kcc.language.keywords import walk
from kcc.manual.keywords import entries, find
from kcc.manual.make import chapters

DOCS = Path(__file__).parents[3] / "docs"


def _explain(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> str:
    assert main(["explain", *args]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


def test_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    text = _explain(capsys, "kc0303")
    assert text.startswith("KC0303: number out of range (error)\n")
    for part in ("Why it matters", "Bad", "Good", "    virtual_router_id 300", "# kcc: ignore KC0303"):
        assert part in text


@pytest.mark.parametrize(
    "query", ["vrrp_instance.virtual_router_id", "virtual_router_id", "vrrp_instance > virtual_router_id"]
)
def test_a_keyword(query: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = _explain(capsys, query)
    assert text.startswith("vrrp_instance > virtual_router_id\n")
    assert "UINT(1..255)" in text
    assert "required:" in text


def test_a_path_in_several_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert _explain(capsys, "real_server", "weight").startswith("virtual_server > real_server > weight\n")


def test_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean `priority`?" in _explain(capsys, "prioriti", code=2)
    assert "no code KC9999" in _explain(capsys, "KC9999", code=2)


def test_all_codes_by_area(capsys: pytest.CaptureFixture[str]) -> None:
    text = _explain(capsys)
    assert all(f"  {code}  " in text for code in CODES)
    assert {code[:4] for code in CODES} <= set(AREAS)


def test_coverage_counts_every_keyword(capsys: pytest.CaptureFixture[str]) -> None:
    sums, rows = _explain(capsys, "--coverage").split("\n\n")
    assert sum(int(n) for n in sums.splitlines()[-1].split()[1:]) == len(walk()) == len(rows.splitlines())


def test_every_keyword_has_an_entry() -> None:
    for path, keyword in walk():
        found = find(path)
        assert (path, keyword) in found
        assert keyword.name in entries(found)


@pytest.mark.parametrize("name", ["diagnostics.md", "keywords.md"])
def test_the_manual_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == chapters()[name], "run `python -m kcc.manual.make`"
