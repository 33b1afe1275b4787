"""The words and braces of one line, by a PLY lexer.

Two states: ``INITIAL`` reads a line as it stands in the file, its comment included; ``prepared`` reads text whose comment is
gone already (`#` and `!` that are left were escaped or quoted) and in which an unreplaced ``${…}`` is part of a word.
A backslash never gets here in the first state: lines that hold one are prepared first.
"""

from __future__ import annotations

import sys
from types import ModuleType

from ply.lex import Lexer, LexToken

__all__ = ["load", "tokenise", "tokens"]

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


def load(table: ModuleType) -> Lexer:
    """The lexer from its generated table, without looking at this module's source and without writing anything."""
    lexer = Lexer()
    lexer.lexoptimize = True
    lexer.readtab(table, vars(sys.modules[__name__]))
    return lexer


def tokenise(lexer: Lexer, text: str, *, prepared: bool) -> list[tuple[str, str, int]]:
    """``(type, text, offset)`` of each token of ``text``, the comment left out."""
    lexer.begin("prepared" if prepared else "INITIAL")
    lexer.input(text)
    found: list[tuple[str, str, int]] = []
    token = lexer.token
    while (t := token()) is not None:
        if t.type != "COMMENT":
            found.append((t.type, t.value, t.lexpos))
    return found
