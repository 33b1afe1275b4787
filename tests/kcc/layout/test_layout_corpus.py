"""The text tools on real configurations of others: the meaning stays. Looked for as in `kcc/test_corpus.py`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from kcc.commands.decompile import differences
from kcc.decompile import Unprintable, text_of
from kcc.diagnostics.model import Findings
from kcc.language.descent import descend
from kcc.layout import Refused, formatted
from kcc.layout.expanded import expanded_text
from kcc.lower import lower
from kcc.source.options import Options
from kcc.syntax import parse_text
from kcc.syntax.tree import Tree
from kir.canonical import canonical, digest
from kir.model import Config

ROOT = Path(__file__).parents[3]
OPTIONS = Options(target="krun", config_id="director1")


def _corpus() -> list[Path]:
    given = os.environ.get("KCC_CORPUS")
    folder = Path(given) if given else next(ROOT.parent.glob("*/corpus/configs"), None)
    found = sorted(p for p in folder.iterdir() if p.is_file()) if folder and folder.is_dir() else []
    return [*found, *sorted((ROOT / "examples").glob("*.conf"))]


CORPUS = _corpus()


def compiled(data: bytes) -> tuple[Tree, Config, Counter[str]]:
    """Tree, IR and the codes of what was found."""
    findings = Findings()
    tree = parse_text(data, "t.conf", findings, OPTIONS)
    config = lower(descend(tree, findings, OPTIONS.target), findings, OPTIONS.target).config
    return tree, config, Counter(d.code for d in findings.items)


def test_formatting_changes_no_meaning_and_no_finding() -> None:
    done = 0
    for path in CORPUS:
        data = path.read_bytes()
        try:
            made = formatted(data, path.name)
        except Refused as e:
            assert "braces" in e.reason or "not a keepalived configuration" in e.reason, path
            continue
        done += 1
        assert formatted(made, path.name) == made, path
        _tree, before, said = compiled(data)
        _tree, after, says = compiled(made)
        assert digest(before) == digest(after), path
        assert said == says, path
    assert done >= 0.9 * len(CORPUS)


def test_expanding_changes_no_meaning() -> None:
    for path in CORPUS:
        tree, before, _said = compiled(path.read_bytes())
        _tree, after, _says = compiled(expanded_text(tree).encode("utf-8", "surrogateescape"))
        assert digest(before) == digest(after), path


def test_the_ir_survives_its_text() -> None:
    done = 0
    for path in CORPUS:
        _tree, config, said = compiled(path.read_bytes())
        config = canonical(config)
        try:
            text = text_of(config).encode("utf-8", "surrogateescape")
        except Unprintable as e:
            # Only a file that gives one service to two virtual servers makes an IR that no text can say.
            assert said["KC0702"], (path, e)
            continue
        done += 1
        assert differences(config, text, "t.conf") == [], path
    assert done >= 0.95 * len(CORPUS)
