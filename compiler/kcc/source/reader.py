"""From files to logical lines: conditions, definitions, replication, includes, and the cut at braces.

The order of the steps is keepalived's: a line is stripped of its comment, then tested for ``@id``, ``$NAME=``,
``~SEQ``, its references are replaced, then it is tested for ``include``, and at last cut at its first brace. What
stands behind the brace goes through all steps again.
"""

# Names go to messages as they were written; pathlib would tidy them up first.
# ruff: noqa: PTH120
from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from kcc.diagnostics.model import Findings, Related, Severity, Span
from kcc.source import templates
from kcc.source.complaints import Complaints
from kcc.source.definitions import DEFINITION, MISWRITTEN, Definition, Definitions, Expansion
from kcc.source.files import Unusable, decode, read_file
from kcc.source.frames import FileFrame, Frame, Made, MadeFrame, PathsFrame, Place
from kcc.source.includes import INCLUDE, MAX_ALTERNATIVES, STRICTNESS, change_checks, find_matches
from kcc.source.options import Options
from kcc.source.replication import REPLICATION, parse_replication
from kcc.source.text import BLANKS, Text, strip_comment

__all__ = ["CLOSE", "OPEN", "TEXT", "Logical", "Reader"]

TEXT, OPEN, CLOSE = range(3)

MAX_FRAMES = 256
CONDITION = re.compile(r"@(\^?)([^ \t\r\v\f]*)(?:[ \t\r\v\f]+|$)")
_CUT = re.compile(r'"[^"]*"|\$\{(?:[^{}"]|\$\{[^{}"]*\})*\}|[{}]|"')
_UNREPLACED = re.compile(r"\$\{[^{}\"]*\}")


class Logical(NamedTuple):
    """What one line says, one piece at a time: a text between braces, or a brace (``text`` is that brace)."""

    kind: int
    text: Text
    place: Place
    via: tuple[Related, ...]


class _Collected:
    """A multi-line definition whose end has not come yet."""

    __slots__ = ("lines", "name", "numbers", "span")

    def __init__(self, name: str, span: Span) -> None:
        self.name = name
        self.span = span
        self.lines: list[str] = []
        self.numbers: list[int] = []


class Reader:
    """The state of reading one configuration. The caller takes lines from ``stack[-1]`` and has them processed."""

    def __init__(self, findings: Findings, options: Options) -> None:
        self.findings = findings
        self.options = options
        self.limits = options.limits
        self.stack: list[Frame] = []
        self.files: list[str] = []
        self.lines = 0
        """Physical lines taken from files that are closed."""
        self.definitions = Definitions(options, self._working_directory)
        self.checks = options.include_check
        self.collecting: _Collected | None = None
        self._made_lines = 0
        self._made_characters = 0
        self._exhausted = False
        self._bytes = 0
        self.complaints = Complaints(findings, options, self.definitions)

    # --- files

    def open_main(self, path: str) -> bool:
        """Open the file a configuration starts with. False where it is none (which is reported); Unusable is raised."""
        return self._open(path, (), main=True)

    def open_text(self, data: str | bytes, name: str) -> bool:
        """Read ``data`` as if it were a file called ``name`` in the current directory."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        if len(raw) > self.limits.max_file_bytes:
            self._unreadable(
                name, Unusable(f"it is larger than {self.limits.max_file_bytes:,} bytes", "large")
            )
            return False
        return self._push(name, raw, "", "", (), main=True)

    def _open(self, path: str, via: tuple[Related, ...], *, main: bool) -> bool:
        held = self.options.overlay.get(os.path.realpath(path)) if self.options.overlay else None
        try:
            data = read_file(path, self.limits.max_file_bytes, included=not main)
        except Unusable as error:
            if held is None or error.kind != "missing":
                raise
            data = held
        data = data if held is None else held
        return self._push(path, data, os.path.dirname(path), os.path.realpath(path), via, main=main)

    def _push(
        self, name: str, data: bytes, directory: str, identity: str, via: tuple[Related, ...], *, main: bool
    ) -> bool:
        self.files.append(name)
        self._bytes += len(data)
        if self._bytes > self.limits.max_total_bytes:
            self.findings.report(
                "KC0005",
                f"the files together are larger than {self.limits.max_total_bytes:,} bytes",
                Span(name, 0),
                related=via,
                help="reading stops here; look for a file that is included again and again",
            )
            self._exhausted = True
            return False
        text, is_utf8 = decode(data)
        verdict = templates.recognise(data, text, alone=main and not self.options.defines)
        if verdict is not None:
            self.findings.report(
                "KC0002",
                f"this is not a keepalived configuration but {verdict.kind}",
                Span(name, verdict.line, verdict.column, verdict.line, verdict.end_column),
                label=verdict.label,
                consequence="nothing else in the file was checked",
                help=verdict.help,
                related=via,
            )
            return False
        if text.startswith("\ufeff"):
            self.complaints.byte_order_mark(name, via)
            text = text[1:]
        if not is_utf8:
            self.complaints.not_utf8(name, text, data, via)
        self.stack.append(FileFrame(name, text, directory, identity, via, self.checks))
        return True

    def _unreadable(self, name: str, reason: Unusable, via: tuple[Related, ...] = ()) -> None:
        code = "KC0005" if reason.kind == "large" else "KC0001"
        self.findings.report(code, f"`{name}` cannot be read: {reason.reason}", Span(name, 0), related=via)

    def close(self) -> None:
        """The topmost frame is at its end."""
        frame = self.stack.pop()
        if isinstance(frame, FileFrame):
            self.lines += frame.number
            self.checks = frame.checks

    def file_frame(self) -> FileFrame | None:
        """The innermost open file."""
        return next((f for f in reversed(self.stack) if isinstance(f, FileFrame)), None)

    def _working_directory(self) -> str:
        frame = self.file_frame()
        return frame.working_directory() if frame else os.path.realpath(".")

    # --- lines

    def take_made(self, frame: MadeFrame) -> Iterator[Logical] | None:
        """Process the next line of ``frame``; None at its end."""
        made = next(frame.lines, None)
        if made is None or self._exhausted:
            return None
        for definition in made.defines:
            self.definitions.define(definition)
        self._made_lines += 1
        self._made_characters += len(made.text.value)
        if self._made_lines > self.limits.max_made_lines or self._made_characters > self.limits.max_expansion:
            self._give_up(made.place, made.text)
            return None
        return self.process(made.text, made.place)

    def _give_up(self, place: Place, text: Text) -> None:
        self._exhausted = True
        self.findings.report(
            "KC0105",
            f"definitions and replication make more than {self.limits.max_made_lines:,} lines"
            f" or {self.limits.max_expansion:,} characters",
            place.span(text, 0, len(text.value)),
            consequence="nothing more is expanded; what follows may be misread",
            related=place.via,
        )

    def physical(self, raw: str, number: int, frame: FileFrame) -> Iterator[Logical]:
        """Process one line of a file."""
        place = Place(frame.name, number, frame.via)
        limit = self.limits.max_line_bytes
        if len(raw) * 4 > limit and (len(raw) > limit or len(raw.encode()) > limit):
            self.findings.report(
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
            self.findings.report(
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
                self.complaints.unclosed(text, unclosed, place)
            first = False
            if self.collecting is not None:
                self._collect(text, place, written)
                return
            if not text.value:
                return
            if text.value[0] == "@":
                selected = self._select(text)
                if selected is None:
                    return
                marks = _shift(marks, len(text.value) - len(selected.value))
                text = selected
            via = place.via
            if "$" in text.value or text.value[0] == "~":
                if self._define(text, place):
                    return
                if REPLICATION.match(text.value):
                    self._replicate(text, place)
                    return
                done = self._replace(text, place, marks)
                if done is None:
                    return
                text, marks, via, rest = done
                if rest is not None:
                    self._push_rest(*rest, place, via)
                if not text.value:
                    return
            include = INCLUDE.match(text.value)
            if include is not None:
                self._include(text, include, place, via)
                return
            cut = _first_brace(text.value)
            if cut < 0:
                if text.value.endswith("\\") and not text.value.endswith("\\\\"):
                    text = self.complaints.no_continuation(text, place, via)
                if text.value:
                    yield self._logical(TEXT, text, place, via)
                return
            head = text.slice(0, cut).stripped()
            if head.value:
                yield self._logical(TEXT, head, place, via)
            kind = OPEN if text.value[cut] == "{" else CLOSE
            yield Logical(kind, text.slice(cut, cut + 1), place, via)
            marks = _shift(marks, cut + 1)
            text = text.slice(cut + 1)
            place = Place(place.file, place.number, via)

    def _logical(self, kind: int, text: Text, place: Place, via: tuple[Related, ...]) -> Logical:
        if text.value.startswith("include_check"):
            words = text.value.split()
            if words[0] == "include_check":
                self.checks = change_checks(self.checks, words[1:])
        elif text.value.startswith("random_seed"):
            words = text.value.split()
            if len(words) > 1 and re.fullmatch(r"[0-9]{1,10}", words[1]):
                self.definitions.seed(int(words[1]))
        return Logical(kind, text, place, via)

    # --- conditions

    def _select(self, text: Text) -> Text | None:
        """What follows ``@id`` where the condition holds, else None."""
        match = CONDITION.match(text.value)
        if match is None or match.end() == len(text.value):
            return None
        if (match.group(2) == self.options.instance) == bool(match.group(1)):
            return None
        return text.slice(match.end())

    # --- definitions

    def _define(self, text: Text, place: Place) -> bool:
        match = DEFINITION.match(text.value)
        if match is None:
            match = MISWRITTEN.match(text.value)
            if match is None:
                return False
            self.complaints.miswritten(text, match, place)
            if not DEFINITION.match(f"${match.group(1)}="):
                return True
        value = text.value[match.end() :]
        span = place.span(text, 0, match.end(1))
        if value.endswith("\\"):
            self.collecting = _Collected(match.group(1), span)
            self.collecting.lines.append(value[:-1].rstrip(" \t\r\v\f"))
            self.collecting.numbers.append(place.number)
        else:
            self.definitions.define(Definition(match.group(1), (value,), span, (place.number,)))
        return True

    def _collect(self, text: Text, place: Place, written: str) -> None:
        """One more line of a multi-line definition; ``written`` is the line with its comment.

        The definition goes on while a line ends in a backslash, be it inside the comment. A line that holds only a
        comment is no line of it; an empty line ends it.
        """
        collected = self.collecting
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
        collected, self.collecting = self.collecting, None
        if collected is not None:
            # The first line may be empty (`$A=\`): what stands before the reference then stands alone.
            self.definitions.define(
                Definition(collected.name, tuple(collected.lines), collected.span, tuple(collected.numbers))
            )

    def _replace(
        self, text: Text, place: Place, marks: frozenset[int]
    ) -> tuple[Text, frozenset[int], tuple[Related, ...], tuple[Definition, tuple[int, int]] | None] | None:
        """Replace references, then take away a comment that they brought.

        Only up to the first brace: what stands behind it is a line of its own, and may define what it refers to.
        (keepalived replaces the whole line at once, and so sees what the names meant before.)
        """
        cut = -1 if INCLUDE.match(text.value) else _first_brace(text.value)
        head, tail = (text, None) if cut < 0 else (text.slice(0, cut), text.slice(cut))
        expansion = self.definitions.expand(head, self.limits.max_line_bytes, last=tail is None)
        via = self._trace(expansion, place)
        for problem in expansion.problems:
            if problem.cycle and not self.complaints.first(problem.cycle):
                continue
            size = len(text.value)
            start, end = min(problem.start, size), min(problem.end, size)
            definition = self.definitions.table.get(problem.name)
            where = _defined_here(definition) if definition else ()
            self.findings.report(
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
        if self._made_characters > self.limits.max_expansion and not self._exhausted:
            self._give_up(place, text)
        if marks and expansion.text is not head:
            self.complaints.escape_lost(text, min(marks), place)
        replaced = expansion.text if tail is None else expansion.text.join(tail)
        result, kept, unclosed = strip_comment(replaced, _moved(marks, text, replaced))
        if unclosed is not None:
            self.complaints.unclosed(result, unclosed, place._replace(via=via))
        self.complaints.unreplaced(expansion, strip_comment(expansion.text)[0], place, via)
        if result.value.startswith("@") and not text.value.startswith("@"):
            self.complaints.condition_made(text, place, via)
            selected = self._select(result)
            if selected is None:
                return None
            kept = _shift(kept, len(result.value) - len(selected.value))
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

    def _push_rest(
        self, definition: Definition, columns: tuple[int, int], place: Place, via: tuple[Related, ...]
    ) -> None:
        """The further lines of a multi-line definition come next."""
        active = [f for f in self.stack if isinstance(f, MadeFrame)]
        start, end = columns
        span = Span(place.file, place.number, start + 1, place.number, end + 1)
        if any(f.name == definition.name for f in active) or len(self.stack) >= MAX_FRAMES:
            self.findings.report(
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

        self.stack.append(MadeFrame(lines(), definition.name))

    # --- replication

    def _replicate(self, text: Text, place: Place) -> None:
        close = text.value.find(")")
        head = text.slice(0, close + 1 if close >= 0 else len(text.value))
        expansion = self.definitions.expand(head, self.limits.max_line_bytes)
        via = self._trace(expansion, place)
        span = place.span(text, 0, len(head.value))
        try:
            replication = parse_replication(expansion.text.value)
        except ValueError as error:
            self.findings.report(
                "KC0107",
                str(error),
                span,
                consequence="keepalived ignores the line",
                help="~SEQ(NAME, [start, [step,]] end) text, or ~LST(NAME, value, value …) text",
                related=via,
            )
            return
        if len(self.stack) >= MAX_FRAMES:
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

        self.stack.append(MadeFrame(lines(), None))

    # --- includes

    def _include(self, text: Text, match: re.Match[str], place: Place, via: tuple[Related, ...]) -> None:
        pattern = text.value[match.end() :]
        span = place.span(text, match.end(), len(text.value))
        checks = STRICTNESS[match.group(1)] | self.checks
        frame = self.file_frame()
        directory = frame.directory if frame else ""
        found = find_matches(pattern, directory or ".")
        if found.too_many:
            self.findings.report(
                "KC0105",
                f"the braces stand for more than {MAX_ALTERNATIVES:,} names",
                span,
                consequence="the line is ignored",
                related=via,
            )
            return
        paths = [os.path.normpath(p) if directory in ("", ".") else p for p in found.paths]
        for check, missing in found.missing:
            strict = check in checks
            wild = check == "wildcard_match"
            self.findings.report(
                "KC0109" if wild and not strict else "KC0102",
                f"no file matches `{missing}`" if wild else f"`{missing}` does not exist",
                span,
                consequence=_STOPS if strict else _GOES_ON,
                help="`include` takes the rest of the line as the name: no quotes, no `{` or comment sign"
                if re.search(r'["{}]', pattern)
                else f"a relative name is looked up from `{directory or '.'}`, the folder of this file"
                if not missing.startswith("/")
                else None,
                related=via,
                severity=Severity.ERROR if strict else Severity.NOTE if wild else Severity.WARNING,
            )
        if paths:
            trail = (Related(span, "included from here"), *via)
            self.stack.append(PathsFrame(iter(paths), span, trail, checks))

    def open_next(self, frame: PathsFrame) -> bool:
        """Open the next file that an include matched, if it can be. False when none is left."""
        path = next(frame.paths, None)
        if path is None or self._exhausted:
            return False
        identity = os.path.realpath(path)
        chain = [f for f in self.stack if isinstance(f, FileFrame)]
        problem = None
        if any(f.identity == identity for f in chain):
            problem = f"`{path}` includes itself"
        elif len(chain) >= self.limits.max_include_depth:
            problem = f"includes are nested more than {self.limits.max_include_depth} deep"
        elif len(self.files) >= self.limits.max_included_files:
            problem = f"more than {self.limits.max_included_files:,} files are included"
            self._exhausted = True
        if problem is not None:
            self.findings.report(
                "KC0103", problem, frame.span, consequence="it is not read again", related=frame.trail[1:]
            )
            return True
        try:
            self._open(path, frame.trail, main=False)
        except Unusable as error:
            strict = "read" in frame.checks
            self.findings.report(
                "KC0102" if strict else "KC0110",
                f"`{path}` is not included: {error.reason}",
                frame.span,
                consequence=_STOPS if strict else _GOES_ON,
                related=frame.trail[1:],
                severity=Severity.ERROR if strict else Severity.WARNING,
            )
        return True


_STOPS = "keepalived stops after reading, with exit status 6"
_GOES_ON = "keepalived says so in its log and goes on without it"


def _first_brace(value: str) -> int:
    """The offset of the first brace outside double quotes and outside an unreplaced ``${…}``; -1 without one."""
    if "{" not in value and "}" not in value:
        return -1
    at = 0
    while (match := _CUT.search(value, at)) is not None:
        found = match.group()
        if found in ("{", "}"):
            return match.start()
        if found == '"':
            return -1
        at = match.end()
    return -1


def _shift(marks: frozenset[int], by: int) -> frozenset[int]:
    return frozenset(mark - by for mark in marks if mark >= by) if marks else marks


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
