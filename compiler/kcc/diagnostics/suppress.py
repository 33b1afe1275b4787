"""Suppression in the file: ``# kcc: ignore KC0412, KC0507`` comments.

At the end of a line the comment is about findings of that line; alone on a line about those of the next line that holds more than
a comment; ``ignore-file`` is about the whole file. The reader drops comments, so the files are looked through once more, and
only where they hold the word at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from kcc.diagnostics.codes import CODES
from kcc.diagnostics.model import Diagnostic, Severity, Span
from kcc.diagnostics.texts import SourceTexts

_MARK = re.compile(rb"[#!][ \t]*kcc:[ \t]*ignore")
_COMMENT = re.compile(r"[#!][ \t]*kcc:[ \t]*(ignore-file|ignore)\b[ \t:]*([^#!]*)")
_CODE = re.compile(r"KC\d{4}")
_TARGET_DEPENDENT = "KC09"
"""What these codes say depends on ``--target``: a comment for another target hides nothing today, and that is fine."""


class _Suppression(msgspec.Struct):
    """One code of one comment. ``line``: the line that it is about, 0 for the whole file."""

    code: str
    line: int
    span: Span
    used: bool = False


class Sifted(msgspec.Struct):
    """What is left of the findings, with what is to be said about the comments, and how many were hidden."""

    shown: list[Diagnostic]
    hidden: list[Diagnostic] = msgspec.field(default_factory=list)


def sift(items: list[Diagnostic], files: Iterable[str], texts: SourceTexts) -> Sifted:
    """Take out what comments in ``files`` hide, and add a note for each comment that is of no use."""
    table: dict[tuple[str, str], list[_Suppression]] = {}
    notes: list[Diagnostic] = []
    for file in dict.fromkeys(files):
        data = texts.data(file)
        if data is None or _MARK.search(data) is None:
            continue
        for found in _scan(file, texts):
            if found.code in CODES:
                table.setdefault((file, found.code), []).append(found)
            else:
                notes.append(_unknown(found))
    if not table and not notes:
        return Sifted(items)
    result = Sifted([])
    for d in items:
        match = [s for s in table.get((d.span.file, d.code), ()) if s.line in (0, d.span.line)]
        for suppression in match:
            suppression.used = True
        (result.hidden if match else result.shown).append(d)
    for entries in table.values():
        notes += [_unused(s) for s in entries if not s.used and not s.code.startswith(_TARGET_DEPENDENT)]
    result.shown = _merged(result.shown, notes)
    return result


def _scan(file: str, texts: SourceTexts) -> list[_Suppression]:
    """The suppressions of ``file``, in the order of its lines."""
    found: list[_Suppression] = []
    waiting: list[_Suppression] = []
    lines = texts.lines(file)
    for number, line in enumerate(lines, 1):
        code = line.strip(" \t\r\v\f")
        alone = not code or code[0] in "#!"
        if not alone and waiting:
            for suppression in waiting:
                suppression.line = number
            waiting = []
        match = _in_comment(line) if "kcc:" in line else None
        if match is None:
            continue
        for word in re.finditer(r"[^\s,]+", match[2]):
            if not word[0].upper().startswith("KC"):
                break  # the reason, in words
            start = match.start(2) + word.start() + 1
            span = Span(file, number, start, number, start + len(word[0]))
            suppression = _Suppression(word[0], number, span)
            found.append(suppression)
            if match[1] == "ignore-file":
                suppression.line = 0
            elif alone:
                suppression.line = -1
                waiting.append(suppression)
    return found


def _in_comment(line: str) -> re.Match[str] | None:
    """The suppression in the comment of ``line``. A `#` in quotes begins no comment."""
    quoted = False
    at = 0
    while at < len(line):
        c = line[at]
        if c == "\\":
            at += 2
            continue
        if c == '"':
            quoted = not quoted
        elif c in "#!" and not quoted:
            return _COMMENT.search(line, at)
        at += 1
    return None


def _unknown(s: _Suppression) -> Diagnostic:
    shape = _CODE.fullmatch(s.code) is not None
    return Diagnostic(
        "KC0115",
        Severity.NOTE,
        f"there is no code `{s.code[:40]}`",
        s.span,
        consequence="the comment hides nothing",
        help="`kcc explain` lists all codes" if shape else "write each code in full, as KC0412",
    )


def _unused(s: _Suppression) -> Diagnostic:
    where = "in this file" if s.line == 0 else "at this line" if s.line == s.span.line else "at the next line"
    return Diagnostic(
        "KC0116",
        Severity.NOTE,
        f"there is no {s.code} {where} to hide",
        s.span,
        consequence="the comment would hide one that is made later",
        help="remove the comment",
    )


def _merged(items: list[Diagnostic], notes: list[Diagnostic]) -> list[Diagnostic]:
    """``notes`` put among ``items``, file by file and line by line."""
    rank: dict[str, int] = {}
    for d in (*items, *notes):
        rank.setdefault(d.span.file, len(rank))
    return sorted((*items, *notes), key=lambda d: (rank[d.span.file], d.span.line, d.span.column))


__all__ = ["Sifted", "sift"]
