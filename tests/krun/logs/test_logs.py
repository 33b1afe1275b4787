"""Log lines: floods are summed up, nothing blocks, and what cannot go out waits or is counted."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from krun import logs
from krun.control.events import Ring, event, remember
from krun.control.metrics.document import render
from krun.logs.formats import JsonFormatter
from krun.logs.journal import JournalHandler
from krun.logs.limit import FIRST, MOST, PERIOD_S, Limiter
from krun.logs.outlet import BACKLOG
from krun.logs.syslog import SyslogHandler

log = logging.getLogger("krun.vrrp")


@pytest.fixture
def own_root() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = before
    root.setLevel(level)


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.kinds: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        self.kinds.append(logs.kind_of(record))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def limited(own_root: logging.Logger) -> tuple[Limiter, Lines, Clock]:
    clock, lines = Clock(), Lines()
    limiter = Limiter(clock)
    lines.addFilter(limiter)
    own_root.handlers[:] = [lines]
    own_root.setLevel(logging.INFO)
    return limiter, lines, clock


Limited = tuple[Limiter, Lines, Clock]


class TestFloods:
    def test_the_first_lines_then_a_sum_a_minute(self, limited: Limited) -> None:
        limiter, lines, clock = limited
        for n in range(6000):  # a hundred a second
            log.warning("(VI_1) Advert dropped: wrong auth_pass from 192.0.2.%d", n % 250)
            clock.now += 0.01
            limiter.tick()
        assert len(lines.said) <= FIRST + 2
        clock.now += PERIOD_S
        limiter.tick()
        assert re.fullmatch(
            r"… and 5,9\d\d more like it in \d+ s, the last: \(VI_1\) Advert dropped: wrong auth_pass from 192.0.2.\d+",
            lines.said[-1],
        ), lines.said[-1]
        assert lines.kinds[-1] == "log.suppressed"
        assert 5900 <= limiter.suppressed["vrrp"] < 6000
        for _ in range(10):  # while it goes on: one line, one sum a period
            before = len(lines.said)
            for _ in range(600):
                log.warning("(VI_1) Advert dropped: wrong auth_pass from 192.0.2.1")
                clock.now += 0.1
                limiter.tick()
            assert len(lines.said) - before <= 3
        clock.now += 3 * PERIOD_S
        limiter.tick()
        clock.now += 3 * PERIOD_S
        limiter.tick()
        before = len(lines.said)
        for _ in range(FIRST):
            log.warning("(VI_1) Advert dropped: wrong auth_pass from 192.0.2.1")
        assert len(lines.said) - before == FIRST  # it was quiet: from the beginning

    def test_a_flapping_check_is_one_subject_and_its_last_state_is_said(self, limited: Limited) -> None:
        limiter, lines, clock = limited
        for n in range(100):
            state = "up" if n % 2 else "down"
            for server in ("a", "b"):
                log.warning("%s %s", server, state, extra=event("check.server", server, state=state))
            clock.now += 1
            limiter.tick()
        clock.now += PERIOD_S
        limiter.tick()
        assert lines.said.count("a down") < 8
        sums = [said for said in lines.said if said.startswith("…")]
        assert {said[-4:] for said in sums[-2:]} == {"a up", "b up"}

    def test_states_alarms_and_reloads_always_pass(self, limited: Limited) -> None:
        _, lines, _ = limited
        for n in range(200):
            log.info("Entering MASTER STATE", extra=event("vrrp.state", "VI_1", state="MASTER"))
            log.info("quorum", extra=event("check.quorum", "vs"))
            log.critical("boom")
            log.warning("process %d", n, extra=event("process.ended", "vrrp"))
            log.info("reload", extra=event("reload.done"))
        assert len(lines.said) == 1000

    def test_every_handler_has_the_same_verdict(self, limited: Limited, own_root: logging.Logger) -> None:
        limiter, lines, _ = limited
        other = Ring("krun-test")
        other.addFilter(limiter)
        own_root.addHandler(other)
        for _ in range(50):
            log.warning("again")
        assert len(lines.said) == FIRST == len(other.since(0))
        assert limiter.suppressed["vrrp"] == 50 - FIRST

    def test_memory_is_bounded_and_the_end_sums_up(self, limited: Limited) -> None:
        limiter, lines, _ = limited
        for n in range(3 * MOST):
            log.warning("x", extra=event("a.b", str(n)))
        assert len(limiter._floods) <= MOST + 1
        before = len(lines.said)
        limiter.finish()
        assert len(lines.said) == before + 1
        assert lines.said[-1].startswith("… and ")


def line(text: str = "(VI_1) Entering MASTER STATE", level: int = logging.WARNING) -> logging.LogRecord:
    record = logging.LogRecord("krun.vrrp", level, "f", 1, text, (), None)
    record.__dict__.update(event("vrrp.state", "VI_1", state="MASTER", priority=100, master=None))
    return record


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="krun-log-") as name:
        yield Path(name)


def reader(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(str(path))
    sock.settimeout(5)
    return sock


class TestSyslog:
    def test_a_line_is_as_the_c_library_writes_it(self, folder: Path) -> None:
        with reader(folder / "log") as daemon:
            handler = SyslogHandler("krun-vrrp", "local3", folder / "log")
            handler.emit(line("two\nlines"))
            said = daemon.recv(9000).decode()
            month = r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d"
            assert re.fullmatch(
                rf"<{(16 + 3) * 8 + 4}>{month} krun-vrrp\[{os.getpid()}\]: warning: two\\nlines", said
            ), said
            handler.setFormatter(JsonFormatter("krun-vrrp"))
            handler.emit(line())
            tag, cookie, text = daemon.recv(9000).decode().partition(": @cee: ")
            assert tag.startswith("<156>")
            assert cookie
            assert json.loads(text)["kind"] == "vrrp.state"
            handler.emit(line("x" * 10_000))
            assert len(daemon.recv(20_000)) <= logs.MAX_LINE
            handler.close()

    def test_a_daemon_that_is_away_gets_it_when_it_is_back(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock()
        monkeypatch.setattr(time, "monotonic", clock)
        handler = SyslogHandler("krun", path=folder / "log")
        for n in range(BACKLOG + 30):
            handler.emit(line(f"line {n}"))
        assert handler.waiting == BACKLOG
        assert handler.dropped == 30
        assert "No such file" in handler.problem
        with reader(folder / "log") as daemon:
            clock.now += 2
            handler.flush_waiting()
            said = [daemon.recv(9000).decode() for _ in range(3)]
            assert "30 log lines were dropped" in said[0]
            assert said[1].endswith("line 30")
            while handler.waiting:  # a socket holds some ten datagrams
                clock.now += 2
                handler.flush_waiting()
                daemon.recv(9000)
            assert handler.problem == ""
        (folder / "log").unlink()  # restarted
        with reader(folder / "log") as daemon:
            handler.emit(line("after"))
            clock.now += 2
            handler.flush_waiting()
            clock.now += 2
            handler.flush_waiting()
            assert daemon.recv(9000).decode().endswith("after")
        handler.close()

    def test_a_daemon_that_does_not_read_stops_nobody(self, folder: Path) -> None:
        with reader(folder / "log"):
            handler = SyslogHandler("krun", path=folder / "log")
            for n in range(5000):
                handler.emit(line(f"line {n}"))
            assert handler.waiting == BACKLOG
            assert handler.dropped > 4000
            handler.close()


def fields(datagram: bytes) -> dict[str, str]:
    """systemd's description of its native protocol, read the other way round."""
    found: dict[str, str] = {}
    while datagram:
        head, _, rest = datagram.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if equals:
            found[name.decode()], datagram = value.decode(), rest
        else:
            (length,) = struct.unpack_from("<Q", rest)
            found[name.decode()] = rest[8 : 8 + length].decode()
            datagram = rest[9 + length :]
    return found


def test_the_journal_gets_fields(folder: Path) -> None:
    with reader(folder / "socket") as daemon:
        handler = JournalHandler("krun-vrrp", folder / "socket")
        record = line()
        record.event_data = {"state": "MASTER", "priority": 100, "why": "two\nlines", "master": None}
        handler.emit(record)
        said = fields(daemon.recv(9000))
        assert said == {
            "MESSAGE": "warning: (VI_1) Entering MASTER STATE",
            "PRIORITY": "4",
            "SYSLOG_IDENTIFIER": "krun-vrrp",
            "SYSLOG_PID": str(os.getpid()),
            "KRUN_KIND": "vrrp.state",
            "KRUN_LOGGER": "krun.vrrp",
            "KRUN_SUBJECT": "VI_1",
            "KRUN_STATE": "MASTER",
            "KRUN_PRIORITY": "100",
            "KRUN_WHY": "two\nlines",
        }
        handler.close()


def test_what_was_left_out_is_in_state_and_metrics(own_root: logging.Logger) -> None:
    logs.setup("krun-test", "text")
    ring = remember("krun-test")
    own_root.handlers[0].setFormatter(logging.Formatter(""))
    for _ in range(30):
        log.warning("a flood")
    logs.left_out("check", 7)
    counts = logs.counts()
    assert counts["suppressed"] == {"check": 7, "vrrp": 20}
    assert len(ring.since(0)) == 10
    state: dict[str, Any] = {
        "parent": {"release": "1", "kernel": "linux", "since": 1.0, "log": counts},
        "processes": [],
        "ir": {"digest": "x", "loaded_at": 1.0},
    }
    text = render(state)
    assert 'krun_log_suppressed_total{process="krun",kind="vrrp"} 20' in text
    assert 'krun_log_dropped_total{process="krun"} 0' in text


def test_setup_closes_what_was_there_and_names_what_must_stay_open(
    folder: Path, own_root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("krun.logs.syslog.SyslogHandler.__init__.__defaults__", ("daemon", folder / "log"))
    with reader(folder / "log"):
        logs.setup("krun", "text", where="syslog")
        (first,) = logs.descriptors()
        logs.setup("krun-vrrp", "text", where="syslog:local0")
        (second,) = logs.descriptors()
        assert first == second  # the first one was closed before
        os.fstat(second)
        logs.setup("krun", "text")
        assert logs.descriptors() == ()
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(second)
