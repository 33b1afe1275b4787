"""The account of a process: whose the objects are, what came and went, and what was left behind by whom."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from krun.loop.books import Books, Entry
from krun.loop.events import EventLoop
from krun.loop.holders import held_by
from krun.loop.memory import Memory, census, usage
from krun.loop.sizes import MOST_OBJECTS, estimate, octets
from krun.parent.accounting import AGAIN_S, EVERY_S, Accounting
from krun.parent.backoff import Backoff


class Pool:
    def __init__(self, name: str) -> None:
        self.name = name
        self.servers = list(range(1000, 1010))


class Slotted:
    __slots__ = ("name", "other")

    def __init__(self, name: str) -> None:
        self.name = name
        self.other: object = None


class Owner:
    def __init__(self) -> None:
        self.pools: dict[str, Pool | Slotted] = {}

    def books(self) -> Books:
        for name, pool in self.pools.items():
            yield Entry("pool", name, pool)


@pytest.fixture
def owner() -> Iterator[Owner]:
    gc.collect()
    yield Owner()
    gc.collect()


def test_what_came_and_what_went(owner: Owner) -> None:
    memory = Memory(owner.books, debug=True, patience_s=0.0)
    owner.pools = {"a": Pool("a"), "b": Pool("b")}
    told = memory.mark()
    assert told["came"] == {"pool": {"count": 2, "names": ["a", "b"]}} and not told["gone"]
    del owner.pools["a"]
    told = memory.mark()
    assert not told["came"] and told["gone"] == {"pool": {"count": 1, "names": ["a"]}}
    assert memory.mark()["changed"].get(f"{Pool.__module__}.Pool", 0) == 0


def test_a_thing_that_nobody_owns_and_somebody_keeps(owner: Owner) -> None:
    memory = Memory(owner.books, debug=True, patience_s=0.0)
    owner.pools = {"a": Pool("a"), "b": Pool("b")}
    memory.mark()
    kept: dict[str, Any] = {"the cache": owner.pools.pop("a")}
    assert memory.search() == [] and memory.suspects == 1, "it may be on its way out"
    (left,) = memory.search()
    assert (left.kind, left.name) == ("pool", "a") and left.type.endswith(".Pool") and left.octets > 100
    assert any("dict['the cache']" in way for way in left.held_by)
    assert memory.search() == [], "said once"
    told = memory.report()
    assert [x["name"] for x in told["left_behind"]] == ["a"]
    kept.clear()
    memory.search()
    assert not memory.report()["left_behind"] and memory.suspects == 0


def test_a_thing_that_goes_in_time_is_no_leak(owner: Owner) -> None:
    memory = Memory(owner.books, debug=True, patience_s=0.0)
    owner.pools = {"a": Pool("a")}
    memory.mark()
    last = owner.pools.pop("a")
    assert memory.search() == []
    del last
    assert memory.search() == [] and not memory.left


def test_garbage_in_a_circle_is_not_left_behind(owner: Owner) -> None:
    memory = Memory(owner.books, debug=True, patience_s=0.0)
    one, other = Slotted("a"), Slotted("b")
    one.other, other.other = other, one
    owner.pools = {"a": one, "b": other}
    memory.mark()
    owner.pools.clear()
    del one, other
    assert memory.search() == [] and memory.suspects == 0


@pytest.mark.parametrize("how", ["attribute", "slot", "closure", "method"])
def test_who_holds_it(how: str) -> None:
    thing = Pool("x")
    holder: object
    if how == "attribute":
        holder = owner = Owner()
        owner.pools = thing  # type: ignore[assignment]
        expected = "Owner.pools"
    elif how == "slot":
        holder = slotted = Slotted("s")
        slotted.other = thing
        expected = "Slotted.other"
    elif how == "closure":

        def closure() -> object:
            return thing

        holder, expected = closure, "closure"
    else:
        thing.run = None  # type: ignore[attr-defined]
        holder, expected = _Bound(thing).run, "_Bound.run"
    ways = held_by(thing)
    assert holder is not None and any(expected in way for way in ways), ways


class _Bound:
    def __init__(self, thing: object) -> None:
        self.thing = thing

    def run(self) -> None: ...


def test_without_debug_nothing_is_remembered(owner: Owner) -> None:
    owner.pools = {"a": Pool("a")}
    told = Memory(owner.books).report()
    assert told["owners"]["pool"]["count"] == 1 and told["debug"] is False
    assert not {"changed", "came", "left_behind", "types"} & told.keys()


def test_the_process_by_the_kernel_s_word() -> None:
    told = usage()
    assert told["rss_kb"] >= told["pss_kb"] > 1000 and told["threads"] >= 1
    assert 3 <= told["descriptors"] < told["descriptor_limit"]


def test_sizes_are_bounded_and_do_not_cross_borders() -> None:
    one, other = Pool("one"), Pool("other")
    alone = octets(one)
    one.servers.append(other)  # type: ignore[arg-type]
    assert octets(one) > alone + 100
    assert octets(one, {id(other)}) < alone + 100
    many: list[object] = [[n] for n in range(100 * MOST_OBJECTS)]
    assert octets(many) < 2 * (many.__sizeof__() + MOST_OBJECTS * 200)
    pools: list[object] = [Pool(str(n)) for n in range(1000)]
    exact = sum(octets(pool) for pool in pools)
    assert abs(estimate(pools, set()) - exact) < exact / 5
    common = list(range(100_000))
    for pool in pools:
        pool.common = common  # type: ignore[attr-defined]
    assert estimate(pools, set()) < 2 * exact, "what all share is nobody's own"


def test_a_hundred_left_behind_are_counted_and_few_are_looked_into(owner: Owner) -> None:
    memory = Memory(owner.books, debug=True, patience_s=0.0)
    owner.pools = {str(n): Pool(str(n)) for n in range(100)}
    memory.mark()
    kept: list[object] = list(owner.pools.values())
    owner.pools = {}
    memory.search()
    found = memory.search()
    assert len(found) == 100 and sum(bool(x.held_by) for x in found) == 5 and kept


def test_the_census_counts_by_type() -> None:
    name = "krun.parent.backoff.Backoff"
    before = census()[name]
    kept = [Backoff() for _ in range(50)]
    assert census()[name] == before + len(kept)
    kept.clear()
    assert census()[name] == before


def test_the_log_and_the_event_of_what_was_left_behind(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    loop = _Loop()
    accounting = Accounting("check", cast(EventLoop, loop), owner.books, debug=True, patience_s=0.0)
    accounting.start()
    owner.pools = {"a": Pool("a")}
    loop.pass_time(EVERY_S)
    kept = owner.pools.pop("a")
    with caplog.at_level(logging.INFO):
        accounting.reloaded()
        loop.pass_time(0)
        assert "went: pool 1 (a)" in caplog.text and "left behind" not in caplog.text
        loop.pass_time(AGAIN_S)
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "left behind: pool a" in record.getMessage()
    assert record.__dict__["event_kind"] == "memory.left_behind"
    assert record.__dict__["event_subject"] == "a" and record.__dict__["event_data"]["owner"] == "pool"
    answers: list[dict[str, Any]] = []
    accounting.answer({}, answers.append)
    assert answers[0]["memory"]["left_behind"][0]["name"] == "a" and kept


def test_without_debug_no_timer_runs(owner: Owner) -> None:
    loop = _Loop()
    accounting = Accounting("check", cast(EventLoop, loop), owner.books, debug=False)
    accounting.start()
    accounting.reloaded()
    assert not loop.waiting


class _Loop:
    """Only `call_later`."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], Any]]] = []
        self.now = 0.0

    def call_later(self, delay: float, callback: Callable[[], Any]) -> None:
        self.waiting.append((self.now + delay, callback))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        due = [callback for when, callback in self.waiting if when <= self.now]
        self.waiting = [pair for pair in self.waiting if pair[0] > self.now]
        for callback in due:
            callback()
