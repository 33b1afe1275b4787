"""What the tests of the language share: compile a text as far as nodes, and say what was found."""

from __future__ import annotations

from typing import Any

from kcc.diagnostics.model import Diagnostic, Findings
from kcc.language.arguments.base import REFUSED, Arg, Reader, read_all
from kcc.language.descent import descend
from kcc.language.parsed import Node
from kcc.language.tree import Keyword, Kind
from kcc.syntax import parse_text
from kcc.syntax.tree import Block, Line, Statement, Word


def nodes(text: str, target: str = "keepalived-2.4.3") -> tuple[Node, list[Diagnostic]]:
    """The root node of ``text`` and everything that was said about it."""
    findings = Findings()
    root = descend(parse_text(text, "test.conf", findings), findings, target)
    return root, findings.items


def codes(text: str, target: str = "keepalived-2.4.3") -> list[str]:
    """``KC0201 error 3`` for each finding: code, severity and line."""
    return [f"{d.code} {d.severity.word} {d.span.line}" for d in nodes(text, target)[1]]


def statement_of(words: list[str]) -> Statement:
    """``kw WORD …`` as one statement, each word quoted where it has blanks or is empty."""
    text, made = "kw", [Word("kw", 0, 2)]
    for word in words:
        quoted = not word or any(c in " \t" for c in word)
        shown = f'"{word}"' if quoted else word
        made.append(Word(word, len(text) + 1, len(text) + 1 + len(shown), quoted))
        text += " " + shown
    return Statement(Line("test.conf", 1, text), tuple(made))


def read(arg: Arg | tuple[Arg, ...], *words: str, line: bool = False) -> tuple[Any, list[Diagnostic]]:
    """What ``arg`` makes of ``words``: the value (or `REFUSED`) and what was said. ``line``: as a line of a body."""
    args = arg if isinstance(arg, tuple) else (arg,)
    kind = Kind.LINES if line else Kind.LEAF
    keyword = Keyword("kw", kind, args, default="7", line=args[0] if line else None)
    findings = Findings()
    reader = Reader(findings)
    reader.start(statement_of(list(words)), keyword)
    return read_all(reader, args), findings.items


def accepts(arg: Arg, *words: str, line: bool = False) -> Any:
    """The value of ``words``, which must be taken without a word."""
    value, said = read(arg, *words, line=line)
    assert value is not REFUSED and not said, (words, value, [d.message for d in said])
    return value


def refuses(arg: Arg, *words: str, line: bool = False) -> str:
    """The code that ``words`` are refused with, which must be one message."""
    value, said = read(arg, *words, line=line)
    assert value is REFUSED and len(said) == 1, (words, value, [d.message for d in said])
    assert said[0].message and said[0].consequence
    return said[0].code


__all__ = ["Block", "accepts", "codes", "nodes", "read", "refuses", "statement_of"]
