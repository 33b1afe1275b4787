"""Framing, streams, server and client: nonsense, limits, silence."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.control.client import Conversation, NoDaemonError, ask
from krun.control.framing import Decoder, FramingError, Message, encode
from krun.control.server import Answer, ControlServer, listen
from krun.control.stream import Stream
from krun.loop.reactor import Reactor

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
messages = st.dictionaries(st.text(max_size=8), json_values, max_size=4)


@given(st.lists(messages, max_size=5), st.lists(st.integers(1, 40), max_size=30))
def test_messages_survive_any_cutting(sent: list[Message], cuts: list[int]) -> None:
    data = b"".join(encode(m) for m in sent)
    decoder = Decoder()
    got: list[Message] = []
    at = 0
    for cut in [*cuts, len(data) or 1]:
        got += decoder.feed(data[at : at + cut])
        at += cut
    assert got == sent
    assert decoder.pending == 0


@given(st.binary(max_size=200))
def test_nonsense_is_a_framing_error_or_an_unfinished_message(data: bytes) -> None:
    with contextlib.suppress(FramingError):
        Decoder(limit=100).feed(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (struct.pack("!I", 0xFFFFFFFF), "limit"),
        (b"GET / HTTP/1.0\r\n\r\n", "limit"),
        (struct.pack("!I", 3) + b"[1]", "no JSON object"),
        (struct.pack("!I", 2) + b"\xff\xfe", "no JSON object"),
        (struct.pack("!I", 200) + b"[" * 200, "no JSON object"),
    ],
)
def test_what_is_no_message_is_said_in_words(data: bytes, words: str) -> None:
    with pytest.raises(FramingError, match=words):
        Decoder().feed(data)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        yield Path(name)


class Served:
    """A server in a thread of its own; ``mute`` requests are never answered."""

    def __init__(self, path: Path, connections: int = 4) -> None:
        self.loop = Reactor()
        self.server = ControlServer(self.loop, listen(path), self.handle, limit=1000, connections=connections)
        self.over = False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while not self.over:
            self.loop.run_once(0.02)
        self.server.close()

    def handle(self, request: Message, answer: Answer) -> None:
        if request.get("op") == "later":
            self.loop.call_later(0.03, lambda: answer({"ok": True, "said": "later"}))
        elif request.get("op") != "mute":
            answer({"ok": True, "echo": request})

    def stop(self) -> None:
        self.over = True
        self.thread.join()


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    server = Served(folder / "s")
    yield server
    server.stop()


def test_ask_and_answer(folder: Path, served: Served) -> None:
    assert ask(folder / "s", {"op": "a", "x": "ü" * 100}, 5)["echo"] == {"op": "a", "x": "ü" * 100}
    assert (folder / "s").stat().st_mode & 0o777 == 0o600


def test_a_silent_or_missing_daemon_is_said_in_words(folder: Path, served: Served) -> None:
    with pytest.raises(NoDaemonError, match=r"did not answer at .* within 0\.1 s"):
        ask(folder / "s", {"op": "mute"}, 0.1)
    with pytest.raises(NoDaemonError, match="does not exist"):
        ask(folder / "nobody", {}, 1)
    dead = listen(folder / "dead")
    dead.close()
    with pytest.raises(NoDaemonError, match="without clearing up"):
        ask(folder / "dead", {}, 1)


def test_nonsense_costs_the_sender_its_connection_and_nobody_else(folder: Path, served: Served) -> None:
    for nonsense in (b"GET / HTTP/1.0\r\n\r\n", encode({"op": "x" * 2000}), b"\0\0\0\5hello"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(folder / "s"))
            sock.settimeout(5)
            sock.sendall(nonsense)
            assert sock.recv(100) == b""
    assert ask(folder / "s", {"op": "a"}, 5)["ok"]


def test_connections_are_bounded(folder: Path, served: Served) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(str(folder / "s"))
            sock.sendall(encode({"op": "a"}) + encode({"op": "mute"}))
            assert sock.recv(100)
        with pytest.raises(NoDaemonError):
            ask(folder / "s", {"op": "a"}, 5)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:  # until the server has seen that they are closed
        with contextlib.suppress(NoDaemonError):
            assert ask(folder / "s", {"op": "a"}, 5)["ok"]
            return
    raise AssertionError("closed connections were never given back")


def test_a_long_path_is_refused_in_words(folder: Path) -> None:
    with pytest.raises(OSError, match="shorter --run-dir"):
        listen(folder / ("x" * 120))


def test_a_conversation_keeps_answers_apart(folder: Path, served: Served) -> None:
    loop = Reactor()
    talk = Conversation(loop, folder / "s")
    seen: list[tuple[str, Message | None, str]] = []
    for op in ("later", "now", "mute"):
        talk.ask({"op": op}, 0.2, lambda message, why, op=op: seen.append((op, message, why)))  # type: ignore[misc]
    while len(seen) < 3:
        loop.run_once(1)
    assert [op for op, _, _ in seen] == ["now", "later", "mute"]
    assert seen[1][1] is not None
    assert seen[1][1]["said"] == "later"
    assert seen[2][1:] == (None, "no answer within 0.2 s")
    talk.ask({"op": "mute"}, 5, lambda message, why: seen.append(("closed", message, why)))
    talk.close("it ended")
    assert seen[3] == ("closed", None, "it ended")
    loop.close()


def test_a_peer_that_never_reads_is_cut_off() -> None:
    loop = Reactor()
    ours, theirs = socket.socketpair()
    ended: list[str] = []
    stream = Stream(
        loop, ours, lambda _stream, _message: None, lambda _stream, why: ended.append(why), backlog=1_000_000
    )
    with theirs:
        for _ in range(100):
            stream.send({"x": "y" * 100_000})
    assert ended == ["it does not read its answers"]
    assert not stream.open
    loop.close()
