"""``--format sarif``: a SARIF 2.1.0 log (OASIS, errata 01) with one run, for code scanning services and editors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kcc.diagnostics.codes import CODES
from kcc.diagnostics.model import Diagnostic, Fix, Severity, Span
from kcc.diagnostics.pages import load_page
from kcc.diagnostics.render.gitlab import fingerprint
from kcc.diagnostics.texts import SourceTexts
from kir.release import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def report(
    diagnostics: Sequence[Diagnostic], texts: SourceTexts, readable: bool = True, dropped: int = 0
) -> str:
    """The whole log. ``readable`` False: an input could not be read, so that the run was no success.

    ``dropped``: how many findings beyond the limit are only counted.
    """
    rules = sorted({d.code for d in diagnostics})
    index = {code: n for n, code in enumerate(rules)}
    invocation: dict[str, Any] = {"executionSuccessful": readable}
    if dropped:
        words = {"text": f"{dropped} more findings are not listed"}
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": words}]
    taken: set[str] = set()
    run = {
        "tool": {"driver": {"name": "kcc", "version": __version__, "rules": [_rule(code) for code in rules]}},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "results": [_result(d, index, fingerprint(d, texts, taken)) for d in diagnostics],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


def _rule(code: str) -> dict[str, Any]:
    entry = CODES.get(code)
    if entry is None:
        return {"id": code}
    rule: dict[str, Any] = {
        "id": code,
        "shortDescription": {"text": entry.title},
        "defaultConfiguration": {"level": _LEVEL[entry.severity]},
    }
    page = load_page(code)
    if page is not None:
        rule["fullDescription"] = {"text": page.what}
        rule["help"] = {"text": f"{page.what}\n\n{page.why}", "markdown": page.markdown()}
    return rule


def _result(d: Diagnostic, index: dict[str, int], name: str) -> dict[str, Any]:
    text = d.message
    for word, more in (("consequence", d.consequence), ("help", d.help)):
        if more:
            text += f"\n{word}: {more}"
    result: dict[str, Any] = {
        "ruleId": d.code,
        "ruleIndex": index[d.code],
        "level": _LEVEL[d.severity],
        "message": {"text": text},
        "locations": [_location(d.span)],
        "partialFingerprints": {"kcc/v1": name},
    }
    if d.related:
        result["relatedLocations"] = [
            {"id": n, **_location(r.span), "message": {"text": r.message}} for n, r in enumerate(d.related)
        ]
    if d.fix is not None:
        result["fixes"] = [_fix(d.fix)]
    return result


def _location(span: Span) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": uri(span.file)}}
    if span.line:
        place["region"] = _region(span)
    return {"physicalLocation": place}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": max(1, span.end_column),
    }


def _fix(fix: Fix) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        changes.setdefault(edit.span.file, []).append(
            {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.replacement}}
        )
    return {
        "description": {"text": fix.title + ("" if fix.safe else " (look at it first)")},
        "artifactChanges": [
            {"artifactLocation": {"uri": uri(file)}, "replacements": edits} for file, edits in changes.items()
        ],
    }


def uri(file: str) -> str:
    """``file`` as a URI: absolute names with their scheme, others relative to where kcc ran (RFC 3986 section 4.2)."""
    path = Path(file)
    encoded = quote(file.encode(errors="surrogateescape"), safe="/")
    if path.is_absolute():
        return "file://" + encoded
    return encoded.removeprefix("./")
