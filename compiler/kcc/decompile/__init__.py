"""From the IR back to text: ``text_of`` gives a keepalived.conf of the same meaning."""

from __future__ import annotations

from kcc.decompile.secrets import count_secrets
from kcc.decompile.text import text_of
from kcc.decompile.words import Unprintable

__all__ = ["Unprintable", "count_secrets", "text_of"]
