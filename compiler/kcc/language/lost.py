"""Notes of what was refused or not understood: later stages must not report its absence once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Lost
from kcc.syntax.tree import Block

if TYPE_CHECKING:
    from kcc.diagnostics.model import Findings
    from kcc.syntax.tree import Statement

MOST_NOTES = 2000
MOST_WORDS = 200


def lose(findings: Findings, keyword: str, statement: Statement) -> None:
    """Note that ``statement``, which is or was meant to be ``keyword``, has no meaning for those who come after."""
    if len(findings.lost) >= MOST_NOTES:
        return
    words: list[str] = []
    _words(statement, words)
    line = statement.line
    findings.lost.append(Lost(keyword, line.file, line.number, frozenset(words), len(statement.words) == 1))


def _words(statement: Statement, words: list[str]) -> None:
    """The words of a statement but its keyword, and all words of its body, up to a number."""
    words += [word.text for word in statement.words[1:]]
    if isinstance(statement, Block):
        for inner in statement.body:
            if len(words) > MOST_WORDS:
                return
            words.append(inner.words[0].text)
            _words(inner, words)
