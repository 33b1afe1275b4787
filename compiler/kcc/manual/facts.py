"""What is known of a keyword besides its documentation: the rows that the manual, the terminal and the editor show alike."""

from __future__ import annotations

from kcc.language.release import since
from kcc.language.tree import Keyword, Kind, Repeat

__all__ = ["facts"]


def facts(keyword: Keyword) -> list[tuple[str, str]]:
    """Names and values, in the order in which they are shown; what does not apply is left out."""
    rows: list[tuple[str, str]] = []
    if keyword.default:
        rows.append(("default", keyword.default))
    if keyword.unit:
        rows.append(("unit", keyword.unit))
    if keyword.required:
        rows.append(("required", "yes"))
    if keyword.args or keyword.kind is not Kind.LEAF:
        rows.append(("bad value", keyword.effect()))
    if not keyword.is_flag or keyword.repeat is not Repeat.LAST:
        rows.append(("repeated", keyword.repeat.value))
    if keyword.needs is not None:
        before, values = keyword.needs
        wanted = " or ".join(f"`{before} {value}`" for value in values) or f"`{before}`"
        rows.append(("needs", f"{wanted} before it"))
    if keyword.against:
        rows.append(("excludes", f"`{keyword.against}`"))
    if keyword.deprecated_by:
        rows.append(("deprecated", f"use {keyword.deprecated_by}"))
    first = since(keyword)
    rows.append(("since", f"keepalived {first}" if first else "not established"))
    krun = keyword.coverage.value
    if keyword.unrun:
        krun += f"; not run: {', '.join(f'`{value}`' for value in keyword.unrun)}"
    rows.append(("krun", krun))
    return rows
