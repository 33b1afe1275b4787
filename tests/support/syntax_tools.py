"""Short ways to parse and to look at what came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcc.diagnostics.model import Findings
from kcc.source import Options
from kcc.syntax import Block, Statement, Tree, parse_text

Outline = list[Any]


def parse(text: str | bytes, **options: Any) -> tuple[Tree, Findings]:
    """The tree of ``text`` and what was found; the configuration id is ``me``."""
    findings = Findings()
    options.setdefault("config_id", "me")
    return parse_text(text, "t.conf", findings, Options(**options)), findings


def outline(body: list[Statement]) -> Outline:
    """Statements as their words joined by blanks, blocks as ``[head, [body]]``."""
    return [[_words(node), outline(node.body)] if isinstance(node, Block) else _words(node) for node in body]


def _words(node: Statement) -> str:
    return " ".join(f'"{w.text}"' if w.quoted else w.text for w in node.words)


def read(text: str | bytes, **options: Any) -> Outline:
    """The outline of a text in which nothing is wrong."""
    tree, findings = parse(text, **options)
    assert [f"{d.code} {d.message}" for d in findings.items] == []
    return outline(tree.body)


def codes(text: str | bytes, **options: Any) -> list[tuple[str, int, int]]:
    """``(code, line, column)`` of each finding."""
    _tree, findings = parse(text, **options)
    return [(d.code, d.span.line, d.span.column) for d in findings.items]


def with_findings(text: str | bytes, **options: Any) -> tuple[Outline, list[tuple[str, int]]]:
    """The outline, and ``(code, line)`` of each finding."""
    tree, findings = parse(text, **options)
    return outline(tree.body), [(d.code, d.span.line) for d in findings.items]


def write(folder: Any, files: Mapping[str, str | bytes]) -> None:
    """Create files below ``folder``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(0o644)
