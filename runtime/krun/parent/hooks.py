"""The scripts of the daemon's own life: one before the children start, one after they have ended.

They are run by the script process, like every other script: as their user, without a shell, in a process group of their own, SIGTERM when
their time is over and SIGKILL two seconds later. How they end changes nothing, as with keepalived: it is in the log.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path

from kir.model import Script
from krun.control.events import event
from krun.control.framing import Message
from krun.control.stream import Stream
from krun.loop.events import EventLoop, Handle
from krun.notify.client import SOCKET_NAME

log = logging.getLogger("krun.parent")

PATIENCE_S = 5.0
"""How much longer than its time, and the two seconds to SIGKILL, the script process may take to say that a script is over."""


class Hook:
    """``script`` under way at once, through the script process of ``run_dir``; ``done`` is called once, from the loop."""

    def __init__(
        self,
        loop: EventLoop,
        run_dir: Path,
        label: str,
        script: Script,
        timeout_us: int,
        done: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._label = label
        self._timeout_us = timeout_us
        self._done = done
        self._over = False
        self._stream: Stream | None = None
        self._limit: Handle | None = None
        log.info("%s: %s", label, " ".join(script.argv), extra=event("krun.script", label))
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.connect(str(run_dir / SOCKET_NAME))
        except OSError as error:
            sock.close()
            why = f"was not run: no script process: {error.strerror or error}"
            loop.call_later(0, lambda: self._end(why))
            return
        self._stream = Stream(
            loop, sock, self._received, lambda _stream, why: self._end(f"the script process went away: {why}")
        )
        self._stream.send(
            {
                "op": "run",
                "id": 1,
                "argv": script.argv,
                "user": script.account.user,
                "group": script.account.group,
                "supplementary": script.account.supplementary,
                "timeout_us": timeout_us,
                "label": label,
                "queue": None,
                "detached": False,
            }
        )
        self._limit = loop.call_later(
            timeout_us / 1e6 + 2.0 + PATIENCE_S, lambda: self._end("the script process says nothing about it")
        )

    def cancel(self) -> None:
        """Nobody waits any more: the script is ended with its process group, and ``done`` not called."""
        self._over = True
        self._close()

    def _received(self, _stream: Stream, message: Message) -> None:
        if message.get("op") != "done":
            return  # on its way
        status, code = message.get("status"), message.get("code")
        output = str(message.get("output") or "").strip()
        said = f": {output[-600:]}" if output else ""
        if status == "exited" and code == 0:
            self._end("")
        elif status == "exited":
            self._end(f"ended with exit status {code}{said}")
        elif status == "signaled":
            self._end(f"was killed by signal {code}{said}")
        elif status == "timeout":
            self._end(f"took longer than {self._timeout_us / 1e6:g} s and was ended{said}")
        else:
            self._end(f"was not run{said}")

    def _end(self, problem: str) -> None:
        if self._over:
            return
        self._over = True
        self._close()
        if problem:
            log.error("%s %s", self._label, problem, extra=event("krun.script_failed", self._label))
        else:
            log.info("%s succeeded", self._label)
        self._done()

    def _close(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        if self._stream is not None:
            self._stream.close()
            self._stream = None
