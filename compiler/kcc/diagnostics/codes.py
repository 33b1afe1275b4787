"""The table of diagnostic codes: stable, grouped by area, never reused.

``KC00xx`` input and files · ``KC01xx`` lexical level, definitions, includes, replication · ``KC02xx`` structure and
keywords · ``KC03xx`` values · ``KC04xx`` global_defs and scripts · ``KC05xx`` VRRP · ``KC06xx`` tracking ·
``KC07xx`` virtual servers · ``KC08xx`` checkers · ``KC09xx`` targets and coverage · ``KC10xx`` IR documents.
"""

from __future__ import annotations

from dataclasses import dataclass

from kcc.diagnostics.model import Severity

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding: ``title`` names it in a few words, ``severity`` is what it has unless a rule says otherwise."""

    code: str
    title: str
    severity: Severity


def _table(*rows: tuple[str, str, Severity]) -> dict[str, Code]:
    table = {code: Code(code, title, severity) for code, title, severity in rows}
    if len(table) != len(rows):
        raise ValueError("a diagnostic code stands twice in the table")
    return table


CODES: dict[str, Code] = _table(
    # --- input and files
    ("KC0001", "file cannot be read", E),
    ("KC0002", "not a configuration but a template or another language", E),
    ("KC0003", "NUL byte", E),
    ("KC0004", "line too long", E),
    ("KC0005", "input too large", E),
    ("KC0006", "text is not UTF-8", N),
    ("KC0007", "file holds no configuration", W),
    ("KC0008", "byte order mark", E),
    # --- lexical level
    ("KC0101", "quote not closed", E),
    ("KC0102", "included file missing or unusable", E),
    ("KC0103", "include cycle or includes nested too deep", E),
    ("KC0104", "definition refers to itself", E),
    ("KC0105", "expansion too large", E),
    ("KC0106", "bad use of a predefined definition", E),
    ("KC0107", "bad ~SEQ or ~LST", E),
    ("KC0108", "undefined definition", W),
    ("KC0109", "include matches nothing", W),
    ("KC0110", "included file skipped", W),
    ("KC0111", "malformed definition or condition", E),
    ("KC0112", "condition made by a definition", W),
    ("KC0113", "escaped comment character lost", E),
    ("KC0114", "line continuation does not exist", E),
    # --- structure and keywords
    ("KC0201", "unknown keyword", E),
    ("KC0202", "unknown block", E),
    ("KC0203", "closing brace without a block", E),
    ("KC0204", "block not closed", E),
    ("KC0205", "opening brace missing", E),
    ("KC0206", "unexpected opening brace", E),
    ("KC0207", "blocks nested too deep", E),
    ("KC0208", "keyword in the wrong block", E),
    ("KC0209", "words that keepalived ignores", W),
    # --- values
    ("KC0301", "argument missing", E),
    ("KC0302", "not a number", E),
    ("KC0303", "number out of range", E),
    ("KC0304", "not one of the allowed words", E),
    ("KC0305", "not a boolean", E),
    ("KC0306", "not an address", E),
    ("KC0307", "value malformed", E),
    ("KC0308", "given twice", W),
    ("KC0309", "value too long", E),
    ("KC0310", "value adjusted", E),
    ("KC0311", "option unknown", E),
    ("KC0312", "name defined twice", E),
    ("KC0313", "deprecated", N),
    # --- IR documents
    ("KC1001", "not a usable IR", E),
    ("KC1002", "dangling reference in an IR", E),
    ("KC0314", "in the wrong order", E),
    ("KC0315", "command without quotes", W),
    # --- targets and coverage
    ("KC0901", "not run by krun yet", N),
    ("KC0902", "not carried to krun", E),
    ("KC0903", "keyword unknown to the target release", E),
)
