"""Logs that can be lived with: text for people, JSON for collectors, to stderr, journald or syslog; no flood, and nothing lost in silence.

A line never blocks a protocol process. What cannot be written is counted (`counts`), and said when it can be said again.
"""

from __future__ import annotations

import logging
from typing import Any

from krun.logs.formats import MAX_LINE, JsonFormatter, TextFormatter, kind_of
from krun.logs.limit import Limiter
from krun.logs.outlet import Outlet
from krun.logs.stderr import StderrHandler

WHERE = "stderr"
"""Where lines go unless somebody says otherwise."""

_limiter = Limiter()


def setup(process: str, style: str, level: int = logging.INFO, where: str = WHERE) -> None:
    """Log as ``process`` (``krun``, ``krun-vrrp``, …) in ``style``: ``text`` or ``json``, to ``where``: ``stderr``, ``journal`` or
    ``syslog:FACILITY``. Replaces what was set up before. Where stderr leads to journald the journal's own protocol is spoken.
    """
    global _limiter
    handler = _outlet(process, style, where)
    _limiter = Limiter()
    handler.addFilter(_limiter)
    root = logging.getLogger()
    before, root.handlers[:] = root.handlers[:], [handler]
    for old in before:
        if isinstance(old, Outlet):
            old.close()
    root.setLevel(level)
    logging.raiseExceptions = False  # a broken log call must not print a traceback over the terminal


def _outlet(process: str, style: str, where: str) -> Outlet:
    from krun.logs.journal import JournalHandler, listens, stderr_is_the_journal

    handler: Outlet
    formatter: logging.Formatter | None = JsonFormatter(process) if style == "json" else None
    at_journal = where == "stderr" and stderr_is_the_journal()
    if where == "journal" or (at_journal and listens()):
        handler = JournalHandler(process)
    elif where.startswith("syslog"):
        from krun.logs.syslog import SyslogHandler

        handler = SyslogHandler(process, where.partition(":")[2] or "daemon")
    else:
        handler = StderrHandler()
        formatter = formatter or TextFormatter(process, at_journal)
    handler.setFormatter(formatter)
    return handler


def share_limit(handler: logging.Handler) -> None:
    """Let ``handler`` have the lines that pass the limit, like those that are written."""
    handler.addFilter(_limiter)


def tick() -> None:
    """Called every now and then by whoever has a loop: sums up floods, and sends what waits."""
    _limiter.tick()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Outlet) and handler.waiting:
            handler.flush_waiting()


def finish() -> None:
    """The process ends."""
    _limiter.finish()
    tick()


def left_out(kind: str, count: int = 1) -> None:
    """Somebody with a limit of its own left lines of this ``kind`` out."""
    _limiter.suppressed[kind] += count


def descriptors() -> tuple[int, ...]:
    """Descriptors that a child must not close."""
    return tuple(
        fd
        for handler in logging.getLogger().handlers
        if isinstance(handler, Outlet)
        for fd in handler.descriptors()
    )


def problem() -> str:
    """Why lines cannot go out, in words; empty while they can."""
    return "; ".join(h.problem for h in logging.getLogger().handlers if isinstance(h, Outlet) and h.problem)


def counts() -> dict[str, Any]:
    """For the state document: lines ``dropped`` since nobody read them, ``waiting`` to go out, the ``problem`` if there is one, and
    ``suppressed`` by kind."""
    outlets = [handler for handler in logging.getLogger().handlers if isinstance(handler, Outlet)]
    return {
        "dropped": sum(outlet.dropped for outlet in outlets),
        "waiting": sum(outlet.waiting for outlet in outlets),
        "problem": problem() or None,
        "suppressed": dict(sorted(_limiter.suppressed.items())),
    }


__all__ = [
    "MAX_LINE",
    "JsonFormatter",
    "StderrHandler",
    "TextFormatter",
    "counts",
    "descriptors",
    "finish",
    "kind_of",
    "left_out",
    "problem",
    "setup",
    "share_limit",
    "tick",
]
