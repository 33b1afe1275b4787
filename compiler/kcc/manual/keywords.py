"""The keywords: an entry for the terminal, the table of coverage, and ``docs/keywords.md``."""

from __future__ import annotations

import re
import textwrap
from collections import Counter

from kcc.language.keywords import ROOT, walk
from kcc.language.release import since
from kcc.language.suggest import closest
from kcc.language.tree import Coverage, Keyword, Kind
from kcc.manual.facts import facts

WIDTH = 100

_INTRO = """\
# Keywords

<!-- Made by `python -m kcc.manual.make` from the keyword tree: change that. -->

Every keyword of keepalived.conf, with what it takes, what holds without it, and how far krun takes it. `kcc explain KEYWORD` (or a
path: `kcc explain vrrp_instance.priority`) prints the same with what happens to bad values and second occurrences.

The last column says what krun does with it. **run**: as keepalived does. **run in part**: see `kcc check --target krun`. **carried**: it
is in the IR, and krun does not act on it yet. **checked**: its values are checked, and the IR has no place for it yet; `kcc build`
refuses a file that uses it, unless told otherwise.

"""

_WORD = {
    "RUN": "run",
    "PARTLY_RUN": "run in part",
    "CARRIED": "carried",
    "MOOT": "moot",
    "CHECKED": "checked",
}


def find(query: str) -> list[tuple[str, Keyword]]:
    """The keywords that ``query`` may mean, with their paths.

    A query is a name, or a path whose parts are put apart by ``.``, ``>``, ``/`` or blanks; inner parts may be left out:
    ``real_server.weight``, ``virtual_server > quorum``.
    """
    parts = [part for part in re.split(r"[.>/\s]+", query.strip()) if part]
    found = []
    for path, keyword in walk():
        names = path.split(" > ")
        if parts and names[-1] == parts[-1] and _within(parts[:-1], names[:-1]):
            found.append((path, keyword))
    if len(parts) < 2:
        return found
    near = [(path, keyword) for path, keyword in found if path.split(" > ")[-2] == parts[-2]]
    return near or found


def _within(parts: list[str], names: list[str]) -> bool:
    """Whether ``parts`` stand in ``names`` in this order."""
    rest = iter(names)
    return all(part in rest for part in parts)


def similar(query: str) -> str | None:
    """The keyword that a query, which means none, was probably about."""
    last = re.split(r"[.>/\s]+", query.strip())[-1]
    return closest(last, sorted({keyword.name for _path, keyword in walk()}))


def entries(found: list[tuple[str, Keyword]]) -> str:
    """The reference entries for the terminal; keywords that differ only by their place share one."""
    grouped: dict[str, list[str]] = {}
    for path, keyword in found:
        grouped.setdefault(_entry(keyword), []).append(path)
    return "\n".join("\n".join(paths) + "\n\n" + body for body, paths in grouped.items())


def _entry(keyword: Keyword) -> str:
    lines = [f"    {keyword.name} {keyword.syntax()}".rstrip(), ""]
    lines += textwrap.wrap(keyword.doc, WIDTH, initial_indent="  ", subsequent_indent="  ")
    lines.append("")
    lines += [f"  {name + ':':<12}{value}" for name, value in facts(keyword)]
    if keyword.children:
        inside = ", ".join(sorted(child.name for child in keyword.children))
        lines += [
            "",
            *textwrap.wrap(f"inside: {inside}", WIDTH, initial_indent="  ", subsequent_indent="    "),
        ]
    return "\n".join(lines) + "\n"


def coverage() -> str:
    """How far each keyword is taken: sums by top-level block, then one line a keyword."""
    total: Counter[Coverage] = Counter()
    blocks: dict[str, Counter[Coverage]] = {}
    rows = walk()
    for path, keyword in rows:
        head = path.split(" > ")[0]
        name = head if ROOT.index[head].kind is not Kind.LEAF else "(top level)"
        blocks.setdefault(name, Counter())[keyword.coverage] += 1
        total[keyword.coverage] += 1
    order = sorted(Coverage, key=lambda c: -c.rank)
    lines = [f"{'':<24}" + "".join(f"{_WORD[c.name]:>13}" for c in order)]
    for name, counts in [*blocks.items(), ("all", total)]:
        lines.append(f"{name:<24}" + "".join(f"{counts[c]:>13}" for c in order))
    lines.append("")
    lines += [f"{_WORD[keyword.coverage.name]:<12} {path}" for path, keyword in rows]
    return "\n".join(lines) + "\n"


def manual() -> str:
    """``docs/keywords.md``."""
    parts = [_INTRO, _sums(), "\n## Top level\n\n", _table(ROOT)]
    for child in ROOT.children:
        if child.kind is not Kind.LEAF:
            parts.append(_section(child, child.name, 2))
    return "".join(parts)


def _sums() -> str:
    counts = Counter(keyword.coverage for _path, keyword in walk())
    order = sorted(Coverage, key=lambda c: -c.rank)
    head = " | ".join(_WORD[c.name] for c in order)
    return f"| {head} | all |\n|{'---|' * (len(order) + 1)}\n| " + (
        " | ".join(str(counts[c]) for c in order) + f" | {sum(counts.values())} |\n"
    )


def _section(keyword: Keyword, path: str, level: int) -> str:
    head = f"\n{'#' * min(level, 5)} {path}\n\n{keyword.doc}\n\n```\n{keyword.name} {keyword.syntax()}\n```\n"
    known = [f"{name}: {_cell(value)}" for name, value in facts(keyword) if name not in ("krun", "bad value")]
    known.append(f"krun: {keyword.coverage.value}")
    body = head + "\n" + "; ".join(known) + ".\n"
    if keyword.children:
        body += "\n" + _table(keyword)
    for child in keyword.children:
        if child.kind is not Kind.LEAF:
            body += _section(child, f"{path} › {child.name}", level + 1)
    return body


def _table(keyword: Keyword) -> str:
    rows = ["| keyword | takes | default | | krun |\n|---|---|---|---|---|\n"]
    for child in keyword.children:
        doc = child.doc
        if child.unit:
            doc += f" In {child.unit}."
        if child.moot:
            doc += f" Without meaning in krun: {child.moot}."
        if child.deprecated_by:
            doc += f" Deprecated: use {child.deprecated_by}."
        if first := since(child):
            doc += f" Since {first}."
        takes = f"`{_cell(child.syntax())}`" if child.syntax() else ""
        word = _WORD[child.coverage.name]
        rows.append(f"| `{child.name}` | {takes} | {_cell(child.default)} | {_cell(doc)} | {word} |\n")
    return "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


__all__ = ["coverage", "entries", "find", "manual", "similar"]
