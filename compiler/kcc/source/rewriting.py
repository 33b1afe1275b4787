"""What definitions and replication make of a line: another line, no line, or many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kcc.diagnostics.model import Related, Severity, Span
from kcc.source.complaints import Complaints
from kcc.source.definitions import DEFINITION, MISWRITTEN, Definition, Definitions, Expansion
from kcc.source.frames import Made, MadeFrame, Place
from kcc.source.includes import INCLUDE
from kcc.source.replication import parse_replication
from kcc.source.text import BLANKS, Text, first_brace, shift_marks, strip_comment

if TYPE_CHECKING:
    from kcc.source.reader import Reader

__all__ = ["Collected", "Rewriter"]

MAX_FRAMES = 256


class Collected:
    """A multi-line definition whose end has not come yet."""

    __slots__ = ("lines", "name", "numbers", "span")

    def __init__(self, name: str, span: Span) -> None:
        self.name = name
        self.span = span
        self.lines: list[str] = []
        self.numbers: list[int] = []


class Rewriter:
    """Keeps the definitions of one reader and replaces what refers to them; what lines become goes on the reader's stack."""

    def __init__(self, reader: Reader, complaints: Complaints, definitions: Definitions) -> None:
        self._reader = reader
        self._findings = reader.findings
        self._limits = reader.limits
        self._complaints = complaints
        self._definitions = definitions
        self._made_lines = 0
        self._made_characters = 0

    # --- the lines that were made

    def next_made(self, frame: MadeFrame) -> Made | None:
        """The next line of ``frame``, its definitions in force; None at its end."""
        made = next(frame.lines, None)
        if made is None or self._reader.exhausted:
            return None
        for definition in made.defines:
            self._definitions.define(definition)
        self._made_lines += 1
        self._made_characters += len(made.text.value)
        limits = self._limits
        if self._made_lines > limits.max_made_lines or self._made_characters > limits.max_expansion:
            self._give_up(made.place, made.text)
            return None
        return made

    def _give_up(self, place: Place, text: Text) -> None:
        self._reader.exhausted = True
        self._findings.report(
            "KC0105",
            f"definitions and replication make more than {self._limits.max_made_lines:,} lines"
            f" or {self._limits.max_expansion:,} characters",
            place.span(text, 0, len(text.value)),
            consequence="nothing more is expanded; what follows may be misread",
            related=place.via,
        )

    # --- definitions

    def define(self, text: Text, place: Place) -> bool:
        match = DEFINITION.match(text.value)
        if match is None:
            match = MISWRITTEN.match(text.value)
            if match is None:
                return False
            self._complaints.miswritten(text, match, place)
            if not DEFINITION.match(f"${match.group(1)}="):
                return True
        value = text.value[match.end() :]
        span = place.span(text, 0, match.end(1))
        if value.endswith("\\"):
            self._reader.collecting = Collected(match.group(1), span)
            self._reader.collecting.lines.append(value[:-1].rstrip(" \t\r\v\f"))
            self._reader.collecting.numbers.append(place.number)
        else:
            self._definitions.define(Definition(match.group(1), (value,), span, (place.number,)))
        return True

    def collect(self, text: Text, place: Place, written: str) -> None:
        """One more line of a multi-line definition; ``written`` is the line with its comment.

        The definition goes on while a line ends in a backslash, be it inside the comment. A line that holds only a
        comment is no line of it; an empty line ends it.
        """
        collected = self._reader.collecting
        assert collected is not None
        more = written.endswith("\\") or text.value.endswith("\\")
        value = text.value[:-1].rstrip(BLANKS) if text.value.endswith("\\") else text.value
        if value:
            collected.lines.append(value)
            collected.numbers.append(place.number)
        elif written and not more:
            return
        if not more:
            self.finish_collecting()

    def finish_collecting(self) -> None:
        """The multi-line definition ends here: with its last line, an empty line, or the input."""
        collected, self._reader.collecting = self._reader.collecting, None
        if collected is not None:
            # The first line may be empty (`$A=\`): what stands before the reference then stands alone.
            self._definitions.define(
                Definition(collected.name, tuple(collected.lines), collected.span, tuple(collected.numbers))
            )

    def replace(
        self, text: Text, place: Place, marks: frozenset[int]
    ) -> tuple[Text, frozenset[int], tuple[Related, ...], tuple[Definition, tuple[int, int]] | None] | None:
        """Replace references, then take away a comment that they brought.

        Only up to the first brace: what stands behind it is a line of its own, and may define what it refers to.
        (keepalived replaces the whole line at once, and so sees what the names meant before.)
        """
        cut = -1 if INCLUDE.match(text.value) else first_brace(text.value)
        head, tail = (text, None) if cut < 0 else (text.slice(0, cut), text.slice(cut))
        expansion = self._definitions.expand(head, self._limits.max_line_bytes, last=tail is None)
        via = self._trace(expansion, place)
        for problem in expansion.problems:
            if problem.cycle and not self._complaints.first(problem.cycle):
                continue
            size = len(text.value)
            start, end = min(problem.start, size), min(problem.end, size)
            definition = self._definitions.table.get(problem.name)
            where = _defined_here(definition) if definition else ()
            self._findings.report(
                problem.code,
                problem.message,
                place.span(text, start, end),
                consequence=problem.consequence,
                help=problem.help,
                related=(*where, *place.via),
                severity=Severity.NOTE if problem.note else None,
            )
        if expansion.text is head and "${" not in head.value and not expansion.undefined:
            return text, marks, via, None
        self._made_characters += len(expansion.text.value)
        if self._made_characters > self._limits.max_expansion and not self._reader.exhausted:
            self._give_up(place, text)
        if marks and expansion.text is not head:
            self._complaints.escape_lost(text, min(marks), place)
        replaced = expansion.text if tail is None else expansion.text.join(tail)
        result, kept, unclosed = strip_comment(replaced, _moved(marks, text, replaced))
        if unclosed is not None:
            self._complaints.unclosed(result, unclosed, Place(place.file, place.number, via))
        self._complaints.unreplaced(expansion, strip_comment(expansion.text)[0], place, via)
        if result.value.startswith("@") and not text.value.startswith("@"):
            self._complaints.condition_made(text, place, via)
            selected = self._reader.select(result)
            if selected is None:
                return None
            kept = shift_marks(kept, len(result.value) - len(selected.value))
            result = selected
        return result, kept, via, expansion.rest

    def _trace(self, expansion: Expansion, place: Place) -> tuple[Related, ...]:
        if not expansion.used:
            return place.via
        here: list[Related] = []
        for definition in reversed(expansion.used):
            here += _defined_here(definition)
        known = {(r.span, r.message) for r in place.via}
        return (*[r for r in here if (r.span, r.message) not in known], *place.via)

    def push_rest(
        self, definition: Definition, columns: tuple[int, int], place: Place, via: tuple[Related, ...]
    ) -> None:
        """The further lines of a multi-line definition come next."""
        active = [f for f in self._reader.stack if isinstance(f, MadeFrame)]
        start, end = columns
        span = Span(place.file, place.number, start + 1, place.number, end + 1)
        if any(f.name == definition.name for f in active) or len(self._reader.stack) >= MAX_FRAMES:
            self._findings.report(
                "KC0104",
                f"`${definition.name}` refers to itself",
                span,
                consequence="keepalived never ends",
                related=via,
            )
            return

        def lines() -> Iterator[Made]:
            numbers = definition.numbers[1:] or (0,) * len(definition.lines)
            for value, number in zip(definition.lines[1:], numbers, strict=False):
                made = Text(value, start, ((0, len(value), start, end, definition.name),))
                trail = place.via
                if definition.span is not None:
                    there = Span(definition.span.file, number)
                    trail = (Related(there, f"this line of `${definition.name}`"), *trail)
                yield Made(made, Place(place.file, place.number, trail))

        self._reader.stack.append(MadeFrame(lines(), definition.name))

    # --- replication

    def replicate(self, text: Text, place: Place) -> None:
        close = text.value.find(")")
        head = text.slice(0, close + 1 if close >= 0 else len(text.value))
        expansion = self._definitions.expand(head, self._limits.max_line_bytes)
        via = self._trace(expansion, place)
        span = place.span(text, 0, len(head.value))
        try:
            replication = parse_replication(expansion.text.value)
        except ValueError as error:
            self._findings.report(
                "KC0107",
                str(error),
                span,
                consequence="keepalived ignores the line",
                help="~SEQ(NAME, [start, [step,]] end) text, or ~LST(NAME, value, value …) text",
                related=via,
            )
            return
        if len(self._reader.stack) >= MAX_FRAMES:
            self._give_up(place, text)
            return
        body = text.slice(close + 1).stripped()
        if not body.value:
            return

        def lines() -> Iterator[Made]:
            for row in replication:
                shown = ", ".join(f"${n} is {v}" for n, v in zip(replication.names, row, strict=True))
                trail = (Related(span, f"in the round where {shown}"), *place.via)
                defines = tuple(
                    Definition(n, (v,), span, (place.number,), loop=True)
                    for n, v in zip(replication.names, row, strict=True)
                )
                yield Made(body, Place(place.file, place.number, trail), defines)

        self._reader.stack.append(MadeFrame(lines(), None))


def _moved(marks: frozenset[int], before: Text, after: Text) -> frozenset[int]:
    """Where the escaped comment characters of ``before`` stand in ``after``."""
    if not marks or after is before:
        return marks
    columns = {before.column(mark) for mark in marks}
    moved: set[int] = set()
    for a, b, pa, _pb, name in after.all_parts():
        if name is None:
            moved.update(a + column - pa for column in columns if pa <= column < pa + b - a)
    return frozenset(moved)


def _defined_here(definition: Definition) -> tuple[Related, ...]:
    if definition.span is None or definition.loop:
        return ()
    return (Related(definition.span, f"`${definition.name}` is defined here"),)
