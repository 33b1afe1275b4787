"""What krun does not run: a note for whoever checks, an error for whoever builds. Nothing is silently dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.language.parsed import AddressLine
from kcc.language.tree import Coverage, Keyword, Kind
from kcc.syntax.tree import Block

if TYPE_CHECKING:
    from collections.abc import Collection

    from kcc.diagnostics.model import Findings
    from kcc.language.parsed import Field, Node
    from kcc.syntax.tree import Statement

KRUN = "krun"
_AS_IS = {
    Coverage.CHECKED: "it is checked, and has no place in the IR",
    Coverage.CARRIED: "it is in the IR, and krun does not act on it yet",
    Coverage.PARTLY_RUN: "krun acts on it in part",
}


class _Uses:
    """How often something that is not run was said, and where first."""

    __slots__ = ("count", "coverage", "first", "index", "moot", "what")

    def __init__(self, what: str, coverage: Coverage, first: Statement, index: int, moot: str) -> None:
        self.moot = moot
        self.what = what
        self.coverage = coverage
        self.first = first
        self.index = index
        self.count = 0


def coverage_findings(
    root: Node,
    findings: Findings,
    target: str,
    building: bool,
    told: Collection[tuple[str, int]] = (),
) -> None:
    """Report, once for each keyword, what ``root`` says and krun does not run. ``told``: the lines (file and number) about which
    the same has been said already, by what the configuration needs.

    Only for target ``krun``: a note (KC0901), or while ``building`` an error (KC0902): krun must not start without it unasked.
    """
    if target != KRUN:
        return
    uses: dict[tuple[Keyword, str], _Uses] = {}
    _walk(root, uses)
    for use in uses.values():
        if use.coverage is Coverage.MOOT:
            _moot(use, findings)
            continue
        lost = use.coverage is not Coverage.PARTLY_RUN
        if use.coverage is not Coverage.CHECKED and _told(use.first, told):
            continue
        times = "" if use.count == 1 else f" ({use.count} times; the first is here)"
        findings.report(
            "KC0902" if building and lost else "KC0901",
            f"krun does not run `{use.what}` yet{times}"
            if use.coverage is not Coverage.PARTLY_RUN
            else f"krun runs `{use.what}` only in part{times}",
            use.first.word_span(use.index),
            label="not run" if use.coverage is not Coverage.PARTLY_RUN else "run in part",
            consequence=_AS_IS[use.coverage],
            help="remove it, or build with `--allow-errors` and do without" if building and lost else None,
            related=use.first.via(),
        )


def _moot(use: _Uses, findings: Findings) -> None:
    """A setting that krun needs no place for. Doing without it is no loss, so it keeps nobody from building."""
    findings.report(
        "KC0901",
        f"`{use.what}` has no meaning in krun",
        use.first.word_span(use.index),
        label="without meaning",
        consequence=use.moot,
        help="leave it there if keepalived reads this file too",
        related=use.first.via(),
    )


def _told(statement: Statement, told: Collection[tuple[str, int]]) -> bool:
    """Whether ``statement``, or something in its body, has been refused already."""
    file, line = statement.line.file, statement.line.number
    closed = statement.closed if isinstance(statement, Block) else None
    if closed is None or closed.file != file:
        return (file, line) in told
    return any(f == file and line <= n <= closed.line for f, n in told)


def uncarried(root: Node) -> tuple[str, ...]:
    """The keywords in ``root`` that have no place in the IR: what no comparison of IRs can see."""
    uses: dict[tuple[Keyword, str], _Uses] = {}
    _walk(root, uses)
    return tuple(dict.fromkeys(u.what for u in uses.values() if u.coverage is Coverage.CHECKED))


def _walk(node: Node, uses: dict[tuple[Keyword, str], _Uses]) -> None:
    index = node.keyword.index
    for field in node.fields.values():
        _leaf(index, field, uses)
    for fields in node.repeated.values():
        for field in fields:
            _leaf(index, field, uses)
    for child in node.blocks:
        keyword = child.keyword
        if keyword.coverage is not Coverage.RUN:
            _count(keyword, keyword.name, keyword.coverage, child.statement, 0, uses)
            if keyword.coverage is not Coverage.PARTLY_RUN:
                continue  # what stands inside is not run either
        if keyword.kind is Kind.LINES:
            _lines(child, uses)
        else:
            _walk(child, uses)


def _leaf(index: dict[str, Keyword], field: Field, uses: dict[tuple[Keyword, str], _Uses]) -> None:
    keyword = index[field.statement.words[0].text]
    if keyword.coverage is Coverage.RUN:
        if keyword.unrun and field.value in keyword.unrun:
            _count(keyword, f"{keyword.name} {field.value}", Coverage.CARRIED, field.statement, 1, uses)
        return
    if field.value is False and keyword.coverage is not Coverage.PARTLY_RUN:
        return  # said to be off, and off it is
    _count(keyword, keyword.name, keyword.coverage, field.statement, 0, uses)


def _lines(node: Node, uses: dict[tuple[Keyword, str], _Uses]) -> None:
    for field in node.lines:
        value = field.value
        if value.__class__ is AddressLine and value.use_vmac:
            option = "use_vmac"
            at = next((i for i, word in enumerate(field.statement.words) if word.text == option), 0)
            _count(
                node.keyword, f"{node.keyword.name} … {option}", Coverage.CARRIED, field.statement, at, uses
            )


def _count(
    keyword: Keyword,
    what: str,
    coverage: Coverage,
    statement: Statement,
    index: int,
    uses: dict[tuple[Keyword, str], _Uses],
) -> None:
    use = uses.get((keyword, what))
    if use is None:
        use = uses[keyword, what] = _Uses(what, coverage, statement, index, keyword.moot)
    use.count += 1
