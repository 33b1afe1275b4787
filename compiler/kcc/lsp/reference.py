"""The reference entry of a keyword, as an editor shows it beside the text."""

from __future__ import annotations

from kcc.language.tree import Keyword
from kcc.manual.facts import facts

MOST_CHILDREN = 40


def entry(keyword: Keyword, path: tuple[str, ...] = ()) -> str:
    """What ``keyword`` takes, means and costs, in Markdown. ``path``: the blocks around it."""
    where = " › ".join((*path, keyword.name))
    parts = [f"```keepalived\n{keyword.name} {keyword.syntax()}".rstrip() + "\n```"]
    parts.append(f"*{where}*")
    if keyword.doc:
        parts.append(keyword.doc)
    parts.append("\n".join(f"- **{name}**: {value}" for name, value in facts(keyword)))
    if keyword.children:
        names = [f"`{child.name}`" for child in keyword.children]
        more = f" and {len(names) - MOST_CHILDREN} more" if len(names) > MOST_CHILDREN else ""
        parts.append("Inside: " + ", ".join(names[:MOST_CHILDREN]) + more)
    return "\n\n".join(parts)
