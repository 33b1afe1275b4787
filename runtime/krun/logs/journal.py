"""journald's own protocol (systemd's "Native Journal Protocol"): fields, so that ``journalctl KRUN_KIND=vrrp.state`` finds what happened."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import struct
import sys
from pathlib import Path

from krun.logs.formats import cut, data_of, kind_of, plain_text, priority, subject_of
from krun.logs.outlet import Datagrams

SOCKET = Path("/run/systemd/journal/socket")

_NOT_A_NAME = re.compile(r"[^A-Z0-9_]")


class JournalHandler(Datagrams):
    """``MESSAGE``, ``PRIORITY``, ``SYSLOG_IDENTIFIER``; ``KRUN_KIND``, ``KRUN_SUBJECT``, and each of an event's data: ``KRUN_STATE``,
    ``KRUN_PRIORITY``. ``formatter`` set: the message is what it makes."""

    def __init__(self, process: str, path: Path = SOCKET) -> None:
        super().__init__(path)
        self._process = process

    def encode(self, record: logging.LogRecord) -> bytes:
        text = plain_text(record) if self.formatter is None else self.formatter.format(record)
        fields = self._head(record.levelno, text)
        fields["KRUN_KIND"] = kind_of(record).encode()
        fields["KRUN_LOGGER"] = record.name.encode()
        if subject := subject_of(record):
            fields["KRUN_SUBJECT"] = cut(subject)
        for name, value in data_of(record).items():
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
                fields["KRUN_" + _NOT_A_NAME.sub("_", name.upper())] = cut(text)
        return _packed(fields)

    def lost(self, count: int) -> bytes:
        text = f"warning: {count} log lines were dropped: nobody read them"
        return _packed(self._head(logging.WARNING, text) | {"KRUN_KIND": b"log.dropped"})

    def _head(self, level: int, text: str) -> dict[str, bytes]:
        return {
            "MESSAGE": cut(text),
            "PRIORITY": str(priority(level)).encode(),
            "SYSLOG_IDENTIFIER": self._process.encode(),
            "SYSLOG_PID": str(os.getpid()).encode(),
        }


def _packed(fields: dict[str, bytes]) -> bytes:
    parts = []
    for name, value in fields.items():
        if b"\n" in value:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        else:
            parts.append(name.encode() + b"=" + value + b"\n")
    return b"".join(parts)


def stderr_is_the_journal() -> bool:
    """systemd.exec(5), JOURNAL_STREAM: device and inode of the stream that it connected stderr to."""
    try:
        details = os.fstat(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{details.st_dev}:{details.st_ino}"


def listens(path: Path = SOCKET) -> bool:
    """Whether journald's socket is there, and may be written to."""
    try:
        return stat.S_ISSOCK(path.stat().st_mode) and os.access(path, os.W_OK)
    except OSError:
        return False
