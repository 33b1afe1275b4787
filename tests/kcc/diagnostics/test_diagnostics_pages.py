"""Every code has a page, and its examples do what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcc.diagnostics.codes import CODES
from kcc.diagnostics.pages import FOLDER, Example, Page, all_pages, parse
from support.diagnostic_pages import check

PAGES = all_pages()


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(CODES)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.code)
def test_examples(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _codes(page.bad(), tmp_path / "bad", monkeypatch) == {page.code}
    assert _codes(page.good(), tmp_path / "good", monkeypatch) == set()


def _codes(examples: tuple[Example, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    folder.mkdir()
    monkeypatch.chdir(folder)
    return {d.code for d in check(examples, folder)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.code)
def test_a_page_is_prose(page: Page) -> None:
    for text in (page.what, page.why):
        assert text.endswith((".", ")", ":")), text
        assert len(text) > 20, text


@pytest.mark.parametrize(
    "text", ["", "What.\n\n## Bad\n", "What.\n\n## Why it matters\n\nWhy.\n\n## Bad\n\n## Good\n"]
)
def test_a_page_with_something_missing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="KC0303"):
        parse("KC0303", text)
