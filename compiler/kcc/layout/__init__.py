"""The canonical layout of a file: ``formatted``. It works on the lines of one file as they stand, and changes blanks only."""

from __future__ import annotations

from kcc.layout.balance import Refused
from kcc.layout.format import formatted

__all__ = ["Refused", "formatted"]
