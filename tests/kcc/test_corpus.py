"""Real configurations of others, where a corpus lies beside the checkout: nothing crashes, nothing hangs.

Looked for in ``$KCC_CORPUS``, else in a folder ``*/corpus/configs`` beside the checkout. Without one only the project's own
examples are judged.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kcc.compile import compile_input, options_for
from kcc.diagnostics.texts import SourceTexts
from kir.codec import dumps, loads
from kir.plan.plan import plan

ROOT = Path(__file__).resolve().parents[2]


def _corpus() -> list[Path]:
    given = os.environ.get("KCC_CORPUS")
    folder = Path(given) if given else next(ROOT.parent.glob("*/corpus/configs"), None)
    return sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []


CORPUS = _corpus()
EXAMPLES = sorted(p for p in (ROOT / "examples").glob("*.conf"))
TEMPLATES = sorted(p for f in CORPUS[:1] for p in (f.parents[1] / "templates").iterdir())


@pytest.mark.parametrize("path", [*EXAMPLES, *CORPUS], ids=lambda p: p.stem[:40])
def test_no_traceback_no_hang(path: Path) -> None:
    started = time.monotonic()
    for target in ("keepalived-2.4.3", "krun"):
        result = compile_input(str(path), options_for(target, "director"), building=target == "krun")
        texts = SourceTexts()
        for d in result.findings.items:
            assert d.message and d.code
            if d.span.line and d.span.file == str(path):
                line = texts.line(d.span.file, d.span.line)
                assert line is not None, d
                assert 1 <= d.span.column <= len(line) + 1, d
        if result.lowered is None:
            continue
        doc = result.document(allow_errors=True)
        assert loads(dumps(doc)).digest == doc.digest
        assert not plan(doc.config, doc.config).operations
    assert time.monotonic() - started < 60


if TEMPLATES:

    @pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name[:40])
    def test_a_template_is_one_message(path: Path) -> None:
        result = compile_input(str(path), options_for("keepalived-2.4.3"))
        assert [d.code for d in result.findings.items if d.severity.word != "note"] == ["KC0002"]
