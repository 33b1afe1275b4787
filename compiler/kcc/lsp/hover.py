"""What an editor shows of the word under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kcc.lsp.context import place_at, reference_at
from kcc.lsp.names import Definition, matching, wanted_at
from kcc.lsp.project import Project, real
from kcc.lsp.reference import entry
from kcc.source.definitions import PREDEFINED

MOST_LINES = 20

_PREDEFINED = {
    "_PWD": "the folder of the file that it stands in",
    "_INSTANCE": "the configuration id (`keepalived -i`, `kcc --config-id`)",
    "_RANDOM": "a random number: `${_RANDOM [MIN [MAX]]}`",
    "_ENV": "an environment variable: `${_ENV NAME}`",
    "_HASH": "`#`",
    "_BANG": "`!`",
}


class Shown(NamedTuple):
    """Markdown, and the columns (from 0) of what it is about."""

    markdown: str
    start: int
    end: int


class Target(NamedTuple):
    """Where something is defined: a file, a line and columns, all from 0."""

    file: str
    line: int
    start: int
    end: int


def hover(project: Project, path: str, number: int, offset: int) -> Shown | None:
    """What to show for the character ``offset`` of line ``number`` (from 0) of an open file."""
    lines = project.lines(path)
    line = lines[number] if number < len(lines) else ""
    place = place_at(lines, number, offset)
    if place.comment:
        return None
    reference = reference_at(line, offset)
    if reference is not None:
        name, start, end = reference
        return Shown(_definition(project, path, name, number), start, end)
    word = place.word
    if word is None:
        return None
    wanted = wanted_at(place)
    for found in matching(project.named(path), wanted, word) if wanted else ():
        body = "\n".join(project.lines(found.span.file)[found.span.line - 1 : found.last_line][:MOST_LINES])
        if found.span.file == path and found.span.line == number + 1:
            break  # it is the definition itself: its keyword says more
        where = f"{found.span.file}:{found.span.line}"
        return Shown(f"```keepalived\n{body}\n```\n\n*{where}*", word.start, word.end)
    keyword = place.keyword
    path_to = tuple(head[0] for head in place.heads if head)
    if keyword is not None:
        return Shown(entry(keyword, path_to), word.start, word.end)
    if place.block is not None and place.block.line is not None:
        return Shown(entry(place.block, path_to[:-1]), word.start, word.end)
    return None


def _definition(project: Project, path: str, name: str, number: int) -> str:
    found = definition_of(project, path, name, number)
    if found:
        values = [f"```keepalived\n${name}={d.value}\n```\n\n*{file}:{d.line + 1}*" for file, d in found[:3]]
        return "\n\n".join(values)
    if name in PREDEFINED:
        return f"`${{{name}}}`: {_PREDEFINED[name]}"
    return f"`${name}` is not defined in the files of this configuration"


def definition_of(project: Project, path: str, name: str, number: int) -> list[tuple[str, Definition]]:
    """The definitions of ``$NAME`` that may hold at line ``number`` of a file: the last one above it, else all others."""
    everywhere: list[tuple[str, Definition]] = []
    for file in project.files(path):
        found = project.definitions(file, name)
        if file == real(path):
            above = [d for _name, d in found if d.line <= number]
            if above:
                return [(file, above[-1])]
        everywhere += [(file, d) for _name, d in found]
    return everywhere


def targets(project: Project, path: str, number: int, offset: int) -> list[Target]:
    """Where what the cursor is on is defined: a ``$NAME``, a script, an instance, a group, an included file."""
    lines = project.lines(path)
    line = lines[number] if number < len(lines) else ""
    reference = reference_at(line, offset)
    if reference is not None:
        found = definition_of(project, path, reference[0], number)
        return [Target(file, d.line, d.start, d.end) for file, d in found]
    place = place_at(lines, number, offset)
    if place.comment or place.word is None:
        return []
    included = _included(project, path, [w.text for w in place.words], place.at)
    if included:
        return included
    named = matching(project.named(path), wanted_at(place), place.word)
    return [Target(d.span.file, d.span.line - 1, d.span.column - 1, d.span.end_column - 1) for d in named]


def _included(project: Project, path: str, words: Sequence[str], at: int) -> list[Target]:
    if at != 1 or not words[0].startswith("include") or words[0] == "include_check":
        return []
    return [Target(file, 0, 0, 0) for file in project.included(path, words[1])]
