"""Reload of the checker process: old state × kind of change → new state, and exactly the writes that it needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from check_world import SECOND, World, config, misc, real, script, sorry, tcp, virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.model import Config, Service, VirtualServer
from kir.plan.ipvs import desired_table, plan_table
from krun.check.outcome import Outcome

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


def settled(w: World) -> World:
    """After the first round; 1 is down, the rest is up."""
    w.fail(1)
    w.loop.run_for(3)
    w.ipvs.log.clear()
    w.scripts.names()
    w.asked.clear()
    return w


BASE = virtual(real(1), real(2), real(3))


class TestWrites:
    @pytest.mark.parametrize(
        ("new", "operations"),
        [
            (BASE, {}),
            (virtual(real(3), real(1), real(2)), {}),  # order means nothing
            (virtual(real(1), real(2, 7), real(3)), {"ipvs.edit_dest": 1}),
            (virtual(real(1, 7), real(2), real(3)), {}),  # it is down: not in the table
            (virtual(real(1), real(2), real(3), scheduler="rr"), {"ipvs.edit_service": 1}),
            (
                virtual(real(1), real(2)),
                {"ipvs.del_dest": 1, "checker.stop": 1},
            ),
            (virtual(real(2), real(3)), {"checker.stop": 1}),  # it was down, and out already
            (
                virtual(real(1), real(2), real(3), real(4)),
                {"ipvs.add_dest": 1, "checker.start": 1},
            ),
            (
                virtual(real(1), real(2, checkers=[tcp("192.168.0.2", delay_loop_us=SECOND)]), real(3)),
                {"checker.update": 1},
            ),
            (
                virtual(real(1), real(2, checkers=[tcp("192.168.0.22")]), real(3)),
                {"checker.update": 1},
            ),
            (
                virtual(real(1), real(2), real(3), quorum=3, sorry_server=sorry()),
                {"ipvs.add_dest": 1, "ipvs.del_dest": 2},
            ),
            (virtual(real(1, inhibit_on_failure=True), real(2), real(3)), {"ipvs.add_dest": 1}),
            (virtual(real(1), real(2), real(3), sorry_server=sorry(inhibit=True)), {"ipvs.add_dest": 1}),
            (virtual(real(1), real(2), real(3), quorum_up=script("x")), {}),
        ],
    )
    def test_exactly_what_differs(self, world: Make, new: VirtualServer, operations: dict[str, int]) -> None:
        w = settled(world(config(BASE)))
        assert w.reload(config(new)) == {"operations": operations, "failures": []}
        assert len(w.ipvs.log) == sum(n for name, n in operations.items() if name.startswith("ipvs."))
        assert not w.child._table.audit().counts

    def test_another_virtual_server_comes_and_goes(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        two = virtual(real(8), real(9), n=2)
        assert w.reload(config(BASE, two))["operations"] == {
            "checker.start": 2,
            "ipvs.add_dest": 2,
            "ipvs.add_service": 1,
        }
        assert w.reload(config(BASE))["operations"] == {"checker.stop": 2, "ipvs.del_service": 1}

    def test_a_renamed_group_keeps_its_services(self, world: Make) -> None:
        service = Service(family="inet", protocol="tcp", address="10.0.0.1", port=80)
        w = settled(world(config(virtual(real(2), real(3), name="group A tcp", services=(service,)))))
        done = w.reload(config(virtual(real(2), real(3), name="group B tcp", services=(service,))))
        assert not [name for name in done["operations"] if name.startswith("ipvs.")]

    def test_an_entry_of_a_group_comes_and_goes(self, world: Make) -> None:
        one, two = (Service(family="inet", protocol="tcp", address=f"10.0.0.{n}", port=80) for n in (1, 2))
        w = settled(world(config(virtual(real(1), real(2), name="group A tcp", services=(one,)))))
        both = config(virtual(real(1), real(2), name="group A tcp", services=(one, two)))
        assert w.reload(both)["operations"] == {"ipvs.add_service": 1, "ipvs.add_dest": 1}
        only = config(virtual(real(1), real(2), name="group A tcp", services=(two,)))
        assert w.reload(only)["operations"] == {"ipvs.del_service": 1}

    def test_abort_leaves_everything(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        w.child.prepare(config(virtual(real(1, 5), real(9))), "")
        w.child.abort()
        w.loop.run_for(30)
        assert w.ipvs.log == []
        with pytest.raises(ValueError, match="nothing is prepared"):
            w.child.commit()

    def test_what_happens_between_the_two_phases_counts(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        w.child.prepare(config(virtual(real(1), real(2, 7), real(3))), "")
        w.fail(2)
        w.loop.run_for(8)
        w.ipvs.log.clear()
        assert w.child.commit() == {"operations": {}, "failures": []}
        assert w.server(2)["state"] == "down"
        assert w.server(2)["weight"] == 7


class TestState:
    """Old state of a server × what changes → its state right after the reload, before any check has run again."""

    @pytest.mark.parametrize("was_up", [True, False])
    @pytest.mark.parametrize(
        ("change", "stays"),
        [
            ("nothing", True),
            ("weight", True),
            ("timing", True),
            ("other server", True),
            ("position", True),
            ("alpha", True),
            ("question", True),
            ("second checker", True),
            ("second alpha checker", True),
        ],
    )
    def test_table(self, world: Make, was_up: bool, change: str, stays: bool) -> None:
        n = 2 if was_up else 1
        a = f"192.168.0.{n}"
        w = settled(world(config(virtual(real(n), real(3)))))
        assert (w.server(n)["state"] == "up") is was_up
        new = {
            "nothing": real(n),
            "weight": real(n, 9),
            "timing": real(n, checkers=[tcp(a, retry=5, delay_loop_us=SECOND)]),
            "other server": real(n),
            "position": real(n, checkers=[tcp(a, port=81), tcp(a)]),
            "alpha": real(n, checkers=[tcp(a, alpha=True)]),
            "question": real(n, checkers=[tcp(a, port=81)]),
            "second checker": real(n, checkers=[tcp(a), tcp(a, port=81)]),
            "second alpha checker": real(n, checkers=[tcp(a), tcp(a, port=81, alpha=True)]),
        }[change]
        rest = [] if change == "other server" else [real(3)]
        w.reload(config(virtual(new, *rest)))
        # A new question has no bad answer yet: the server is up (or, alpha, as it was).
        assert (w.server(n)["state"] == "up") is (was_up if stays else True)

    def test_a_new_server_starts_by_its_own_rule(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        a = "192.168.0.4"
        w.reload(config(virtual(real(1), real(2), real(3), real(4, checkers=[tcp(a, alpha=True)]), real(5))))
        assert (w.server(4)["state"], w.server(5)["state"]) == ("down", "up")
        w.loop.run_for(3)
        assert w.server(4)["state"] == "up"

    def test_a_new_alpha_check_on_a_server_that_is_down_holds_it_down(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        a = "192.168.0.1"
        w.reload(config(virtual(real(1, checkers=[tcp(a, port=81, alpha=True)]), real(2), real(3))))
        assert w.server(1)["state"] == "down"

    def test_counters_and_deadlines_go_on(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        before = [runner.state for runner in w.child._roster.runners()]
        w.reload(config(virtual(real(1), real(2, 7), real(3), scheduler="sh")))
        assert [runner.state for runner in w.child._roster.runners()] == before

    def test_a_failure_count_survives(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        w.fail(2)
        w.loop.run_for(4.1)
        assert w.server(2)["checkers"][0]["failures"] == 1
        w.reload(config(virtual(real(1), real(2, 7), real(3))))
        w.loop.run_for(1.1)
        assert w.server(2)["state"] == "down"

    def test_a_shorter_period_holds_at_once(self, world: Make) -> None:
        w = settled(
            world(config(virtual(real(2, checkers=[tcp("192.168.0.2", delay_loop_us=600 * SECOND)]))))
        )
        w.reload(config(virtual(real(2, checkers=[tcp("192.168.0.2", delay_loop_us=2 * SECOND)]))))
        w.loop.run_for(10)
        assert len(w.asked) >= 4

    def test_stopped_checkers_ask_no_more(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        w.reload(config(virtual(real(2))))
        w.loop.run_for(30)
        assert {a for _, a in w.asked} == {"192.168.0.2"}
        assert not [k for k in w.promised if "192.168.0.1" in k or "192.168.0.3" in k]

    def test_promises_follow_a_checker_to_its_new_place(self, world: Make) -> None:
        w = settled(world(config(BASE)))
        c = config(
            virtual(real(1, checkers=[tcp("192.168.0.1", port=81), tcp("192.168.0.1")]), real(2), real(3))
        )
        w.reload(c)
        heir = world(c, table=w.ipvs.table, promises=w.promised)
        assert heir.server(1)["state"] == "down"
        assert heir.ipvs.log == []

    def test_dynamic_weights_move_with_the_configured_ones(self, world: Make) -> None:
        def pool(weight: int, dynamic: bool = True) -> Config:
            return config(virtual(real(2, weight, checkers=[misc("/c", "a", dynamic=dynamic)])))

        w = world(pool(10))
        w.answers["a"] = Outcome("good", weight=14)
        w.loop.run_for(2)
        w.reload(pool(20))
        assert w.ipvs.weights() == {"192.168.0.2:80": 24}
        w.loop.run_for(7)
        assert w.ipvs.weights() == {"192.168.0.2:80": 14}
        w.reload(pool(20, dynamic=False))
        assert w.ipvs.weights() == {"192.168.0.2:80": 20}

    def test_scripts_of_a_reload(self, world: Make) -> None:
        def pool(*ns: int, quorum: int) -> Config:
            return config(
                virtual(
                    *(real(n, notify_down=script(f"down{n}"), notify_up=script(f"up{n}")) for n in ns),
                    quorum=quorum,
                    quorum_up=script("quorum_up"),
                    quorum_down=script("quorum_down"),
                )
            )

        w = settled(world(pool(1, 2, 3, quorum=1)))
        w.reload(pool(1, 2, 3, quorum=1))
        assert w.scripts.names() == []
        w.reload(pool(2, quorum=2))
        assert w.scripts.names() == ["down3", "quorum_down"]  # 1 was down already
        w.reload(pool(2, quorum=1))
        assert w.scripts.names() == ["quorum_up"]
        w.reload(config())
        assert w.scripts.names() == ["down2", "quorum_down"]
        assert w.ipvs.table == {}


@st.composite
def configs(draw: st.DrawFn) -> Config:
    virtuals = []
    for n in draw(st.lists(st.integers(1, 3), unique=True, max_size=3)):
        servers = [
            real(
                k,
                draw(st.integers(0, 3)),
                checkers=draw(
                    st.sampled_from(
                        [
                            [],
                            [tcp(f"192.168.0.{k}")],
                            [tcp(f"192.168.0.{k}", alpha=True)],
                            [tcp(f"192.168.0.{k}"), tcp("192.168.0.1", port=9)],
                        ]
                    )
                ),
                inhibit_on_failure=draw(st.booleans()),
            )
            for k in draw(st.lists(st.integers(1, 4), unique=True, max_size=4))
        ]
        virtuals.append(
            virtual(
                *servers,
                n=n,
                quorum=draw(st.integers(1, 3)),
                scheduler=draw(st.sampled_from(["rr", "wlc"])),
                sorry_server=draw(st.sampled_from([None, sorry(), sorry(inhibit=True)])),
            )
        )
    return config(*virtuals)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(configs(), st.sets(st.integers(1, 4)), st.integers(0, 9)), min_size=1, max_size=4))
def test_every_reload_writes_the_plan_and_nothing_else(steps: list[tuple[Config, set[int], int]]) -> None:
    w = World(steps[0][0])
    try:
        for new, failing, wait in steps:
            w.answers.clear()
            for n in failing:
                w.fail(n)
            w.loop.run_for(wait)
            have = w.ipvs.dump()
            w.ipvs.log.clear()
            w.reload(new)
            health = {name: m.pool.health() for name, m in w.child._roster.members.items()}
            want = desired_table(new, health)
            assert w.ipvs.table == want
            assert len(w.ipvs.log) == len(plan_table(have, want))
            for member in w.child._roster.members.values():
                for server in member.pool.servers.values():
                    assert server.up == all(r.state.up for r in member.runners[server.key])
            assert w.reload(new) == {"operations": {}, "failures": []}
    finally:
        w.close()


def test_a_virtual_server_that_goes_is_removed_and_lost_no_quorum(
    world: Make, caplog: pytest.LogCaptureFixture
) -> None:
    w = world(config(virtual(real(1), sorry_server=sorry()), virtual(real(2), n=2)))
    caplog.set_level(logging.INFO)
    caplog.clear()
    w.reload(config(virtual(real(2), n=2)))
    said = [record.getMessage() for record in caplog.records]
    assert "tcp 10.0.0.1:80 -> 192.168.0.1:80 removed" in said
    assert "tcp 10.0.0.1:80 removed" in said
    assert not any("quorum" in line or "sorry" in line for line in said)
