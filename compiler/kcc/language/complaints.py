"""What the descent says about statements that it cannot take as they are; the values themselves speak through their types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Edit, Fix, Related, Severity
from kcc.language.arguments.base import Reader
from kcc.language.arguments.words import IfnameArg
from kcc.language.changes import older
from kcc.language.lost import lose
from kcc.language.tree import Extra, Keyword, Kind
from kcc.language.unknown import flag_words

if TYPE_CHECKING:
    from kcc.diagnostics.model import Findings
    from kcc.language.parsed import Node
    from kcc.syntax.tree import Block, Statement


# keepalived takes a second one of these without a word, and always finds the first.
_TWICE_TAKEN = ("vrrp_script", "track_file", "vrrp_track_file", "vrrp_track_process")


class Complaints:
    """The rules of repetition, order, names and left-over words, and the messages about them.

    ``reader`` counts what was said, so that the descent knows which lines were spotless.
    """

    __slots__ = ("findings", "names", "old", "reader")

    def __init__(self, findings: Findings, target: str) -> None:
        self.findings = findings
        self.reader = Reader(findings, target)
        self.names: dict[tuple[str, str], Block] = {}

    def twice(
        self, keyword: Keyword, statement: Statement, earlier: Statement, consequence: str, severity: Severity
    ) -> None:
        self.reader.said += 1
        self.findings.report(
            "KC0308",
            f"`{keyword.name}` is given twice",
            statement.span(),
            label="again here",
            consequence=consequence,
            help="remove one of them",
            related=(Related(earlier.span(), "first given here"), *statement.via()),
            severity=severity,
        )

    def contradicts(self, keyword: Keyword, statement: Statement, other: Statement) -> None:
        self.reader.said += 1
        self.findings.report(
            "KC0316",
            f"`{keyword.name}` and `{keyword.against}` are both given",
            statement.span(),
            label="only one is used",
            consequence="keepalived uses nftables and ignores the settings for iptables",
            help="keep one of them",
            related=(Related(other.span(), "the other one"), *statement.via()),
        )

    def in_order(self, keyword: Keyword, statement: Statement, node: Node) -> bool:
        """Whether the leaf that ``keyword`` needs stands before it, with a value that goes with it."""
        if keyword.needs is None:
            return True
        before, values = keyword.needs
        found = node.fields.get(before)
        if found is not None and (not values or found.value in values):
            return True
        wanted = f"`{before}`" if not values else " or ".join(f"`{before} {value}`" for value in values)
        # Between the two hash schedulers keepalived says nothing; it drops the flag all the same.
        silent = found is not None and found.value in ("sh", "mh")
        self.reader.said += 1
        self.findings.report(
            "KC0314",
            f"`{keyword.name}` needs {wanted} before it",
            statement.span(),
            label="ignored here",
            consequence="ignored",
            help=f"write it behind {wanted}",
            related=statement.via(),
            severity=Severity.WARNING if silent else None,
        )
        return False

    def left_over(self, keyword: Keyword, statement: Statement) -> bool:
        """Report words behind the last argument; whether the statement still counts."""
        reader = self.reader
        left = [word.text for word in reader.words[reader.at :]]
        reader.said += 1
        if keyword.is_flag:
            flag_words(keyword, statement, left, self.findings)
            return True
        span = statement.line.span(reader.words[reader.at].start, reader.words[-1].end)
        text = " ".join(left)
        shown = text if len(text) <= 60 else text[:57] + "…"
        severity, consequence, help = None, "only the words before it are read", None
        if keyword.name == "notification_email_from" and older(reader.target, "2.3.0"):
            severity, consequence = Severity.WARNING, "not looked at; from keepalived 2.3.0 on an error"
        elif keyword.extra is not Extra.UNREAD:
            severity = Severity.ERROR
            consequence = keyword.extra.value
        if keyword.kind is Kind.BLOCK and keyword.extra is Extra.REFUSED:
            consequence = "the whole block is skipped"
            help = "a name is one word; put it in quotes if it has blanks"
        elif len(left) > 0 and keyword.kind is Kind.LEAF and left[0].isidentifier() and len(left[0]) > 3:
            help = "one statement a line: start a new line for the next keyword"
        elif keyword.kind is Kind.LINES:
            help = "entries stand inside the braces, one a line"
        self.findings.report(
            "KC0209",
            f"`{keyword.name}` does not take `{shown}`",
            span,
            label="not read",
            consequence=consequence,
            help=help,
            related=statement.via(),
            severity=severity,
        )
        return keyword.extra not in (Extra.REFUSED, Extra.EXITS)

    def equals_sign(self, keyword: Keyword, statement: Statement, before: int) -> None:
        """`KEYWORD = VALUE`: one message in place of those that came of it (the findings from ``before`` on)."""
        items = self.findings.items
        found = items[before:]
        del items[before:]
        worst = max((d.severity for d in found), default=Severity.WARNING)
        self.findings.errors -= sum(d.severity is Severity.ERROR for d in found)
        if isinstance(keyword.args[0], IfnameArg):
            worst = Severity.ERROR  # no interface is called that
        told = next((d.consequence for d in found if d.severity is worst and d.consequence), None)
        taken = told is None or worst is not Severity.ERROR or not any(d.code != "KC0209" for d in found)
        self.reader.said += 1
        sign, value = statement.words[1:3]
        self.findings.report(
            "KC0307",
            f"`{keyword.name}` takes the `=` for its value",
            statement.word_span(1),
            label=f"`{value.text}` is not read",
            consequence="keepalived uses `=`, and nothing else of the line" if taken else told,
            help=f"write `{keyword.name} {value.text}`: values follow behind a blank, without `=`",
            related=statement.via(),
            fix=Fix("remove the `=`", (Edit(statement.line.span(sign.start, value.start), ""),)),
            severity=worst,
        )

    def deprecated(self, keyword: Keyword, statement: Statement) -> None:
        self.reader.said += 1
        simple = keyword.deprecated_by.replace("_", "").isalnum()
        fix = None
        if simple and keyword.alias_of == keyword.deprecated_by:  # the same arguments mean the same there
            fix = Fix(
                f"write `{keyword.deprecated_by}`",
                (Edit(statement.word_span(0), keyword.deprecated_by),),
                safe=True,
            )
        self.findings.report(
            "KC0313",
            f"`{keyword.name}` is deprecated",
            statement.word_span(0),
            label="still works",
            consequence="it works, and `keepalived -t` fails" if keyword.deprecation_is_error else None,
            help=f"use {f'`{keyword.deprecated_by}`' if simple else keyword.deprecated_by}",
            related=statement.via(),
            fix=fix,
            severity=Severity.WARNING if keyword.deprecation_is_error else Severity.NOTE,
        )

    def new_name(self, keyword: Keyword, block: Block, name: str) -> bool:
        """Whether no block of this kind had ``name`` before; else it is reported."""
        first = self.names.setdefault((keyword.canonical, name), block)
        if first is block:
            return True
        taken = keyword.canonical in _TWICE_TAKEN
        self.findings.report(
            "KC0312",
            f"there are two `{keyword.name}` called `{name}`",
            block.word_span(1),
            label="a second one",
            consequence="nothing can refer to the second one: the first is found by the name"
            if taken
            else "the whole second block is skipped",
            help="give it another name, or make one block of the two",
            related=(Related(first.word_span(1), "the first one"), *block.via()),
            severity=Severity.WARNING if taken else None,
        )
        return False

    def extra_in_line(self, keyword: Keyword, statement: Statement) -> None:
        reader = self.reader
        reader.said += 1
        left = " ".join(word.text for word in reader.words[reader.at :])
        self.findings.report(
            "KC0209",
            f"keepalived ignores `{left[:60]}` here",
            statement.line.span(reader.words[reader.at].start, reader.words[-1].end),
            label="not read",
            consequence="only the words before it are read",
            help="one entry a line",
            related=statement.via(),
        )

    def no_brace(self, keyword: Keyword, statement: Statement, node: Node) -> None:
        """A keyword that needs a body stands without one."""
        lose(self.findings, keyword.name, statement)
        behind = [word.text for word in statement.words[1:]]
        closed = getattr(node.statement, "closed", None)
        taken: tuple[Related, ...] = ()
        if closed is not None:
            taken = (Related(closed, f"keepalived ends `{keyword.name}` here, not `{node.keyword.name}`"),)
        self.findings.report(
            "KC0205",
            f"`{keyword.name}` needs a `{{`",
            statement.end_span(),
            label="missing here",
            consequence="keepalived takes the lines that follow, up to the next `}`, as its body",
            help=f"write `{keyword.name} {{ {' '.join(behind)} }}`"
            if behind and keyword.kind is Kind.LINES and not keyword.args
            else f"write `{keyword.name} {keyword.syntax()}`",
            related=(*taken, *statement.via()),
        )
