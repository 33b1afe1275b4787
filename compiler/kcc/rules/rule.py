"""What a rule is, and what it gets to see."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kcc.diagnostics.model import Findings, Related, Severity
from kcc.lower.lowered import Lowered
from kir.model import Config

__all__ = ["Case", "Rule"]


class Rule(msgspec.Struct, frozen=True, eq=False):
    """A judgement over a finished configuration. ``check`` reports what it finds under ``code``; its docstring says why."""

    code: str
    check: Callable[[Case], None]


class Case(msgspec.Struct, eq=False):
    """One configuration before the rules. Places come from the origins, so a rule judges an ir.json like a text."""

    lowered: Lowered
    findings: Findings
    target: str

    @property
    def config(self) -> Config:
        return self.lowered.config

    def say(
        self,
        code: str,
        message: str,
        path: str,
        field: str | None = None,
        *,
        label: str = "",
        consequence: str | None = None,
        help: str | None = None,
        also: tuple[tuple[str, str | None, str], ...] = (),
        severity: Severity | None = None,
    ) -> None:
        """Report about the object at ``path`` or its ``field``; ``also``: (path, field, text) of second places."""
        related = tuple(Related(self.lowered.span(p, f), text) for p, f, text in also)
        self.findings.report(
            code,
            message,
            self.lowered.span(path, field),
            label=label,
            consequence=consequence,
            help=help,
            related=(*(r for r in related if r.span.line), *self.lowered.via(path)),
            severity=severity,
        )


def addresses(names: list[str]) -> str:
    """Addresses for a message: all of them up to three, else the first two and a number."""
    if len(names) > 3:
        return f"{', '.join(names[:2])} and {len(names) - 2} more"
    return ", ".join(names) or "no address"
