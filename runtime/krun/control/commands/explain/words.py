"""Times and columns, as explanations write them."""

from __future__ import annotations

from collections.abc import Sequence

from krun.control.duration import span


def ago(at: object, now: float) -> str:
    """How long before ``now`` (seconds since the epoch): ``0.3 s``, ``3m 12s``."""
    if not isinstance(at, int | float) or not at:
        return "never"
    return lasting(now - at)


def lasting(seconds: float) -> str:
    """``0.3 s``, ``3m 12s``."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 10 else span(seconds)


def columns(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Lines of padded cells."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def section(title: str, lines: Sequence[str]) -> list[str]:
    """A heading with what stands below it; nothing where nothing does."""
    return ["", title, *lines] if lines else []
