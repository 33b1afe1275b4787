"""The steps that a line goes through: comments, conditions, definitions, replication, includes, and the cut at braces.

The order of the steps is keepalived's: a line is stripped of its comment, then tested for ``@id``, ``$NAME=``,
``~SEQ``, its references are replaced, then it is tested for ``include``, and at last cut at its first brace. What
stands behind the brace goes through all steps again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kcc.diagnostics.model import Related, Span
from kcc.source.complaints import Complaints
from kcc.source.definitions import Definitions
from kcc.source.frames import CLOSE, OPEN, TEXT, FileFrame, Logical, MadeFrame, Place
from kcc.source.includes import INCLUDE, change_checks
from kcc.source.replication import REPLICATION
from kcc.source.rewriting import Rewriter
from kcc.source.text import BLANKS, Text, first_brace, shift_marks, strip_comment

if TYPE_CHECKING:
    from kcc.source.reader import Reader

__all__ = ["Include", "Steps"]

Include = Callable[[Text, re.Match[str], Place, tuple[Related, ...]], None]
"""Has what an include line names read next: the line, the match of INCLUDE in it, its place, and how reading came there."""


class Steps:
    """Turns lines into what they say, for one reader."""

    def __init__(self, reader: Reader, include: Include) -> None:
        self._reader = reader
        self._include = include
        self.definitions = Definitions(reader.options, reader.working_directory)
        self._complaints = Complaints(reader.findings, reader.options, self.definitions)
        self._rewriter = Rewriter(reader, self._complaints, self.definitions)

    def finish_collecting(self) -> None:
        """The multi-line definition ends here."""
        self._rewriter.finish_collecting()

    def take_made(self, frame: MadeFrame) -> Iterator[Logical] | None:
        """Process the next line of ``frame``; None at its end."""
        made = self._rewriter.next_made(frame)
        return None if made is None else self.process(made.text, made.place)

    def physical(self, raw: str, number: int, frame: FileFrame) -> Iterator[Logical]:
        """Process one line of a file."""
        findings = self._reader.findings
        place = Place(frame.name, number, frame.via)
        limit = self._reader.limits.max_line_bytes
        if len(raw) * 4 > limit and (len(raw) > limit or len(raw.encode()) > limit):
            findings.report(
                "KC0004",
                f"the line is longer than {limit} bytes",
                Span(frame.name, number, limit + 1, number, limit + 2),
                label="from here on it does not fit",
                consequence="keepalived drops its beginning and reads the rest as a new line; here all of it is ignored",
                help="write it on several lines, or shorten its comment",
                related=frame.via,
            )
            return
        if "\0" in raw:
            at = raw.index("\0")
            findings.report(
                "KC0003",
                "the line holds a NUL byte",
                Span(frame.name, number, at + 1, number, at + 2),
                consequence="keepalived ignores the line",
                related=frame.via,
            )
            return
        yield from self.process(Text(raw), place)

    def process(self, text: Text, place: Place) -> Iterator[Logical]:
        """All steps for one line, and again for what stands behind each brace."""
        first = True
        marks: frozenset[int] = frozenset()
        while True:
            written = text.value.rstrip(BLANKS)
            text, marks, unclosed = strip_comment(text, marks)
            if unclosed is not None and first:
                self._complaints.unclosed(text, unclosed, place)
            elif first and '\\"' in text.value:
                self._complaints.unmatched(text, place)
            first = False
            if self._reader.collecting is not None:
                self._rewriter.collect(text, place, written)
                return
            if not text.value:
                return
            if text.value[0] == "@":
                selected = self._reader.select(text)
                if selected is None:
                    return
                marks = shift_marks(marks, len(text.value) - len(selected.value))
                text = selected
            via = place.via
            if "$" in text.value or text.value[0] == "~":
                if self._rewriter.define(text, place):
                    return
                if REPLICATION.match(text.value):
                    self._rewriter.replicate(text, place)
                    return
                done = self._rewriter.replace(text, place, marks)
                if done is None:
                    return
                text, marks, via, rest = done
                if rest is not None:
                    self._rewriter.push_rest(*rest, place, via)
                if not text.value:
                    return
            include = INCLUDE.match(text.value)
            if include is not None:
                self._include(text, include, place, via)
                return
            cut = first_brace(text.value)
            if cut < 0:
                if text.value.endswith("\\") and not text.value.endswith("\\\\"):
                    text = self._complaints.no_continuation(text, place, via)
                if text.value:
                    yield self._logical(TEXT, text, place, via)
                return
            head = text.slice(0, cut).stripped()
            if head.value:
                yield self._logical(TEXT, head, place, via)
            kind = OPEN if text.value[cut] == "{" else CLOSE
            yield Logical(kind, text.slice(cut, cut + 1), place, via)
            marks = shift_marks(marks, cut + 1)
            text = text.slice(cut + 1)
            place = Place(place.file, place.number, via)

    def _logical(self, kind: int, text: Text, place: Place, via: tuple[Related, ...]) -> Logical:
        if text.value.startswith("include_check"):
            words = text.value.split()
            if words[0] == "include_check":
                self._reader.checks = change_checks(self._reader.checks, words[1:])
        elif text.value.startswith("random_seed"):
            words = text.value.split()
            if len(words) > 1 and re.fullmatch(r"[0-9]{1,10}", words[1]):
                self.definitions.seed(int(words[1]))
        return Logical(kind, text, place, via)
