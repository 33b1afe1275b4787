"""At each limit of docs/limits.md, and one beyond. Those that are not here stand with their part: scripts, mail, HTTP replies, scrapes, the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from kir.model import VrrpInstance
from krun import logs
from krun.check.probes.response import MAX_CHUNK_LINE, MAX_HEAD, ResponseError, ResponseReader
from krun.check.schedule import Grid
from krun.control import server as control
from krun.control.client import ASKED, Conversation
from krun.control.events import SIZE, TEXT, Ring, event
from krun.control.framing import MAX_MESSAGE, Decoder, FramingError, Message, encode
from krun.control.server import Answer, ControlServer, listen
from krun.control.stream import NOT_READING, Stream
from krun.kernel.reflector import DATAGRAMS_PER_READ
from krun.loop.limited import BURST, PER_SECOND, LimitedLog
from krun.loop.reactor import SWEEP_AT, Reactor
from krun.notify.client import OUTSTANDING, ScriptClient, ScriptResult, ScriptRun
from krun.parent.promises import PromiseWriter
from krun.parent.region import MAX_VALUE
from krun.parent.requests import FAILURES, Run, Wanted, report
from krun.vrrp.alarms import Alarms
from krun.vrrp.announcements import WAITING_LIMIT, Pacer
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.instance import ADVERTS, Instance
from krun.vrrp.intake import UNKNOWN_LIMIT, Intake


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kl") as name:
        yield Path(name)


# -- the control socket


class Control:
    """A server on the reactor of this thread. ``open``: the answers that it owes."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.path = folder / "s"
        self.loop = Reactor()
        self.open: list[Answer] = []
        self.server = ControlServer(self.loop, listen(self.path), self.handle, **limits)
        self.clients: list[socket.socket] = []

    def handle(self, request: Message, answer: Answer) -> None:
        if request.get("op") == "wait":
            self.open.append(answer)
        elif request.get("op") == "much":
            answer({"ok": True, "much": "x" * int(request["size"])})
        else:
            answer({"ok": True})

    def client(self, *requests: Message, turn: bool = True) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.path))
        sock.settimeout(5)
        for request in requests:
            sock.sendall(encode(request))
        self.clients.append(sock)
        if turn:
            self.turn()
        return sock

    def turn(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            self.loop.run_once(0.01)

    def close(self) -> None:
        for sock in self.clients:
            sock.close()
        self.server.close()
        self.loop.close()


@pytest.fixture
def make_control(folder: Path) -> Iterator[Callable[..., Control]]:
    made: list[Control] = []

    def make(**limits: Any) -> Control:
        made.append(Control(folder, **limits))
        return made[-1]

    yield make
    for one in made:
        one.close()


def answered(sock: socket.socket) -> bytes:
    """What came, b"" where the connection was closed."""
    try:
        return sock.recv(1 << 16)
    except ConnectionResetError:  # it had said more than was read
        return b""


def silent(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return sock.recv(1) is None
    except BlockingIOError:
        return True


def test_one_connection_too_many_takes_the_place_of_the_idlest(make_control: Callable[..., Control]) -> None:
    c = make_control()
    socks = [c.client({"op": "wait"}) for _ in range(control.CONNECTIONS)]
    assert len(c.open) == control.CONNECTIONS and c.server.status()["refused"] == 0
    late = c.client({"op": "a"})
    assert answered(late) == b"" and c.server.status()["refused"] == 1, "all are in use"
    c.open[5]({"ok": True})
    c.turn()
    assert answered(socks[5])
    late = c.client({"op": "a"})
    assert answered(late) and answered(socks[5]) == b"" and c.server.status()["cut_off"] == 1
    assert silent(socks[0]) and c.server.status()["connections"] == control.CONNECTIONS


def test_a_flood_of_connections_is_one_line_in_the_log(
    make_control: Callable[..., Control], caplog: pytest.LogCaptureFixture
) -> None:
    c = make_control(connections=2)
    for _ in range(100):
        c.client({"op": "wait"})
    assert c.server.status()["refused"] == 98
    assert len([r for r in caplog.records if r.name == "krun.control"]) == 1


def test_a_request_may_have_so_many_octets(make_control: Callable[..., Control]) -> None:
    c = make_control()
    frame = len(encode({"op": "a", "x": ""})) - 4
    just = {"op": "a", "x": "x" * (control.REQUEST_LIMIT - frame)}
    assert len(encode(just)) - 4 == control.REQUEST_LIMIT
    for request, fits in ((just, True), ({**just, "op": "ab"}, False)):
        sock = c.client()
        sock.setblocking(False)
        data = memoryview(encode(request))
        while data:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                data = data[sock.send(data) :]
                continue
            c.turn(1)
            if not fits and c.server.status()["connections"] < 2:
                break
        c.turn()
        sock.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert bool(answered(sock)) is fits


def test_requests_of_one_connection_without_an_answer(make_control: Callable[..., Control]) -> None:
    c = make_control()
    sock = c.client(*({"op": "wait", "id": n} for n in range(control.UNDER_WAY)))
    assert len(c.open) == control.UNDER_WAY
    sock.sendall(encode({"op": "wait", "id": 1000}))
    c.turn()
    (refusal,) = Decoder().feed(answered(sock))
    assert (
        refusal["id"] == 1000 and "not answered yet" in refusal["error"] and len(c.open) == control.UNDER_WAY
    )
    for answer in c.open:
        answer({"ok": True})
    sock.sendall(encode({"op": "wait"}))
    c.turn()
    assert len(c.open) == control.UNDER_WAY + 1, "there is room again"


def test_unread_answers_in_all(make_control: Callable[..., Control]) -> None:
    c = make_control(backlog=3_000_000)
    first = c.client({"op": "much", "size": 1_500_000})
    second = c.client({"op": "much", "size": 1_500_000})
    assert c.server.status()["connections"] == 2 and c.server.status()["unsent"] > 2_000_000
    third = c.client({"op": "much", "size": 1_500_000})
    assert c.server.status() | {"unsent": 0} == {
        "connections": 2, "limit": 64, "refused": 0, "cut_off": 1, "unsent": 0,
    }  # fmt: skip
    data = b""
    while piece := third.recv(1 << 20):
        data += piece
    assert len(data) < 1_500_000 and first and second


def test_a_reader_that_reads_nothing_for_too_long() -> None:
    loop = Reactor()
    ended: list[str] = []
    ours, theirs = socket.socketpair()
    stream = Stream(loop, ours, lambda *_: None, lambda _s, why: ended.append(why), stalled_s=0.2)
    stream.send({"x": "y" * 20_000_000})
    theirs.setblocking(False)
    for _ in range(6):  # slow, but it reads: it may take as long as it likes
        for _ in range(10):
            loop.run_once(0.01)
        with contextlib.suppress(BlockingIOError):
            while theirs.recv(1 << 20):
                pass
    assert not ended and stream.open
    for _ in range(100):
        loop.run_once(0.02)
        if ended:
            break
    assert ended == [NOT_READING] and not stream.open
    theirs.close()
    loop.close()


def test_a_message_may_have_so_many_octets() -> None:
    frame = len(encode({"x": ""})) - 4
    assert len(encode({"x": "x" * (MAX_MESSAGE - frame)})) == MAX_MESSAGE + 4
    with pytest.raises(FramingError, match="longer than the limit"):
        encode({"x": "x" * (MAX_MESSAGE - frame + 1)})
    with pytest.raises(FramingError, match="is announced"):
        Decoder().feed((MAX_MESSAGE + 1).to_bytes(4, "big"))


def test_questions_to_one_child(make_control: Callable[..., Control]) -> None:
    c = make_control()
    talk = Conversation(c.loop, c.path)
    heard: list[str] = []
    for _ in range(ASKED):
        talk.ask({"op": "wait"}, 60, lambda _message, why: heard.append(why))
    assert not heard
    talk.ask({"op": "wait"}, 60, lambda _message, why: heard.append(why))
    assert heard == [f"{ASKED} questions to it are not answered yet"]
    talk.close("over")
    assert len(heard) == ASKED + 1


def test_named_failures_of_a_reload() -> None:
    from krun.parent.reload import Outcome

    for count, said in ((FAILURES, FAILURES), (FAILURES + 1, FAILURES + 1), (30_000, FAILURES + 1)):
        told = report(Run(Wanted(None, "x"), 0, ""), Outcome(True, failures=[str(n) for n in range(count)]))
        assert len(told.failures) == said
    assert told.failures[-1] == f"and {30_000 - FAILURES} more"


# -- log and events


def test_a_log_line_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda _fd, data: written.append(data) or len(data))
    handler = logs.StderrHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    monkeypatch.setattr(handler, "_poll", type("P", (), {"poll": staticmethod(lambda _t: [(2, 4)])}))
    for length in (logs.MAX_LINE - 1, logs.MAX_LINE, 1_000_000):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "x" * length, (), None))
    assert [len(line) <= logs.MAX_LINE for line in written] == [True] * 3
    assert written[0] == b"x" * (logs.MAX_LINE - 1) + b"\n" and all("…".encode() in w for w in written[1:])


def test_lines_that_a_peer_can_set_off(caplog: pytest.LogCaptureFixture) -> None:
    now = [0]
    say = LimitedLog(logging.getLogger("krun.vrrp"), clock=lambda: now[0], what="virtual routers")
    for n in range(BURST):
        say(logging.WARNING, "line %d", n)
    assert len(caplog.records) == BURST and say.left_out == 0
    say(logging.WARNING, "one beyond")
    assert len(caplog.records) == BURST and say.left_out == 1
    for second in range(1, 61):
        now[0] = second * 1_000_000
        for _ in range(10_000):
            say(logging.WARNING, "flood")
    assert len(caplog.records) <= BURST + 60 * (PER_SECOND + 2)
    assert "messages about virtual routers were left out: more than 50 a second" in caplog.text


def test_events_are_so_many_and_so_long() -> None:
    ring = Ring("test")
    for n in range(SIZE + 1):
        record = logging.LogRecord("krun.x", logging.INFO, "", 0, f"{n} " + "x" * 2 * TEXT, (), None)
        record.__dict__.update(event("x.y", "s" * 2 * TEXT, why="w" * 2 * TEXT, count=3))
        ring.emit(record)
    events = ring.since(0)
    assert len(events) == SIZE and events[0].number == 2
    last = events[-1]
    assert (len(last.text), len(last.subject), len(last.data["why"])) == (TEXT, TEXT, TEXT)
    assert last.data["count"] == 3


# -- VRRP


def test_unknown_vrids_are_told_apart_up_to_a_limit() -> None:
    intake = Intake(lambda *_: None)
    for n in range(UNKNOWN_LIMIT // 256):
        for vrid in range(256):
            intake.hear(
                Endpoint(f"eth{n}", "inet", "224.0.0.18", None), bytes((0x21, vrid)), "a", "224.0.0.18", 255
            )
    assert len(intake.unknown) == UNKNOWN_LIMIT
    for vrid in range(256):
        intake.hear(
            Endpoint("eth99", "inet", "224.0.0.18", None), bytes((0x21, vrid)), "a", "224.0.0.18", 255
        )
    assert len(intake.unknown) == UNKNOWN_LIMIT + 1 and intake.unknown["other", -1] == 256


def test_announcements_wait_up_to_a_limit_and_devices_are_forgotten() -> None:
    pacer = Pacer()
    pacer.add("VI", tuple(("eth0", str(n)) for n in range(WAITING_LIMIT)), 1, 1000, 0)
    assert pacer.dropped == 0 and pacer.waiting == WAITING_LIMIT - 1, "the first is on its way"
    pacer.add("VI", (("eth0", "x"), ("eth0", "y")), 1, 1000, 0)
    assert pacer.dropped == 1 and pacer.waiting == WAITING_LIMIT
    other = Pacer()
    for n in range(1000):
        other.add("VI", ((f"eth{n}", "a"),), 1, 1000, n * 10_000)
    assert len(other._devices) == 1


def test_alarms_of_instances_that_are_gone_are_thrown_out() -> None:
    wakes = dict.fromkeys(("stays", "goes"), 10)
    alarms = Alarms(lambda instance: wakes[cast(Any, instance).name])
    stays, goes = (cast(Instance, Named(name)) for name in wakes)
    for at in range(300, 0, -1):  # each is earlier: an entry more
        wakes["stays"] = wakes["goes"] = at
        alarms.arm(stays)
        alarms.arm(goes)
    alarms.forget(goes)
    alarms.sweep()
    assert len(alarms._heap) == 1 and alarms.next() == 1
    assert [one is stays for one in alarms.due(1)] == [True] and alarms.next() is None


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


def test_adverts_are_kept_ready_for_few_priorities() -> None:
    config = VrrpInstance(
        name="VI",
        interface="eth0",
        vrid=1,
        version=3,
        family="inet",
        initial_state="BACKUP",
        priority=1,
        advert_int_us=1_000_000,
    )
    instance = Instance(config, 0)
    for priority in range(ADVERTS):
        instance.adverts(priority)
    assert len(instance._adverts) == ADVERTS
    for priority in range(256):
        instance.adverts(priority)
        assert len(instance._adverts) <= ADVERTS


# -- checks


@pytest.mark.parametrize(("size", "fits"), [(MAX_HEAD, True), (MAX_HEAD + 1, False)])
def test_the_trailer_of_a_chunked_reply(size: int, fits: bool) -> None:
    reader = ResponseReader(digest=False)
    reader.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    line = b"x: " + b"y" * 997 + b"\r\n"
    lines, rest = divmod(size, 1000)
    with contextlib.nullcontext() if fits else pytest.raises(ResponseError, match="trailer"):
        reader.receive(line * lines)
        reader.receive(b"z" * rest + b"\r\n")
        reader.receive(b"\r\n")
        assert reader.complete


@pytest.mark.parametrize(("size", "fits"), [(MAX_CHUNK_LINE, True), (MAX_CHUNK_LINE + 1, False)])
def test_a_line_of_a_chunked_body(size: int, fits: bool) -> None:
    reader = ResponseReader(digest=False)
    reader.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.nullcontext() if fits else pytest.raises(ResponseError, match="too long"):
        for octet in b"0;" + b"x" * (size - 2):
            reader.receive(bytes([octet]))
        reader.receive(b"\r\n\r\n")
        assert reader.complete


def test_a_body_without_an_end_is_not_kept() -> None:
    reader = ResponseReader(digest=True)
    reader.receive(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(200):
        reader.receive(b"x" * 100_000)
    held = sum(len(getattr(reader, slot) or b"") for slot in ("_head",))
    assert reader.received == 20_000_000 and held == 0 and not reader.complete


def test_cancelled_deadlines_are_thrown_out() -> None:
    """A reload every ten seconds of checks that are due in an hour must not keep an hour's worth of reloads."""
    from krun.check import schedule

    now = [0]
    loop = type("L", (), {"call_at": lambda *_: type("H", (), {"cancel": lambda *_: None})()})()
    grid = Grid(cast(asyncio.AbstractEventLoop, loop), clock=lambda: now[0])
    for turn in range(20):
        for n in range(schedule.SWEEP_AT):
            alarm = grid.at(3600_000_000 + turn * 100_000 + n, lambda: None)
            if n % 100:
                alarm.cancel()
        assert len(grid) <= 2 * schedule.SWEEP_AT + turn * schedule.SWEEP_AT // 100
    assert (
        sum(a.callback is not None for alarms in grid._alarms.values() for a in alarms)
        == 20 * schedule.SWEEP_AT // 100
    )


def test_cancelled_timers_of_the_parent_are_thrown_out() -> None:
    loop = Reactor()
    fired: list[int] = []
    for n in range(10_000):
        loop.call_later(3600, lambda: None).cancel()
        if n % 1000 == 0:
            loop.call_later(0, lambda n=n: fired.append(n))  # type: ignore[misc]
        assert len(loop._timers) <= SWEEP_AT + 20
    loop.run_once(0)
    assert fired == list(range(0, 10_000, 1000))
    loop.close()


# -- scripts, promises, the kernel


def test_runs_of_one_process_that_have_not_ended(folder: Path) -> None:
    async def main() -> None:
        client = ScriptClient(folder, asyncio.get_running_loop())
        heard: list[ScriptResult] = []
        for _ in range(OUTSTANDING):
            client.run(ScriptRun(("/bin/true",)), heard.append)
        await asyncio.sleep(0)
        assert not heard and client.outstanding == OUTSTANDING
        client.run(ScriptRun(("/bin/true",)), heard.append)
        await asyncio.sleep(0)
        assert [r.status for r in heard] == ["refused"] and "too slow" in heard[0].output
        client.close()

    asyncio.run(main())


def test_a_promise_is_so_long() -> None:
    writer = PromiseWriter()
    writer.promise("just", bytes(MAX_VALUE))
    with pytest.raises(ValueError, match="longer than"):
        writer.promise("beyond", bytes(MAX_VALUE + 1))


def test_a_flood_of_notifications_leaves_the_loop_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    from krun.kernel.reflector import Reflector

    endless = Reflector.__new__(Reflector)
    endless._stale = False
    calls = [0]

    class Flood:
        def receive(self) -> list[Any]:
            calls[0] += 1
            return []

    monkeypatch.setattr(endless, "_events", Flood(), raising=False)
    assert endless.read() == [] and calls[0] == DATAGRAMS_PER_READ
