"""The text that is left when includes, definitions, conditions and replication have been carried out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kcc.syntax.tree import Block, Line, Statement, Tree

__all__ = ["LITERAL", "expanded", "expanded_text"]

INDENT = "    "
LITERAL = "$_LITERAL=dollar signs below are meant literally"
"""The first line of a text in which ``${`` is left: undefined names alone make a file look like a template."""
_LEXEMES = re.compile(r'"[^"]*"|\\.|[#!]|"', re.DOTALL)
_CONTROL = re.compile(r"[\0-\x1f\x7f]")


def expanded_text(tree: Tree, *, origins: bool = True, limit: int = 1022) -> str:
    """The lines of `expanded` as a file."""
    lines = list(expanded(tree, origins=origins, limit=limit))
    if any("${" in line for line in lines):
        lines.insert(0, LITERAL)
    return "".join(f"{line}\n" for line in lines)


def expanded(tree: Tree, *, origins: bool = True, limit: int = 1022) -> Iterator[str]:
    """The lines of ``tree``, without newlines: a configuration that needs no other file and no definition.

    ``origins``: each line ends in a comment that says where it was written, and, innermost first, through which
    includes, definitions and replications it came: ``# b.conf:3 < a.conf:12``. A line that would then be longer than
    ``limit`` octets has the comment in front of it.
    """
    stack: list[tuple[Iterator[Statement], Block | None]] = [(iter(tree.body), None)]
    while stack:
        body, block = stack[-1]
        node = next(body, None)
        if node is None:
            stack.pop()
            if block is not None:
                yield INDENT * (len(stack) - 1) + "}"
            continue
        indent = INDENT * (len(stack) - 1)
        text = indent + escaped(node.raw)
        if isinstance(node, Block):
            text += " {"
            stack.append((iter(node.body), node))
        if not origins:
            yield text
            continue
        comment = f"# {origin(node.line)}"
        if len(f"{text}  {comment}".encode("utf-8", "surrogateescape")) > limit:
            yield indent + comment[: limit // 4]
            yield text
        else:
            yield f"{text}  {comment}"


def escaped(text: str) -> str:
    """``text`` as it must be written: comment signs that are meant literally have a backslash."""
    if "#" not in text and "!" not in text:
        return text
    out: list[str] = []
    at = 0
    for match in _LEXEMES.finditer(text):
        found = match.group()
        if found == '"':
            break
        if found in ("#", "!"):
            out.append(text[at : match.start()] + "\\")
            at = match.start()
    return "".join(out) + text[at:]


def origin(line: Line) -> str:
    """``file:line``, and the same of each place it was reached through."""
    places = [f"{line.file}:{line.number}", *(f"{r.span.file}:{r.span.line}" for r in line.via)]
    return _CONTROL.sub("?", " < ".join(places))
