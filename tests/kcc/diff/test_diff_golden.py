"""What `kcc diff` prints of telling changes, in every format. ``KCC_UPDATE_GOLDEN=1`` writes what it prints now: look at it.

A case is a folder: ``old.conf`` and ``new.conf``, or ``old`` and ``new`` with a file a director; further arguments in ``arguments``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kcc.cli import main

CASES = Path(__file__).parent / "cases"
FORMATS = {"text": "txt", "markdown": "md", "json": "json"}
AS_JSON = ("one_weight", "server_drained", "interval_and_password_v2", "vip_added_v2", "cluster_together")
"""Cases whose JSON is golden too; that of others holds whole objects, and follows every field that the model gets."""

RUNS = [
    (name, form)
    for name in sorted(p.name for p in CASES.iterdir())
    for form in FORMATS
    if form != "json" or name in AS_JSON
]


@pytest.mark.parametrize(("name", "form"), RUNS)
def test_golden(
    name: str, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CASES / name
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_COLOR", "1")
    extra = (folder / "arguments").read_text().split() if (folder / "arguments").exists() else []
    old, new = ("old", "new") if (folder / "old").is_dir() else ("old.conf", "new.conf")
    status = main(["diff", old, new, *extra, "--format", form])
    out, err = capsys.readouterr()
    assert err == ""
    assert status == (0 if name == "layout_only" else 1)
    # The digest is that of the whole IR: it follows every field that the model gets.
    out = re.sub(r"sha256:[0-9a-f]+", "sha256:…", out)
    golden = folder / f"expected.{FORMATS[form]}"
    if os.environ.get("KCC_UPDATE_GOLDEN"):
        golden.write_text(out)
    assert out == golden.read_text()


@pytest.mark.parametrize("name", sorted(p.name for p in CASES.iterdir()))
def test_the_worst_impact_stands_in_the_first_and_the_last_line(name: str) -> None:
    if name == "layout_only":
        return
    first, *_, last = (CASES / name / "expected.txt").read_text().splitlines()
    found = [re.search(r"impact: (\w+)", line) for line in (first, last)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0][1] == found[1][1]
