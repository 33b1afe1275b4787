"""``--format text``: the place, the line, a caret, the consequence and what to do. Colour only on a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TextIO

import msgspec

from kcc.diagnostics.model import Diagnostic, Severity, Span
from kcc.diagnostics.texts import SourceTexts

Segment = tuple[str, str]
"""Text and the name of its style (empty: plain)."""

STYLES = {
    "error": "bold red",
    "warning": "bold yellow",
    "note": "bold cyan",
    "message": "bold",
    "gutter": "blue",
    "help": "green",
    "secondary": "blue",
}

SHOWN_WIDTH = 140
"""Columns of a source line that are shown; of a longer line the part around the mark."""

RELATED_SHOWN = 6


class Writer:
    """Where segments go: to a terminal in colour through rich, anywhere else as plain text."""

    def __init__(self, stream: TextIO, colour: bool | None = None) -> None:
        self._stream = stream
        self.colour = wants_colour(stream) if colour is None else colour

    def line(self, *segments: Segment) -> None:
        if not self.colour:
            self._stream.write("".join(text for text, _ in segments).rstrip() + "\n")
            return
        from rich.console import Console
        from rich.text import Text

        console = Console(file=self._stream, force_terminal=True, highlight=False, soft_wrap=True)
        console.print(Text.assemble(*((text, STYLES.get(style, style)) for text, style in segments)))


def wants_colour(stream: TextIO) -> bool:
    """On a terminal, unless NO_COLOR is set; anywhere with FORCE_COLOR (no-color.org, force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


class _Mark(msgspec.Struct, frozen=True):
    span: Span
    label: str
    primary: bool


def render(
    diagnostics: Sequence[Diagnostic], texts: SourceTexts, stream: TextIO, *, colour: bool | None = None
) -> None:
    """Write ``diagnostics`` in their order, an empty line after each."""
    writer = Writer(stream, colour)
    for d in diagnostics:
        _one(d, texts, writer)
        writer.line()


def _one(d: Diagnostic, texts: SourceTexts, writer: Writer) -> None:
    word = d.severity.word
    writer.line((f"{word}[{d.code}]", word), (f": {clean(d.message)}", "message"))
    marks = [_Mark(d.span, d.label, True)]
    marks += [_Mark(r.span, r.message, False) for r in d.related[:RELATED_SHOWN]]
    width = max(len(str(m.span.line)) for m in marks)
    for n, file in enumerate(dict.fromkeys(m.span.file for m in marks)):
        here = [m for m in marks if m.span.file == file]
        first = next((m for m in here if m.primary), here[0])
        arrow = "-->" if n == 0 else ":::"
        writer.line((f"{' ' * width}{arrow} ", "gutter"), (place(first.span), ""))
        _snippets(here, texts, writer, width, word)
    if len(d.related) > RELATED_SHOWN:
        _remark(writer, width, "note", f"{len(d.related) - RELATED_SHOWN} more places are not shown")
    if d.consequence:
        _remark(writer, width, "consequence", d.consequence)
    if d.help:
        _remark(writer, width, "help", d.help)
    if d.fix is not None:
        _remark(writer, width, "fix", d.fix.title)


def place(span: Span) -> str:
    """``file:line:column``, or the file alone where the finding is about all of it."""
    return clean(span.file) if span.line == 0 else f"{clean(span.file)}:{span.line}:{span.column}"


def _remark(writer: Writer, width: int, word: str, text: str) -> None:
    first, *more = clean(text, keep_newlines=True).split("\n")
    writer.line((f"{' ' * width} = ", "gutter"), (f"{word}: ", "message"), (first, ""))
    for line in more:
        writer.line((" " * (width + 5 + len(word)), ""), (line, ""))


def _snippets(marks: list[_Mark], texts: SourceTexts, writer: Writer, width: int, severity: str) -> None:
    by_line: dict[int, list[_Mark]] = {}
    for mark in marks:
        by_line.setdefault(mark.span.line, []).append(mark)
    shown = sorted(n for n in by_line if texts.line(marks[0].span.file, n) is not None)
    for mark in marks:  # what cannot be shown is still said
        if mark.span.line not in shown and mark.label and not mark.primary:
            _remark(writer, width, "note", f"{place(mark.span)}: {mark.label}")
    if not shown:
        return
    writer.line((f"{' ' * width} |", "gutter"))
    last = None
    for number in shown:
        if last is not None and number > last + 1:
            writer.line(("...", "gutter"))
        last = number
        source = texts.line(marks[0].span.file, number) or ""
        _line(source, number, sorted(by_line[number], key=lambda m: m.span.column), writer, width, severity)


def _line(source: str, number: int, marks: list[_Mark], writer: Writer, width: int, severity: str) -> None:
    columns = _columns(source)
    start = min(m.span.column for m in marks) - 1
    left = 0
    if columns[-1] > SHOWN_WIDTH:
        left = max(0, min(start, len(source)) - SHOWN_WIDTH // 3)
    right = len(source)
    while right > left and columns[right] - columns[left] > SHOWN_WIDTH:
        right -= 1
    text = clean(source[left:right].replace("\t", "    "))
    head, tail = ("…" if left else ""), ("…" if right < len(source) else "")
    writer.line((f"{number:>{width}} | ", "gutter"), (f"{head}{text}{tail}", ""))
    for mark in marks:
        a = min(mark.span.column - 1, len(source))
        b = len(source) if mark.span.end_line > mark.span.line else min(mark.span.end_column - 1, len(source))
        offset = columns[max(a, left)] - columns[left] + len(head)
        length = max(1, columns[min(max(b, a), right)] - columns[max(a, left)])
        style = severity if mark.primary else "secondary"
        line = ("^" if mark.primary else "-") * length
        writer.line(
            (f"{' ' * width} | ", "gutter"),
            (" " * offset + line + (f" {clean(mark.label)}" if mark.label else ""), style),
        )


def _columns(source: str) -> list[int]:
    """Display column of each character of ``source`` and of its end (tabs are shown four wide, wide characters two)."""
    if source.isascii() and "\t" not in source:
        return list(range(len(source) + 1))
    import unicodedata  # a report of ASCII needs no table of all characters

    at, columns = 0, [0]
    for c in source:
        if c == "\t":
            at += 4
        elif c.isascii():
            at += 1
        else:
            at += 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        columns.append(at)
    return columns


def clean(text: str, *, keep_newlines: bool = False) -> str:
    """``text`` without anything that would steer a terminal: control characters, and halves of surrogate pairs."""
    if text.isascii() and text.isprintable():
        return text
    from unicodedata import category

    steering = ("Cc", "Cs", "Cf", "Zl", "Zp")
    return "".join(c if (c == "\n" and keep_newlines) or category(c) not in steering else "�" for c in text)


def summary(name: str, counts: dict[str, int], details: Iterable[str] = ()) -> list[Segment]:
    """``edge.conf: 1 error, 1 warning  (2 files, 214 lines, 38 ms)``."""
    segments: list[Segment] = [(f"{clean(name)}: ", "message")]
    words = [
        (plural(counts[key], key[:-1]), key[:-1]) for key in ("errors", "warnings", "notes") if counts[key]
    ]
    if not words:
        segments.append(("no findings", "help"))
    for n, (text, style) in enumerate(words):
        segments += [(", " if n else "", ""), (text, style)]
    details = list(details)
    if details:
        segments.append((f"  ({', '.join(details)})", ""))
    return segments


def plural(count: int, word: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


__all__ = ["STYLES", "Segment", "Severity", "Writer", "clean", "place", "plural", "render", "summary"]
