"""The keyword tree is whole: every keyword of the language is declared, and says what a reader needs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from kcc.diagnostics.codes import CODES
from kcc.language.keywords import BLOCK_KEYWORDS, ROOT, walk
from kcc.language.tree import CHECKED, Coverage, Keyword, Kind, Missing
from kcc.syntax import known

SNAPSHOT = Path(__file__).with_name("keywords_snapshot.txt")
TABLE = next(Path(__file__).resolve().parents[4].glob("*/language/keywords.tsv"), None)


def _row(path: str, keyword: Keyword) -> str:
    parts = [path, keyword.kind.value]
    if keyword.coverage is not CHECKED:
        parts.append(keyword.coverage.name)
    return " | ".join(parts)


def test_snapshot() -> None:
    """The paths, kinds and coverage of all keywords; edit the file with the tree, and look at the difference."""
    assert SNAPSHOT.read_text().splitlines() == [_row(path, keyword) for path, keyword in walk()]


def test_all_of_the_language_is_there() -> None:
    assert len(walk()) == 531


if TABLE is not None:  # the table of keywords lies beside the checkout, not in it

    def test_agrees_with_the_table() -> None:
        assert TABLE is not None
        with TABLE.open() as file:
            rows = {r["path"]: r for r in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
        mine = dict(walk())
        assert set(rows) == set(mine)
        for path, row in rows.items():
            keyword, bad = mine[path], row["on_bad_value"]
            assert keyword.kind.value == row["kind"], path
            assert keyword.required == row["required"].startswith("yes"), path
            assert keyword.deprecation_is_error == ("always a deprecation" in bad), path
            if keyword.args and not keyword.args[0].optional and keyword.name != "real_server":
                dies = ("exits" in bad and "no argument" in bad) or "exits 2" in bad or "crash" in bad
                assert (keyword.missing in (Missing.EXITS, Missing.CRASHES)) == dies, path


@pytest.mark.parametrize(("path", "keyword"), walk(), ids=[path for path, _ in walk()])
def test_every_keyword_says_what_it_is(path: str, keyword: Keyword) -> None:
    assert keyword.doc.endswith("."), "one sentence of documentation"
    assert len(keyword.doc) < 140
    assert isinstance(keyword.coverage, Coverage)
    if keyword.kind is Kind.LEAF:
        assert keyword.default or keyword.required or keyword.canonical == "interface"
    if keyword.kind is Kind.LINES:
        assert keyword.line is not None
        assert not keyword.children
    if keyword.deprecated_by:
        assert keyword.deprecated_by != keyword.name
    assert keyword.effect()
    assert keyword.syntax() or keyword.is_flag


def test_aliases_lead_to_siblings() -> None:
    def look(keyword: Keyword) -> None:
        for child in keyword.children:
            if child.alias_of:
                assert child.alias_of in keyword.index, f"{keyword.name} > {child.name}"
            if child.needs:
                assert child.needs[0] in keyword.index
            if child.against:
                assert keyword.index[child.against].against == child.name
            look(child)

    look(ROOT)


def test_block_keywords_are_those_that_the_syntax_knows() -> None:
    assert known.BLOCKS <= BLOCK_KEYWORDS
    assert set(ROOT.index) >= known.ROOTS


def test_codes_exist() -> None:
    used = set()
    for file in Path(known.__file__).parents[1].joinpath("language").rglob("*.py"):
        text = file.read_text()
        used |= {text[i : i + 6] for i in range(len(text)) if text.startswith('"KC', i - 1)}
    assert used
    assert used <= set(CODES)
