"""syslog: datagrams to ``/dev/log`` in the form that rsyslog, syslog-ng and journald expect there (RFC 3164 without a host name, as the C
library's syslog(3) writes it)."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from krun.logs.formats import cut, plain_text, priority
from krun.logs.outlet import Datagrams

DEV_LOG = Path("/dev/log")

FACILITIES = {
    "kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8, "cron": 9,
    "authpriv": 10, "ftp": 11, **{f"local{n}": 16 + n for n in range(8)},
}  # fmt: skip
"""syslog(3). keepalived's default is ``daemon``, its ``-S N`` is ``localN``."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class SyslogHandler(Datagrams):
    """``process``: the tag. ``formatter`` set: the message is what it makes, with the cookie that says that it is JSON."""

    def __init__(self, process: str, facility: str = "daemon", path: Path = DEV_LOG) -> None:
        super().__init__(path)
        self._process = process
        self._facility = FACILITIES[facility]

    def encode(self, record: logging.LogRecord) -> bytes:
        if self.formatter is None:
            text = plain_text(record).replace("\n", "\\n")
        else:
            # rsyslog's mmjsonparse and syslog-ng's json-parser look for it.
            text = "@cee: " + self.formatter.format(record)
        return self._line(record.levelno, record.created, text)

    def lost(self, count: int) -> bytes:
        return self._line(
            logging.WARNING, time.time(), f"warning: {count} log lines were dropped: nobody read them"
        )

    def _line(self, level: int, at: float, text: str) -> bytes:
        when = time.localtime(at)
        # RFC 3164 section 4.1.2: English names of months, whatever the locale.
        moment = f"{_MONTHS[when.tm_mon - 1]} {when.tm_mday:2d} {time.strftime('%H:%M:%S', when)}"
        head = f"<{self._facility * 8 + priority(level)}>{moment} {self._process}[{os.getpid()}]: "
        return cut(head + text)
