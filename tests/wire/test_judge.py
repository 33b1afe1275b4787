"""The judge of the matrix finds what is wrong: stories with one fault each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.packets import Advert
from wire.cell import Cell, Peers, Story
from wire.judge import faults

CELL = Cell(Peers("krun", "keepalived"), 2, 4, False)

ADVERT = Advert(
    time=0.0,
    port="a",
    source_mac="02:00:5e:10:00:01",
    target_mac="01:00:5e:00:00:12",
    source="192.0.2.1",
    target="224.0.0.18",
    ttl=255,
    version=2,
    vrid=51,
    priority=150,
    interval=1.0,
    addresses=("192.0.2.100",),
    checksum_ok=True,
    auth_type=0,
    auth_data=bytes(8),
    authenticated=False,
)


def good() -> Story:
    """A story as it should be."""
    story = Story(CELL, takeover=3.62, overlap=0.0, give_back=3.5, handover=0.61, exit_status=0)
    masters = {"start": "a", "takeover": "b", "give-back": "a", "stop": "b"}
    story.holders = {stage: [master] for stage, master in masters.items()} | {"after": []}
    story.speakers = {stage: {master} for stage, master in masters.items()}
    return story


def test_a_good_story_has_no_fault() -> None:
    assert faults(good()) == []


BAD: dict[str, Callable[[Story], object]] = {
    "broken off": lambda story: setattr(story, "trouble", "takeover: waited 30 s for an advert of b"),
    "takeover after the dead master's last advert": lambda story: setattr(story, "takeover", 4.12),
    "before the timer could end": lambda story: setattr(story, "takeover", 2.9),
    "handover after priority 0": lambda story: setattr(story, "handover", 1.2),
    "two masters at give-back": lambda story: setattr(story, "overlap", 1.1),
    "give-back: the virtual addresses are on ['a', 'b']": lambda story: story.holders.update(
        {"give-back": ["a", "b"]}
    ),
    "after: the virtual addresses are on ['a']": lambda story: story.holders.update(after=["a"]),
    "start: adverts of ['a', 'b']": lambda story: story.speakers.update(start={"a", "b"}),
    "start: adverts of []": lambda story: story.speakers.update(start=set()),
    "1 adverts are not right": lambda story: story.wrong_adverts.append(ADVERT),
    "an orderly stop ended with 1": lambda story: setattr(story, "exit_status", 1),
    "the capture lost 3 frames": lambda story: setattr(story, "dropped", 3),
}


@pytest.mark.parametrize("words", BAD)
def test_each_fault_is_found(words: str) -> None:
    story = good()
    BAD[words](story)
    found = faults(story)
    assert len(found) == 1 and words in found[0], found


def test_a_right_advert_is_right() -> None:
    assert CELL.right(ADVERT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 3},
        {"vrid": 52},
        {"priority": 151},
        {"interval": 2.0},
        {"addresses": ()},
        {"addresses": ("192.0.2.100", "192.0.2.101")},
        {"checksum_ok": False},
        {"ttl": 254},
        {"source": "192.0.2.2"},
        {"target": "192.0.2.2"},
        {"auth_type": 1},
        {"auth_data": b"s3cret\0\0"},
    ],
    ids=str,
)
def test_a_wrong_advert_is_not(wrong: dict[str, object]) -> None:
    assert not CELL.right(replace(ADVERT, **wrong))  # type: ignore[arg-type]
