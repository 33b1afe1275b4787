"""From files to logical lines: what is open, what it includes, and whose line comes next.

What a line says is found in steps (`kcc.source.steps`), which are loaded when a line needs them: most files have no line that does.
"""

# Names go to messages as they were written; pathlib would tidy them up first.
# ruff: noqa: PTH120
from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kcc.diagnostics.model import Findings, Related, Severity, Span
from kcc.source.files import Unusable, decode, read_file
from kcc.source.frames import CLOSE, OPEN, TEXT, FileFrame, Frame, Logical, MadeFrame, PathsFrame, Place
from kcc.source.options import Options
from kcc.source.templates import recognise

if TYPE_CHECKING:
    from kcc.source.definitions import Definitions
    from kcc.source.rewriting import Collected
    from kcc.source.steps import Steps
    from kcc.source.text import Text

__all__ = ["CLOSE", "CONDITION", "OPEN", "TEXT", "Logical", "Reader"]

CONDITION = re.compile(r"@(\^?)([^ \t\r\v\f]*)(?:[ \t\r\v\f]+|$)")
"""``@id`` and ``@^id`` in front of a line."""

_STOPS = "keepalived stops after reading, with exit status 6"
_GOES_ON = "keepalived says so in its log and goes on without it"


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
        self.checks = options.include_check
        self.collecting: Collected | None = None
        """A multi-line definition whose end has not come yet."""
        self.exhausted = False
        """A limit was passed: nothing more is opened or made."""
        self._bytes = 0
        self._loaded: Steps | None = None

    # --- lines

    @property
    def _steps(self) -> Steps:
        if self._loaded is None:
            from kcc.source.steps import Steps

            self._loaded = Steps(self, self._include)
        return self._loaded

    @property
    def definitions(self) -> Definitions:
        """The definitions in force at the current line."""
        return self._steps.definitions

    def physical(self, raw: str, number: int, frame: FileFrame) -> Iterator[Logical]:
        """Process one line of a file."""
        return self._steps.physical(raw, number, frame)

    def take_made(self, frame: MadeFrame) -> Iterator[Logical] | None:
        """Process the next line of ``frame``; None at its end."""
        return self._steps.take_made(frame)

    def finish_collecting(self) -> None:
        """The multi-line definition, if there is one, ends here: with the input."""
        if self.collecting is not None:
            self._steps.finish_collecting()

    def select(self, text: Text) -> Text | None:
        """What follows ``@id`` where the condition holds, else None."""
        match = CONDITION.match(text.value)
        if match is None or match.end() == len(text.value):
            return None
        if (match.group(2) == self.options.instance) == bool(match.group(1)):
            return None
        return text.slice(match.end())

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
            self.exhausted = True
            return False
        text, is_utf8 = decode(data)
        verdict = recognise(data, text, alone=main and not self.options.defines)
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
            from kcc.source.complaints import byte_order_mark

            byte_order_mark(name, via, self.findings)
            text = text[1:]
        if not is_utf8:
            from kcc.source.complaints import not_utf8

            not_utf8(name, data, via, self.findings)
        if not text.isascii() and any(mark in text for mark in "\u201c\u201d\u201e\u201f"):
            from kcc.source.complaints import curly_quotes

            curly_quotes(name, text.split("\n"), via, self.findings)
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

    def working_directory(self) -> str:
        frame = self.file_frame()
        return frame.working_directory() if frame else os.path.realpath(".")

    # --- includes

    def _include(self, text: Text, match: re.Match[str], place: Place, via: tuple[Related, ...]) -> None:
        from kcc.source.includes import MAX_ALTERNATIVES, STRICTNESS, find_matches

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
        if path is None or self.exhausted:
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
            self.exhausted = True
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
