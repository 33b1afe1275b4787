"""``--format gitlab``: a Code Quality report (the subset of Code Climate's format that GitLab reads).

GitLab compares the reports of two branches by fingerprint: what has one that the other report holds too is not new. So a
fingerprint must survive lines that move; it is made of the code, the file and what the line says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from kcc.diagnostics.model import Diagnostic, Severity
from kcc.diagnostics.texts import SourceTexts

_SEVERITY = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


def report(diagnostics: Sequence[Diagnostic], texts: SourceTexts) -> str:
    """The whole report. Findings about a file as a whole are shown at its first line."""
    taken: set[str] = set()
    return json.dumps([_issue(d, texts, taken) for d in diagnostics], indent=1)


def fingerprint(d: Diagnostic, texts: SourceTexts, taken: set[str]) -> str:
    """A name for this finding that does not hold its line number. Equal findings on equal lines are told apart by their order.

    ``taken``: the fingerprints given so far in this report; the new one is added.
    """
    line = " ".join((texts.line(d.span.file, d.span.line) or "").split())
    count = 0
    while True:
        words = "\0".join((d.code, relative(d.span.file), line, str(count)))
        found = hashlib.sha256(words.encode(errors="surrogatepass")).hexdigest()
        if found not in taken:
            taken.add(found)
            return found
        count += 1


def relative(file: str) -> str:
    """``file`` as GitLab wants it: relative to the repository, without ``./``."""
    return file.removeprefix("./")


def _issue(d: Diagnostic, texts: SourceTexts, taken: set[str]) -> dict[str, Any]:
    return {
        "check_name": d.code,
        "description": f"{d.message} ({d.consequence})" if d.consequence else d.message,
        "severity": _SEVERITY[d.severity],
        "fingerprint": fingerprint(d, texts, taken),
        "location": {"path": relative(d.span.file), "lines": {"begin": max(1, d.span.line)}},
    }
