"""Lines on descriptor 2. A line never blocks a protocol process."""

from __future__ import annotations

import logging
import os
import select

from krun.logs.formats import cut
from krun.logs.outlet import Outlet


class StderrHandler(Outlet):
    """Writes whole lines to descriptor 2, and drops them (counted, and said later) while nobody reads there."""

    def __init__(self) -> None:
        super().__init__()
        self._untold = 0
        self._poll = select.poll()
        self._poll.register(2, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = cut(self.format(record))
            if not self._poll.poll(0):
                self._drop()
                return
            if self._untold:
                count, self._untold = self._untold, 0
                os.write(2, f"({count} log lines were dropped: nobody read them)\n".encode())
            os.write(2, line + b"\n")
        except OSError:
            self._drop()

    def _drop(self) -> None:
        self.dropped += 1
        self._untold += 1
