"""The policy of a child's event loop: on a clock of the test's own, and in a loop that runs."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from krun.loop.budget import NAMES, OTHER, Overruns, parse
from krun.loop.garbage import OLDER, URGENT, YOUNG, Garbage
from krun.loop.lateness import BOUNDS_US, Histogram
from krun.loop.names import name_of
from krun.loop.pauses import Pause, Suspension
from krun.loop.scheduler import Borrowed, Scheduler, scheduler_of
from krun.loop.turns import Loop

MS = 1_000_000
"""A millisecond in nanoseconds."""


class Clock:
    """Time stands still unless somebody works or sleeps. ``suspend``: as the machine does it."""

    def __init__(self) -> None:
        self.now = 1_000_000 * MS
        self.used = 0
        self.boot = 5_000 * MS

    def read(self) -> int:
        return self.now

    def cpu(self) -> int:
        return self.used

    def boottime(self) -> int:
        return self.now + self.boot

    def work(self, ms: float) -> None:
        self.now += int(ms * MS)
        self.used += int(ms * MS)

    def sleep(self, ms: float) -> None:
        self.now += int(ms * MS)


class Bench:
    """A scheduler, its clock, and what it told."""

    def __init__(self, budget_us: int = 20_000) -> None:
        self.clock = Clock()
        self.scheduler = Scheduler(
            "vrrp",
            budget_us,
            clock=self.clock.read,
            cpu=self.clock.cpu,
            suspension=Suspension(self.clock.read, self.clock.boottime),
        )
        self.scheduler.started = True
        self.pauses: list[Pause] = []
        self.scheduler.on_pause(self.pauses.append)

    def wait(self, timeout: float | None, ms: float) -> None:
        """The loop waits: it was to be ``timeout`` seconds, it takes ``ms``."""
        self.scheduler.before_wait(timeout)
        self.clock.sleep(ms)
        self.scheduler.after_wait()


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    caplog.set_level(logging.INFO, "krun.loop")

    def found() -> list[tuple[str, dict[str, Any]]]:
        taken = [(r.event_kind, {**r.event_data, "text": r.getMessage()}) for r in caplog.records]  # type: ignore[attr-defined]
        caplog.clear()
        return taken

    return found


Events = Callable[[], list[tuple[str, dict[str, Any]]]]


def test_a_histogram_counts_for_ever_and_shows_what_was_since_the_mark() -> None:
    late = Histogram()
    assert late.quantile_us(0.99) is None
    for us in (-5, 400, 500, 501, 3_000, 20_000_000):
        late.add(us)
    assert late.counts[:4] == [3, 1, 0, 1] and late.counts[-1] == 1
    assert late.count == 6 and late.sum_us == 20_004_401
    assert late.quantile_us(0.5) == 500 and late.quantile_us(1.0) == 20_000_000
    late.mark()
    assert late.quantile_us(0.99) is None and late.longest_us == 0
    late.add(700)
    assert late.quantile_us(0.99) == 700, "never more than the longest"
    assert late.document() == {
        "count": 7,
        "sum_us": 20_005_101,
        "max_us": 700,
        "p99_us": 700,
        "buckets": late.counts,
    }
    assert len(late.counts) == len(BOUNDS_US) + 1 and list(BOUNDS_US) == sorted(BOUNDS_US)


def test_names_are_those_of_what_is_called() -> None:
    async def story() -> str:
        task = asyncio.current_task()
        assert task is not None
        return name_of(task.cancel)

    assert name_of(functools.partial(functools.partial(gc.collect, 0))) == "gc.collect"
    assert name_of(Histogram().mark) == "krun.loop.lateness.Histogram.mark"
    assert asyncio.run(story()).endswith("test_names_are_those_of_what_is_called.<locals>.story")
    assert name_of(object()).endswith("object")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("vrrp=20ms", ("vrrp", 20_000)), (" check=2s ", ("check", 2_000_000)), ("script=1ms", ("script", 1000))],
)
def test_a_budget_from_the_command_line(text: str, meant: tuple[str, int]) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize("text", ["", "vrrp", "vrrp=0ms", "parent=5ms", "vrrp=5", "vrrp=-5ms", "vrrp=1h"])
def test_a_budget_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no budget"):
        parse(text)


def test_who_overruns_is_counted_by_name_and_said_now_and_then(events: Events) -> None:
    bench = Bench()
    slow = functools.partial(bench.clock.work, 30)
    for _ in range(5):
        bench.scheduler.turn(slow)
    bench.scheduler.turn(bench.clock.work, 19)
    (name, one), *others = bench.scheduler.overruns.document().items()
    assert name.endswith("test_scheduler.Clock.work") and one == {"count": 5, "max_us": 30_000} and not others
    ((kind, data),) = events()
    assert kind == "loop.overrun" and data["ms"] == 30 and data["budget_ms"] == 20 and data["times"] == 1
    assert f"{name} kept the event loop for 30.0 ms" in data["text"]
    bench.clock.work(10_000)
    bench.scheduler.turn(lambda: None)  # what went on between two callbacks is nobody's
    events()
    bench.scheduler.turn(slow)
    ((_, data),) = [e for e in events() if e[1]["ms"] == 30]
    assert data["times"] == 5 and "5 times since" in data["text"]


def test_an_overrun_has_the_name_that_the_work_gave_itself(events: Events) -> None:
    bench = Bench()

    def asked() -> None:
        bench.scheduler.doing("the request 'status'")
        bench.clock.work(21)

    bench.scheduler.turn(asked)
    bench.scheduler.turn(bench.clock.work, 22)
    first, second = bench.scheduler.overruns.by_name
    assert first == "the request 'status'" and second.endswith("Clock.work")


def test_a_start_takes_its_time() -> None:
    bench = Bench()
    bench.scheduler.started = False
    bench.scheduler.turn(bench.clock.work, 300)

    def loaded() -> None:
        bench.clock.work(300)
        bench.scheduler.settle()

    bench.scheduler.turn(loaded)
    assert not bench.scheduler.overruns.by_name
    bench.scheduler.turn(bench.clock.work, 300)
    assert len(bench.scheduler.overruns.by_name) == 1


def test_names_are_bounded() -> None:
    overruns = Overruns()
    for n in range(NAMES + 10):
        overruns.add(f"n{n}", 1, n)
    assert len(overruns.by_name) == NAMES + 1 and overruns.by_name[OTHER].count == 10


def test_what_is_urgent_goes_first_and_between() -> None:
    bench, order = Bench(), []

    def urgent(nested: bool) -> None:
        order.append("nested" if nested else "urgent")
        at = bench.clock.now // 1000 + 30_000
        bench.scheduler.urgent_by(at, urgent, at)

    def long() -> None:
        for _ in range(10):
            bench.clock.work(10)
            bench.scheduler.breathe()
            order.append("piece")

    bench.scheduler.urgent_by(bench.clock.now // 1000 + 5_000, urgent)
    assert bench.scheduler.before_wait(1.0) == pytest.approx(0.005), "the loop wakes for it"
    bench.clock.sleep(6)
    bench.scheduler.after_wait()
    assert order == ["urgent"], "before any callback"
    bench.scheduler.turn(long)
    assert order[1:] == [
        "piece",
        "piece",
        "nested",
        *["piece"] * 3,
        "nested",
        *["piece"] * 3,
        "nested",
        "piece",
        "piece",
    ]
    bench.scheduler.turn(bench.clock.work, 30)
    assert order[-1] == "urgent", "before the next callback"
    bench.scheduler.urgent_by(None, urgent)
    assert bench.scheduler.before_wait(1.0) == 1.0


def test_long_work_that_breathes_shows_that_it_is_alive() -> None:
    bench, lived = Bench(), []
    bench.scheduler.lived = lambda: lived.append(bench.clock.now)
    for _ in range(20):
        bench.clock.work(10)
        bench.scheduler.breathe()
    assert 3 <= len(lived) <= 5, "now and then"


def test_long_work_that_lets_adverts_go_is_no_warning(
    events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()

    def long() -> None:
        bench.clock.work(100)
        bench.scheduler.breathe()

    bench.scheduler.urgent_by(None, lambda _nested: None, bench.clock.now // 1000)
    bench.scheduler.turn(long)
    (record,) = caplog.records
    assert record.levelno == logging.INFO and "adverts left meanwhile" in record.getMessage()


def test_a_pause_while_the_loop_waits(events: Events) -> None:
    bench = Bench()
    bench.wait(0.1, 101)
    bench.wait(0.1, 599)
    assert not bench.pauses
    bench.wait(0.1, 4_500)
    (pause,) = bench.pauses
    assert 4_390_000 <= pause.us <= 4_400_000 and not pause.unseen_us and not pause.during
    ((kind, data),) = events()
    assert kind == "loop.slept" and data["seconds"] == 4.399 and data["suspended_seconds"] == 0
    assert data["text"].startswith("we slept 4.4 s: ")
    assert bench.scheduler.pauses.document()["count"] == 1


def test_waiting_for_ever_is_no_pause() -> None:
    bench = Bench()
    bench.wait(None, 3_600_000)
    assert not bench.pauses


def test_a_pause_in_a_callback_is_not_its_overrun(events: Events) -> None:
    bench = Bench()

    def stopped() -> None:
        bench.clock.work(5)
        bench.clock.sleep(3_000)

    bench.wait(0.1, 100)
    bench.scheduler.turn(stopped)
    (pause,) = bench.pauses
    assert pause.us == 3_000_000 and pause.during.endswith("stopped")
    assert not bench.scheduler.overruns.by_name
    ((kind, data),) = events()
    assert kind == "loop.slept" and data["during"] == pause.during


def test_work_that_is_hard_is_an_overrun_and_no_pause(events: Events) -> None:
    bench = Bench()
    bench.wait(0.1, 100)
    bench.scheduler.turn(bench.clock.work, 3_000)
    assert not bench.pauses and [kind for kind, _ in events()] == ["loop.overrun"]


def test_a_machine_that_was_suspended(events: Events) -> None:
    """CLOCK_MONOTONIC saw nothing of it."""
    bench = Bench()
    bench.scheduler.before_wait(0.1)
    bench.clock.sleep(40)
    bench.clock.boot += 60_000 * MS
    bench.scheduler.after_wait()
    (pause,) = bench.pauses
    assert pause.unseen_us == 60_000_000 and pause.us == 60_000_000
    assert "the machine was suspended" in events()[0][1]["text"]
    bench.wait(0.1, 100)
    assert len(bench.pauses) == 1, "told once"


def test_a_pause_is_told_before_what_is_urgent() -> None:
    bench, order = Bench(), []
    bench.scheduler.on_pause(lambda _pause: order.append("pause"))
    bench.scheduler.urgent_by(bench.clock.now // 1000 + 5_000, lambda _nested: order.append("urgent"))
    bench.wait(1.0, 2_000)
    assert order == ["pause", "urgent"]


def test_lateness_that_is_bad_is_an_event_once_in_a_while(events: Events) -> None:
    bench = Bench()
    for late in (100_000, 499_000, 501_000, 700_000, 800_000):
        bench.scheduler.advert_left(late, 1_000_000, "VI_1")
    ((kind, data),) = events()
    assert kind == "loop.late" and data["ms"] == 501 and data["times"] == 1
    bench.clock.work(11_000)
    bench.scheduler.advert_left(600_000, 1_000_000, "VI_1")
    ((_, data),) = events()
    assert data["times"] == 3
    assert bench.scheduler.document()["lateness"]["advert"]["count"] == 6
    bench.clock.work(11_000)
    bench.scheduler.before_wait(0.1)
    bench.clock.sleep(3_000)
    bench.scheduler.after_wait()
    bench.scheduler.advert_left(2_900_000, 1_000_000, "VI_1")
    assert [kind for kind, _ in events()] == ["loop.slept"], (
        "a pause was told: that it made an advert late goes without saying"
    )


# -- garbage


@pytest.fixture
def garbage() -> Iterator[Garbage]:
    policy = Garbage(20_000)
    gc.collect()
    policy.begin()
    try:
        yield policy
    finally:
        policy.end()
        gc.unfreeze()


def litter(count: int) -> None:
    """So many cycles that nobody holds."""
    for _ in range(count):
        one: list[Any] = []
        one.append(one)


def test_garbage_waits_for_room(garbage: Garbage) -> None:
    assert not garbage.idle(1 << 40)
    litter(YOUNG + 200)
    assert not garbage.idle(0), "a deadline is near"
    assert gc.get_count()[0] > YOUNG
    assert garbage.idle(1 << 40)
    assert gc.get_count()[0] < YOUNG and garbage.pauses.count == 1
    litter(URGENT + 200)
    assert garbage.idle(0), "it must not grow without end"


def test_now_and_then_a_collection_goes_further(garbage: Garbage) -> None:
    seen: list[int] = []
    watch = lambda phase, info: seen.append(info["generation"]) if phase == "stop" else None  # noqa: E731
    gc.callbacks.append(watch)
    try:
        for _ in range((OLDER + 1) * (OLDER + 1)):
            litter(YOUNG + 200)
            garbage.idle(1 << 40)
    finally:
        gc.callbacks.remove(watch)
    assert seen.count(1) == OLDER and seen.count(2) == 1


def test_what_was_loaded_is_looked_through_no_more() -> None:
    """In a process of its own: freezing is for ever, and the counts are those of the whole interpreter."""
    script = """
import gc
from krun.loop.garbage import Garbage, YOUNG
heap = [[n] for n in range(600_000)]
policy = Garbage(20_000)
policy.begin()
policy.settle()
assert policy.document()["frozen"] >= 600_000 and policy.skipped == 1
assert len(gc.get_objects()) < 1000
for n in range(400):
    for _ in range(YOUNG + 200):
        one = []
        one.append(one)
    assert policy.idle(1 << 40)
assert len(gc.get_objects()) < YOUNG + 2000
assert policy.document()["frozen"] >= 600_000
assert policy.pauses.count == 401 or policy.pauses.count == 400
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


# -- in a loop that runs


def run(story: Callable[[Scheduler], Any], budget_us: int = 20_000) -> Scheduler:
    """``story`` is a coroutine function; it gets the scheduler of its loop."""
    scheduler = Scheduler("vrrp", budget_us)
    scheduler.started = True
    loop = Loop(scheduler)
    try:
        loop.run_until_complete(story(scheduler))
    finally:
        loop.close()
    return scheduler


def test_the_loop_times_timers_tasks_and_readers(events: Events) -> None:
    async def story(scheduler: Scheduler) -> None:
        loop = asyncio.get_running_loop()
        assert scheduler_of(loop) is scheduler
        reader, writer = os.pipe()
        done = loop.create_future()

        def readable() -> None:
            busy(0.03)
            loop.remove_reader(reader)
            done.set_result(None)

        loop.add_reader(reader, readable)
        loop.call_later(0.01, os.write, writer, b"x")
        cancelled = loop.call_later(0.01, done.cancel)
        cancelled.cancel()
        await done
        await asyncio.sleep(0.02)
        busy(0.03)
        os.close(reader)
        os.close(writer)

    scheduler = run(story)
    assert scheduler.timers.count >= 2
    names = list(scheduler.overruns.by_name)
    assert [name.rpartition(".")[2] for name in names] == ["readable", "story"]


def test_an_error_in_a_callback_reaches_the_loop_s_handler() -> None:
    seen: list[dict[str, Any]] = []

    async def story(_scheduler: Scheduler) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: seen.append(context))
        loop.call_soon(int, "no number")
        await asyncio.sleep(0)

    run(story)
    assert isinstance(seen[0]["exception"], ValueError)


def test_the_loop_wakes_for_what_is_urgent_without_a_timer() -> None:
    at: list[int] = []

    async def story(scheduler: Scheduler) -> None:
        began = time.monotonic_ns() // 1000
        done = asyncio.get_running_loop().create_future()

        def urgent(_nested: bool) -> None:
            at.append(time.monotonic_ns() // 1000 - began)
            if len(at) < 3:
                scheduler.urgent_by(began + 10_000 * (len(at) + 1), urgent)
            else:
                done.set_result(None)

        scheduler.urgent_by(began + 10_000, urgent)
        await done

    run(story)
    assert [us // 10_000 >= n for n, us in enumerate(at, 1)] == [True] * 3


def test_a_stopped_process_knows_that_it_slept(events: Events) -> None:
    """SIGSTOP, from outside, for longer than the notice."""

    async def story(scheduler: Scheduler) -> None:
        scheduler.notice_us = 200_000
        pid = os.getpid()
        subprocess.Popen(
            ["/bin/sh", "-c", f"sleep 0.05; kill -STOP {pid}; sleep 0.6; kill -CONT {pid}"],
            start_new_session=True,
        )
        for _ in range(200):
            await asyncio.sleep(0.01)
            if scheduler.pauses.count:
                return

    # pytest's own process is the one that is stopped: nothing of it minds.
    before = signal.getsignal(signal.SIGCHLD)
    scheduler = run(story)
    assert signal.getsignal(signal.SIGCHLD) is before
    assert scheduler.pauses.count == 1 and scheduler.pauses.longest_us > 300_000
    assert [kind for kind, _ in events()] == ["loop.slept"]


def test_another_loop_gets_a_timer_for_what_is_urgent() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        scheduler, done = scheduler_of(loop), loop.create_future()
        assert isinstance(scheduler, Borrowed)
        scheduler.urgent_by(time.monotonic_ns() // 1000 + 5_000, lambda _nested: done.set_result(None))
        await asyncio.wait_for(done, 5)

    asyncio.run(story())


def busy(seconds: float) -> None:
    """Use the processor, not only time."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
