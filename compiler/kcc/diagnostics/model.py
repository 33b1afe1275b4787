"""What the compiler says: diagnostics as data. Renderers turn them into text or JSON, nothing here prints."""

from __future__ import annotations

from enum import IntEnum

import msgspec


class Severity(IntEnum):
    """How wrong it is. Ordered: a larger value is worse.

    ``ERROR``: the target rejects it, ignores it or changes what it says, or the kernel will refuse it.
    ``WARNING``: it works, and is very likely not what was wanted.
    ``NOTE``: style, deprecation, information.
    """

    NOTE = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Span(msgspec.Struct, frozen=True):
    """A place in a source file. Lines and columns count from 1, columns in characters; ``end_column`` is exclusive.

    ``line`` 0 means the file as a whole (it could not be read, say).
    """

    file: str
    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0

    def __post_init__(self) -> None:
        if self.end_line < self.line:
            msgspec.structs.force_setattr(self, "end_line", self.line)
        if self.end_line == self.line and self.end_column <= self.column:
            msgspec.structs.force_setattr(self, "end_column", self.column + 1)


class Related(msgspec.Struct, frozen=True):
    """A second place that the reader must see: the first definition, the include, the definition of ``$NAME``."""

    span: Span
    message: str


class Edit(msgspec.Struct, frozen=True):
    """Replace the text of ``span`` by ``replacement``."""

    span: Span
    replacement: str


class Fix(msgspec.Struct, frozen=True):
    """A mechanical repair. ``safe``: the meaning after it is what keepalived does today, or what was surely meant."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = False


class Diagnostic(msgspec.Struct, frozen=True):
    """One finding.

    ``message``: the one sentence to show when only one can be shown; backticks mark code.
    ``label``: words beside the caret. ``consequence``: what happens on the network or in the daemon.
    ``help``: what to do about it.
    """

    code: str
    severity: Severity
    message: str
    span: Span
    label: str = ""
    consequence: str | None = None
    help: str | None = None
    related: tuple[Related, ...] = ()
    fix: Fix | None = None


class Lost(msgspec.Struct, frozen=True):
    """A statement that was refused or not understood: what it was meant to be, where it stands, and the words in it.

    ``nameless``: nothing stands behind its keyword.
    """

    keyword: str
    file: str
    line: int
    words: frozenset[str]
    nameless: bool = False


class Findings(msgspec.Struct):
    """The diagnostics of one compilation, in the order they were found. Bounded: see ``limit``.

    ``lost``: what is missing because of a mistake that was reported (`kcc.diagnostics.causes`).
    """

    limit: int = 10_000
    items: list[Diagnostic] = msgspec.field(default_factory=list)
    lost: list[Lost] = msgspec.field(default_factory=list)
    dropped: int = 0
    errors: int = 0

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep ``diagnostic``; beyond the limit only count it (an input of 100 MB may be wrong on each line)."""
        if diagnostic.severity is Severity.ERROR:
            self.errors += 1
        if len(self.items) >= self.limit:
            self.dropped += 1
            return
        self.items.append(diagnostic)

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        consequence: str | None = None,
        help: str | None = None,
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
        severity: Severity | None = None,
    ) -> None:
        """Add a finding with the severity that its code has in the table (``kcc.diagnostics.codes``), or a given one."""
        from kcc.diagnostics.codes import CODES

        self.add(
            Diagnostic(
                code=code,
                severity=severity if severity is not None else CODES[code].severity,
                message=message,
                span=span,
                label=label,
                consequence=consequence,
                help=help,
                related=related,
                fix=fix,
            )
        )
