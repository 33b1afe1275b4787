"""Versions of the IR. A reader takes its own major version and migrates what is older, one step at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kir.versions import v0_9

CURRENT = "1.0"

Migration = Callable[[dict[str, Any]], dict[str, Any]]

MIGRATIONS: dict[str, tuple[str, Migration]] = {
    "0.9": ("1.0", v0_9.to_1_0),
}
"""From a version to the next one, and how."""


class NotAnIrError(Exception):
    """JSON of another kind."""


class TooNewError(Exception):
    """An IR of a version that this release cannot read."""


def parse(text: object) -> tuple[int, int]:
    """``"1.0"`` → (1, 0). Raises `NotAnIrError`."""
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", text) if isinstance(text, str) else None
    if found is None:
        raise NotAnIrError('JSON, but not an IR: it has no `"kir": "MAJOR.MINOR"`')
    return int(found[1]), int(found[2])


def migrate(raw: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """``raw`` in the current version, and the version that it had. Raises `NotAnIrError` and `TooNewError`."""
    original = raw.get("kir")
    version = parse(original)
    if version > parse(CURRENT):
        raise TooNewError(
            f"IR version {original} is newer than {CURRENT}, the newest that this release reads"
        )
    at = str(original)
    while at != CURRENT:
        if at not in MIGRATIONS:
            raise NotAnIrError(f"IR version {original} is not known to any release")
        to, step = MIGRATIONS[at]
        try:
            raw = step(raw)
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise NotAnIrError(f"not a valid IR of version {at}: {type(e).__name__} {e}") from None
        raw["kir"] = at = to
    return raw, str(original)
