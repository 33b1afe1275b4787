"""What of the IR this runtime carries out. An IR that needs more is refused, by name, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable

from kir import features

SUPPORTED: frozenset[str] = features.RUN
"""By the names of `kir.features`: compiler and runtime agree on one list."""


def unsupported(needed: Iterable[str]) -> str:
    """Words about the features in ``needed`` that are not carried out; empty where all are."""
    missing = sorted(set(needed) - SUPPORTED)
    if not missing:
        return ""
    names = ", ".join(f"`{name}` ({features.ALL.get(name, 'unknown to this release')})" for name in missing)
    return f"needs {names}, which this krun does not run; remove it from the configuration, or run a release that has it"
