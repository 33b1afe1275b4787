"""The asking side of a control socket, for a command: one request, one answer, a time limit. And, for the parent, `Conversation`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from krun.control.framing import Decoder, FramingError, Message, encode
from krun.control.stream import Stream
from krun.loop.books import Books, Entry
from krun.loop.events import EventLoop, Handle


class NoDaemonError(Exception):
    """Nobody answers at that socket; the text says where it was looked for and what to do."""


def ask(path: Path, request: Message, timeout: float) -> Message:
    """Send ``request`` to the socket at ``path`` and return the answer. Raises `NoDaemonError`, also when time is up."""
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(timeout)
            sock.connect(str(path))
            sock.sendall(encode(request))
            decoder = Decoder()
            while True:
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                data = sock.recv(262144)
                if not data:
                    raise NoDaemonError(
                        f"krun closed the connection at {path} without an answer: it is ending"
                    )
                for message in decoder.feed(data):
                    return message
        except TimeoutError:
            raise NoDaemonError(f"krun did not answer at {path} within {timeout:g} s") from None
        except FileNotFoundError:
            raise NoDaemonError(
                f"no krun runs with this run directory: {path} does not exist (krunctl --run-dir DIR names another one)"
            ) from None
        except ConnectionRefusedError:
            raise NoDaemonError(f"no krun listens at {path}: it has ended without clearing up") from None
        except PermissionError:
            raise NoDaemonError(
                f"{path}: permission denied; it takes krun's user, usually root, or, to look, a member of the group that krun was started"
                " with (`krun --control-group GROUP`)"
            ) from None
        except FramingError as error:
            raise NoDaemonError(f"what listens at {path} is no krun: {error}") from None
        except OSError as error:
            raise NoDaemonError(f"{path}: {error.strerror or error}") from None


TIMED_OUT = "no answer within"
"""How the reason of a `Reply` begins where the child is there and says nothing."""

ASKED = 256
"""How many questions to one child may be open; one more is answered at once, with the reason."""

Reply = Callable[[Message | None, str], None]
"""Called with the answer, or with None and the reason why there is none."""


@dataclass(slots=True)
class _Asked:
    reply: Reply
    timer: Handle


class Conversation:
    """Requests to one child over one connection, several under way at once, each with its own time limit."""

    def __init__(self, loop: EventLoop, path: Path) -> None:
        self._loop = loop
        self._path = path
        self._stream: Stream | None = None
        self._asked: dict[int, _Asked] = {}
        self._id = 0

    def ask(self, request: Message, timeout: float, reply: Reply) -> None:
        """Send ``request``; ``reply`` is called exactly once, at once where the child does not listen."""
        if len(self._asked) >= ASKED:
            reply(None, f"{ASKED} questions to it are not answered yet")
            return
        if self._stream is None:
            sock = socket.socket(
                socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            )
            try:
                sock.connect(str(self._path))
            except OSError as error:
                sock.close()
                reply(None, f"it does not listen: {error.strerror or error}")
                return
            self._stream = Stream(self._loop, sock, self._received, self._ended)
        self._id += 1
        number = self._id
        timer = self._loop.call_later(timeout, lambda: self._late(number, timeout))
        self._asked[number] = _Asked(reply, timer)
        self._stream.send({**request, "id": number})

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        if self._stream is not None:
            yield Entry("control connection", f"to {self._path.name}", self._stream)
        for asked in self._asked.values():
            yield Entry("question", f"to {self._path.name}", asked)

    def close(self, why: str) -> None:
        """End the connection; whoever waits for an answer hears ``why``."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        waiting, self._asked = self._asked, {}
        for asked in waiting.values():
            asked.timer.cancel()
            asked.reply(None, why)

    def _received(self, _stream: Stream, message: Message) -> None:
        asked = self._asked.pop(message.get("id", 0), None)
        if asked is not None:  # else: an answer that came too late
            asked.timer.cancel()
            asked.reply(message, "")

    def _late(self, number: int, timeout: float) -> None:
        asked = self._asked.pop(number, None)
        if asked is not None:
            asked.reply(None, f"{TIMED_OUT} {timeout:g} s")

    def _ended(self, _stream: Stream, why: str) -> None:
        self._stream = None
        self.close(why)
