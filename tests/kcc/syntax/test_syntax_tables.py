"""The generated tables are those of this grammar, and nothing is written at run time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kcc.syntax
from kcc.syntax import make_tables

FOLDER = Path(kcc.syntax.__file__).parent


def test_the_committed_tables_are_fresh(tmp_path: Path) -> None:
    """`python -m kcc.syntax.make_tables` makes them again."""
    for path in make_tables.generate(tmp_path):
        assert path.read_text() == (FOLDER / path.name).read_text(), f"{path.name} is stale"


def test_parsing_writes_no_file(tmp_path: Path) -> None:
    (tmp_path / "k.conf").write_text("a {\n b\n}\n")
    program = (
        "from kcc.syntax import *; f = Findings(); print(len(parse_file('k.conf', f).body), len(f.items))"
    )
    before = sorted(p.name for p in FOLDER.iterdir())
    done = subprocess.run(
        [sys.executable, "-B", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "0"] and done.stderr == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["k.conf"]
    assert sorted(p.name for p in FOLDER.iterdir()) == before
