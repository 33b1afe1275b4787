"""The grid of deadlines, the slots of probes, the limited log."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable

import pytest
from check_world import SECOND, Loop
from hypothesis import given
from hypothesis import strategies as st

from krun.check.limit import LimitedLog, Slots
from krun.check.schedule import GRID_US, Grid


def grid() -> tuple[Loop, Grid]:
    loop = Loop()
    return loop, Grid(loop, clock=loop.clock)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=50), st.randoms(use_true_random=False))
def test_never_early_at_most_a_step_late_and_in_order(delays: list[int], rng: random.Random) -> None:
    loop, g = grid()
    start, fired, dropped = loop.now_us, [], set()
    alarms = []
    for n, delay in enumerate(delays):
        alarms.append(g.at(start + delay, lambda n=n: fired.append((n, loop.now_us))))  # type: ignore[misc]
    for n in range(len(delays)):
        if rng.random() < 0.3:
            alarms[n].cancel()
            dropped.add(n)
    loop.run_for(4)
    assert {n for n, _ in fired} == set(range(len(delays))) - dropped
    for n, at in fired:
        assert 0 <= at - (start + delays[n]) <= GRID_US or delays[n] == 0
    lines = [max(-(-(start + delays[n]) // GRID_US), start // GRID_US + 1) for n, _ in fired]
    assert lines == sorted(lines)
    assert len(g) == 0


def test_a_callback_may_set_the_next_deadline() -> None:
    loop, g = grid()
    beats: list[int] = []

    def beat() -> None:
        beats.append(loop.now_us)
        if len(beats) < 5:
            g.at(loop.now_us + 100_000, beat)
            g.at(0, lambda: None)

    g.at(loop.now_us, beat)
    loop.run_for(2)
    assert [b - a for a, b in itertools.pairwise(beats)] == [100_000] * 4


def test_a_callback_that_raises_takes_nobody_along() -> None:
    loop, g = grid()
    fired: list[int] = []

    def broken() -> None:
        raise RuntimeError("a bug")

    for callback in (lambda: fired.append(1), broken, lambda: fired.append(2)):
        g.at(loop.now_us + 1, callback)
    with pytest.raises(RuntimeError):
        loop.run_for(1)
    loop.run_for(1)
    assert fired == [1, 2]


def test_close_forgets_all() -> None:
    loop, g = grid()
    g.at(loop.now_us + 1, g.close)
    g.at(loop.now_us + 2, lambda: pytest.fail("closed"))
    g.at(loop.now_us + SECOND, lambda: pytest.fail("closed"))
    loop.run_for(2)


def test_slots_hold_their_limit_and_their_order() -> None:
    slots, began = Slots(2), []
    wishes: list[Callable[[], None]] = [lambda n=n: began.append(n) for n in range(6)]  # type: ignore[misc]
    for wish in wishes:
        slots.take(wish)
    assert (began, slots.waiting) == ([0, 1], 4)
    assert slots.forget(wishes[3])
    assert not slots.forget(wishes[0])
    slots.give()
    assert began == [0, 1, 2]
    for _ in range(3):
        slots.give()
    assert began == [0, 1, 2, 4, 5]
    assert slots.held == 1


def test_ten_thousand_that_end_at_once_do_not_deepen_the_stack() -> None:
    slots, began = Slots(1), []

    def begin() -> None:
        began.append(1)
        slots.give()

    slots.take(lambda: None)
    for _ in range(10_000):
        slots.take(begin)
    slots.give()
    assert len(began) == 10_000
    assert slots.held == 0


def test_the_log_says_how_much_it_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    loop = Loop()
    say = LimitedLog(logging.getLogger("krun.check"), per_second=10, burst=20, clock=loop.clock)
    for n in range(100):
        say(logging.INFO, "line %d", n)
    assert len(caplog.records) == 20
    assert say.left_out == 80
    loop.run_for(1)
    say(logging.INFO, "later")
    assert [r.getMessage() for r in caplog.records[20:]] == [
        "80 messages about checks were left out: more than 10 a second",
        "later",
    ]
