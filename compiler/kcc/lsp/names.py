"""Names: which blocks define one, and which words refer to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kcc.diagnostics.model import Span
from kcc.lsp.context import Place, Word, unquoted
from kcc.source.definitions import DEFINITION
from kcc.source.replication import REPLICATION
from kcc.source.text import BLANKS
from kcc.syntax.tree import Block, Tree

DEFINING = (
    "vrrp_instance",
    "vrrp_script",
    "vrrp_sync_group",
    "vrrp_track_file",
    "track_file",
    "vrrp_track_process",
    "track_group",
    "bfd_instance",
    "virtual_server_group",
)
"""The blocks whose first word is a name that other places refer to."""

_FILES = ("vrrp_track_file", "track_file")

# A line of a list: (the block of the list, the list) → the blocks that define what its first word names.
_LISTED = {
    "track_script": ("vrrp_script",),
    "track_file": _FILES,
    "track_process": ("vrrp_track_process",),
    "track_bfd": ("bfd_instance",),
    "group": ("vrrp_instance",),
}
# A word behind a keyword: (block, keyword, which word) → the same.
_NAMED = {
    ("FILE_CHECK", "track_file", 1): _FILES,
    ("BFD_CHECK", "name", 1): ("bfd_instance",),
}
# A word behind an option of a keyword: (block, keyword, option) → the same.
_OPTIONS = {("global_defs", "lvs_sync_daemon", "inst"): ("vrrp_instance",)}
# A word that may stand without its option: (block, keyword, which word) → the options that may stand there instead.
_BARE = {("global_defs", "lvs_sync_daemon", 2): ("inst", "id", "maxlen", "port", "ttl", "group")}
_SPREAD = ("group",)
"""Lists whose every word is a name."""


class Defined(NamedTuple):
    """A block with a name: its keyword, the name, the place of the name, and the lines it takes (both ends, from 1)."""

    keyword: str
    name: str
    span: Span
    last_line: int


def defined_in(tree: Tree) -> list[Defined]:
    """The named blocks of a configuration, in order."""
    found = []
    for node in tree.body:
        if isinstance(node, Block) and node.keyword in DEFINING and len(node.words) > 1:
            closed = node.closed
            last = closed.line if closed is not None and closed.file == node.line.file else node.number
            found.append(Defined(node.keyword, node.words[1].text, node.word_span(1), last))
    return found


def wanted_at(place: Place, index: int | None = None) -> tuple[str, ...]:
    """The blocks that may define the word ``index`` (default: the one at the cursor); none where it is no such name."""
    at = place.at if index is None else index
    words = [w.text for w in place.words]
    if place.comment or place.definition or at > len(words):
        return ()
    inside = place.heads[-1][0] if place.heads and place.heads[-1] else ""
    if not place.heads:
        if at == 2 and words[:2] == ["virtual_server", "group"]:
            return ("virtual_server_group",)
        if at == 1 and words[0] in DEFINING:
            return _FILES if words[0] in _FILES else (words[0],)
        return _track_group(words, at)
    if len(place.heads) == 2 and inside in _LISTED and (at == 0 or inside in _SPREAD):
        return _LISTED[inside]
    if words and (inside, words[0], at) in _NAMED:
        return _NAMED[inside, words[0], at]
    if len(words) > 1 and at > 1:
        if (inside, words[0], words[at - 1]) in _OPTIONS:
            return _OPTIONS[inside, words[0], words[at - 1]]
        options = _BARE.get((inside, words[0], at))
        if options is not None and words[at : at + 1] not in [[option] for option in options]:
            return _OPTIONS[inside, words[0], options[0]]
    return _track_group(words, at) if inside.startswith(("static_", "virtual_ipaddress", "virtual_r")) else ()


def _track_group(words: list[str], at: int) -> tuple[str, ...]:
    return ("track_group",) if 0 < at <= len(words) and words[at - 1] == "track_group" else ()


def matching(defined: Iterable[Defined], keywords: tuple[str, ...], word: Word) -> list[Defined]:
    """The blocks among ``defined`` that the word names."""
    name = unquoted(word.text)
    return [d for d in defined if d.keyword in keywords and d.name == name]


class Definition(NamedTuple):
    """``$NAME=value`` or the variable of a replication: line (from 0), columns of the name (from 0), the value as written."""

    line: int
    start: int
    end: int
    value: str


def definitions(lines: Iterable[str], name: str | None = None) -> list[tuple[str, Definition]]:
    """The definitions that the lines hold, in order; of ``name`` only, where it is given."""
    found: list[tuple[str, Definition]] = []
    for number, line in enumerate(lines):
        body = line.lstrip(BLANKS)
        indent = len(line) - len(body)
        made = DEFINITION.match(body)
        if made is not None:
            start = indent + made.start(1)
            entry = Definition(number, start, start + len(made[1]), body[made.end() :].rstrip(BLANKS))
            found.append((made[1], entry))
        elif "~" in line and (head := REPLICATION.search(line)) is not None:
            found += _variables(line, head.start(), head.end(), number)
    return [pair for pair in found if name is None or pair[0] == name]


def _variables(line: str, head: int, begin: int, number: int) -> list[tuple[str, Definition]]:
    """The variables of ``~SEQ(name, …)`` and ``~LST(name, …)``/``~LST({a, b}, …)``."""
    end = line.find(")", begin)
    inside = line[begin + 1 : end if end > 0 else len(line)]
    group = inside.lstrip(BLANKS)
    names = group[1:].partition("}")[0] if group.startswith("{") else inside.partition(",")[0]
    found = []
    for raw in names.split(","):
        word = raw.strip(BLANKS)
        at = line.find(word, begin + 1)
        if word.isidentifier() and at >= 0:
            value = line[head : end + 1 if end > 0 else len(line)]
            found.append((word, Definition(number, at, at + len(word), value)))
    return found
