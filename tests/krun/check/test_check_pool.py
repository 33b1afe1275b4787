"""A pool: who is up, with which weight, is it enough."""

from __future__ import annotations

from typing import Any

import pytest
from check_world import config, key, misc, real, sorry, tcp, virtual
from hypothesis import given
from hypothesis import strategies as st

from kir.model import VirtualServer
from kir.plan.ipvs import desired_dests, desired_table, plan_table
from kir.state import IpvsTable
from krun.check.pool import (
    MAX_WEIGHT,
    News,
    Pool,
    QuorumGained,
    QuorumLost,
    ServerDown,
    ServerUp,
    WeightChanged,
    placed,
)
from krun.check.table import advance


def names(news: list[News]) -> list[str]:
    return [type(n).__name__ for n in news]


def begun(v: VirtualServer) -> Pool:
    pool = Pool(v)
    pool.begin()
    return pool


class TestServer:
    def test_up_exactly_while_no_checker_is_down(self) -> None:
        pool = begun(virtual(real(1, checkers=[tcp(), tcp(port=81), misc()]), real(2)))
        assert names(pool.judged(key(1), 0, False)) == ["ServerDown"]
        assert names(pool.judged(key(1), 2, False)) == []
        assert names(pool.judged(key(1), 0, True)) == []
        assert names(pool.judged(key(1), 2, True)) == ["ServerUp"]

    def test_the_first_word_on_a_server_that_was_taken_to_be_down(self) -> None:
        pool = placed(virtual(real(1)), {key(1): [(0, False, 0)]})
        assert pool.begin() == []
        assert pool.judged(key(1), 0, False, first=True) == [ServerDown(real(1), confirmed=True)]

    def test_weights_of_dynamic_checks_add_up_and_are_cut(self) -> None:
        pool = begun(virtual(real(1, 10), real(2, 10)))
        assert pool.weighed(key(1), 0, 5) == [WeightChanged(real(1, 10), 10, 15)]
        assert pool.weighed(key(1), 1, -3) == [WeightChanged(real(1, 10), 15, 12)]
        assert pool.weight == 22
        assert pool.weighed(key(1), 0, -50) == [WeightChanged(real(1, 10), 12, 0)]
        assert pool.weighed(key(1), 0, -60) == []
        assert pool.weighed(key(1), 0, 2**31) == [WeightChanged(real(1, 10), 0, MAX_WEIGHT)]
        assert names(pool.judged(key(1), 0, False)) == ["ServerDown"]
        assert pool.weight == 10
        assert names(pool.weighed(key(1), 0, 0)) == ["WeightChanged"]
        assert pool.weight == 10  # it is down: its weight counts when it is up again


class TestQuorum:
    @pytest.mark.parametrize(
        ("quorum", "hysteresis", "ups", "states"),
        [
            (1, 0, [3, 1, 0, 1], "++-+"),
            (2, 0, [3, 2, 1, 2], "++-+"),
            (2, 1, [3, 2, 1, 0, 1, 2, 3], "+++---+"),  # lost below 1, gained at 3
            (1, 1, [2, 1, 0, 1, 2], "++--+"),  # threshold 0, but nothing left is always a loss
            (3, 1, [3, 4, 3, 2, 1, 3, 4], "-+++--+"),
            (9, 0, [4], "-"),
        ],
    )
    def test_thresholds(self, quorum: int, hysteresis: int, ups: list[int], states: str) -> None:
        pool = Pool(virtual(*(real(n) for n in range(1, 5)), quorum=quorum, hysteresis=hysteresis))
        for n in range(1, 5):
            pool.place(key(n), 0, n <= ups[0])
        pool.begin()
        seen = "+" if pool.quorum_up else "-"
        up = ups[0]
        for target in ups[1:]:
            while up != target:
                step = 1 if target > up else -1
                pool.judged(key(up + 1 if step == 1 else up), 0, step == 1)
                up += step
            seen += "+" if pool.quorum_up else "-"
        assert seen == states

    def test_gained_at_the_start(self) -> None:
        pool = Pool(virtual(real(1), real(2), quorum=2))
        assert pool.begin() == [QuorumGained(2, 2, initial=True)]

    def test_missing_at_the_start_is_news_only_with_a_sorry_server(self) -> None:
        assert Pool(virtual(real(1), quorum=2)).begin() == []
        assert Pool(virtual(real(1), quorum=2, sorry_server=sorry())).begin() == [
            QuorumLost(1, 2, initial=True)
        ]

    def test_a_predecessors_word_is_kept_between_the_thresholds(self) -> None:
        v = virtual(real(1), real(2), quorum=2, hysteresis=1)
        for said in (True, False):
            pool = Pool(v)
            assert pool.begin(said) == []
            assert pool.quorum_up is said
        pool = placed(v, {key(1): [(0, False, 0)], key(2): [(0, False, 0)]})
        assert pool.begin(True) == [QuorumLost(0, 1)]

    def test_weights_count_not_heads(self) -> None:
        pool = begun(virtual(real(1, 5), real(2, 1), quorum=3))
        assert names(pool.judged(key(1), 0, False)) == ["ServerDown", "QuorumLost"]
        assert names(pool.weighed(key(2), 0, 4)) == ["WeightChanged", "QuorumGained"]

    def test_order_server_then_quorum(self) -> None:
        pool = begun(virtual(real(1)))
        assert names(pool.judged(key(1), 0, False)) == ["ServerDown", "QuorumLost"]
        assert names(pool.judged(key(1), 0, True)) == ["ServerUp", "QuorumGained"]


class TestTable:
    """What `kir.plan.ipvs` makes of a pool's health: the contract between the two."""

    def weights(self, pool: Pool) -> dict[str, int]:
        return {str(k): p.weight for k, p in desired_dests(pool.virtual, pool.health()).items()}

    def test_down_is_out_and_inhibited_is_weight_0(self) -> None:
        pool = begun(virtual(real(1, 2), real(2, 3, inhibit_on_failure=True), real(3)))
        pool.judged(key(1), 0, False)
        pool.judged(key(2), 0, False)
        assert self.weights(pool) == {"192.168.0.2:80": 0, "192.168.0.3:80": 1}

    def test_sorry_server_replaces_all(self) -> None:
        pool = begun(virtual(real(1), real(2), real(3), quorum=2, sorry_server=sorry()))
        pool.judged(key(1), 0, False)
        assert not pool.sorry_active
        pool.judged(key(2), 0, False)
        assert pool.sorry_active
        assert self.weights(pool) == {"192.168.0.250:80": 1}

    def test_without_a_sorry_server_the_rest_stays(self) -> None:
        pool = begun(virtual(real(1), real(2), quorum=2))
        pool.judged(key(1), 0, False)
        assert not pool.quorum_up
        assert self.weights(pool) == {"192.168.0.2:80": 1}


class TestSuccession:
    def succeed(self, old: Pool, v: VirtualServer, downs: set[int] = frozenset()) -> tuple[Pool, list[News]]:  # type: ignore[assignment]
        new = Pool(v)
        for n in downs:
            new.place(key(n), 0, False)
        return new, new.succeed(old)

    def test_nothing_new_is_no_news(self) -> None:
        v = virtual(real(1), real(2))
        assert self.succeed(begun(v), v)[1] == []

    def test_weight_and_server_changes(self) -> None:
        old = begun(virtual(real(1, 1), real(2, 1), real(3, 1)))
        new, news = self.succeed(old, virtual(real(1, 7), real(2, 1), real(4, 1)))
        assert news == [ServerDown(real(3, 1), removed=True), WeightChanged(real(1, 7), 1, 7)]
        assert new.weight == 9

    def test_a_server_that_was_down_goes_without_a_word(self) -> None:
        old = begun(virtual(real(1), real(2)))
        old.judged(key(2), 0, False)
        assert self.succeed(old, virtual(real(1)))[1] == []

    def test_a_new_quorum_is_evaluated_from_the_old_state(self) -> None:
        old = begun(virtual(real(1), real(2)))
        assert names(self.succeed(old, virtual(real(1), real(2), quorum=3))[1]) == ["QuorumLost"]
        old = begun(virtual(real(1), real(2), quorum=3))
        assert names(self.succeed(old, virtual(real(1), real(2)))[1]) == ["QuorumGained"]
        old = begun(virtual(real(1), real(2)))
        assert names(self.succeed(old, virtual(real(1), real(2), quorum=3, hysteresis=1))[1]) == []

    def test_a_sorry_server_that_comes_while_the_quorum_is_missing(self) -> None:
        old = begun(virtual(real(1), quorum=2))
        assert names(self.succeed(old, virtual(real(1), quorum=2, sorry_server=sorry()))[1]) == ["QuorumLost"]


def test_farewell_names_those_that_are_up_then_the_quorum() -> None:
    pool = begun(virtual(real(1), real(2)))
    pool.judged(key(1), 0, False)
    assert pool.farewell() == [ServerDown(real(2), removed=True), QuorumLost(0, 1, removed=True)]


def test_announced_start() -> None:
    pool = placed(virtual(real(1), real(2)), {key(2): [(0, False, 0)]})
    assert pool.begin(announce=True) == [ServerUp(real(1), initial=True), QuorumGained(1, 1, initial=True)]


@st.composite
def pools(draw: st.DrawFn) -> VirtualServer:
    count = draw(st.integers(1, 5))
    servers = [
        real(
            n,
            draw(st.integers(0, 4)),
            checkers=[tcp(), misc(dynamic=True)],
            inhibit_on_failure=draw(st.booleans()),
        )
        for n in range(1, count + 1)
    ]
    quorum = draw(st.integers(1, 6))
    return virtual(
        *servers,
        quorum=quorum,
        hysteresis=draw(st.integers(0, quorum - 1)),
        sorry_server=draw(
            st.sampled_from([None, sorry(), sorry(inhibit=True), sorry(1), sorry(1, inhibit=True)])
        ),
    )


NEWS = st.lists(
    st.tuples(st.integers(1, 5), st.integers(0, 1), st.sampled_from(["up", "down", -9, -1, 0, 1, 9])),
    max_size=25,
)


@given(pools(), NEWS)
def test_invariants(v: VirtualServer, events: list[tuple[int, int, Any]]) -> None:
    """After every event: the sum is true, the quorum obeys its thresholds, and a service with a sorry server is never empty —
    not even between two writes.
    """
    pool = begun(v)
    table: IpvsTable = {}
    for n, position, what in [(1, 0, 0), *events]:
        if n > len(v.real_servers):
            continue
        before_quorum, before_sum = pool.quorum_up, pool.weight
        if isinstance(what, str):
            pool.judged(key(n), position, what == "up")
        else:
            pool.weighed(key(n), position, what)
        assert pool.weight == sum(s.weight for s in pool.servers.values() if s.up)
        assert all(0 <= s.weight <= MAX_WEIGHT for s in pool.servers.values())
        if pool.quorum_up:
            assert pool.weight > 0
            assert pool.weight >= v.quorum - v.hysteresis
        else:
            assert pool.weight < v.quorum + v.hysteresis
        if v.quorum - v.hysteresis <= pool.weight < v.quorum + v.hysteresis and pool.weight:
            assert pool.quorum_up == before_quorum or before_sum == pool.weight
        want = desired_table(config(v), {v.name: pool.health()})
        for operation in plan_table(table, want):
            had = usable(table)
            advance(table, [operation])
            if v.sorry_server is not None and had:
                assert usable(table)
        assert table == want
        if v.sorry_server is not None and not pool.quorum_up:
            assert usable(table)


def usable(table: IpvsTable) -> bool:
    return any(p.weight > 0 for entry in table.values() for p in entry.dests.values())
