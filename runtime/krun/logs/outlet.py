"""Where log lines leave a process."""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections import deque
from pathlib import Path

BACKLOG = 200
"""How many lines wait for a log daemon that is not there, or does not read; older ones are dropped, and counted."""

AGAIN_S = 0.1
"""How soon it is tried again where it is there and does not read."""

RETRY_S = 1.0
"""How often a log daemon that is away is looked for."""


class Outlet(logging.Handler):
    """``dropped``: lines that nobody will read, since the start. ``problem``: why lines cannot go out now."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self.problem = ""

    @property
    def waiting(self) -> int:
        """Lines that wait to go out."""
        return 0

    def descriptors(self) -> tuple[int, ...]:
        """Descriptors that must stay open."""
        return ()

    def flush_waiting(self) -> None:
        """Try again to send what waits."""


class Datagrams(Outlet):
    """Lines as datagrams to the unix socket of a log daemon. Never blocks: what does not go now waits (`BACKLOG`) and goes when the daemon
    is back, or reads again.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._socket: socket.socket | None = None
        self._backlog: deque[bytes] = deque()
        self._lost = 0
        self._connected = False
        self._again_at = 0.0

    @property
    def waiting(self) -> int:
        return len(self._backlog)

    def descriptors(self) -> tuple[int, ...]:
        if self._socket is None:
            self._connect()
        return (self._socket.fileno(),) if self._socket is not None else ()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            datagram = self.encode(record)
        except Exception:  # noqa: BLE001 - a line that cannot be put together must not stop anybody
            self.dropped += 1
            return
        self._backlog.append(datagram)
        while len(self._backlog) > BACKLOG:
            self._backlog.popleft()
            self.dropped += 1
            self._lost += 1
        if len(self._backlog) == 1 or time.monotonic() >= self._again_at:
            self.flush_waiting()

    def encode(self, record: logging.LogRecord) -> bytes:
        """The datagram of a record."""
        raise NotImplementedError

    def lost(self, count: int) -> bytes:
        """A datagram that says how many were dropped."""
        raise NotImplementedError

    def flush_waiting(self) -> None:
        if not self._backlog or time.monotonic() < self._again_at:
            return
        # A daemon that was started again has the same path and another socket: that costs one more attempt.
        if not (self._connected or self._connect()) or not (
            self._drain() or (self._connect() and self._drain())
        ):
            self._again_at = time.monotonic() + (AGAIN_S if self._connected else RETRY_S)

    def _drain(self) -> bool:
        """Send what waits; False where something is in the way."""
        if self._lost:
            if not self._send(self.lost(self._lost)):
                return False
            self._lost = 0
        while self._backlog:
            if not self._send(self._backlog[0]):
                return self._connected  # it is there and does not read: connecting again is no help
            self._backlog.popleft()
        return True

    def _send(self, datagram: bytes) -> bool:
        assert self._socket is not None
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            self.problem = f"{self.path}: it does not read"
            self._again_at = time.monotonic() + AGAIN_S
            return False
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                self.dropped += 1
                return True
            self.problem = f"{self.path}: {error.strerror or error}"
            self._connected = False
            return False
        self.problem = ""
        return True

    def _connect(self) -> bool:
        """The descriptor stays the same: a child was told to keep it, and another file might get its number."""
        try:
            if self._socket is None:
                self._socket = socket.socket(
                    socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
                )
            self._socket.connect(str(self.path))
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror or error}"
            self._connected = False
            return False
        self._connected = True
        return True
