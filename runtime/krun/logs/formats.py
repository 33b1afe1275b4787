"""How a log record looks: a line for people, an object for programs."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

MAX_LINE = 4000
"""Octets of one line. Not more than PIPE_BUF (4,096): poll(2) promises room for that many."""

PRIORITY = {
    logging.CRITICAL: 2,
    logging.ERROR: 3,
    logging.WARNING: 4,
    logging.INFO: 6,
    logging.DEBUG: 7,
}
"""syslog(3): crit, err, warning, info, debug."""


def priority(level: int) -> int:
    """The priority of a level of `logging`."""
    return PRIORITY.get(level, 6)


def kind_of(record: logging.LogRecord) -> str:
    """What kind of event a line is about: as whoever wrote it said, else the part that wrote it (``vrrp``, ``check``, …)."""
    return str(getattr(record, "event_kind", None) or record.name.removeprefix("krun."))


def subject_of(record: logging.LogRecord) -> str:
    """What it is about: an instance, a server, a process; empty where nobody said."""
    return str(getattr(record, "event_subject", "") or "")


def data_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a program wants to know of it."""
    return getattr(record, "event_data", None) or {}


def plain_text(record: logging.LogRecord) -> str:
    """The message as one line, with its level where that is not info, and the traceback where there is one."""
    text = record.getMessage().replace("\n", "\\n")
    if record.exc_info and record.exc_info[0] is not None:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
    return level + text


class TextFormatter(logging.Formatter):
    """``2026-03-01T12:00:00.123 krun-vrrp[4711] warning: …``; below journald only ``<4>…``, it knows the rest itself."""

    def __init__(self, process: str, journald: bool) -> None:
        super().__init__()
        self._process = process
        self._journald = journald

    def format(self, record: logging.LogRecord) -> str:
        text = plain_text(record)
        if self._journald:
            return f"<{priority(record.levelno)}>{text}"
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created))
        return f"{moment}.{int(record.msecs):03d} {self._process}[{os.getpid()}] {text}"


class JsonFormatter(logging.Formatter):
    """One object a line: time (RFC 3339, UTC), level, process, pid, logger, message; then ``kind``, ``subject`` and ``data`` of an event
    (`krun.control.events`)."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": os.getpid(),
            "logger": record.name,
            "message": record.getMessage()[: MAX_LINE // 2],
            "kind": kind_of(record),
            "subject": subject_of(record)[: MAX_LINE // 8],
        }
        if data := data_of(record):
            line["data"] = data
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = self.formatException(record.exc_info)[-MAX_LINE // 2 :]
        return json.dumps(line, ensure_ascii=False, default=str)


def cut(line: str) -> bytes:
    """As octets, no longer than `MAX_LINE`."""
    octets = line.encode("utf-8", "backslashreplace")
    return octets if len(octets) < MAX_LINE else octets[: MAX_LINE - 5] + "…".encode()
