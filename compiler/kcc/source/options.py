"""What the reader is told from outside, and where it stops."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

__all__ = ["INCLUDE_CHECKS", "Limits", "Options"]

INCLUDE_CHECKS: frozenset[str] = frozenset({"read", "match", "wildcard_match", "brace_match"})
"""The words of ``include_check``: which failures of an include are errors."""


class Limits(msgspec.Struct, frozen=True):
    """Where reading ends with a message instead of a full memory or a hang. All counts are per compilation."""

    max_file_bytes: int = 256 * 1024 * 1024
    """Size of one input file."""
    max_total_bytes: int = 1024 * 1024 * 1024
    """All files together, each counted as often as it is included."""
    max_line_bytes: int = 1022
    """Longest line that keepalived's buffer holds, line end not counted."""
    max_expansion: int = 64 * 1024 * 1024
    """Characters of text made by definitions and replication."""
    max_made_lines: int = 250_000
    """Lines made by ``~SEQ``, ``~LST`` and multi-line definitions."""
    max_include_depth: int = 64
    """Files open inside each other."""
    max_included_files: int = 100_000
    max_block_depth: int = 64


class Options(msgspec.Struct, frozen=True):
    """How to read a configuration.

    ``config_id``: what ``@id`` lines are compared with; None means this host's node name up to its first dot,
    as keepalived does without ``-i``. ``defines``: definitions made before the first line. ``env``: what
    ``${_ENV NAME}`` sees; None means the environment of this process. ``target``: the release whose rules
    decide what deserves a message. ``include_check``: include failures that are errors from the start
    (option ``-e`` of keepalived means all four). ``random_seed``: seed of ``${_RANDOM}``; None gives a fixed
    one, so that two compilations agree, and a note that keepalived would draw anew. ``overlay``: texts that an
    editor holds and has not saved, by resolved path; they stand for what the files hold.
    """

    config_id: str | None = None
    defines: Mapping[str, str] = msgspec.field(default_factory=dict)
    env: Mapping[str, str] | None = None
    target: str = "keepalived-2.4.3"
    include_check: frozenset[str] = frozenset()
    random_seed: int | None = None
    limits: Limits = msgspec.field(default_factory=Limits)
    overlay: Mapping[str, bytes] = msgspec.field(default_factory=dict)

    @property
    def instance(self) -> str:
        """The configuration id in force."""
        if self.config_id is not None:
            return self.config_id
        return os.uname().nodename.partition(".")[0]

    @property
    def environment(self) -> Mapping[str, str]:
        return os.environ if self.env is None else self.env
