"""The parent's loop: timers, descriptors, signals, and what comes first."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from krun.loop.reactor import Reactor


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    loop = Reactor()
    yield loop
    loop.close()


def test_timers_run_in_order_of_time_then_of_setting(reactor: Reactor) -> None:
    seen: list[str] = []
    reactor.call_later(0.02, lambda: seen.append("c"))
    reactor.call_later(0.0, lambda: seen.append("a"))
    when = reactor.time() + 0.01
    reactor.call_at(when, lambda: seen.append("b1"))
    reactor.call_at(when, lambda: seen.append("b2"))
    cancelled = reactor.call_later(0.0, lambda: seen.append("never"))
    cancelled.cancel()
    reactor.call_later(0.04, reactor.stop)
    reactor.run()
    assert seen == ["a", "b1", "b2", "c"]


def test_a_timer_cancelled_by_another_of_the_same_round_does_not_run(reactor: Reactor) -> None:
    seen: list[str] = []
    when = reactor.time()
    reactor.call_at(when, lambda: other.cancel())
    other = reactor.call_at(when, lambda: seen.append("other"))
    reactor.call_later(0.01, reactor.stop)
    reactor.run()
    assert not seen


def test_what_came_in_is_handled_before_a_deadline_that_passed_meanwhile(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    seen: list[str] = []
    with ours, theirs:
        reactor.add_reader(ours.fileno(), lambda: seen.append(ours.recv(9).decode()))
        reactor.call_later(0.01, lambda: seen.append("deadline"))
        theirs.send(b"answer")
        time.sleep(0.05)  # the process stood still; both are due
        reactor.run_once()
        assert seen == ["answer", "deadline"]
        reactor.remove_reader(ours.fileno())


def test_writers_and_a_descriptor_closed_behind_the_loops_back(reactor: Reactor) -> None:
    ours, theirs = socket.socketpair()
    seen: list[str] = []
    reactor.add_writer(ours.fileno(), lambda: seen.append("writable"))
    reactor.run_once()
    assert seen == ["writable"]
    ours.close()
    theirs.close()
    for _ in range(3):
        reactor.run_once(0.01)
    assert seen == ["writable"]


def test_signals_wake_the_loop(reactor: Reactor) -> None:
    seen: list[int] = []
    reactor.on_signal(signal.SIGUSR1, lambda: seen.append(1))
    reactor.call_later(0.01, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    for _ in range(20):
        if seen:
            break
        reactor.run_once(0.5)
    assert seen == [1]
    reactor.close()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
