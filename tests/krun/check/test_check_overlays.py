"""An operator's hand on real servers, in the checker process: on top of health and configuration, ended in time, never lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from check_world import SECOND, World, config, misc, real, script, sorry, virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.model import Config, Service
from kir.plan.ipvs import desired_table
from krun.check.outcome import Outcome
from krun.control import overlays
from krun.parent.boot import boot_id

Make = Callable[..., World]


@pytest.fixture
def world() -> Iterator[Make]:
    made: list[World] = []

    def make(*args: Any, **kwargs: Any) -> World:
        made.append(World(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


def hand(c: Config, n: int, weight: int, seconds: float, now_us: int, v: int = 0) -> dict[str, Any]:
    """The plain form of an overlay on server ``n`` of virtual server ``v``."""
    one = overlays.make(
        c,
        {
            "service": c.virtual_servers[v].name,
            "server": f"192.168.0.{n}:80",
            "weight": weight,
            "for_us": round(seconds * SECOND),
        },
        by="a test",
        now_us=now_us,
        boot=boot_id(),
        epoch=now_us / SECOND,
    )
    return overlays.encode([one])[0]


def put(w: World, *plain: dict[str, Any]) -> dict[str, Any]:
    done = w.child.order({"op": "overlays", "overlays": list(plain)})
    w.loop.turn()
    return done


THREE = config(virtual(real(1, 5), real(2, 5), real(3, 5)))


def settled(w: World) -> World:
    w.loop.run_for(3)
    w.ipvs.log.clear()
    w.scripts.names()
    return w


def test_one_write_a_word_and_back_exactly_in_time(world: Make) -> None:
    w = settled(world(THREE))
    done = put(w, hand(THREE, 1, 0, 30, w.loop.now_us))
    assert done["operations"] == {"ipvs.edit_dest": 1}
    assert done["news"] == ["tcp 10.0.0.1:80 -> 192.168.0.1:80 weight 5 -> 0"]
    assert w.ipvs.weights()["192.168.0.1:80"] == 0
    status = w.server(1)
    assert (status["weight"], status["effective_weight"], status["overlay"]) == (5, 0, 0)
    w.loop.run_for(29.9)
    assert w.ipvs.weights()["192.168.0.1:80"] == 0
    w.loop.run_for(0.15)
    assert w.ipvs.weights()["192.168.0.1:80"] == 5
    assert w.ipvs.names() == ["edit_dest 192.168.0.1:80"] * 2
    assert w.child.status()["ipvs"]["drift"] == 0


def test_taking_it_away(world: Make) -> None:
    w = settled(world(THREE))
    put(w, hand(THREE, 1, 9, 30, w.loop.now_us), hand(THREE, 2, 0, 30, w.loop.now_us))
    assert w.ipvs.weights() == {"192.168.0.1:80": 9, "192.168.0.2:80": 0, "192.168.0.3:80": 5}
    put(w)
    assert w.ipvs.table == desired_table(THREE)


def test_a_second_message_with_the_same_list_writes_nothing(world: Make) -> None:
    w = settled(world(THREE))
    one = hand(THREE, 1, 9, 30, w.loop.now_us)
    put(w, one)
    assert put(w, one)["operations"] == {}


def test_a_server_that_is_down_stays_out_whatever_its_overlay_says(world: Make) -> None:
    w = world(THREE)
    w.fail(1)
    settled(w)
    assert put(w, hand(THREE, 1, 50, 300, w.loop.now_us))["operations"] == {}
    assert "192.168.0.1:80" not in w.ipvs.weights()
    w.heal(1)
    w.loop.run_for(8)
    assert w.ipvs.weights()["192.168.0.1:80"] == 50


def test_a_dynamic_weight_counts_again_afterwards(world: Make) -> None:
    c = config(virtual(real(1, 10, checkers=[misc("/c", "a", dynamic=True)]), real(2)))
    w = world(c)
    w.answers["a"] = Outcome("good", weight=40)
    settled(w)
    put(w, hand(c, 1, 3, 20, w.loop.now_us))
    w.answers["a"] = Outcome("good", weight=60)
    w.loop.run_for(10)
    assert w.ipvs.weights()["192.168.0.1:80"] == 3
    w.loop.run_for(11)
    assert w.ipvs.weights()["192.168.0.1:80"] == 60


def test_the_quorum_is_that_of_the_weights_in_effect_and_says_so(world: Make) -> None:
    c = config(
        virtual(real(1, 5), real(2, 5), quorum=8, quorum_down=script("quorum_down"), sorry_server=sorry())
    )
    w = settled(world(c))
    done = put(w, hand(c, 1, 0, 30, w.loop.now_us))
    assert done["news"][-1] == (
        "tcp 10.0.0.1:80 lost its quorum: weight 5 of 8; sorry server 192.168.0.250:80 takes over"
    )
    assert w.scripts.names() == ["quorum_down"]
    # Drained by hand, it keeps its connections while the sorry server answers.
    assert w.ipvs.weights() == {"192.168.0.1:80": 0, "192.168.0.250:80": 1}
    assert not w.child._table.audit().counts
    w.loop.run_for(31)
    assert w.ipvs.table == desired_table(c)


class TestReload:
    def test_it_stays_over_a_reload(self, world: Make) -> None:
        w = settled(world(THREE))
        put(w, hand(THREE, 1, 0, 300, w.loop.now_us))
        w.ipvs.log.clear()
        assert w.reload(config(virtual(real(1, 8), real(2, 5), real(3, 5))))["operations"] == {}
        assert w.ipvs.weights()["192.168.0.1:80"] == 0
        w.loop.run_for(301)
        assert w.ipvs.weights()["192.168.0.1:80"] == 8

    def test_a_removed_server_is_said_and_its_overlay_counts_again_when_it_returns(
        self, world: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        w = settled(world(THREE))
        put(w, hand(THREE, 1, 0, 300, w.loop.now_us))
        w.reload(config(virtual(real(2, 5), real(3, 5))))
        assert any("the overlay rests" in r.getMessage() for r in caplog.records)
        w.reload(THREE)
        assert w.ipvs.weights()["192.168.0.1:80"] == 0
        assert any("counts again" in r.getMessage() for r in caplog.records)

    def test_it_follows_its_service_into_a_group(self, world: Make) -> None:
        w = settled(world(THREE))
        put(w, hand(THREE, 1, 0, 300, w.loop.now_us))
        services = tuple(
            Service(family="inet", protocol="tcp", address=f"10.0.0.{n}", port=80) for n in (1, 2)
        )
        w.reload(config(virtual(real(1, 5), real(2, 5), name="group WEB tcp", services=services)))
        assert w.ipvs.weights(1)["192.168.0.1:80"] == w.ipvs.weights(2)["192.168.0.1:80"] == 0

    def test_a_successor_is_born_with_it_and_writes_nothing(self, world: Make) -> None:
        w = settled(world(THREE))
        one = hand(THREE, 1, 0, 300, w.loop.now_us)
        put(w, one)
        w.child.abandon()
        second = world(THREE, table=w.ipvs.table, promises=w.promised, overlays=[one], now_us=w.loop.now_us)
        assert second.ipvs.log == []
        second.loop.run_for(301)
        assert second.ipvs.weights()["192.168.0.1:80"] == 5

    def test_one_that_ended_meanwhile_is_ended_at_the_start(self, world: Make) -> None:
        w = settled(world(THREE))
        one = hand(THREE, 1, 0, 10, w.loop.now_us)
        put(w, one)
        w.child.abandon()
        later = w.loop.now_us + 60 * SECOND
        second = world(THREE, table=w.ipvs.table, promises=w.promised, overlays=[one], now_us=later)
        assert second.ipvs.weights()["192.168.0.1:80"] == 5

    def test_an_overlay_of_another_boot_has_ended(self, world: Make) -> None:
        one = hand(THREE, 1, 0, 300, 1000 * SECOND) | {"boot_id": "another"}
        assert world(THREE, overlays=[one]).ipvs.weights()["192.168.0.1:80"] == 5

    def test_a_drained_server_with_an_overlay_drains(self, world: Make) -> None:
        w = settled(world(THREE))
        w.ipvs.counts = {"192.168.0.1:80": 1}
        put(w, hand(THREE, 1, 9, 300, w.loop.now_us))
        w.reload(config(virtual(real(2, 5), real(3, 5))), 60 * SECOND)
        assert w.ipvs.weights()["192.168.0.1:80"] == 0


def test_nonsense_changes_nothing(world: Make) -> None:
    w = settled(world(THREE))
    put(w, hand(THREE, 1, 0, 300, w.loop.now_us))
    with pytest.raises(ValueError, match=r"weight|field|missing"):
        w.child.order({"op": "overlays", "overlays": [{"weight": "heavy"}]})
    with pytest.raises(ValueError, match="unknown request"):
        w.child.order({"op": "dance"})
    assert w.ipvs.weights()["192.168.0.1:80"] == 0


steps = st.lists(
    st.one_of(
        st.tuples(st.just("hand"), st.integers(1, 4), st.integers(0, 3), st.integers(1, 40)),
        st.tuples(
            st.just("reload"), st.sets(st.integers(1, 4)), st.integers(0, 3), st.sampled_from([0, 5, 60])
        ),
        st.tuples(st.just("health"), st.sets(st.integers(1, 4)), st.just(0), st.integers(0, 15)),
        st.tuples(st.just("others"), st.integers(1, 4), st.integers(0, 9), st.integers(0, 15)),
    ),
    max_size=8,
)


@settings(max_examples=80, deadline=None)
@given(steps)
def test_whatever_happens_the_table_ends_as_it_should(happenings: list[tuple[Any, ...]]) -> None:
    """Overlays, drains, failures, strangers' edits and reloads in any order: in the end the table is what the last IR says."""
    c = config(virtual(real(1), real(2), real(3), sorry_server=sorry()), virtual(real(1), n=2))
    w = World(c)
    w.ipvs.counts = {f"192.168.0.{n}:80": n % 2 for n in range(1, 5)}
    try:
        held: list[dict[str, Any]] = []
        for kind, which, number, length in happenings:
            if kind == "hand":
                if any(r.address == f"192.168.0.{which}" for r in c.virtual_servers[0].real_servers):
                    held.append(hand(c, which, number, length, w.loop.now_us))
                    put(w, *held)
                continue
            if kind == "reload":
                c = config(
                    virtual(
                        *(real(n, number) for n in sorted(which)), quorum=number or 1, sorry_server=sorry()
                    ),
                    *([virtual(real(1), n=2)] if number else []),
                )
                # Not World.reload: what strangers deleted a moment ago is foretold, and refused.
                w.context.drain_us = length * SECOND
                w.child.prepare(c, "")
                w.child.commit()
            elif kind == "health":
                w.answers.clear()
                for n in which:
                    w.fail(n)
            else:
                for entry in w.ipvs.table.values():
                    for dest in list(entry.dests):
                        if dest.address.endswith(f".{which}"):
                            del entry.dests[dest]
            w.loop.run_for(length)
        w.answers.clear()
        w.loop.run_for(200)
        assert w.child.status()["drains"] == []
        health = {name: m.pool.health() for name, m in w.child._roster.members.items()}
        assert w.ipvs.table == desired_table(c, health)
        assert not any(
            s.overlay is not None for m in w.child._roster.members.values() for s in m.pool.servers.values()
        )
        assert w.child.status()["ipvs"]["left_alone"] == []
    finally:
        w.close()
