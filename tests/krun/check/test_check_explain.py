"""What `krunctl explain` says of virtual and real servers, from the status of a checker process; typed events."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from check_world import World, config, key, real, sorry, virtual

from krun.control import state as documents
from krun.control.commands.explain import servers
from krun.control.commands.explain.find import find

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


def explain(w: World, name: str, *, everything: bool = False, **more: Any) -> list[str]:
    """The document as it comes over the socket."""
    document: dict[str, Any] = json.loads(json.dumps({"processes": [], **w.child.status(), **more}))
    found = find(document, name)
    found.all = everything
    say = {
        "virtual server": servers.virtual_server,
        "real server": servers.real_server,
        "drain": servers.drain,
    }
    return say[found.kind](document, found, time.time())


def test_one_is_down(world: Make) -> None:
    w = world(config(virtual(real(1, 5), real(2, 3), quorum=4)))
    w.fail(2)
    w.loop.run_for(120)
    text = explain(w, "tcp 10.0.0.1:80")
    assert text[0] == "tcp 10.0.0.1:80 has its quorum: weight 5 where 4 is needed; 1 of 2 servers up"
    (at,) = (n for n, line in enumerate(text) if line.startswith("192.168.0.2:80 is down"))
    assert "TCP_CHECK 0" in text[at + 1]
    assert "connection refused" in text[at + 1]
    (good,) = (n for n, line in enumerate(text) if line.startswith("192.168.0.1:80 is up, weight 5, NAT"))
    assert at < good, "what is wrong comes first"
    assert "  TCP_CHECK 0  up for" in text[good + 1]


def test_the_quorum_is_lost(world: Make) -> None:
    w = world(config(virtual(real(1, 5), real(2, 3), quorum=4, sorry_server=sorry())))
    w.fail(1)
    w.loop.run_for(120)
    text = explain(w, "10.0.0.1:80")
    assert text[0].startswith("tcp 10.0.0.1:80 is without its quorum: weight 3 where 4 is needed")
    assert any("sorry server" in line and "answers in place of the others" in line for line in text)
    assert any(
        line.startswith("192.168.0.2:80 is up") and "not in use: the sorry server" in line for line in text
    )


def test_a_real_server_by_its_address(world: Make) -> None:
    w = world(config(virtual(real(1), real(2)), virtual(real(1, 7), n=2)))
    for name in ("192.168.0.1:80", "192.168.0.1"):
        text = explain(w, name)
        assert [line for line in text if line.startswith("tcp ")] == [
            "tcp 10.0.0.1:80 has its quorum",
            "tcp 10.0.0.2:80 has its quorum",
        ]
    (line,) = (line for line in explain(w, "tcp 10.0.0.2:80 -> 192.168.0.1:80") if line.startswith("192.168"))
    assert "weight 7" in line


def test_many_that_are_well_are_a_number(world: Make) -> None:
    w = world(config(virtual(*(real(n) for n in range(1, 31)))))
    w.fail(17)
    w.loop.run_for(120)
    text = explain(w, "tcp 10.0.0.1:80")
    assert sum(line.startswith("192.168.0.") for line in text) == 11
    assert text[-1] == "and 19 more that are up (--all shows them)"
    assert sum(line.startswith("192.168.0.") for line in explain(w, "tcp 10.0.0.1:80", everything=True)) == 30


def test_a_hand_and_an_alarm(world: Make) -> None:
    w = world(config(virtual(real(1))))
    overlay = {
        "virtual_server": "tcp 10.0.0.1:80",
        "real_server": "192.168.0.1:80",
        "weight": 0,
        "left_s": 1790.0,
        "by": "uid 0",
        "reason": "kernel update",
    }
    alarm = "IPVS: tcp 10.0.0.1:80 was deleted, again and again: left alone until the next reload"
    text = explain(w, "tcp 10.0.0.1:80", overlays=[overlay], alarms=[alarm, "about another"])
    assert "  by hand: weight 0 for 29m 50s more, by uid 0: kernel update" in text
    assert [line for line in text if "ALARM" in line] == [f"  ALARM: {alarm}"]


def test_what_drains_is_explained_though_it_is_no_longer_configured(world: Make) -> None:
    w = world(config(virtual(real(1), real(2))))
    w.reload(config(virtual(real(1))), drain_us=60_000_000)
    assert key(2) in next(iter(w.ipvs.table.values())).dests
    text = explain(w, "tcp 10.0.0.1:80")
    assert any("192.168.0.2:80 is no longer configured and drains" in line for line in text)
    (line,) = explain(w, "tcp 10.0.0.1:80 -> 192.168.0.2:80")
    assert "deleted when there are none, or in" in line


def test_up_down_and_quorum_are_typed_events(world: Make, caplog: pytest.LogCaptureFixture) -> None:
    w = world(config(virtual(real(1, 5))))
    with caplog.at_level(logging.INFO):
        w.fail(1)
        w.loop.run_for(120)
        w.heal(1)
        w.loop.run_for(120)
    events = [
        (r.event_kind, r.event_data)  # type: ignore[attr-defined]
        for r in caplog.records
        if getattr(r, "event_kind", "").startswith("check.")
    ]
    server = {"virtual_server": "tcp 10.0.0.1:80", "real_server": "192.168.0.1:80"}
    quorum = {"virtual_server": "tcp 10.0.0.1:80", "threshold": 1}
    assert events == [
        ("check.server", server | {"state": "down"}),
        ("check.quorum", quorum | {"state": "down", "weight": 0}),
        ("check.server", server | {"state": "up"}),
        ("check.quorum", quorum | {"state": "up", "weight": 5}),
    ]


def test_the_document_takes_these_lists() -> None:
    assert {"virtual_servers", "drains", "alarms"} <= set(documents.LISTS)
