"""What people get wrong, as it is found in forums: each mistake gets one message, at its place, and says what to write.

``mistakes/*.case``: the file as it was written, byte for byte, a line of dashes, and a line for each finding: severity, code,
place, message, and behind ``|`` the help. ``KCC_UPDATE_GOLDEN=1`` rewrites the findings.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kcc.commands.verdicts import verdict
from kcc.compile import compile_input, options_for
from kcc.diagnostics.model import Diagnostic

CASES = sorted((Path(__file__).parent / "mistakes").glob("*.case"))
DASHES = b"----------\n"


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_a_mistake_is_told(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, _, expected = case.read_bytes().partition(DASHES)
    monkeypatch.chdir(tmp_path)
    Path("keepalived.conf").write_bytes(written)
    found = verdict(compile_input("keepalived.conf", options_for("keepalived-2.4.3"))).items
    lines = [_line(d) for d in sorted(found, key=lambda d: (d.span.line, d.span.column, d.code))]
    if os.environ.get("KCC_UPDATE_GOLDEN"):
        case.write_bytes(written + DASHES + "".join(f"{line}\n" for line in lines).encode())
    else:
        assert lines == expected.decode().splitlines()
    assert lines


def _line(d: Diagnostic) -> str:
    help_ = f" | {d.help}" if d.help else ""
    return f"{d.severity.word} {d.code} {d.span.line}:{d.span.column} {d.message}{help_}"
