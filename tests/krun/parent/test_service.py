"""What systemd hears: the status line, and a watchdog that is fed only by a parent that supervises."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from parent_world import QUICK

from krun.parent import sdnotify
from krun.parent.service import Service, line
from krun.parent.watchdog import Watchdog


class Clock:
    """A loop whose time a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Any]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any) -> Any:
        self.timers.append((self.now + delay, callback))
        return self

    def cancel(self) -> None:
        pass

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while due := sorted((t for t in self.timers if t[0] <= end), key=lambda t: t[0]):
            self.timers.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
        self.now = end


class Child:
    """As much of a slot as the service sees."""

    def __init__(self, name: str, summary: dict[str, Any] | None) -> None:
        self.name, self.state, self.neglected = name, "running", ""
        self.summary = summary
        self.conversation = self

    def ask(self, request: dict[str, Any], timeout: float, reply: Any) -> None:
        assert request == {"op": "summary"}
        if self.summary is None:
            reply(None, "no answer within 2 s")
        else:
            reply({"ok": True, "summary": self.summary}, "")


class Crew:
    def __init__(self, *children: Child) -> None:
        self.slots = {child.name: child for child in children}
        self.everyone = list(children)


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind(str(tmp_path / "n"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))

    def read() -> list[str]:
        found = []
        while True:
            try:
                found.append(sock.recv(4096).decode())
            except BlockingIOError:
                return found

    yield read
    sock.close()


def test_the_watchdog_is_fed_only_while_every_child_is_watched(
    heard: Any, caplog: pytest.LogCaptureFixture
) -> None:
    clock, child = Clock(), Child("vrrp", {"instances": {"MASTER": 1}})
    service = Service(clock, Crew(child), lambda: "sha256:abcdef", lambda: False, 2.0)  # type: ignore[arg-type]
    service.start()
    clock.pass_time(3.0)
    assert heard().count("WATCHDOG=1") == 4
    child.neglected = "nobody has said hello to it for 40 s"
    clock.pass_time(3.0)
    assert "WATCHDOG=1" not in heard()
    assert caplog.text.count("vrrp: nobody has said hello to it for 40 s") == 1
    child.neglected = ""
    clock.pass_time(1.0)
    assert "WATCHDOG=1" in heard()
    service.stopping(8.0)
    assert heard()[-1] == "STOPPING=1\nSTATUS=stops\nEXTEND_TIMEOUT_USEC=8000000"
    clock.pass_time(3.0)
    assert set(heard()) == {"WATCHDOG=1"}, "fed to the end of the stop, and no status after it"


def test_the_status_line_is_sent_when_it_changes(heard: Any) -> None:
    clock, child = Clock(), Child("vrrp", {"instances": {"BACKUP": 1}})
    service = Service(clock, Crew(child), lambda: "sha256:abcdef", lambda: False, 2.0)  # type: ignore[arg-type]
    service.start()
    service.ready()
    assert [t for t in heard() if t != "WATCHDOG=1"] == [
        f"READY=1\nMAINPID={os.getpid()}",
        "STATUS=1 instance: 1 BACKUP; ir sha256:abcdef",
    ]
    clock.pass_time(20.0)
    assert set(heard()) == {"WATCHDOG=1"}
    child.summary = {"instances": {"MASTER": 1}}
    clock.pass_time(5.0)
    assert "STATUS=1 instance: 1 MASTER; ir sha256:abcdef" in heard()
    child.summary = None
    clock.pass_time(5.0)
    assert "STATUS=vrrp process does not answer; ir sha256:abcdef" in heard()


def test_nothing_is_asked_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    clock = Clock()
    Service(clock, Crew(Child("vrrp", None)), lambda: "x", lambda: False, 2.0).start()  # type: ignore[arg-type]
    assert not clock.timers


@pytest.mark.parametrize(
    ("said", "states", "waiting", "words"),
    [
        (
            {
                "vrrp": {"instances": {"BACKUP": 1, "MASTER": 1}},
                "check": {"servers": 30000, "up": 29999, "without_quorum": 0},
            },
            {"script": "running", "vrrp": "running", "check": "running"},
            False,
            "2 instances: 1 MASTER, 1 BACKUP; 29999/30000 servers up; ir sha256:0123456789ab",
        ),
        (
            {"check": {"servers": 2, "up": 0, "without_quorum": 1}},
            {"check": "running", "vrrp": "waiting"},
            True,
            "0/2 servers up; 1 virtual servers without quorum; vrrp process waiting; waits for `krunctl confirm`; "
            "ir sha256:0123456789ab",
        ),
        (
            {"vrrp": {"instances": {"FAULT": 1, "MASTER": 2}}},
            {"vrrp": "running"},
            False,
            "3 instances: 2 MASTER, 1 FAULT; ir sha256:0123456789ab",
        ),
        ({}, {}, False, "ir sha256:0123456789ab"),
    ],
)
def test_words(said: Any, states: Any, waiting: bool, words: str) -> None:
    assert line(said, states, "sha256:0123456789abcdef", waiting) == words


def test_a_chain_of_hellos_that_broke_is_noticed() -> None:
    clock = Clock()
    asked: list[Any] = []
    watchdog = Watchdog(
        clock,  # type: ignore[arg-type]
        lambda request, timeout, reply: asked.append((request, reply)),
        period=QUICK.hello,
        grace=QUICK.grace_least,
        stuck=lambda why: None,
        witness=lambda: None,  # type: ignore[arg-type, return-value]
    )
    watchdog.start(5.0)
    clock.pass_time(4.0)
    assert not watchdog.idle_too_long(10.0)
    for _ in range(50):  # a child that answers is watched however long it lives
        request, reply = asked.pop()
        reply({"nonce": request["nonce"]}, "")
        clock.pass_time(1.0)
        assert not watchdog.idle_too_long(10.0)
    clock.timers.clear()  # what no code path should do
    asked.clear()
    clock.pass_time(30.0)
    assert watchdog.idle_too_long(10.0) >= 30.0


@pytest.mark.parametrize(
    ("span", "pid", "expected"),
    [("3000000", None, 3.0), ("3000000", "1", 0.0), ("", None, 0.0), ("x", None, 0.0), ("-5", None, 0.0)],
)
def test_watchdog_of_another_process(
    monkeypatch: pytest.MonkeyPatch, span: str, pid: str | None, expected: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", span)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    assert sdnotify.watchdog_s() == expected
