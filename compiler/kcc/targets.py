"""Whose rules a configuration is judged by."""

from __future__ import annotations

KRUN = "krun"
TARGETS = ("keepalived-2.2.7", "keepalived-2.4.3", KRUN)
