"""At the limits of docs/limits.md, and one beyond: sockets, the kernel, checks, scripts, reloads."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kir import codec
from kir.codec import IrError
from kir.model import Service
from krun.check import memo, poller
from krun.check.limit import Slots
from krun.check.poller import Poller
from krun.kernel import adverts
from krun.kernel.netlink.codec import Message
from krun.kernel.netlink.socket import DUMP_ATTEMPTS, NetlinkSocket
from krun.notify import helper
from krun.notify.places import Places
from krun.parent import reloads
from krun.parent.requests import Wanted
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.sockets import PACKETS_AT_ONCE, Sockets


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kp") as name:
        yield Path(name)


def test_packets_of_one_socket_at_once() -> None:
    heard: list[bytes] = []
    sockets = Sockets(
        cast(Any, None), cast(Any, None), lambda _at, pdu, *_: heard.append(pdu), lambda _at, _problem: None
    )
    at = Endpoint("eth0", "inet", "224.0.0.18", None)
    waiting = [b"x"] * (PACKETS_AT_ONCE + 1)
    sock = SimpleNamespace(
        receive=lambda: (waiting.pop(), "a", "b", 255) if waiting else None, fileno=lambda: -1
    )
    sockets._open[at] = cast(Any, sock)
    sockets.read(at)
    assert len(heard) == PACKETS_AT_ONCE and len(waiting) == 1, "the rest is there the next time"
    sockets.read(at)
    assert len(heard) == PACKETS_AT_ONCE + 1 and not waiting


def test_sources_of_one_socket() -> None:
    sent: list[Any] = []
    sock = adverts.AdvertSocket6.__new__(adverts.AdvertSocket6)
    sock._ancillary, sock._multicast, sock._scope = {}, True, 1
    sock._out = cast(Any, SimpleNamespace(sendmsg=lambda *a: sent.append(a)))
    for n in range(adverts.SOURCES):
        sock.send(b"x", f"fe80::{n:x}", "ff02::12", 255)
    assert len(sock._ancillary) == adverts.SOURCES
    for n in range(10_000):
        sock.send(b"x", f"fe80::1:{n:x}", "ff02::12", 255)
        assert len(sock._ancillary) <= adverts.SOURCES
    assert len(sent) == adverts.SOURCES + 10_000


def test_a_table_that_changes_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = [0]

    def ask(*_: object, **__: object) -> tuple[list[Message], bool]:
        tries[0] += 1
        return [], True

    sock = NetlinkSocket.__new__(NetlinkSocket)
    monkeypatch.setattr(sock, "_ask", ask)
    assert sock.dump(0, b"") == [] and tries[0] == DUMP_ATTEMPTS


def test_events_of_checks_in_one_turn() -> None:
    """One more than a turn handles: the last one is handled in the next, and the loop had its turn between them."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        watch = Poller(loop)
        handled: list[int] = []
        between: list[int] = []
        pairs = [socket.socketpair() for _ in range(poller.BATCH + 1)]
        for ours, theirs in pairs:
            fd = ours.fileno()

            def ready(_events: int, fd: int = fd) -> None:
                if not handled:
                    loop.call_soon(lambda: between.append(len(handled)))
                handled.append(fd)
                watch.forget(fd)

            watch.watch(fd, poller.READ, ready)
            theirs.send(b"x")
        while len(handled) < len(pairs):
            await asyncio.sleep(0)
        assert between == [poller.BATCH]
        watch.close()
        for pair in pairs:
            for sock in pair:
                sock.close()

    asyncio.run(main())


def test_checks_at_once() -> None:
    slots, began = Slots(3), []
    for n in range(3):
        slots.take(lambda n=n: began.append(n))  # type: ignore[misc]
    assert (began, slots.waiting) == ([0, 1, 2], 0)
    slots.take(lambda: began.append(3))
    assert (began, slots.waiting) == ([0, 1, 2], 1)
    slots.give()
    assert (began, slots.held, slots.waiting) == ([0, 1, 2, 3], 3, 0)
    slots.limit = 1  # a reload with fewer descriptors
    slots.take(lambda: began.append(4))
    for _ in range(2):
        slots.give()
    assert began[-1] == 3, "two are still above the new limit"
    slots.give()
    assert began[-1] == 4


def test_the_memo_of_the_checker_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = memo.Memo(folder)
    services = tuple(
        Service(family="inet", protocol="tcp", address=f"10.0.0.{n}", port=80) for n in range(1, 3)
    )
    assert kept.save(services[:1], ())
    size = len(kept.file.read_bytes().split(b"\n", 1)[1])
    monkeypatch.setattr(memo, "LIMIT", size)
    assert memo.Memo(folder).load().services == services[:1], "just as long as it may be"
    assert not kept.save(services, ()) and "that may be kept" in kept.problem
    assert memo.Memo(folder).load().services == services[:1], "what was there stays"


def test_an_ir_may_have_so_many_octets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kir.model import Config

    file = folder / "ir.json"
    codec.write(codec.document(Config()), file)
    monkeypatch.setattr(codec, "MAX_BYTES", file.stat().st_size)
    assert codec.load_path(file).config == Config()
    monkeypatch.setattr(codec, "MAX_BYTES", file.stat().st_size - 1)
    with pytest.raises(IrError, match="that an IR may have"):
        codec.load_path(file)


def test_reloads_and_plans_that_wait() -> None:
    answers: list[dict[str, Any]] = []
    queue = reloads.Reloads.__new__(reloads.Reloads)
    queue._stopping, queue._waiting = False, []
    queue._run = cast(Any, object())  # one is under way
    for _ in range(reloads.WAITING):
        queue.ask(Wanted(Path("x"), "krunctl", answers.append))
    assert len(queue._waiting) == reloads.WAITING and not answers
    queue.ask(Wanted(Path("x"), "krunctl", answers.append))
    assert len(queue._waiting) == reloads.WAITING
    assert answers[0]["ok"] is False and "wait for their turn already" in answers[0]["error"]
    queue.ask(Wanted(Path("x"), "SIGHUP"))
    queue.ask(Wanted(Path("x"), "SIGHUP"))
    queue.ask(Wanted(None, "no confirmation", returning=True))
    assert [w.requested_by for w in queue._waiting[reloads.WAITING :]] == ["SIGHUP", "no confirmation"], (
        "several SIGHUPs are one, and the way back is never refused"
    )


def test_scripts_that_wait() -> None:
    places: Places[Any] = Places(1, helper.WAITING)

    def job(number: int) -> Any:
        return SimpleNamespace(queue=None, topic=None, sequence=number, notice=False)

    for number in range(helper.WAITING):
        assert places.add(job(number)) is not None
    assert places.waiting == helper.WAITING
    assert places.add(job(-1)) is None and places.waiting == helper.WAITING


def test_processes_that_have_scripts_run(folder: Path) -> None:
    async def main() -> None:
        from krun.control.server import listen

        loop = asyncio.get_running_loop()
        child = helper.ScriptChild.__new__(helper.ScriptChild)
        child._loop, child._streams = loop, set()
        child._listener = listen(folder / "s")
        socks = []
        for _ in range(helper.CONNECTIONS + 1):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(folder / "s"))
            socks.append(sock)
        child._acceptable()
        assert len(child._streams) == helper.CONNECTIONS
        socks[-1].settimeout(5)
        assert socks[-1].recv(1) == b"", "one more is turned away"
        socks[0].setblocking(False)
        with pytest.raises(BlockingIOError):
            socks[0].recv(1)
        for stream in child._streams:
            stream.close()
        for sock in (*socks, child._listener):
            sock.close()

    asyncio.run(main())
