"""What all lowering steps share: where to report, what was said globally, and what has been made already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kcc.diagnostics.model import Findings, Related, Severity, Span
from kcc.language.changes import older
from kcc.lower.lowered import Where, span_of, statement_of
from kcc.syntax.tree import Block

if TYPE_CHECKING:
    from collections.abc import Callable

    from kcc.language.parsed import Node
    from kcc.lower.global_defs import Defaults
    from kcc.lower.tracked import Trackable
    from kcc.syntax.tree import Statement


class Scope(msgspec.Struct, eq=False):
    """One lowering.

    ``nodes``: which piece of text each object of the IR came from. ``made``: values made so far, so that equal ones are
    one object (a configuration repeats itself thousands of times). ``misplaced``: scripts that stand below their use. ``tracked``: files, processes and BFD sessions by
    kind and name; ``at``: which root block is being lowered, for what must stand above its use.
    ``links``: names of VMACs and ipvlans.
    """

    findings: Findings
    target: str
    defaults: Defaults
    nodes: dict[str, Where] = msgspec.field(default_factory=dict)
    made: dict[Any, Any] = msgspec.field(default_factory=dict)
    misplaced: set[str] = msgspec.field(default_factory=set)
    tracked: dict[tuple[str, str], Trackable] = msgspec.field(default_factory=dict)
    at: int = 0
    links: set[str] = msgspec.field(default_factory=set)

    def say(
        self,
        code: str,
        message: str,
        at: Where | Span,
        *,
        label: str = "",
        consequence: str | None = None,
        help: str | None = None,
        also: tuple[tuple[Where, str], ...] = (),
        severity: Severity | None = None,
    ) -> None:
        """Report; ``also`` are second places with what to say about them."""
        via: tuple[Related, ...] = ()
        if isinstance(at, Span):
            span = at
        else:
            span, via = span_of(at), statement_of(at).via()
        related = tuple(Related(span_of(place), text) for place, text in also)
        self.findings.report(
            code,
            message,
            span,
            label=label,
            consequence=consequence,
            help=help,
            related=(*related, *via),
            severity=severity,
        )

    def since(self, release: str) -> Severity | None:
        """The severity of what keepalived refuses from ``release`` on: the code's own, and for an earlier target a warning."""
        return Severity.WARNING if older(self.target, release) else None

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value that ``make`` gives, made once for all equal keys."""
        value = self.made.get(key)
        if value is None:
            value = self.made[key] = make()
        return value


def wrote(node: Node, *keywords: str) -> bool:
    """Whether one of ``keywords`` stands in the block, though its value may have been refused.

    A refused value has had its message: saying that the keyword is missing would be a second one for the same mistake.
    A list counts as written only where it has lines.
    """
    block = node.statement
    if not isinstance(block, Block):
        return False
    return any(
        inner.keyword in keywords
        and (not isinstance(inner, Block) or inner.body or inner.keyword == "real_server")
        for inner in block.body
    )


def before(first: Statement, second: Statement) -> bool:
    """Whether ``first`` stands before ``second``. Known only within a file; across files the answer is yes."""
    if first.line.file != second.line.file or first.line.number == second.line.number:
        return True
    return first.line.number < second.line.number


def seconds(us: int) -> str:
    """A duration for a message: ``1 s``, ``0.25 s``, ``40.95 s``."""
    whole, rest = divmod(us, 1_000_000)
    if not rest:
        return f"{whole} s"
    return f"{whole}.{rest:06d}".rstrip("0") + " s"


def some(names: list[str], most: int = 3) -> str:
    """A list for a message: ``a``, ``a and b``, ``a, b and 5 more``."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
