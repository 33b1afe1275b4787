"""Golden cases in one file: a configuration, a line of dashes, the diagnostics, and perhaps dashes and an excerpt of the IR.

A diagnostic is a line ``severity code line:column message``; only those of lowering and rules stand there (KC04xx to KC08xx).
A first line ``! target: NAME`` chooses whose rules hold. The excerpt is JSON: what it names must be in the IR, what it leaves out is not looked at. ``KCC_UPDATE_GOLDEN=1`` rewrites both.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from kcc.diagnostics.model import Findings, Severity
from kcc.language.descent import descend
from kcc.lower import Lowered, lower
from kcc.rules import judge
from kcc.source.options import Options
from kcc.syntax import parse_file, parse_text
from kcc.syntax.tree import Tree

DASHES = "----------"
TARGET = "keepalived-2.4.3"
OURS = ("KC04", "KC05", "KC06", "KC07", "KC08")
UPDATE = bool(os.environ.get("KCC_UPDATE_GOLDEN"))


@dataclass
class Case:
    path: Path
    text: str
    expected: list[str]
    excerpt: Any

    @classmethod
    def load(cls, path: Path) -> Case:
        parts = path.read_text().split(DASHES + "\n")
        excerpt = json.loads(parts[2]) if len(parts) > 2 else None
        expected = parts[1].splitlines() if len(parts) > 1 else []
        return cls(path, parts[0], expected, excerpt)

    @property
    def target(self) -> str:
        """The release of a first line ``! target: keepalived-2.2.7``."""
        first = self.text.split("\n", 1)[0]
        return first.removeprefix("! target: ") if first.startswith("! target: ") else TARGET

    def write(self) -> None:
        text = self.text + DASHES + "\n" + "".join(line + "\n" for line in self.expected)
        if self.excerpt is not None:
            text += DASHES + "\n" + json.dumps(self.excerpt, indent=2) + "\n"
        self.path.write_text(text)


def compile_text(text: str, target: str = TARGET) -> tuple[Lowered, Findings]:
    """A configuration through all stages."""
    findings = Findings()
    return _compile(parse_text(text, "test.conf", findings), findings, target)


def compile_file(path: Path, config_id: str | None = None) -> tuple[Lowered, Findings]:
    """A file, with what it includes, through all stages."""
    findings = Findings()
    return _compile(parse_file(path, findings, Options(config_id=config_id)), findings, TARGET)


def _compile(tree: Tree, findings: Findings, target: str) -> tuple[Lowered, Findings]:
    root = descend(tree, findings, target)
    lowered = lower(root, findings, target)
    judge(lowered, findings, target)
    return lowered, findings


def said(findings: Findings) -> list[str]:
    """The diagnostics of lowering and rules, in the order of the text."""
    items = [d for d in findings.items if d.code.startswith(OURS)]
    items.sort(key=lambda d: (d.span.line, d.span.column, d.code))
    return [f"{d.severity.word} {d.code} {d.span.line}:{d.span.column} {d.message}" for d in items]


def plain(config: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(config))


def refresh(excerpt: Any, actual: Any) -> Any:
    """The excerpt with the values that are there now."""
    if isinstance(excerpt, dict) and isinstance(actual, dict):
        return {key: refresh(value, actual.get(key)) for key, value in excerpt.items()}
    if isinstance(excerpt, list) and isinstance(actual, list) and len(excerpt) == len(actual):
        return [refresh(e, a) for e, a in zip(excerpt, actual, strict=True)]
    return actual


def check(path: Path) -> None:
    """Compare one case with what the compiler says, or rewrite it."""
    case = Case.load(path)
    lowered, findings = compile_text(case.text, case.target)
    foreign = [d for d in findings.items if d.severity is Severity.ERROR and not d.code.startswith(OURS)]
    assert not foreign, f"{path.name} is not well-formed: {foreign[0].message} in line {foreign[0].span.line}"
    actual = said(findings)
    seen = None if case.excerpt is None else refresh(case.excerpt, plain(lowered.config))
    if UPDATE:
        Case(path, case.text, actual, seen).write()
        return
    assert actual == case.expected
    assert seen == case.excerpt
