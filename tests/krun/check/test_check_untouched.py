"""A reload does not look into what stays: which runners, states and promises it leaves alone, and that a draft does not age."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from check_world import World, config, key, misc, real, sorry, tcp, virtual
from test_check_overlays import hand, put

from krun.check.outcome import Outcome
from krun.check.runner import Runner

Make = Callable[..., World]


@pytest.fixture
def world() -> Iterator[Make]:
    made: list[World] = []

    def make(*args: Any, **kwargs: Any) -> World:
        made.append(World(*args, **kwargs))
        made[-1].fail(1)
        made[-1].loop.run_for(3)
        made[-1].ipvs.log.clear()
        return made[-1]

    yield make
    for one in made:
        one.close()


BASE = config(virtual(real(1), real(2), real(3)), virtual(real(8), n=2))


def runners(w: World) -> dict[str, Runner]:
    return {r.subject: r for r in w.child._roster.runners()}


def words(w: World) -> list[tuple[Any, ...]]:
    """What the status says of every real server, but times."""
    return [
        (v["name"], v["quorum"], s["identity"], s["state"], s["effective_weight"], str(s["overlay"]))
        for v in w.child.status()["virtual_servers"]
        for s in v["real_servers"]
    ]


class TestUntouched:
    @pytest.mark.parametrize(
        "new",
        [
            config(virtual(real(1), real(2, 7), real(3)), virtual(real(8), n=2)),
            config(virtual(real(1, 7), real(2, 7), real(3, 7)), virtual(real(8, 7), n=2)),
            config(virtual(real(3), real(1), real(2), scheduler="rr"), virtual(real(8), n=2)),
            config(virtual(real(1), real(2), real(3), real(4)), virtual(real(8), n=2)),
            config(
                virtual(real(1, inhibit_on_failure=True), real(2), real(3, upper_threshold=5)),
                virtual(real(8), n=2),
            ),
        ],
        ids=["one weight", "all weights", "order", "another server", "limits"],
    )
    def test_a_check_that_stays_keeps_its_runner_its_state_and_its_alarm(self, world: Make, new: Any) -> None:
        w = world(BASE)
        before = {name: (r, r.state, r._alarm) for name, r in runners(w).items()}
        w.reload(new)
        after = runners(w)
        for name, (runner, state, alarm) in before.items():
            assert after[name] is runner
            assert runner.state is state
            assert runner._alarm is alarm

    def test_nothing_holds_on_to_the_old_configuration(self, world: Make) -> None:
        w = world(BASE)
        new = config(virtual(real(1), real(2, 7), real(3)), virtual(real(8), scheduler="rr", n=2))
        w.reload(new)
        for member, v in zip(w.child._roster.members.values(), new.virtual_servers, strict=True):
            assert member.virtual is v
            assert member.pool.virtual is v
            for server in v.real_servers:
                assert member.pool.servers[key(int(server.address.rpartition(".")[2]))].real is server
                (runner,) = member.runners[key(int(server.address.rpartition(".")[2]))]
                assert runner.virtual is v
                assert runner.server is server
                assert runner.checker is server.checkers[0]
                assert runner.rules.weight == server.weight

    def test_a_virtual_server_that_stays_is_not_looked_into(self, world: Make) -> None:
        w = world(BASE)
        member = w.child._roster.members[BASE.virtual_servers[1].name]
        w.reload(config(virtual(real(1), real(2, 7), real(3)), BASE.virtual_servers[1]))
        assert w.child._roster.members[BASE.virtual_servers[1].name] is member

    def test_a_quorum_is_promised_again_only_when_it_is_another(self, world: Make) -> None:
        w = world(BASE)
        w.promised.clear()
        w.reload(config(virtual(real(1), real(2, 7), real(3)), virtual(real(8, 3), n=2)))
        assert w.promised == {}
        w.reload(config(virtual(real(1), real(2, 7), quorum=9), virtual(real(8, 3), n=2, name="group B tcp")))
        assert {k: v for k, v in w.promised.items() if k.endswith("|quorum")} == {
            f"{BASE.virtual_servers[0].name}|quorum": b"down",
            "group B tcp|quorum": b"up",
        }
        assert any(k.startswith("group B tcp|192.168.0.8:80|") for k in w.promised)


class TestBetweenPrepareAndCommit:
    def test_a_new_question_starts_from_what_the_server_is_then(self, world: Make) -> None:
        w = world(BASE)
        w.child.prepare(
            config(virtual(real(1), real(2, checkers=[tcp("192.168.0.2", port=81)]), real(3))), ""
        )
        w.fail(2)
        w.loop.run_for(8)
        assert w.server(2)["state"] == "down"
        w.child.commit()
        assert w.server(2)["state"] == "down"
        assert "192.168.0.2:80" not in w.ipvs.weights()

    def test_a_weight_that_a_check_adds_meanwhile_counts(self, world: Make) -> None:
        def pool(weight: int) -> Any:
            return config(virtual(real(2, weight, checkers=[misc("/c", "a", dynamic=True)])))

        w = world(pool(10))
        w.child.prepare(pool(20), "")
        w.answers["a"] = Outcome("good", weight=14)
        w.loop.run_for(7)
        w.child.commit()
        assert w.ipvs.weights() == {"192.168.0.2:80": 24}

    def test_an_overlay_that_comes_meanwhile_counts(self, world: Make) -> None:
        w = world(BASE)
        new = config(virtual(real(1), real(2, 7), real(3, 7)), virtual(real(8), n=2))
        w.child.prepare(new, "")
        put(w, hand(BASE, 2, 4, 300, w.loop.now_us))
        w.child.commit()
        assert w.ipvs.weights() == {"192.168.0.2:80": 4, "192.168.0.3:80": 7}

    def test_what_was_judged_and_dropped_leaves_no_trace(self, world: Make) -> None:
        """Judging a rename foretells that an overlay on the old name rests; the pool at work must not learn of it."""
        w = world(BASE)
        put(w, hand(BASE, 2, 4, 300, w.loop.now_us))
        before = words(w)
        (v, other) = BASE.virtual_servers
        w.child.prepare(config(virtual(real(1), real(2), real(3, 9), name="group A tcp", quorum=9)), "")
        w.child.abort()
        assert words(w) == before
        assert w.child._roster.members[v.name].pool.servers[key(2)].overlay == 4
        w.child._table.audit()
        assert w.ipvs.weights() == {"192.168.0.2:80": 4, "192.168.0.3:80": 1}
        assert other.name in w.child._roster.members


def test_a_server_that_is_named_twice_counts_once(world: Make) -> None:
    """No compiler writes that; a reload must not end the process over it."""
    twice = virtual(real(2, 3), real(2, 5), real(3), sorry_server=sorry())
    w = world(config(twice))
    assert w.ipvs.weights() == {"192.168.0.2:80": 5, "192.168.0.3:80": 1}
    w.reload(config(virtual(real(2, 3), real(2, 6), real(3), sorry_server=sorry())))
    assert w.ipvs.weights() == {"192.168.0.2:80": 6, "192.168.0.3:80": 1}
    w.loop.run_for(10)
    assert [n for _, n in w.asked if n == "192.168.0.2"]
