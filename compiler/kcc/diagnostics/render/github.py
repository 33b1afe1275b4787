"""``--format github``: workflow commands, which GitHub Actions shows as annotations of the changed lines.

A command is ``::LEVEL key=value,key=value::message``. What would end a message or a property is percent-encoded.
"""

from __future__ import annotations

from collections.abc import Sequence

from kcc.diagnostics.model import Diagnostic, Severity

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_STDIN = "-"


def report(diagnostics: Sequence[Diagnostic], dropped: int = 0) -> str:
    """One line a finding. ``dropped``: how many findings beyond the limit are only counted."""
    lines = [_command(d) for d in diagnostics]
    if dropped:
        lines.append(f"::error title=kcc::{_data(f'{dropped} more findings are not shown')}")
    return "".join(line + "\n" for line in lines)


def notice(words: str) -> str:
    """A line about the whole run, at no place."""
    return f"::notice title=kcc::{_data(words)}\n"


def _command(d: Diagnostic) -> str:
    properties: list[tuple[str, str]] = []
    if d.span.file != _STDIN:
        properties.append(("file", d.span.file))
        if d.span.line:
            properties += _lines(d)
    properties.append(("title", d.code))
    words = ",".join(f"{key}={_property(value)}" for key, value in properties)
    return f"::{_LEVEL[d.severity]} {words}::{_data(_message(d))}"


def _lines(d: Diagnostic) -> list[tuple[str, str]]:
    """Lines, and columns where the finding ends on its first line: GitHub refuses columns of several lines."""
    span = d.span
    lines = [("line", str(span.line)), ("endLine", str(span.end_line))]
    if span.line != span.end_line:
        return lines
    return [*lines, ("col", str(span.column)), ("endColumn", str(span.end_column))]


def _message(d: Diagnostic) -> str:
    parts = [d.message]
    if d.consequence:
        parts.append(f"consequence: {d.consequence}")
    if d.help:
        parts.append(f"help: {d.help}")
    return "\n".join(parts)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
