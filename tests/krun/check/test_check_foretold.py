"""``krunctl plan`` foretells what the checker process does: the same operations, whatever checks, hands and drains have made of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from check_world import SECOND, World, config, misc, real, sorry, tcp, virtual
from hypothesis import given, settings
from hypothesis import strategies as st
from test_check_overlays import hand, put
from test_check_reload import configs

from kir.model import Config, Service
from kir.plan.ipvs import desired_table
from kir.plan.operations import CheckerOperation, IpvsOperation
from kir.plan.plan import Observed, plan
from krun.check.outcome import Outcome
from krun.control import observe, overlays


def foretold(w: World, old: Config, new: Config, held: list[dict[str, Any]], drain_us: int) -> Counter[str]:
    """The operations that are due now, as ``krunctl plan`` finds them."""
    status = w.child.status()
    state = {
        "processes": [{"name": "check", "answered": True, "problem": None, "pid": 0}],
        "parent": {"kernel": "memory"},
        "vrrp": [],
        "virtual_servers": status["virtual_servers"],
        "drains": status["drains"],
    }
    seen = observe.sight(state, old, new, overlays.decode(held)).observed
    table = observe.without_drains(w.ipvs.dump(), status["drains"], desired_table(new, seen.health))
    found = plan(old, new, Observed(table=table, health=seen.health, masters=seen.masters), drain_us)
    ours = (IpvsOperation, CheckerOperation)
    return Counter(o.op for o in found.operations if isinstance(o, ours) and o.phase == "now")


def done(w: World, new: Config, drain_us: int = 0) -> Counter[str]:
    return Counter(w.reload(new, drain_us)["operations"])


@settings(max_examples=80, deadline=None)
@given(
    configs(),
    st.lists(
        st.tuples(
            configs(),
            st.sets(st.integers(1, 4)),
            st.integers(0, 9),
            st.sampled_from([0, 30]),
            st.none() | st.tuples(st.integers(1, 5), st.integers(1, 60)),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_what_is_printed_is_what_runs(start: Config, steps: list[Any]) -> None:
    w, old = World(start), start
    w.ipvs.counts = {f"192.168.0.{n}:80": n % 2 for n in range(1, 5)}
    held: list[dict[str, Any]] = []
    try:
        for new, failing, wait, drain_s, by_hand in steps:
            w.answers.clear()
            for n in failing:
                w.fail(n)
            if by_hand is not None and old.virtual_servers and old.virtual_servers[0].real_servers:
                n = int(old.virtual_servers[0].real_servers[0].address.rpartition(".")[2])
                held = [hand(old, n, by_hand[0], by_hand[1], w.loop.now_us)]
                put(w, *held)
            w.loop.run_for(wait)
            held = [h for h in held if h["deadline_us"] > w.loop.now_us]
            expected = foretold(w, old, new, held, drain_s * SECOND)
            assert done(w, new, drain_s * SECOND) == expected
            old = new
    finally:
        w.close()


def test_moves_and_names() -> None:
    """A server that is down stays down where it goes, in print as in fact."""
    start = config(
        virtual(real(1), real(2, 10, checkers=[misc("/c", "a", dynamic=True)])), virtual(real(3), n=2)
    )
    w = World(start)
    try:
        w.fail(1)
        w.answers["a"] = Outcome("good", weight=44)
        w.loop.run_for(4)
        services = (
            Service(family="inet", protocol="tcp", address="10.0.0.1", port=80),
            Service(family="inet", protocol="tcp", address="10.0.0.9", port=80),
        )
        pool = (
            real(1),
            real(2, 10, checkers=[misc("/c", "a", dynamic=True)]),
            real(4, checkers=[tcp(alpha=True)]),
        )
        old = start
        for new in (
            config(virtual(*pool, name="group A tcp", services=services), virtual(real(3), n=2)),
            config(virtual(*pool, name="group B tcp", services=services), virtual(real(3), n=2)),
            config(virtual(real(3), n=3), virtual(real(1), sorry_server=sorry(), n=2)),
        ):
            expected = foretold(w, old, new, [], 0)
            assert done(w, new) == expected
            old = new
        assert w.ipvs.weights(2) == {"192.168.0.250:80": 1}
    finally:
        w.close()


def test_a_server_drained_by_hand_stays_under_the_sorry_server_in_print_too() -> None:
    start = config(virtual(real(1, 5), real(2, 5), quorum=8, sorry_server=sorry()))
    w = World(start)
    try:
        w.loop.run_for(4)
        held = [hand(start, 1, 0, 60, w.loop.now_us)]
        put(w, *held)
        assert w.ipvs.weights() == {"192.168.0.1:80": 0, "192.168.0.250:80": 1}
        assert foretold(w, start, start, held, 0) == Counter()
    finally:
        w.close()
