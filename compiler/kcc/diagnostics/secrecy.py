"""Passwords stay out of what is printed: findings land in the logs of CI systems, which many may read.

A finding shows the line that it is about, and quotes words of it. Which words of a line are secret is decided by its text alone, not
by the keyword tree: a keyword that is misspelt, a word too many, a block that is not closed must not give a password away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from kcc.diagnostics.model import Diagnostic, Fix, Related
from kir.model import MASK

_KEYWORD = re.compile(
    r"(?<![\w$-])(?:auth_?pas?s?\w*|password\w*|key[ \t]+\d+(?![\w.:/-]))[ \t]*[=:]?[ \t]*", re.IGNORECASE
)
"""Keywords that secrets stand behind, as people misspell them; ``key`` is one only where a number follows (``auth_hmac``)."""

_DEFINITION = re.compile(r"^[ \t]*\$(\w+)[ \t]*=[ \t]*")
_TELLING = re.compile(r"PASS|SECRET|HMAC|PSK", re.IGNORECASE)
_USE = re.compile(r"\$\{?(\w+)\}?")
_WORD = re.compile(r"[^\s]+")
_QUOTED = re.compile("`[^`]*`")
_NOT_SECRET = re.compile(r"file:.*|\$\{?\w+\}?|[{}]+")
_COMMENT = re.compile(r"(?:^|(?<=\s))[#!]")


class Secrecy:
    """Knows the names of definitions that passwords come from, as soon as a line that uses them was seen (`learn`)."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def learn(self, lines: Iterable[str]) -> None:
        """Look for definitions that stand behind a secret keyword."""
        for line in lines:
            if "$" in line and (found := _KEYWORD.search(line)):
                self.names.update(_USE.findall(line, found.end()))

    def spots(self, line: str) -> list[tuple[int, int]]:
        """Where in ``line`` secret words stand: begin and end, in characters."""
        found = _KEYWORD.search(line)
        start = found.end() if found is not None else -1
        defined = _DEFINITION.match(line)
        if defined is not None and (defined[1] in self.names or _TELLING.search(defined[1])):
            start = defined.end() if start < 0 else min(start, defined.end())
        if start < 0:
            return []
        comment = _COMMENT.search(line, start)
        return [
            (word.start(), word.end())
            for word in _WORD.finditer(line, start, len(line) if comment is None else comment.start())
            if not _NOT_SECRET.fullmatch(word[0])
        ]

    def line(self, line: str) -> str:
        """``line`` with its secret words as stars, as many as they have characters: carets below it stay where they belong."""
        for begin, end in reversed(self.spots(line)):
            line = line[:begin] + "*" * (end - begin) + line[end:]
        return line

    def words(self, line: str) -> set[str]:
        """The secret words of ``line``, with and without quotes and braces around them."""
        found = {line[begin:end] for begin, end in self.spots(line)}
        return found | {_bare(word) for word in found} - {""}


def _bare(word: str) -> str:
    """A word without quotes, braces and the like around it."""
    return word.strip("\"'{}`;,")


def veil(diagnostic: Diagnostic, words: set[str]) -> Diagnostic:
    """``diagnostic`` without the secret ``words`` of its lines where it quotes them; a fix that would write one is left out."""
    bare = {_bare(word) for word in words}

    def clean(text: str) -> str:
        return _QUOTED.sub(clean_quoted, text)

    def clean_quoted(found: re.Match[str]) -> str:
        return _WORD.sub(lambda word: MASK if _bare(word[0]) in bare else word[0], found[0][1:-1]).join("``")

    def clean_fix(fix: Fix | None) -> Fix | None:
        if fix is None or any(w in e.replacement for e in fix.edits for w in words if len(w) > 1):
            return None
        return msgspec.structs.replace(fix, title=clean(fix.title))

    return msgspec.structs.replace(
        diagnostic,
        message=clean(diagnostic.message),
        label=clean(diagnostic.label),
        consequence=None if diagnostic.consequence is None else clean(diagnostic.consequence),
        help=None if diagnostic.help is None else clean(diagnostic.help),
        related=tuple(Related(r.span, clean(r.message)) for r in diagnostic.related),
        fix=clean_fix(diagnostic.fix),
    )
