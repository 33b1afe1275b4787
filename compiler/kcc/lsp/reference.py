"""The reference entry of a keyword, as an editor shows it beside the text."""

from __future__ import annotations

from kcc.language.release import since
from kcc.language.tree import Keyword, Kind, Repeat

MOST_CHILDREN = 40


def entry(keyword: Keyword, path: tuple[str, ...] = ()) -> str:
    """What ``keyword`` takes, means and costs, in Markdown. ``path``: the blocks around it."""
    where = " › ".join((*path, keyword.name))
    parts = [f"```keepalived\n{keyword.name} {keyword.syntax()}".rstrip() + "\n```"]
    parts.append(f"*{where}*")
    if keyword.doc:
        parts.append(keyword.doc)
    facts = [f"- **{name}**: {value}" for name, value in _facts(keyword)]
    if facts:
        parts.append("\n".join(facts))
    if keyword.children:
        names = [f"`{child.name}`" for child in keyword.children]
        more = f" and {len(names) - MOST_CHILDREN} more" if len(names) > MOST_CHILDREN else ""
        parts.append("Inside: " + ", ".join(names[:MOST_CHILDREN]) + more)
    return "\n\n".join(parts)


def _facts(keyword: Keyword) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if keyword.deprecated_by:
        facts.append(("deprecated", f"use {keyword.deprecated_by}"))
    if keyword.default:
        facts.append(("default", keyword.default))
    if keyword.unit:
        facts.append(("unit", keyword.unit))
    if keyword.required:
        facts.append(("required", "the block is of no use without it"))
    if keyword.args or keyword.kind is not Kind.LEAF:
        facts.append(("a bad value", keyword.effect()))
    if not keyword.is_flag or keyword.repeat is not Repeat.LAST:
        facts.append(("given twice", keyword.repeat.value))
    if keyword.needs is not None:
        before, values = keyword.needs
        wanted = " or ".join(f"`{before} {value}`" for value in values) or f"`{before}`"
        facts.append(("needs", f"{wanted} before it"))
    if keyword.against:
        facts.append(("excludes", f"`{keyword.against}`"))
    if first := since(keyword):
        facts.append(("since", f"keepalived {first}"))
    krun = keyword.coverage.value
    if keyword.unrun:
        krun += f"; not run: {', '.join(f'`{value}`' for value in keyword.unrun)}"
    facts.append(("krun", krun))
    return facts
