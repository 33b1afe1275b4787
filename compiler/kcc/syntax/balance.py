"""Lost and surplus braces: one message each, and the rest of the text understood as it was meant.

Only a file whose braces do not balance (or in which a top-level block begins inside another one) comes here. It is cut
into segments, one for each top-level block; a segment that balances is left alone. In the others indentation decides,
and where it does not tell, the end of the segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from kcc.diagnostics.model import Edit, Findings, Fix, Related, Span
from kcc.source.options import Limits
from kcc.syntax.known import ROOTS
from kcc.syntax.pieces import CLOSE, OPEN, STATEMENT, Piece
from kcc.syntax.stream import Terminal
from kcc.syntax.tree import Line, Place, Statement, Word

__all__ = ["balanced"]


class Event:
    """A statement, an opening or a closing, with what is needed to judge its place."""

    __slots__ = ("brace", "indent", "kind", "line", "number", "words")

    def __init__(self, piece: Piece, number: int) -> None:
        self.kind = piece.kind
        self.line = piece.line
        self.words: tuple[Word, ...] = piece.words
        self.number = number
        self.indent = piece.indent
        self.brace: Place | None = (piece.line, number, piece.brace) if piece.kind != STATEMENT else None

    @property
    def keyword(self) -> str:
        return self.words[0].text if self.words else ""

    def span(self) -> Span:
        """The head of a block, or the brace where there is none."""
        line = self.line.at(self.number)
        if self.words:
            return line.span(self.words[0].start, self.words[-1].end)
        assert self.brace is not None
        return line.span(self.brace[2], self.brace[2] + 1)

    def beside(self, other: Event) -> bool:
        """Whether the columns of the two can be compared: each is the first on its line, in one file."""
        return self.indent >= 0 and other.indent >= 0 and self.line.file == other.line.file


class Plan(msgspec.Struct):
    """What to do to a segment. ``closes``: index → the openings that end before that event; ``drops``: surplus braces."""

    closes: dict[int, list[Event]] = msgspec.field(default_factory=dict)
    drops: list[int] = msgspec.field(default_factory=list)
    closed_at: dict[int, int] = msgspec.field(default_factory=dict)
    """For each drop: the index of the closing brace that had closed the block around it, where that is known."""

    @property
    def cost(self) -> int:
        return len(self.drops) + sum(len(openings) for openings in self.closes.values())


def balanced(
    pieces: Iterable[tuple[Piece, int]], findings: Findings, limits: Limits, block_keywords: frozenset[str]
) -> Iterator[Terminal]:
    """The parser's terminals from any pieces: balanced, each repair reported once."""
    events = _join_heads(pieces, findings)
    repaired: list[Event | None] = []  # None: a closing brace that was missing
    for start, end in _segments(events):
        segment = events[start:end]
        if _balance(segment) != (0, 0):
            after = events[end] if end < len(events) else None
            repaired += _repair(segment, after, findings, limits, block_keywords)
        else:
            repaired += segment
    return _terminals(repaired, findings, limits)


def _join_heads(pieces: Iterable[tuple[Piece, int]], findings: Findings) -> list[Event]:
    """One event for a head and its brace, also where the brace stands on a later line."""
    events: list[Event] = []
    for piece, number in pieces:
        event = Event(piece, number)
        if event.kind == OPEN and not event.words:
            if events and events[-1].kind == STATEMENT:
                head = events[-1]
                head.kind = OPEN
                head.brace = event.brace
                continue
            findings.report(
                "KC0206",
                "this `{` belongs to no keyword",
                event.span(),
                consequence="keepalived ignores the brace and takes the `}` that belongs to it for the end of the block around it",
                help="write the keyword in front of it, or remove the brace and its `}`",
                related=event.line.via,
            )
        events.append(event)
    return events


def _segments(events: list[Event]) -> Iterator[tuple[int, int]]:
    """Ranges that begin with a top-level keyword at the left edge (the first one also with what stands before it)."""
    base: int | None = None
    start = 0
    for index, event in enumerate(events):
        if event.kind == CLOSE or event.indent < 0 or event.keyword not in ROOTS:
            continue
        if base is None:
            base = event.indent
            if index and _balance(events[:index]) != (0, 0):
                yield start, index
                start = index
        elif event.indent <= base:
            yield start, index
            start = index
    if start < len(events):
        yield start, len(events)


def _balance(events: list[Event]) -> tuple[int, int]:
    """Openings minus closings, and how far the depth falls below 0 on the way."""
    depth = lowest = 0
    for event in events:
        if event.kind == OPEN:
            depth += 1
        elif event.kind == CLOSE:
            depth -= 1
            lowest = min(lowest, depth)
    return depth, -lowest


def _repair(
    segment: list[Event],
    after: Event | None,
    findings: Findings,
    limits: Limits,
    block_keywords: frozenset[str],
) -> list[Event | None]:
    """The segment with balanced braces, and a finding for each brace added or ignored."""
    net, _below = _balance(segment)
    if net < 0:
        _open_missing(segment, -net, findings, block_keywords)
    elif net > 0:
        nameless = [event for event in segment if event.kind == OPEN and not event.words]
        ignored = {id(event) for event in nameless[:net]}
        segment = [event for event in segment if id(event) not in ignored]
    if _balance(segment) == (0, 0):
        return list(segment)
    plans = [_plan(segment, statements=False, closings=False)]
    if _depth(segment) <= limits.max_block_depth:
        plans.insert(0, _plan(segment, statements=False, closings=True))
        plans.insert(0, _plan(segment, statements=True, closings=True))
    plan = min(plans, key=lambda p: p.cost)
    for index, openings in plan.closes.items():
        following = segment[index] if index < len(segment) else after
        for opening in openings:
            _report_unclosed(opening, following, findings)
    for index in plan.drops:
        _report_surplus(segment, index, plan, findings)
    dropped = set(plan.drops)
    result: list[Event | None] = []
    for index in range(len(segment) + 1):
        result += [None] * len(plan.closes.get(index, ()))
        if index < len(segment) and index not in dropped:
            result.append(segment[index])
    return result


def _depth(events: list[Event]) -> int:
    depth = highest = 0
    for event in events:
        depth += (event.kind == OPEN) - (event.kind == CLOSE)
        highest = max(highest, depth)
    return highest


def _open_missing(
    segment: list[Event], need: int, findings: Findings, block_keywords: frozenset[str]
) -> None:
    """Too many closings: look for keywords that must have a body and have no brace."""
    for index, event in enumerate(segment):
        if need == 0:
            return
        if event.kind != STATEMENT or event.keyword not in block_keywords:
            continue
        following = segment[index + 1] if index + 1 < len(segment) else None
        if following is None:
            continue
        deeper = event.beside(following) and following.indent > event.indent
        if not deeper and event.keyword not in ROOTS:
            continue
        span = event.span()
        there = Span(span.file, span.end_line, span.end_column, span.end_line, span.end_column + 1)
        findings.report(
            "KC0205",
            f"`{event.keyword}` lacks its `{{`",
            there,
            label="expected here",
            consequence="keepalived reads the lines that follow at the wrong level",
            related=event.line.via,
            fix=Fix("insert the brace", (Edit(Span(there.file, there.line, there.column), " {"),)),
        )
        event.kind = OPEN
        need -= 1


def _plan(segment: list[Event], *, statements: bool, closings: bool) -> Plan:
    """Walk through a segment, guided by the indentation of closing braces and, if asked, of statements."""
    plan = Plan()
    stack: list[Event] = []
    surplus_first = closings and _balance(segment)[0] < 0
    last_close: int | None = None
    for index, event in enumerate(segment):
        if event.kind != CLOSE:
            while statements and stack and event.beside(stack[-1]) and event.indent <= stack[-1].indent:
                plan.closes.setdefault(index, []).append(stack.pop())
            if event.kind == OPEN:
                stack.append(event)
            continue
        if not stack:
            plan.drops.append(index)
            if last_close is not None:
                plan.closed_at[index] = last_close
            continue
        top = stack[-1]
        if closings and event.beside(top) and event.indent != top.indent:
            owner = next((o for o in reversed(stack) if event.beside(o) and o.indent == event.indent), None)
            if owner is not None and event.indent < top.indent:
                while stack[-1] is not owner:
                    plan.closes.setdefault(index, []).append(stack.pop())
            elif surplus_first and event.indent > top.indent:
                plan.drops.append(index)
                continue
        stack.pop()
        last_close = index
    if stack:
        plan.closes.setdefault(len(segment), []).extend(reversed(stack))
    return plan


def _report_unclosed(opening: Event, following: Event | None, findings: Findings) -> None:
    related: list[Related] = []
    if following is not None and following.line.file == opening.line.file:
        related.append(Related(following.span(), "a `}` is missing before this line"))
    name = f"`{opening.keyword}`" if opening.words else "this brace"
    findings.report(
        "KC0204",
        f"the block of {name} is not closed",
        opening.span(),
        label="opened here",
        consequence="keepalived reads what follows as part of this block"
        if following is not None
        else "keepalived reaches the end of the file inside the block",
        help="add the missing `}`",
        related=(*related, *opening.line.via),
    )


def _report_surplus(segment: list[Event], index: int, plan: Plan, findings: Findings) -> None:
    event = segment[index]
    related: list[Related] = []
    before = plan.closed_at.get(index)
    if before is not None:
        related.append(Related(segment[before].span(), "the last block was closed here already"))
    findings.report(
        "KC0203",
        "this `}` closes nothing",
        event.span(),
        consequence="keepalived reports it, or closes another block with it",
        help="remove it, or look for a `{` that is missing above",
        related=(*related, *event.line.via),
    )


def _terminals(events: list[Event | None], findings: Findings, limits: Limits) -> Iterator[Terminal]:
    run: list[Statement] = []
    depth = too_deep = 0
    reported = False
    for event in events:
        if too_deep:
            # Inside a block that is not kept: only count braces.
            kind = CLOSE if event is None else event.kind
            too_deep += (kind == OPEN) - (kind == CLOSE)
            continue
        if event is not None and event.kind == STATEMENT:
            run.append(Statement(event.line, event.words, event.number))
            continue
        if event is not None and event.kind == OPEN and depth >= limits.max_block_depth:
            too_deep = 1
            if not reported:
                reported = True
                findings.report(
                    "KC0207",
                    f"blocks are nested more than {limits.max_block_depth} deep",
                    event.span(),
                    consequence="what is deeper is not read",
                    related=event.line.via,
                )
            continue
        if run:
            yield "STATEMENTS", run
            run = []
        if event is None:
            depth -= 1
            yield "CLOSE", None
        elif event.kind == OPEN:
            depth += 1
            line: Line | None = event.line if event.words else None
            yield "OPEN", (line, event.words, event.number, event.brace)
        else:
            depth -= 1
            yield "CLOSE", event.brace
    if run:
        yield "STATEMENTS", run
