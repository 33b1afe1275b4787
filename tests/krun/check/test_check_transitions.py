"""Every row of the table of health states over a reload, from every state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from check_world import SECOND, World, config, key, real, sorry, tcp, virtual
from test_check_overlays import hand, put

from kir.model import Checker, Config, Forwarding, HttpCheck, Service, TcpCheck, Url
from krun.check.runner import Runner
from krun.check.transitions import ROWS, WAS, Health, NextRun, Row, markdown

A = "192.168.0.2"
OTHER = "192.168.0.222"
"""What a second check of the server asks: it is good throughout."""
MANUAL = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for one in made:
        one.close()


def check(was: Health, **changes: Any) -> Checker:
    """The check whose state is followed: two runs in a row must fail."""
    return tcp(A, **{"retry": 1, "alpha": was is Health.FIRST_DOWN, "delay_loop_us": 20 * SECOND, **changes})


def whole(*checkers: Checker, others: tuple[int, ...] = (3,), **fields: Any) -> Config:
    return config(virtual(real(2, 4, checkers=checkers), *(real(n) for n in others), **fields))


def brought_to(was: Health, start: Config, worlds: list[World]) -> World:
    w = World(start)
    worlds.append(w)
    if was in (Health.FIRST_UP, Health.FIRST_DOWN):
        return w
    w.loop.run_for(3)
    if was is not Health.UP:
        w.fail(2)
        w.loop.run_for(18.5)
        assert state_of(runner(w)) is Health.RETRYING
    if was is Health.DOWN:
        w.loop.run_for(2)
    return w


def runner(w: World) -> Runner | None:
    """The check of real server 2 that is followed; where there are several, the newest."""
    found = [r for m in w.child._roster.members.values() for r in m.runners.get(key(2), [])]
    followed = [
        r for r in found if isinstance(r.checker, HttpCheck | TcpCheck) and r.checker.endpoint.address == A
    ]
    return followed[-1] if followed else None


def state_of(one: Runner | None) -> Health:
    if one is None:
        return Health.GONE
    state = one.state
    if not state.ran:
        return Health.FIRST_UP if state.up else Health.FIRST_DOWN
    if not state.up:
        return Health.DOWN
    return Health.RETRYING if state.failures else Health.UP


def _service(n: int) -> Service:
    return Service(family="inet", protocol="tcp", address=f"10.0.0.{n}", port=80)


def steps(change: str, was: Health) -> list[Config]:
    """The reloads that make a change."""
    one, second = check(was), tcp(OTHER)
    if change == "limits":
        limited = real(2, 4, checkers=[one], upper_threshold=9, forwarding=Forwarding(method="DR"))
        return [config(virtual(limited, real(3)))]
    if change == "inhibit":
        return [config(virtual(real(2, 4, checkers=[one], inhibit_on_failure=True), real(3)))]
    if change == "weight":
        return [config(virtual(real(2, 9, checkers=[one]), real(3)))]
    if change == "order":
        return [config(virtual(real(3), n=2), virtual(real(3), real(2, 4, checkers=[one])))]
    if change == "moved":
        return [config(virtual(real(3)), virtual(real(2, 4, checkers=[one]), n=2))]
    if change == "shared":
        return [
            config(virtual(real(2, 4, checkers=[one]), real(3)), virtual(real(2, 4, checkers=[one]), n=2))
        ]
    if change == "group":
        return [whole(one, name="group WEB tcp", services=(_service(1), _service(7)))]
    if change == "renamed":
        return [whole(one, name="group WEB tcp", services=(_service(1),))]
    if change == "returned":
        return [config(virtual(real(3))), whole(one)]
    found: dict[str, Config] = {
        "nothing": whole(one),
        "scheduler": whole(one, scheduler="rr"),
        "quorum": whole(one, quorum=2, sorry_server=sorry()),
        "neighbour": whole(one, others=(4, 5)),
        "longer": whole(check(was, delay_loop_us=90 * SECOND)),
        "shorter": whole(check(was, delay_loop_us=2 * SECOND)),
        "more_retries": whole(check(was, retry=5)),
        "fewer_retries": whole(check(was, retry=0)),
        "alpha": whole(check(was, alpha=True)),
        "no_alpha": whole(check(was, alpha=False)),
        "overlay": whole(one),
        "question": whole(HttpCheck(timing=one.timing, endpoint=tcp(A).endpoint, urls=(Url(path="/"),))),
        "second": whole(one, second),
        "second_alpha": whole(one, tcp(OTHER, alpha=True)),
        "removed": whole(second),
        "last_removed": whole(),
    }
    return [found[change]]


@pytest.mark.parametrize("was", WAS, ids=lambda was: was.name.lower())
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.change)
def test_every_row(row: Row, was: Health, worlds: list[World]) -> None:
    start = whole(check(was), tcp(OTHER)) if row.change == "removed" else whole(check(was))
    w = brought_to(was, start, worlds)
    before = runner(w)
    assert before is not None
    assert state_of(before) is was
    old = before.state
    if row.change == "overlay":
        put(w, hand(start, 2, 0, 300, w.loop.now_us))
    for new in steps(row.change, was):
        w.reload(new)
    after = runner(w)
    n = WAS.index(was)
    assert state_of(after) is row.becomes[n]
    servers = [m.pool.servers[key(2)] for m in w.child._roster.members.values() if key(2) in m.pool.servers]
    assert all(server.up is row.server_up[n] for server in servers)
    if after is not None:
        state = after.state
        assert ((state.runs, state.failed_runs, state.reason) == (old.runs, old.failed_runs, old.reason)) is (
            row.counts or old.runs == 0
        )
        if row.next_run is NextRun.KEPT:
            assert state.due_us == old.due_us
        elif row.next_run is NextRun.SOONER:
            assert state.due_us is not None
            assert old.due_us is not None
            assert state.due_us <= min(old.due_us, w.loop.now_us + 2 * SECOND)
    # And whatever was kept, the check goes on: a good answer brings the server up.
    w.answers.clear()
    w.loop.run_for(100)
    assert all(server.up for m in w.child._roster.members.values() for server in m.pool.servers.values())


def test_the_manual_shows_the_table() -> None:
    assert markdown() in MANUAL.read_text()
