"""From files to logical lines: includes, definitions, conditions, replication, each line with its origin."""

from __future__ import annotations

from kcc.source.options import INCLUDE_CHECKS, Limits, Options
from kcc.source.reader import Reader

__all__ = ["INCLUDE_CHECKS", "Limits", "Options", "Reader"]
