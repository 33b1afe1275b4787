"""Log lines on stderr: text for people, JSON for collectors, priorities for journald. A line never blocks a protocol process."""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import time

MAX_LINE = 4000
"""Octets of one line. Not more than PIPE_BUF (4,096): poll(2) promises room for that many."""

_PRIORITY = {
    logging.CRITICAL: 2,
    logging.ERROR: 3,
    logging.WARNING: 4,
    logging.INFO: 6,
    logging.DEBUG: 7,
}


class StderrHandler(logging.Handler):
    """Writes whole lines to descriptor 2, and drops them (counted, and said later) while nobody reads there."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._poll = select.poll()
        self._poll.register(2, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace")
            if len(line) > MAX_LINE - 1:
                line = line[: MAX_LINE - 5] + "…".encode()
            if not self._poll.poll(0):
                self.dropped += 1
                return
            if self.dropped:
                count, self.dropped = self.dropped, 0
                os.write(2, f"({count} log lines were dropped: nobody read them)\n".encode())
            os.write(2, line + b"\n")
        except OSError:
            self.dropped += 1


class TextFormatter(logging.Formatter):
    """``2026-03-01T12:00:00.123 krun-vrrp[4711] warning: …``; below journald only ``<4>…``, it knows the rest itself."""

    def __init__(self, process: str, journald: bool) -> None:
        super().__init__()
        self._process = process
        self._journald = journald

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().replace("\n", "\\n")
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + self.formatException(record.exc_info)
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        if self._journald:
            return f"<{_PRIORITY.get(record.levelno, 6)}>{level}{text}"
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(record.created))
        return f"{moment}.{int(record.msecs):03d} {self._process}[{os.getpid()}] {level}{text}"


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
            "subject": str(getattr(record, "event_subject", ""))[: MAX_LINE // 8],
        }
        if data := getattr(record, "event_data", None):
            line["data"] = data
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = self.formatException(record.exc_info)[-MAX_LINE // 2 :]
        return json.dumps(line, ensure_ascii=False, default=str)


def kind_of(record: logging.LogRecord) -> str:
    """What kind of event a line is about: as whoever wrote it said, else the part that wrote it (``vrrp``, ``check``, …)."""
    return str(getattr(record, "event_kind", None) or record.name.removeprefix("krun."))


def setup(process: str, style: str, level: int = logging.INFO) -> None:
    """Log as ``process`` (``krun``, ``krun-vrrp``, …) in ``style``: ``text`` or ``json``. Replaces what was set up before."""
    handler = StderrHandler()
    if style == "json":
        handler.setFormatter(JsonFormatter(process))
    else:
        handler.setFormatter(TextFormatter(process, _is_journald()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.raiseExceptions = False  # a broken log call must not print a traceback over the terminal


def _is_journald() -> bool:
    """systemd.exec(5), JOURNAL_STREAM: device and inode of the stream that it connected stderr to."""
    try:
        details = os.fstat(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{details.st_dev}:{details.st_ino}"
