"""Names of checkers and real servers; who is who goes by the question that a checker asks (`kir.diff.checks`)."""

from __future__ import annotations

from kir.diff.checks import kind_of, match, question
from kir.model import Checker, RealServer, VirtualServer


def label(checker: Checker, position: int) -> str:
    """Kind and position in the real server: ``TCP_CHECK 0``."""
    return f"{kind_of(checker)} {position}"


def subject(virtual: VirtualServer, server: RealServer) -> str:
    """How logs and operations name a real server in its pool: ``tcp 10.0.0.1:80 -> 192.168.0.1:80``."""
    return f"{virtual.name} -> {server.identity}"


__all__ = ["kind_of", "label", "match", "question", "subject"]
