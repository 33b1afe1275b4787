"""Parse a configuration: `parse_file` and `parse_text`."""

# Names go to messages as they were written; pathlib would tidy them up first.
# ruff: noqa: PTH207
from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kcc.diagnostics.model import Findings, Severity, Span
from kcc.source.files import Unusable
from kcc.source.options import Options
from kcc.source.reader import Reader
from kcc.syntax import _parsetab
from kcc.syntax.balance import balanced
from kcc.syntax.grammar import Parser
from kcc.syntax.known import BLOCKS
from kcc.syntax.stream import Stream, Unbalanced
from kcc.syntax.tree import Tree

__all__ = ["parse_file", "parse_text"]


def parse_file(
    path: str | Path,
    findings: Findings,
    options: Options | None = None,
    *,
    block_keywords: frozenset[str] = BLOCKS,
) -> Tree:
    """Read the configuration that starts with the file ``path`` (``-``: standard input).

    Whatever is wrong goes to ``findings``; what could be understood is in the tree. Never raises for what a file
    holds or is. ``block_keywords`` are keywords that always have a body: they tell where an opening brace is missing.
    """
    name = os.fspath(path)

    def opens(reader: Reader) -> None:
        try:
            reader.open_main(name)
        except Unusable as error:
            if error.kind == "missing" and _open_all(name, reader):
                return
            _unreadable(name, error, reader.findings)

    if name == "-" or name in ("/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"):
        # Standard input can be read once; a second pass over unbalanced braces needs it again.
        from kcc.source.files import read_stdin

        try:
            data = read_stdin((options or Options()).limits.max_file_bytes)
        except Unusable as error:
            _unreadable(name, error, findings)
            return Tree([], (name,), 0)
        return parse_text(data, name, findings, options, block_keywords=block_keywords)
    return _parse(name, opens, findings, options or Options(), block_keywords)


def parse_text(
    text: str | bytes,
    name: str,
    findings: Findings,
    options: Options | None = None,
    *,
    block_keywords: frozenset[str] = BLOCKS,
) -> Tree:
    """Like `parse_file`, for text at hand. ``name`` is what messages call it; includes resolve from the current directory."""

    def opens(reader: Reader) -> None:
        reader.open_text(text, name)

    return _parse(name, opens, findings, options or Options(), block_keywords)


def _open_all(pattern: str, reader: Reader) -> bool:
    """The main file's name may be a pattern too, as for keepalived."""
    import glob

    paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else []
    if not paths:
        return False
    if len(paths) > 1:
        reader.findings.report(
            "KC0110",
            f"`{pattern}` matches {len(paths)} files",
            Span(pattern, 0),
            consequence="they are read in this order as one configuration: " + ", ".join(paths[:5]),
            severity=Severity.WARNING,
        )
    for path in reversed(paths):
        try:
            reader.open_main(path)
        except Unusable as error:
            _unreadable(path, error, reader.findings)
    return True


def _unreadable(name: str, error: Unusable, findings: Findings) -> None:
    findings.report(
        "KC0005" if error.kind == "large" else "KC0001",
        f"`{name}` cannot be read: {error.reason}",
        Span(name, 0),
    )


def _parse(
    name: str,
    opens: Callable[[Reader], object],
    findings: Findings,
    options: Options,
    block_keywords: frozenset[str],
) -> Tree:
    mark = len(findings.items), findings.dropped, findings.errors
    parser = Parser(_parsetab)
    with _collector_paused():
        try:
            reader = Reader(findings, options)
            opens(reader)
            body = parser.parse(Stream(reader, findings, options).terminals())
        except Unbalanced:
            del findings.items[mark[0] :]
            findings.dropped, findings.errors = mark[1:]
            reader = Reader(findings, options)
            opens(reader)
            stream = Stream(reader, findings, options)
            body = parser.parse(balanced(stream.numbered(), findings, options.limits, block_keywords))
    if not body and findings.errors == mark[2] and reader.files:
        findings.report(
            "KC0007",
            f"`{name}` holds no configuration",
            Span(name, 0),
            consequence="keepalived starts and does nothing",
        )
    return Tree(body, tuple(reader.files), reader.lines)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Building a tree of a million nodes makes no garbage: looking for it again and again takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
