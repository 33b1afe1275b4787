"""The parts of the parent that need no process: back-off, promises, run directory, periods, watchdog, notification, logs."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from parent_world import config, wait_for

from krun import logs
from krun.control.client import Reply
from krun.control.events import event
from krun.control.framing import Message
from krun.features import SUPPORTED, unsupported
from krun.loop.clock import now_us
from krun.parent import alive, promises, sdnotify
from krun.parent.backoff import Backoff
from krun.parent.children import needed
from krun.parent.periods import Periods, hello_period, master_down_s
from krun.parent.promises import PromiseStore
from krun.parent.rundir import RunDir, RunDirError
from krun.parent.watchdog import CHANCES, Watchdog
from krun.parent.witness import Witness, cpu_s, state


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        yield Path(name)


# -- back-off


def test_back_off_is_for_infants_only() -> None:
    backoff = Backoff()
    assert [backoff.died(0.1, True) for _ in range(10)] == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert backoff.alarming
    assert backoff.died(2.0, True) == 0
    assert not backoff.alarming
    assert [backoff.died(100, False) for _ in range(3)] == [0, 1, 2]  # lived long, was never ready
    for _ in range(10_000):
        backoff.died(0, False)
    assert backoff.died(0, False) == 60
    backoff.reset()
    assert backoff.died(0, False) == 0


# -- the channel


def test_ready_and_the_end_of_the_channel(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours, theirs = promises.pair()
    store = PromiseStore("vrrp", folder)
    for nonsense in (b"\xc1", b"\x01", msgspec.msgpack.encode([]), msgspec.msgpack.encode(["promise", 1])):
        store.take(nonsense)
    assert not store.ready
    assert len([r for r in caplog.records if "nonsense" in r.message]) == 3
    promises.ready(theirs)
    assert store.drain(ours)
    assert store.ready
    store.born()
    assert not store.ready
    theirs.close()
    assert not store.drain(ours)
    with pytest.raises(OSError):
        promises.ready(ours)
    ours.close()
    store.close()


# -- run directory


def test_a_second_krun_is_refused_with_the_pid_of_the_first(folder: Path) -> None:
    first = RunDir(folder / "a" / "run")
    assert (folder / "a" / "run").stat().st_mode & 0o777 == 0o700
    with pytest.raises(RunDirError, match=f"pid {os.getpid()}"):
        RunDir(folder / "a" / "run")
    first.release()
    assert list((folder / "a" / "run").iterdir()) == []
    RunDir(folder / "a" / "run").release()


def test_unsafe_run_directories_are_refused(folder: Path) -> None:
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    with pytest.raises(RunDirError, match="others may write there"):
        RunDir(folder / "open")
    (folder / "file").write_text("")
    with pytest.raises(RunDirError, match="cannot be made"):
        RunDir(folder / "file")
    (folder / "link").mkdir(mode=0o700)
    (folder / "link" / "krun.pid").symlink_to(folder / "elsewhere")
    with pytest.raises(RunDirError, match=r"krun\.pid"):
        RunDir(folder / "link")
    assert not (folder / "elsewhere").exists()
    if os.geteuid() == 0:
        (folder / "theirs").mkdir(mode=0o700)
        os.chown(folder / "theirs", 65534, 65534)
        with pytest.raises(RunDirError, match="belongs to user 65534"):
            RunDir(folder / "theirs")


# -- what is needed, how often it is greeted, what is supported


def test_needed_children() -> None:
    assert needed(config()) == ("script", "vrrp", "check")
    assert needed(config(vrrp=False)) == ("script", "check")
    assert needed(config(vrrp=False, check=False)) == ()


def test_hello_follows_the_shortest_master_down_interval() -> None:
    periods = Periods()
    slow, quick = config(), config(advert_int_us=100_000)
    assert master_down_s(slow.vrrp_instances[0]) == pytest.approx(3 + 156 / 256)
    assert hello_period("vrrp", slow, periods) == pytest.approx((3 + 156 / 256) / 4)
    assert hello_period("vrrp", quick, periods) == periods.hello_least  # 90 ms would be a quarter
    assert hello_period("check", quick, periods) == 5.0
    assert hello_period("vrrp", config(advert_int_us=60_000_000), periods) == 5.0


def test_features_are_refused_by_name() -> None:
    assert unsupported(SUPPORTED) == ""
    assert "`snmp` (SNMP)" in unsupported({"snmp", "ipvs"})
    assert "`later` (unknown to this release)" in unsupported({"later"})


# -- watchdog


class Clockwork:
    """An event loop turned by hand, and a child that answers when told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], object]]] = []
        self.asked: list[tuple[Message, float, Reply]] = []
        self.stuck: list[str] = []
        self.excuse = False
        self.dog = Watchdog(
            self,  # type: ignore[arg-type]
            lambda message, timeout, reply: self.asked.append((message, timeout, reply)),
            period=1.0,
            grace=0.5,
            stuck=self.stuck.append,
            witness=lambda: self,
        )

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object]) -> Clockwork:
        self.timers.append((self.now + delay, callback))
        return self

    def cancel(self) -> None:
        self.timers.clear()

    def excused(self) -> bool:
        return self.excuse

    def turn(self) -> None:
        (self.now, callback), *self.timers = sorted(self.timers, key=lambda t: t[0])
        callback()

    def reply(self, message: Message | None = None, why: str = "", right: bool = False) -> None:
        asked, _, reply = self.asked[-1]
        reply({"nonce": asked["nonce"]} if right else message, why)


def test_watchdog_asks_with_a_new_nonce_each_time() -> None:
    c = Clockwork()
    c.dog.start(15.0)
    assert c.asked[-1][1] == 15.0
    c.reply(right=True)
    c.turn()
    assert c.now == 1.0
    assert c.asked[-1][1] == 0.5
    assert c.asked[0][0]["nonce"] != c.asked[1][0]["nonce"]
    c.reply({"nonce": c.asked[0][0]["nonce"]})
    assert c.stuck == ["it answered hello with another nonce"]


def test_watchdog_reports_silence_once() -> None:
    c = Clockwork()
    c.dog.start(1.0)
    c.reply(None, "no answer within 1 s")
    c.reply(None, "no answer within 1 s")
    assert c.stuck == ["no answer within 1 s"]
    assert not c.timers


def test_watchdog_forgives_what_is_excused_but_not_for_ever() -> None:
    c = Clockwork()
    c.dog.start(0.5)
    c.excuse = True
    for count in range(CHANCES):
        c.reply(None, "no answer within 0.5 s")
        assert len(c.asked) == count + 2
    assert not c.stuck
    c.reply(None, "no answer within 0.5 s")
    assert c.stuck
    d = Clockwork()
    d.dog.start(0.5)
    for _ in range(2 * CHANCES):
        d.excuse = True
        d.reply(None, "no answer within 0.5 s")
        d.reply(right=True)  # an answer makes good for what was before
        d.turn()
    assert not d.stuck
    d.excuse = False
    d.reply(None, "no answer within 0.5 s")
    assert d.stuck


def test_a_witness_tells_a_stuck_process_from_one_that_turns() -> None:
    clock = alive.shared()
    children: dict[str, int] = {}
    for kind in ("turns", "sleeps"):
        pid = os.fork()
        if pid == 0:
            while kind == "turns":
                alive.write(clock, now_us())
                time.sleep(0.005)
            time.sleep(60)
        children[kind] = pid
    try:
        turning = Witness(children["turns"], clock)
        wait_for("the clock to move", turning.excused)
        still = alive.shared()
        sleeping = Witness(children["sleeps"], still)
        time.sleep(0.05)
        assert not sleeping.excused()
        assert state(children["sleeps"]) == "S"
    finally:
        for pid in children.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    assert not Witness(children["sleeps"], still).excused()
    used = cpu_s(os.getpid())
    while cpu_s(os.getpid()) == used:
        pass
    assert cpu_s(os.getpid()) > used


def test_watchdog_lets_a_broken_connection_be_reaped_first() -> None:
    c = Clockwork()
    c.dog.start(0.5)
    c.reply(None, "it closed the connection")
    assert not c.stuck
    c.turn()
    c.reply(None, "it does not listen")
    assert c.stuck == ["it does not listen"]


def test_watchdog_is_quiet_while_suspended_and_after_cancel() -> None:
    c = Clockwork()
    c.dog.start(0.5)
    c.dog.suspended = True
    c.reply(None, "no answer within 0.5 s")
    c.turn()
    assert len(c.asked) == 1
    c.dog.suspended = False
    c.turn()
    assert len(c.asked) == 2
    c.dog.cancel()
    c.reply(None, "no answer within 0.5 s")
    assert not c.stuck


# -- notification, logs, memory


def test_sd_notify(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    sdnotify.notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "n"))
        sdnotify.notify("READY=1", "STATUS=x")
        assert sock.recv(100) == b"READY=1\nSTATUS=x"
        sdnotify.reloading(12.5)
        first, second, third = sock.recv(200).split(b"\n")
        assert (first, third) == (b"RELOADING=1", b"EXTEND_TIMEOUT_USEC=12500000")
        assert abs(int(second.removeprefix(b"MONOTONIC_USEC=")) - time.monotonic_ns() // 1000) < 10_000_000
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"\0krun-test-{os.getpid()}"
        sock.bind(name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:])
        sdnotify.notify("STOPPING=1")
        assert sock.recv(100) == b"STOPPING=1"
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "nobody"))
    sdnotify.notify("READY=1")
    assert "sd_notify" in caplog.text


def record(message: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("krun.x", level, "f", 1, message, (), None)


def test_log_lines_are_single_lines_and_json_is_json() -> None:
    text = logs.TextFormatter("krun-vrrp", journald=False).format(record("two\nlines"))
    assert text.endswith(f"krun-vrrp[{os.getpid()}] warning: two\\nlines")
    assert logs.TextFormatter("krun", journald=True).format(record("x", logging.ERROR)) == "<3>error: x"
    line = json.loads(logs.JsonFormatter("krun").format(record('say "ü"\n')))
    assert (line["level"], line["message"], line["process"]) == ("warning", 'say "ü"\n', "krun")
    assert (line["kind"], line["subject"], "data" in line) == ("x", "", False)
    typed = record("VI_1 is master")
    typed.__dict__.update(event("vrrp.state", "VI_1", state="MASTER", priority=100))
    line = json.loads(logs.JsonFormatter("krun").format(typed))
    assert (line["kind"], line["subject"]) == ("vrrp.state", "VI_1")
    assert line["data"] == {"state": "MASTER", "priority": 100}


def test_a_reader_that_sleeps_does_not_stop_the_logger() -> None:
    reader, writer = os.pipe()
    saved = os.dup(2)
    os.dup2(writer, 2)
    os.close(writer)
    try:
        handler = logs.StderrHandler()
        for _ in range(100):
            handler.emit(record("x" * 10_000))
        assert handler.dropped > 50
        assert len(os.read(reader, 1 << 20)) >= 4096
        handler.emit(record("after"))
    finally:
        os.dup2(saved, 2)
        os.close(saved)
    rest = io.BytesIO(os.read(reader, 1 << 20)).getvalue()
    os.close(reader)
    assert b"log lines were dropped" in rest
    assert rest.endswith(b"after\n")
