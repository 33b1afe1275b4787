"""From logical lines to the syntax tree."""

from __future__ import annotations

from pathlib import Path

from kcc.diagnostics.model import Findings
from kcc.source.options import Options
from kcc.syntax.parse import parse_file, parse_text
from kcc.syntax.tree import Block, Line, Statement, Tree, Word

__all__ = [
    "Block",
    "Findings",
    "Line",
    "Options",
    "Path",
    "Statement",
    "Tree",
    "Word",
    "parse_file",
    "parse_text",
]
