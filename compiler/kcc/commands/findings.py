"""Findings on standard error, for commands whose standard output is something else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kcc.compile import Compiled
from kcc.diagnostics.model import Severity


def show(results: Sequence[Compiled], least: Severity = Severity.WARNING) -> None:
    """Print what is at least as bad as ``least``, with a summary line for an input that has any."""
    from kcc.diagnostics.render.json import counts
    from kcc.diagnostics.render.text import Writer, render, summary
    from kcc.diagnostics.texts import SourceTexts

    for result in results:
        items = [d for d in result.findings.items if d.severity >= least]
        if items:
            texts = SourceTexts(result.texts)
            render(texts.veiled(items), texts, sys.stderr)
            Writer(sys.stderr).line(*summary(result.name, counts(items)))
