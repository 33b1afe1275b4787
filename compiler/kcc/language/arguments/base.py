"""What an argument type is, and the reader that it takes words from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from kcc.diagnostics.model import Findings, Fix, Severity, Span
    from kcc.language.tree import Keyword
    from kcc.syntax.tree import Statement, Word


@final
class Refused:
    """The value was refused; what was wrong has been said."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REFUSED"

    def __bool__(self) -> bool:
        return False


REFUSED: Final = Refused()


class Reader:
    """A cursor over the words of one statement, and the way to say what is wrong with them.

    ``at`` is the index of the next word, ``said`` how many problems were reported since the reader was made, ``given``
    whether the keyword has a value already, ``shortened`` whether a value is what was written, only cut: it stands.
    """

    __slots__ = ("at", "findings", "given", "keyword", "said", "shortened", "statement", "target", "words")

    def __init__(self, findings: Findings, target: str = "keepalived-2.4.3") -> None:
        self.findings = findings
        self.target = target
        self.said = 0
        self.at = 1
        self.given = False
        self.shortened = False
        self.keyword: Keyword
        self.statement: Statement
        self.words: tuple[Word, ...] = ()

    def start(self, statement: Statement, keyword: Keyword, at: int = 1) -> None:
        self.statement = statement
        self.words = statement.words
        self.keyword = keyword
        self.at = at
        self.given = False
        self.shortened = False

    @property
    def name(self) -> str:
        return self.keyword.name

    def more(self) -> bool:
        return self.at < len(self.words)

    def peek(self) -> str | None:
        """The text of the next word, None at the end."""
        return self.words[self.at].text if self.at < len(self.words) else None

    def take(self) -> str:
        """The next word's text; the caller has asked `more` before."""
        text = self.words[self.at].text
        self.at += 1
        return text

    def rest(self) -> list[str]:
        """All remaining words."""
        found = [word.text for word in self.words[self.at :]]
        self.at = len(self.words)
        return found

    def span(self, index: int | None = None) -> Span:
        """The place of word ``index``; None: the word taken last; behind the end: where a word is missing."""
        if index is None:
            index = max(self.at - 1, 0)
        if index >= len(self.words):
            return self.statement.end_span()
        return self.statement.word_span(index)

    def wrong(
        self,
        code: str,
        message: str,
        *,
        at: int | None = None,
        label: str = "",
        consequence: str | None = None,
        help: str | None = None,
        severity: Severity | None = None,
        fix: Fix | None = None,
        span: Span | None = None,
    ) -> Refused:
        """Report a problem at word ``at`` (default: the one taken last). Without ``consequence`` the keyword's own is told."""
        from kcc.diagnostics.model import Severity
        from kcc.language.tree import Bad

        self.said += 1
        if severity is None and self.keyword.bad is Bad.LOG:
            severity = Severity.WARNING
        self.findings.report(
            code,
            message,
            span if span is not None else self.span(at),
            label=label,
            consequence=self.keyword.effect(self.given) if consequence is None else consequence or None,
            help=help,
            related=self.statement.via(),
            fix=fix,
            severity=severity,
        )
        return REFUSED

    def missing(
        self,
        what: str,
        *,
        consequence: str | None = None,
        help: str | None = None,
        severity: Severity | None = None,
    ) -> Refused:
        """Report that ``what`` should follow here."""
        from kcc.diagnostics.model import Severity
        from kcc.language.tree import Kind, Missing

        keyword = self.keyword
        if consequence is None:
            consequence = keyword.effect(self.given)
            if keyword.missing in (Missing.EXITS, Missing.CRASHES) and keyword.kind is not Kind.LINES:
                consequence = keyword.missing.value
        after = "" if self.at <= 1 else f" after `{self.words[self.at - 1].text}`"
        help = help or (
            f"write `{keyword.name} {keyword.syntax()}`" if keyword.kind is not Kind.LINES else None
        )
        return self.wrong(
            "KC0301",
            f"`{keyword.name}` needs {what}{after}",
            at=len(self.words),
            label="missing here",
            consequence=consequence,
            help=help,
            severity=Severity.WARNING if keyword.missing is Missing.SILENT else severity,
        )


class Arg:
    """An argument type. ``grammar`` is how the manual writes it; ``optional``: it may be absent."""

    __slots__ = ("grammar", "optional")

    def __init__(self, grammar: str, optional: bool = False) -> None:
        self.grammar = grammar
        self.optional = optional

    def read(self, reader: Reader) -> Any:
        """Take the words that belong to this argument and return its value, or `REFUSED` after saying why."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.grammar


class WordArg(Arg):
    """An argument of exactly one word. ``what`` names it in "`x` needs …"."""

    __slots__ = ("what",)

    def __init__(self, grammar: str, what: str) -> None:
        super().__init__(grammar)
        self.what = what

    def read(self, reader: Reader) -> Any:
        if reader.at >= len(reader.words):
            return reader.missing(self.what)
        return self.word(reader, reader.take())

    def word(self, reader: Reader, text: str) -> Any:
        """The value of ``text``, or `REFUSED`."""
        raise NotImplementedError


class Optional(Arg):
    """An argument that may be absent; ``absent`` is its value then."""

    __slots__ = ("absent", "arg")

    def __init__(self, arg: Arg, absent: Any = None) -> None:
        super().__init__(f"[{arg.grammar}]", optional=True)
        self.arg = arg
        self.absent = absent

    def read(self, reader: Reader) -> Any:
        if reader.at >= len(reader.words):
            return self.absent
        return self.arg.read(reader)


class Rare(Arg):
    """An argument type whose module is loaded when it is first read: most configurations never say it."""

    __slots__ = ("made", "module", "name")

    def __init__(self, grammar: str, module: str, name: str, *, optional: bool = False) -> None:
        super().__init__(grammar, optional)
        self.module = module
        self.name = name
        self.made: Arg | None = None

    def read(self, reader: Reader) -> Any:
        if self.made is None:
            from importlib import import_module

            self.made = getattr(import_module(f"kcc.language.arguments.{self.module}"), self.name)
        return self.made.read(reader)


class Many(Arg):
    """One or more of the same; the value is a tuple. A refused item refuses all."""

    __slots__ = ("arg",)

    def __init__(self, arg: Arg) -> None:
        super().__init__(f"{arg.grammar} …")
        self.arg = arg

    def read(self, reader: Reader) -> Any:
        values = []
        while True:
            value = self.arg.read(reader)
            if value is REFUSED:
                return REFUSED
            values.append(value)
            if not reader.more():
                return tuple(values)


def read_all(reader: Reader, args: tuple[Arg, ...]) -> Any:
    """The values of ``args`` in order: True for none, the value for one, a tuple for several; or `REFUSED`."""
    if len(args) == 1:
        return args[0].read(reader)
    if not args:
        return True
    values = []
    for arg in args:
        value = arg.read(reader)
        if value is REFUSED:
            return REFUSED
        values.append(value)
    return tuple(values)
