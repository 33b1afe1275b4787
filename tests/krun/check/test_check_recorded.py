"""What checks found and pools decided: recorded, saved, read and run again, with the same decisions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from check_world import SECOND, World, config, misc, real, sorry, tcp, virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.model import Config
from krun.check import machine, replayed
from krun.check.outcome import Outcome
from krun.check.recorded import INPUTS, save
from krun.control import overlays
from krun.parent.boot import boot_id
from krun.record import file
from krun.record.dump import pieces
from krun.record.masks import Masks
from krun.record.moments import Moment
from krun.record.save import masked

Make = Callable[..., World]


@pytest.fixture
def world() -> Iterator[Make]:
    made: list[World] = []

    def make(*args: Any, **kwargs: Any) -> World:
        made.append(World(*args, **{"record": 100_000, **kwargs}))
        return made[-1]

    yield make
    for one in made:
        one.close()


THREE = config(virtual(*(real(n) for n in range(1, 6))))


def recording(w: World, target: Path) -> file.Section:
    ring = w.child.recorded()
    assert ring is not None
    masks = Masks()
    lines = [{"process": {"name": "check", "pid": 1, "offset_s": 1e9}}]
    lines += [masked("check", msgspec.json.decode(msgspec.json.encode(p)), masks) for p in pieces(ring)]
    file.write(target, file.Header(krun_record=file.VERSION, release="0", saved_at=0), lines)
    return file.read(target).sections[0]


def play(section: file.Section) -> tuple[list[Moment], replayed.Player]:
    player = replayed.Player(section)
    return [moment for part in section.parts for moment in player.part(part)], player


def chance_config(chance: random.Random) -> Config:
    servers = []
    for n in chance.sample(range(1, 6), chance.randrange(1, 6)):
        checkers = [tcp(f"192.168.0.{n}", retry=chance.choice([0, 1, 2]), alpha=chance.random() < 0.3)]
        if chance.random() < 0.5:
            checkers.append(misc("/bin/check", f"192.168.0.{n}", dynamic=chance.random() < 0.6))  # type: ignore[arg-type]
        servers.append(real(n, chance.choice([1, 5]), checkers, inhibit_on_failure=chance.random() < 0.3))
    first = virtual(
        *servers,
        quorum=chance.choice([1, 3]),
        hysteresis=chance.choice([0, 1]),
        sorry_server=sorry() if chance.random() < 0.5 else None,
    )
    more = [virtual(real(1), n=2)] if chance.random() < 0.5 else []
    return config(first, *more, rs_init_notifies=chance.random() < 0.3)


def step(w: World, chance: random.Random) -> None:
    w.loop.run_for(chance.random() * 8)
    what = chance.randrange(7)
    n = chance.randrange(1, 6)
    if what == 0:
        w.reload(chance_config(chance))
    elif what == 1:
        w.answers[f"192.168.0.{n}"] = Outcome("good", weight=chance.choice([None, 0, 3, 9]))
    elif what == 2:
        now = w.loop.now_us
        one = overlays.make(
            THREE,
            {
                "service": THREE.virtual_servers[0].name,
                "server": f"192.168.0.{n}:80",
                "weight": chance.choice([0, 7]),
                "for_us": 30 * SECOND,
            },
            by="a test",
            now_us=now,
            boot=boot_id(),
            epoch=now / SECOND,
        )
        w.child.order({"op": "overlays", "overlays": overlays.encode([one] if chance.random() < 0.8 else [])})
    elif what == 3:
        w.block(n)
    else:
        w.fail(n, chance.choice(["connection refused", "timeout"]))
        if chance.random() < 0.5:
            w.heal(chance.randrange(1, 6))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 100_000))
def test_whatever_happens_a_replay_decides_the_same(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    w = World(chance_config(chance), record=chance.choice([2000, 100_000]))
    try:
        for _ in range(25):
            step(w, chance)
        moments, player = play(recording(w, tmp_path_factory.mktemp("r") / "x.krec"))
        assert [m for m in moments if m.differs] == []
        assert len(moments) > 10
        assert player.roster is not None
        there, _ = save(player.roster)
        here, _ = save(w.child._roster)
        assert there.pools == here.pools
        for (name, state), (other, same) in zip(here.checks, there.checks, strict=True):
            assert name == other
            assert msgspec.structs.replace(state, due_us=0) == msgspec.structs.replace(same, due_us=0)
    finally:
        w.close()


def test_the_timeline_says_what_happened(world: Make, tmp_path: Path) -> None:
    w = world(config(virtual(real(1), real(2), sorry_server=sorry())))
    w.loop.run_for(20)
    w.fail(1)
    w.fail(2)
    w.loop.run_for(20)
    moments, _ = play(recording(w, tmp_path / "x.krec"))
    said = [words for moment in moments for words in moment.said]
    assert "tcp 10.0.0.1:80 -> 192.168.0.1:80 down" in said
    assert "tcp 10.0.0.1:80 lost its quorum: weight 0 of 1" in said
    first = next(m for m in moments if "tcp 10.0.0.1:80 -> 192.168.0.1:80 down" in m.said)
    assert first.text == "TCP_CHECK 0 bad: connection refused"
    assert {"tcp 10.0.0.1:80", "192.168.0.1:80"} <= first.about
    assert sum(m.steady for m in moments) > len(moments) / 2


def test_a_good_check_costs_four_numbers(world: Make) -> None:
    w = world(config(virtual(real(1))))
    w.loop.run_for(60)
    ring = w.child.recorded()
    assert ring is not None
    before, runs = ring.parts[0].cost, len(w.asked)
    w.loop.run_for(600)
    assert ring.parts[0].cost - before == 2 * (len(w.asked) - runs)


def test_recording_can_be_turned_off(world: Make) -> None:
    assert world(config(virtual(real(1))), record=0).child.recorded() is None


def test_a_reload_of_a_large_configuration_forgets_what_was_before(
    world: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("krun.check.recorded.LARGE", 2)
    w = world(config(virtual(real(1), real(2), real(3))))
    w.loop.run_for(20)
    w.reload(config(virtual(real(1), real(2), real(3), real(4))))
    w.loop.run_for(20)
    section = recording(w, tmp_path / "x.krec")
    assert section.ring.lost > 0
    assert len(section.configs) == 1
    moments, player = play(section)
    assert moments
    assert not any(m.differs for m in moments)
    assert player.roster is not None
    assert len(list(player.roster.runners())) == 4


def test_no_input_is_forgotten() -> None:
    """Whoever gives the machine of a check another event must say how it is recorded and told again."""
    named = {event.__name__.lower() for event in get_args(machine.Event)}
    assert named <= INPUTS.keys(), f"{named - INPUTS.keys()}: add it to krun.check.recorded"
