"""The words and braces of one line, by a PLY lexer.

Two states: ``INITIAL`` reads a line as it stands in the file, its comment included; ``prepared`` reads text whose comment is
gone already (`#` and `!` that are left were escaped or quoted) and in which an unreplaced ``${…}`` is part of a word.
A backslash never gets here in the first state: lines that hold one are prepared first.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ply.lex import LexToken

__all__ = ["Lexer", "load", "tokenise", "tokens"]

tokens = ("WORD", "QUOTED", "UNCLOSED", "OPEN", "CLOSE", "COMMENT")

states = (("prepared", "exclusive"),)

t_ANY_ignore = " \t\r\v\f\n"

t_INITIAL_COMMENT = r"[#!].*"
t_INITIAL_WORD = r'[^ \t\r\v\f\n"{}#!]+'
t_prepared_WORD = r'(?:\$\{(?:[^{}"]|\$\{[^{}"]*\})*\}|[^ \t\r\v\f\n"{}])+'
t_ANY_QUOTED = r'"[^"]*"'
t_ANY_UNCLOSED = r'"[^"]*'
t_ANY_OPEN = r"\{"
t_ANY_CLOSE = r"\}"


def t_ANY_error(t: LexToken) -> None:
    """No character is illegal: each is white space, a brace, a quote, a comment sign or part of a word."""
    raise AssertionError(f"the lexer has no rule for {t.value[:1]!r}")


class Lexer:
    """Runs PLY's table: for each state the master expression, and the token type of each of its groups.

    PLY's own loop is made for rules with functions and actions, of which there are none here, and its modules take longer to
    import than a short configuration takes to check.
    """

    __slots__ = ("_flags", "_rules", "_states")

    def __init__(self, table: ModuleType) -> None:
        self._rules: dict[str, list[tuple[str, list[tuple[str | None, str] | None]]]] = table._lexstatere
        self._flags: int = table._lexreflags
        self._states: dict[bool, tuple[re.Pattern[str], list[str]]] = {}

    def state(self, prepared: bool) -> tuple[re.Pattern[str], list[str]]:
        """The expression of a state and its token types by group number; compiled when first needed."""
        found = self._states.get(prepared)
        if found is None:
            ((pattern, groups),) = self._rules["prepared" if prepared else "INITIAL"]
            types = [group[1] if group is not None else "" for group in groups]
            found = self._states[prepared] = re.compile(pattern, self._flags), types
        return found


def load(table: ModuleType) -> Lexer:
    """The lexer from its generated table, without looking at this module's source and without writing anything."""
    return Lexer(table)


def tokenise(lexer: Lexer, text: str, *, prepared: bool) -> list[tuple[str, str, int]]:
    """``(type, text, offset)`` of each token of ``text``, the comment left out."""
    pattern, types = lexer.state(prepared)
    match = pattern.match
    found: list[tuple[str, str, int]] = []
    at, end = 0, len(text)
    while at < end:
        if text[at] in t_ANY_ignore:
            at += 1
            continue
        token = match(text, at)
        if token is None or token.lastindex is None:
            raise AssertionError(f"the lexer has no rule for {text[at]!r}")
        name = types[token.lastindex]
        if name != "COMMENT":
            found.append((name, token[0], at))
        at = token.end()
    return found
