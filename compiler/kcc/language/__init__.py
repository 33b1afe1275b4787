"""The language of keepalived.conf as data (`tree`, `keywords`), and the descent that reads a syntax tree by it.

The names below are loaded when first used: a command that needs no keyword pays for none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kcc.language.coverage import coverage_findings
    from kcc.language.descent import descend
    from kcc.language.keywords import BLOCK_KEYWORDS, ROOT

__all__ = ["BLOCK_KEYWORDS", "ROOT", "coverage_findings", "descend"]

_HOMES = {
    "BLOCK_KEYWORDS": "keywords",
    "ROOT": "keywords",
    "coverage_findings": "coverage",
    "descend": "descent",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"kcc.language.{home}"), name)
