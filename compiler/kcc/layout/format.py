"""Lines put in order: four blanks a level, one statement a line, ``{`` behind its keyword, at most one empty line in a row."""

from __future__ import annotations

from kcc.diagnostics.model import Diagnostic
from kcc.layout.balance import OTHER, Refused, conditions, depths
from kcc.layout.rows import BLANK, CLOSE, COMMENT, OPEN, STATEMENT, VERBATIM, Item, read_items
from kcc.layout.verify import read
from kcc.source.options import Options

__all__ = ["formatted"]

INDENT = "    "
_STRUCTURE = frozenset(("KC0203", "KC0204", "KC0205", "KC0206", "KC0207"))
"""Findings about braces: where one of them stands, indentation would be a guess."""


def formatted(data: bytes, name: str = "-", *, fragment: bool = False) -> bytes:
    """The canonical layout of the file whose content is ``data``; ``name`` is for messages.

    ``fragment``: another file includes this one, and defines the names that this one refers to. The result says
    exactly what ``data`` says: that is checked by reading both. Idempotent. Raises Refused where the file is no
    configuration, or where its braces do not balance.
    """
    base = Options(defines={"_": "_"} if fragment else {})
    text = data.decode("utf-8", "surrogateescape")
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = text.removeprefix(mark).split("\n")
    items = read_items(lines, base.limits.max_line_bytes)
    ids = conditions(items)
    comments = _comments(items)
    before = []
    for instance in ids:
        saying = read(data, name, _with_id(base, instance))
        if instance != OTHER or len(ids) == 1:
            _refuse(saying.findings)
        before.append(saying)
    made = mark + _written(_joined(items))
    result = made.encode("utf-8", "surrogateescape")
    if result == data:
        return result
    again = read_items(made.removeprefix(mark).split("\n"), base.limits.max_line_bytes)
    same = _comments(again) == comments
    for instance, saying in zip(ids, before, strict=True):
        same = same and read(result, name, _with_id(base, instance)).digest == saying.digest
    if not same:
        raise Refused(
            "its layout cannot be changed without changing what it says",
            help="the file is left as it is; `kcc check` may show an unusual line. Please report this file",
        )
    return result


def _with_id(base: Options, instance: str) -> Options:
    return Options(config_id=instance, defines=base.defines)


def _refuse(findings: list[Diagnostic]) -> None:
    """Templates and files whose structure is in doubt are left alone."""
    for found in findings:
        if found.code == "KC0002":
            raise Refused(
                found.message,
                found.span.line,
                "format what comes out of the template; a file that others include: `--fragment`",
            )
        if found.code == "KC0005":
            raise Refused(found.message)
        if found.code in _STRUCTURE:
            raise Refused(
                f"its braces do not balance: {found.message}",
                found.span.line,
                "repair that first; `kcc check` says more",
            )


def _comments(items: list[Item]) -> list[str]:
    return sorted(item.comment for item in items if item.comment)


def _joined(items: list[Item]) -> list[Item]:
    """Each ``{`` that stands on a line of its own goes behind its keyword; comments between the two go into the block.

    Not behind a reference: the value of a definition of several lines must be the last thing on its line.
    """
    made: list[Item] = []
    head = -1
    for item in items:
        if item.kind == OPEN and not item.text and head >= 0:
            before = made[head]
            before.kind = OPEN
            if not item.comment:
                pass
            elif before.comment:
                made.append(Item(COMMENT, "", item.number, item.comment))
            else:
                before.comment = item.comment
            head = -1
            continue
        made.append(item)
        if item.kind == STATEMENT and "$" not in item.text:
            head = len(made) - 1
        elif item.kind not in (BLANK, COMMENT):
            head = -1
    return made


def _written(items: list[Item]) -> str:
    out: list[str] = []
    for item, depth in zip(items, depths(items), strict=True):
        if item.kind == BLANK:
            if out and out[-1]:
                out.append("")
            continue
        if item.kind == VERBATIM:
            out.append(item.text)
            continue
        text = item.text
        if item.kind == OPEN:
            text = f"{text} {{" if text else "{"
        elif item.kind == CLOSE:
            text = "}"
        if item.comment:
            between = "" if item.glued and item.kind == STATEMENT else "  "
            text = f"{text}{between}{item.comment}" if text else item.comment
        out.append(INDENT * depth + text)
    while out and not out[-1]:
        out.pop()
    return "\n".join(out) + "\n" if out else ""
