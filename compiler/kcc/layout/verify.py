"""Whether two texts of one file say the same: read by the compiler's own reader and parser, compared statement by statement."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from kcc.diagnostics.model import Diagnostic, Findings, Related
from kcc.source.options import Options
from kcc.source.reader import Reader
from kcc.source.text import Text
from kcc.syntax import _parsetab
from kcc.syntax.balance import balanced
from kcc.syntax.grammar import Parser
from kcc.syntax.known import BLOCKS
from kcc.syntax.stream import Stream, Unbalanced
from kcc.syntax.tree import Block, Statement, Tree

__all__ = ["Saying", "read", "signature"]


class _OneFile(Reader):
    """Reads the text of one file: what it includes is noted, not opened."""

    included: list[str]

    def _include(self, text: Text, match: re.Match[str], place: object, via: tuple[Related, ...]) -> None:
        self.included.append(text.value)


class Saying:
    """What a text says: ``digest`` is equal for equal statements; ``findings`` are those of reading and structure."""

    def __init__(self, digest: str, findings: list[Diagnostic]) -> None:
        self.digest = digest
        self.findings = findings


def read(data: bytes, name: str, options: Options) -> Saying:
    """Read ``data`` as the file ``name``, without its includes."""
    findings = Findings()
    reader = _reader(data, name, findings, options)
    parser = Parser(_parsetab)
    try:
        body = parser.parse(Stream(reader, findings, options).terminals())
    except Unbalanced:
        findings.items.clear()
        reader = _reader(data, name, findings, options)
        stream = Stream(reader, findings, options)
        body = parser.parse(balanced(stream.numbered(), findings, options.limits, BLOCKS))
    mark = signature(body)
    for text in reader.included:
        mark.update(f"{text}\3".encode("utf-8", "surrogateescape"))
    for word, definition in reader.definitions.table.items():
        mark.update(f"{word}={definition.lines}\4".encode("utf-8", "surrogateescape"))
    return Saying(mark.hexdigest(), findings.items)


def signature(body: list[Statement]) -> Any:
    """A running hash over every statement: its words, their quotes, and how they are nested."""
    mark = hashlib.blake2b(digest_size=20)
    for node in Tree(body, (), 0).walk():
        words = "\0".join(f'"{w.text}' if w.quoted else w.text for w in node.words)
        raw = node.raw if "'" in node.raw or "\\" in node.raw else ""
        inside = len(node.body) if isinstance(node, Block) else -1
        mark.update(f"{words}\1{raw}\1{inside}\2".encode("utf-8", "surrogateescape"))
    return mark


def _reader(data: bytes, name: str, findings: Findings, options: Options) -> _OneFile:
    reader = _OneFile(findings, options)
    reader.included = []
    reader.open_text(data, name)
    return reader
