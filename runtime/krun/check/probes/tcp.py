"""TCP_CHECK: the connection is established within the timeout."""

from __future__ import annotations

import socket

from kir.model import Endpoint
from krun.check.outcome import GOOD, Outcome, bad
from krun.check.poller import WRITE
from krun.check.probes.base import Done, Environment
from krun.check.probes.connect import judge, open_connection
from krun.check.schedule import Alarm


class TcpProbe:
    """Connect, and close at once."""

    __slots__ = ("_alarm", "_done", "_endpoint", "_environment", "_sock")

    def __init__(self, environment: Environment, endpoint: Endpoint, done: Done) -> None:
        self._environment = environment
        self._endpoint = endpoint
        self._done: Done | None = done
        self._sock: socket.socket | None = None
        self._alarm: Alarm | None = None

    def start(self) -> None:
        opened = open_connection(self._endpoint)
        if isinstance(opened, Outcome):
            self._finish(opened)
            return
        self._sock, connected = opened
        if connected:
            self._finish(GOOD)
            return
        environment = self._environment
        environment.poller.watch(self._sock.fileno(), WRITE, self._writable)
        self._alarm = environment.grid.at(environment.clock() + self._endpoint.timeout_us, self._late)

    def cancel(self) -> None:
        self._done = None
        self._release()

    def _writable(self, _events: int) -> None:
        assert self._sock is not None
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._finish(judge(code) if code else GOOD)

    def _late(self) -> None:
        self._finish(bad(f"no connection within {seconds(self._endpoint.timeout_us)}"))

    def _finish(self, outcome: Outcome) -> None:
        self._release()
        done, self._done = self._done, None
        if done is not None:
            done(outcome)

    def _release(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._sock is not None:
            self._environment.poller.forget(self._sock.fileno())
            self._sock.close()
            self._sock = None


def seconds(duration_us: int) -> str:
    """A duration for the log: ``5 s``, ``0.25 s``."""
    return f"{duration_us / 1e6:g} s"
