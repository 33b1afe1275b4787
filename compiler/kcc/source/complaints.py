"""What there is to say about files and lines, in words: one function or method a mistake, said once where it is one mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kcc.diagnostics.model import Edit, Findings, Fix, Related, Severity, Span
from kcc.source.definitions import DEFINITION, Definitions, Expansion
from kcc.source.frames import Place
from kcc.source.options import Options
from kcc.source.text import Text, strip_comment

__all__ = ["CURLY", "Complaints", "byte_order_mark", "curly_quotes", "not_utf8"]


def byte_order_mark(name: str, via: tuple[Related, ...], findings: Findings) -> None:
    """The file begins with U+FEFF."""
    span = Span(name, 1, 1, 1, 2)
    findings.report(
        "KC0008",
        "the file starts with a byte order mark",
        span,
        label="invisible here",
        consequence="keepalived takes it for part of the first word, which it then does not know",
        help="save the file as UTF-8 without BOM",
        related=via,
        fix=Fix("remove the byte order mark", (Edit(span, ""),), safe=True),
    )


def not_utf8(name: str, data: bytes, via: tuple[Related, ...], findings: Findings) -> None:
    """Say so where it matters: outside comments (old comments in national encodings harm nobody)."""
    for number, raw in enumerate(data.split(b"\n"), 1):
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.decode("utf-8", "kcc-latin1")
            code, _marks, _unclosed = strip_comment(Text(line))
            column = len(raw[: error.start].decode("utf-8", "replace"))
            if column < code.column(len(code.value)):
                findings.report(
                    "KC0006",
                    f"byte 0x{raw[error.start]:02x} is not UTF-8",
                    Span(name, number, column + 1, number, column + 2),
                    help="it is read as Latin-1 and written as UTF-8; convert the file, for instance with iconv",
                    related=via,
                )
                return


CURLY = re.compile("[\u201c-\u201f]")
"""Quotes of word processors and web pages."""


def curly_quotes(name: str, lines: Iterable[str], via: tuple[Related, ...], findings: Findings) -> None:
    """A quote that is none: what was meant as one string is several words, and the marks belong to them."""
    for number, line in enumerate(lines, 1):
        if CURLY.search(line) is None:
            continue
        code = strip_comment(Text(line))[0]
        strings = [match.span() for match in re.finditer(r'"[^"]*"', line)]
        end = code.indent + len(code.value)
        marks = [m.start() for m in CURLY.finditer(line, code.indent, end)]
        marks = [at for at in marks if not any(a < at < b for a, b in strings)]
        if not marks:
            continue
        edits = tuple(Edit(Span(name, number, at + 1, number, at + 2), '"') for at in marks)
        findings.report(
            "KC0118",
            f"`{line[marks[0]]}` is a letter like any other, not a quote",
            Span(name, number, marks[0] + 1, number, marks[-1] + 2),
            label="typographic quotes",
            consequence="keepalived takes the marks for part of the words, and does not keep the words together",
            help='write plain quotes: `"`',
            related=via,
            fix=Fix("write plain quotes", edits, safe=len(marks) == 2),
        )


_COMMANDS = frozenset(
    f"{process}{name}"
    for process in ("", "vrrp_", "lvs_")
    for name in (
        "notify", "notify_backup", "notify_deleted", "notify_down", "notify_fault", "notify_fifo_script", "notify_master",
        "notify_master_rx_lower_pri", "notify_stop", "notify_up", "misc_path", "quorum_down", "quorum_up", "script",
        "shutdown_script", "startup_script",
    )
)  # fmt: skip


class Complaints:
    """Turns what was found into diagnostics."""

    def __init__(self, findings: Findings, options: Options, definitions: Definitions) -> None:
        self._findings = findings
        self._options = options
        self._definitions = definitions
        self._said: set[object] = set()

    def first(self, key: object) -> bool:
        """True the first time: a definition's fault is one mistake however often it is used."""
        if key in self._said:
            return False
        self._said.add(key)
        return True

    def unclosed(self, text: Text, at: int, place: Place) -> None:
        """The quote at offset ``at`` has no end on its line."""
        self._findings.report(
            "KC0101",
            "this quote is never closed",
            place.span(text, at, len(text.value)),
            label="a string ends on the line it starts on",
            consequence="keepalived takes the rest of the line for the string, comments and braces included",
            help='close it with `"`',
            related=place.via,
        )

    def unmatched(self, text: Text, place: Place) -> None:
        """Splitting into words knows no backslash: a quote behind one starts or ends a string all the same.

        Commands are split anew, by rules of their own.
        """
        value = text.value
        if value.count('"') % 2 == 0 or value.split(None, 1)[0] in _COMMANDS:
            return
        self._findings.report(
            "KC0101",
            "a quote behind a backslash is a quote like any other, and so this one is never closed",
            place.span(text, value.rindex('"'), len(value)),
            label="starts a string without an end",
            consequence="keepalived drops the rest of the line",
            help="leave the quotes inside the string out: there is no way to write them here",
            related=place.via,
        )

    def no_continuation(self, text: Text, place: Place, via: tuple[Related, ...]) -> Text:
        """The line ends in a backslash; the text without it is handed back."""
        end = len(text.value)
        span = place.span(text, end - 1, end)
        self._findings.report(
            "KC0114",
            "a backslash does not continue this line",
            span,
            consequence="keepalived takes it for part of the last word, and reads the next line by itself",
            help="write all of it on one line; only `$NAME=…` definitions can go on over several",
            related=via,
            fix=Fix("remove the backslash", (Edit(span, ""),)),
        )
        return text.slice(0, end - 1).stripped()

    def miswritten(self, text: Text, match: re.Match[str], place: Place) -> None:
        """A line that was meant as a definition (``match`` of MISWRITTEN)."""
        name, gap = match.group(1), text.value[match.end(1) : match.end()].partition("=")[0]
        valid = DEFINITION.match(f"${name}=") is not None
        span = place.span(text, 0, match.end())
        blank = place.span(text, match.end(1), match.end(1) + len(gap))
        self._findings.report(
            "KC0111",
            f"no blank may stand before the `=` of `${name}`"
            if valid
            else f"`{name}` cannot be the name of a definition",
            span,
            consequence=f"keepalived takes the line for a keyword `${name}`, which it does not know",
            help=None if valid else "a name is made of letters, digits and `_`, and starts with no digit",
            related=place.via,
            fix=Fix("remove the blank", (Edit(blank, ""),), safe=True) if valid else None,
        )

    def escape_lost(self, text: Text, at: int, place: Place) -> None:
        """A comment character that was escaped, on a line that keepalived strips of its comment twice."""
        char = text.value[at]
        self._findings.report(
            "KC0113",
            f"keepalived forgets the backslash before `{char}` on a line with `$` references",
            place.span(text, at, at + 1),
            label="keepalived ends the line here",
            help="write the word inside double quotes, without the backslash",
            related=place.via,
        )

    def unreplaced(self, expansion: Expansion, text: Text, place: Place, via: tuple[Related, ...]) -> None:
        """Report references to nothing. In quotes a shell may be meant to see them."""
        quoted: list[tuple[int, int]] = [m.span() for m in re.finditer(r'"[^"]*"', text.value)]
        reported = {problem.start for problem in expansion.problems}
        seen: set[str] = set()
        for match in re.finditer(
            r"\$\{[^{}\"]*\}|(?<![^\s,(])\$[A-Za-z_][A-Za-z0-9_]*(?=[ \t,)]|$)", text.value
        ):
            written = match.group()
            if written in seen or (reported and written not in expansion.undefined):
                continue
            seen.add(written)
            in_quotes = any(a < match.start() < b for a, b in quoted)
            braces = written.startswith("${")
            name = written.strip("${}")
            near = self._similar(name)
            if in_quotes and near is None:
                severity = Severity.NOTE
            else:
                severity = Severity.ERROR if braces and not in_quotes else Severity.WARNING
            key: tuple[object, ...] = (written, severity)
            if severity is not Severity.NOTE and not _from_definition(text, match.start()):
                key = (written, place.file, place.number)
            if not self.first(key):
                continue
            plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
            self._findings.report(
                "KC0108",
                f"`${name}` is not defined"
                if plain
                else f"`{written}` is not a reference that keepalived knows",
                place.span(text, match.start(), match.end()),
                consequence="keepalived takes the braces for those of a block"
                if braces and not in_quotes
                else "the text stays as it is written",
                help=f"did you mean `${near}`?"
                if near
                else f"define it before this line: `${name}=…`"
                if plain
                else "only `${NAME}` is replaced: no default values, no other shell forms",
                related=via,
                severity=severity,
            )

    def _similar(self, name: str) -> str | None:
        names = [n for n in self._definitions.table if n != name]
        from difflib import get_close_matches

        found = get_close_matches(name, names[:1000], n=1, cutoff=0.8)
        return found[0] if found else None

    def condition_made(self, text: Text, place: Place, via: tuple[Related, ...]) -> None:
        """The ``@id`` of the line came out of a definition."""
        if not self._options.target.startswith("keepalived-2.4"):
            return
        self._findings.report(
            "KC0112",
            "keepalived 2.4 does not look for an `@id` condition that comes from a definition",
            place.span(text, 0, len(text.value.split()[0])),
            consequence="it reports the condition as an unknown keyword; here it is honoured, as the manual describes",
            help=f"write the condition itself at the start of the line, for instance `@{self._options.instance}`",
            related=via,
        )


def _from_definition(text: Text, offset: int) -> bool:
    return any(name is not None and a <= offset < b for a, b, _pa, _pb, name in text.parts or ())
