"""``--format json``: one object, as stable as the exit codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kcc.diagnostics.model import Diagnostic, Fix, Severity, Span


def report(
    files: Sequence[str],
    diagnostics: Sequence[Diagnostic],
    dropped: int = 0,
    more: Mapping[str, Any] | None = None,
) -> str:
    """The whole report. ``dropped``: how many diagnostics beyond the limit are only counted. ``more``: further members."""
    import json  # `counts` alone serves every format

    body: dict[str, Any] = {
        "version": 1,
        "files": list(files),
        "diagnostics": [_diagnostic(d) for d in diagnostics],
        "summary": {**counts(diagnostics), **({"dropped": dropped} if dropped else {})},
        **(more or {}),
    }
    return json.dumps(body, indent=1, ensure_ascii=True)


def counts(diagnostics: Iterable[Diagnostic]) -> dict[str, int]:
    """How many of each severity."""
    found = {"errors": 0, "warnings": 0, "notes": 0}
    for d in diagnostics:
        found[f"{d.severity.word}s"] += 1
    return found


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _diagnostic(d: Diagnostic) -> dict[str, Any]:
    return {
        "code": d.code,
        "severity": d.severity.word,
        "message": d.message,
        **_place(d.span),
        "label": d.label or None,
        "consequence": d.consequence,
        "help": d.help,
        "related": [{**_place(r.span), "message": r.message} for r in d.related],
        "fix": _fix(d.fix) if d.fix is not None else None,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "safe": fix.safe,
        "edits": [{**_place(e.span), "replacement": e.replacement} for e in fix.edits],
    }


__all__ = ["Severity", "counts", "report"]
