"""Why an instance is what it is: what is remembered of adverts, and what `krunctl explain` makes of it; typed events."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir.model import Authentication, Config, Secret, SyncGroup, TrackedInterface, TrackedScript, VrrpScript
from krun.control.commands.explain import vrrp as words
from krun.control.commands.explain.find import UnknownError, find
from krun.vrrp import effects as fx
from krun.vrrp import status
from krun.vrrp.recent import MOST, Recent
from krun.vrrp.reception import Dropped, Reason

from .make import config, router
from .segment import Host, S, Segment

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
SECRET = "tr0ub4d0"


def state(segment: Segment, host: Host) -> dict[str, Any]:
    """The document as it comes over the socket; the segment's now is ours."""
    said = status.document(host.director, segment.now)
    whole: dict[str, Any] = json.loads(json.dumps({"processes": [], **said}))
    return whole


def explain(segment: Segment, host: Host, name: str = "VI_1") -> list[str]:
    document = state(segment, host)
    found = find(document, name)
    say = {"instance": words.instance, "sync group": words.group, "tracker": words.tracker}[found.kind]
    return say(document, found, time.time())


def script(name: str = "chk") -> VrrpScript:
    return VrrpScript(name=name, argv=("/x",), interval_us=S)


# -- what is remembered


def note(recent: Recent, source: str, now: int, text: str = "no") -> None:
    recent.note(Dropped(Reason.TTL, text), b"\x21\x33\x64\x01", source, "224.0.0.18", 64, now)


def test_the_same_again_is_a_count() -> None:
    recent = Recent()
    for n in range(1000):
        note(recent, A, n * S)
    note(recent, B, 5 * S)
    note(recent, A, 1000 * S)
    first, second = recent.as_list(100.0)
    assert (first["source"], first["count"], first["first"], first["last"]) == (A, 1001, 100.0, 1100.0)
    assert (second["source"], second["count"], second["priority"], second["verdict"]) == (
        B,
        1,
        100,
        "ip_ttl_err",
    )


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=6)), max_size=100))
def test_bounded_and_the_latest_stay(heard: list[tuple[int, bytes]]) -> None:
    recent = Recent()
    for now, (source, pdu) in enumerate(heard):
        recent.note(Dropped(Reason.LENGTH, "x"), pdu, str(source), "d", 255, now * S)
    found = recent.as_list(0.0)
    assert len(found) <= MOST
    assert [a["last"] for a in found] == sorted((a["last"] for a in found), reverse=True)
    if heard:
        assert found[0]["source"] == str(heard[-1][0])
        assert found[0]["last"] == len(heard) - 1


# -- what is said


def test_a_backup_follows_its_master() -> None:
    segment = Segment()
    segment.add("a", A, config(router(priority=150)))
    b = segment.add("b", B, config(router()))
    segment.run(20 * S)
    text = explain(segment, b)
    assert text[0].endswith(f": {A} is master with priority 150, ours is 100")
    assert "IPv4 on eth0, VRID 51, version 2, every 1 s" in text[1]
    (advert,) = (line for line in text if "accepted" in line)
    assert f"{A}  priority 150  every 1 s" in advert
    assert "16 times" in advert or "17 times" in advert
    assert any("Master_Down_Timer: it becomes master unless an advert comes before" in line for line in text)
    assert any("192.0.2.10/24 dev eth0  not here" in line for line in text)
    assert not any("WARNING" in line for line in text)


def test_a_wrong_password_makes_two_masters_and_says_so() -> None:
    segment = Segment()
    password = Authentication(type="PASS", password=Secret(SECRET))
    other = Authentication(type="PASS", password=Secret("0ther"))
    a = segment.add("a", A, config(router(priority=150, authentication=password)))
    b = segment.add("b", B, config(router(authentication=other)))
    segment.run(20 * S)
    assert segment.masters() == ["a", "b"]
    for host, peer in ((a, B), (b, A)):
        text = explain(segment, host)
        (warning,) = (line for line in text if "WARNING" in line)
        assert f"{peer} advertises too, and its adverts are dropped (wrong auth_pass from {peer})" in warning
        assert "two masters" in warning
        assert any("dropped (auth_failure)" in line for line in text)
        assert SECRET not in "\n".join(text) + json.dumps(state(segment, host))
        assert "0ther" not in "\n".join(text) + json.dumps(state(segment, host))


def test_a_lower_one_that_does_not_hear_us() -> None:
    segment = Segment()
    a = segment.add("a", A, config(router(priority=150)))
    segment.add("b", B, config(router()))
    segment.run(10 * S)
    # b is deaf to a, but not the other way round
    b = segment.hosts["b"]
    b.director.receive = lambda *_: []  # type: ignore[method-assign]
    segment.run(10 * S)
    (warning,) = (line for line in explain(segment, a) if "WARNING" in line)
    assert f"{B} advertises too, with priority 100: two masters" in warning


def test_the_master_before_us_is_no_rival() -> None:
    segment = Segment()
    a = segment.add("a", A, config(router(priority=150)))
    b = segment.add("b", B, config(router(vips=("192.0.2.10/24",))))
    segment.run(10 * S)
    segment.stop(a)
    segment.run(S)
    text = explain(segment, b)
    assert text[0].endswith("priority 100, and nobody else advertises")
    assert not any("WARNING" in line for line in text)


def test_how_the_priority_comes_about() -> None:
    scripts = (script("chk"), script("good"), script("late"))
    instance = router(
        track_scripts=(
            TrackedScript(name="chk", weight=-10),
            TrackedScript(name="good", weight=20),
            TrackedScript(name="late", weight=0),
        ),
        track_interfaces=(TrackedInterface(name="eth1", weight=-30),),
    )
    segment = Segment()
    a = segment.add("a", A, config(instance, scripts=scripts))
    director = a.director
    segment.carry_out(a, director.script_ended("chk", False, segment.now))
    segment.carry_out(a, director.script_ended("good", True, segment.now))
    segment.run(S)
    text = explain(segment, a)
    at = text.index("priority")
    assert text[at + 1 : at + 8] == [
        "  100  configured",
        "   +0  interface eth1 is up (weight -30)",
        "  -10  script chk is down (weight -10)",
        "  +20  script good is up (weight 20)",
        "  110  what its adverts say",
        "  script late is undecided (weight 0): FAULT unless up",
        "",
    ]
    assert text[0].startswith("VI_1 is FAULT")
    assert "script late has not run yet" in text[0]
    tracker = explain(segment, a, "chk")
    assert tracker[0] == "script chk is down"
    assert any(
        line.split() == ["VI_1", "FAULT", "-10", "now", "(weight", "-10)", "priority", "110"]
        for line in tracker
    )


@pytest.mark.parametrize(
    ("fields", "words_of"),
    [
        ({"nopreempt": True}, "nopreempt keeps it from taking over"),
        ({"preempt_delay_us": 300 * S}, "it lets preempt_delay pass before it takes over"),
    ],
)
def test_why_a_better_one_is_no_master(fields: dict[str, Any], words_of: str) -> None:
    segment = Segment()
    segment.add("a", A, config(router()))
    segment.run(10 * S)
    b = segment.add("b", B, config(router(priority=150, **fields)))
    segment.run(5 * S)
    assert explain(segment, b)[0].endswith(f"{A} is master with priority 100, ours is 150; {words_of}")


def grouped() -> Config:
    return config(
        router(sync_group="G"),
        router("VI_2", vips=("192.0.2.20/24",), vrid=52, interface="eth1", sync_group="G"),
        groups=(SyncGroup(name="G", members=("VI_1", "VI_2")),),
    )


def test_a_group_says_who_holds_it_down() -> None:
    segment = Segment()
    a = segment.add("a", A, grouped())
    segment.run(10 * S)
    assert explain(segment, a, "G")[0] == "G is MASTER: all of its members are"
    segment.carry_out(a, a.director.link("eth1", False, segment.now))
    segment.run(S)
    text = explain(segment, a, "G")
    assert text[0] == "G is FAULT: one of its members is"
    assert any("VI_2" in line and "interface eth1 is down" in line for line in text)
    one = explain(segment, a)
    assert "VI_2 of sync group G is in FAULT" in one[0]
    assert "sync group G: FAULT" in one


def test_unknown_names_have_neighbours() -> None:
    segment = Segment()
    a = segment.add("a", A, grouped())
    for name, near in (("VI_3", "near: VI_"), ("vi_1", "near: VI_1"), ("zzz", "there are VI_1, VI_2, G")):
        with pytest.raises(UnknownError, match=near):
            find(state(segment, a), name)
    silent = {"processes": [{"name": "vrrp", "answered": False}]}
    with pytest.raises(UnknownError, match="no answer from vrrp"):
        find(silent, "VI_1")


@given(st.text(max_size=40))
def test_any_name_is_answered(name: str) -> None:
    document = {
        "processes": [],
        "vrrp": [{"name": "VI_1"}],
        "virtual_servers": [
            {
                "name": "tcp [2001:db8::1]:80",
                "services": [],
                "real_servers": [{"identity": "[2001:db8::2]:80"}],
            }
        ],
        "drains": [{"service": "tcp 10.0.0.1:80", "real_server": None}],
    }
    try:
        assert find(document, name).objects
    except UnknownError as error:
        assert str(error).startswith("there is no")


# -- events


def test_a_change_of_state_is_a_typed_event() -> None:
    segment = Segment()
    said: list[fx.Say] = []
    carry_out = segment.carry_out

    def watch(host: Host, todo: list[fx.Effect]) -> None:
        said.extend(effect for effect in todo if isinstance(effect, fx.Say))
        carry_out(host, todo)

    segment.carry_out = watch  # type: ignore[method-assign]
    a = segment.add(
        "a", A, config(router(track_scripts=(TrackedScript(name="chk", weight=-10),)), scripts=(script(),))
    )
    segment.run(5 * S)
    segment.carry_out(a, a.director.script_ended("chk", False, segment.now))
    segment.carry_out(a, a.director.link("eth0", False, segment.now))
    changes = [(s.subject, s.data) for s in said if s.kind == "vrrp.state"]
    assert changes == [
        ("VI_1", {"before": "INIT", "state": "BACKUP", "priority": 100, "master": None}),
        ("VI_1", {"before": "BACKUP", "state": "MASTER", "priority": 100, "master": A}),
        ("VI_1", {"before": "MASTER", "state": "FAULT", "priority": 90, "master": None}),
    ]
    assert [(s.subject, s.data) for s in said if s.kind == "vrrp.track"] == [("chk", {"state": "down"})]


def test_a_group_and_a_dropped_advert_are_events_too() -> None:
    segment = Segment()
    a = segment.add("a", A, grouped())
    segment.run(5 * S)
    (at, *_) = a.director.endpoints()
    effects = a.director.receive(at, b"\x21\x33\x64", B, "224.0.0.18", 255, segment.now)
    (dropped,) = (e for e in effects if isinstance(e, fx.Say))
    assert (dropped.kind, dropped.subject, dropped.data) == (
        "vrrp.advert_dropped",
        "VI_1",
        {"reason": "packet_len_err"},
    )
    effects = a.director.link("eth1", False, segment.now)
    assert [(e.subject, e.data) for e in effects if isinstance(e, fx.Say) and e.kind == "vrrp.group"] == [
        ("G", {"state": "FAULT"})
    ]
