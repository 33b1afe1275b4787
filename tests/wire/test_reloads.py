"""One reload for each kind of change, of a master with a peer that waits for its chance: the fewest writes, no advert late, and what
``krunctl plan`` said is what was done. And what others do to its addresses. Everything is played side by side, and judged then."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab import needs
from lab.once import once
from wire import drift_acts, role_acts
from wire.cell import LATITUDE
from wire.reload_story import INTERVAL, LONG, Played, Record, Step, Story, config, instance, play

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]

A, B, C, D, E = (f"192.0.2.{n}/24" for n in (100, 101, 102, 110, 111))
update, plus, minus = "vrrp.update", "ip.add_address", "ip.del_address"


Play = tuple[Callable[[], AbstractContextManager[Any]], Sequence[Callable[[Any], None]]]
"""How a site is opened, and what is done there."""


def bare(*vips: str) -> frozenset[str]:
    return frozenset(vip.partition("/")[0] for vip in vips)


def addresses(peer: str) -> Story:
    """Addresses come, go, and move between instances, interfaces and prefix lengths."""
    one, two = instance("ONE", 51, A, B), instance("TWO", 52, D)
    moved = instance("ONE", 51, A), instance("TWO", 52, D, B)
    elsewhere = moved[0], instance("TWO", 52, D, f"{B} dev eth1")
    longer = moved[0], instance("TWO", 52, "192.0.2.110/32", f"{B} dev eth1")
    low = [instance(n, v, *vips, priority=100) for n, v, vips in (("ONE", 51, (A, B)), ("TWO", 52, (D,)))]
    return Story(
        "addresses",
        peer,
        config(one, two),
        config(*low),
        ("192.0.2.100", "192.0.2.101", "192.0.2.110"),
        (
            Step("nothing", config(one, two)),
            Step("reordered", config(two, one)),
            Step(
                "a VIP more",
                config(instance("ONE", 51, A, B, C), two),
                {update: 1, plus: 1},
                (f"add {C} eth0",),
                bare(C),
                watch=LONG,
            ),
            Step("a VIP less", config(one, two), {update: 1, minus: 1}, (f"del {C} eth0",)),
            Step("a VIP to another instance", config(*moved), {update: 2}, watch=LONG),
            Step(
                "a VIP to another interface",
                config(*elsewhere),
                {update: 1, plus: 1, minus: 1},
                (f"add {B} eth1", f"del {B} eth0"),
                watch=LONG,
            ),
            Step(
                "another prefix length",
                config(*longer),
                {update: 1, plus: 1, minus: 1},
                ("add 192.0.2.110/32 eth0", f"del {D} eth0"),
                bare(D),
                watch=LONG,
            ),
        ),
    )


def identities(peer: str) -> Story:
    """Names, VRIDs, priorities and intervals."""
    one, two = instance("ONE", 51, A, B), instance("TWO", 52, D)
    uno = instance("UNO", 51, A, B)
    lower = instance("ONE", 51, A, B, priority=140)
    slower = instance("ONE", 51, A, B, priority=140, interval=0.4)
    low = [instance(n, v, *vips, priority=100) for n, v, vips in (("ONE", 51, (A, B)), ("TWO", 52, (D,)))]
    return Story(
        "identities",
        peer,
        config(one, two),
        config(*low),
        ("192.0.2.100", "192.0.2.101", "192.0.2.110"),
        (
            Step("another name", config(uno, two), {update: 1}),
            Step(
                "names swapped",
                config(instance("TWO", 51, A, B), instance("UNO", 52, D)),
                {update: 2},
            ),
            Step("names as before", config(one, two), {update: 2}),
            Step("another priority", config(lower, two), {update: 1}, says={51: {"priority": 140}}),
            Step("another interval", config(slower, two), {update: 1}, says={51: {"interval": 0.4}}),
            Step(
                "priority and interval",
                config(one, two),
                {update: 1},
                says={51: {"interval": 0.3, "priority": 150}},
            ),
            Step(
                "VRIDs swapped",
                config(instance("ONE", 52, A, B), instance("TWO", 51, D)),
                {update: 2},
                says={51: {"addresses": ("192.0.2.110",)}},
            ),
            Step("VRIDs as before", config(one, two), {update: 2}),
        ),
    )


def memberships(peer: str) -> Story:
    """Instances, groups and scripts come and go; and what does not go on."""
    one, two = instance("ONE", 51, A, B), instance("TWO", 52, D)
    grouped = "vrrp_sync_group {} {{\n group {{\n  ONE\n  TWO\n }}\n}}\n"
    script = 'vrrp_script chk {{\n script "/bin/true"\n interval 1\n weight {}\n}}\n'
    tracking = instance("ONE", 51, A, B, more=" track_script {\n  chk\n }")
    low = [instance(n, v, *vips, priority=100) for n, v, vips in (("ONE", 51, (A, B)), ("TWO", 52, (D,)))]
    return Story(
        "memberships",
        peer,
        config(one, two),
        config(*low),
        ("192.0.2.100", "192.0.2.101", "192.0.2.110"),
        (
            Step(
                "an instance more",
                config(one, two, instance("SIX", 56, E)),
                {"vrrp.start": 1},
                (f"add {E} eth0",),
                bare(E),
                watch=2.6,
            ),
            Step(
                "an instance less",
                config(one, two),
                {"vrrp.stop": 1, minus: 1},
                (f"del {E} eth0",),
                ends=frozenset({56}),
            ),
            Step("a group formed", config(grouped.format("G"), one, two), {update: 2}),
            Step("a group renamed", config(grouped.format("H"), one, two), {update: 2}),
            Step("a group dissolved", config(one, two), {update: 2}),
            Step(
                "a script tracked",
                config(script.format(7), tracking, two),
                {update: 1, "tracker.start": 1},
                watch=1.2,
            ),
            Step(
                "another weight",
                config(script.format(9), tracking, two),
                {update: 1},
                says={51: {"priority": 159}},
            ),
            Step(
                "another VRID",
                config(script.format(9), tracking, instance("TWO", 62, D)),
                {"vrrp.restart": 1, minus: 1},
                # The peer has the old one at once; the new one, of which the peer knows nothing, is master after its own time.
                (f"del {D} eth0", f"add {D} eth0"),
                bare(D),
                ends=frozenset({52}),
                heard=frozenset({52}),
                watch=LONG,
            ),
        ),
    )


def with_keepalived() -> Story:
    """Unicast, beside keepalived, which drops adverts with other addresses: it reloads along."""
    to_b = " unicast_src_ip 192.0.2.1\n unicast_peer {\n  192.0.2.2\n }"
    to_both = to_b.replace(" }", "  192.0.2.3\n }")
    to_a = " unicast_src_ip 192.0.2.2\n unicast_peer {\n  192.0.2.1\n }"
    one = instance("ONE", 51, A, more=to_b)
    uno = instance("UNO", 51, A, more=to_both, priority=140)
    more = instance("UNO", 51, A, B, more=to_both, priority=140)
    low, low_more = (instance("ONE", 51, *vips, priority=100, more=to_a) for vips in ((A,), (A, B)))
    return Story(
        "with keepalived",
        "keepalived",
        config(one),
        config(low),
        ("192.0.2.100",),
        (
            Step("fifty times the same", config(one), times=50),
            Step(
                "another name, priority and peer",
                config(uno),
                {update: 1},
                says={51: {"priority": 140}},
                targets=frozenset({"192.0.2.2", "192.0.2.3"}),
            ),
            Step(
                "a VIP more, then killed",
                config(more),
                {update: 1, plus: 1},
                (f"add {B} eth0",),
                bare(A, B),
                peer=config(low_more),
                kill=True,
            ),
            Step(
                "another VRID",
                config(instance("UNO", 61, A, B, more=to_both, priority=140)),
                {"vrrp.restart": 1, minus: 2},
                (f"del {A} eth0", f"del {B} eth0", f"add {A} eth0", f"add {B} eth0"),
                bare(A, B),
                ends=frozenset({51}),
                heard=frozenset({51}),
                watch=LONG,
            ),
        ),
    )


STORIES = {
    story.name: story
    for story in (addresses("krun"), identities("krun"), memberships("krun"), with_keepalived())
}


PLAYS: dict[str, Play] = {
    "drift": (drift_acts.opened, drift_acts.ACTS),
    "roles": (role_acts.opened, role_acts.ACTS),
}


def act(name: str) -> dict[str, str]:
    """Play all acts of a site; what went wrong in each, in words. The site's own trouble is that of all."""
    opened, acts = PLAYS[name]
    found = dict.fromkeys((one.__name__ for one in acts), "not reached")
    try:
        with opened() as site:
            for one in acts:
                try:
                    one(site)
                    found[one.__name__] = ""
                except Exception:
                    found[one.__name__] = f"{traceback.format_exc()}\n{site.krun.logged()[-4000:]}"
    except Exception:
        found = {one: trouble and traceback.format_exc() for one, trouble in found.items()}
    return found


Everything = tuple[dict[str, Played], dict[str, dict[str, str]]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """All of it, side by side."""
    needs.require_netns()
    needs.require_keepalived()

    def play_all() -> Everything:
        with ThreadPoolExecutor(len(STORIES) + len(PLAYS)) as pool:
            stories = [pool.submit(play, story) for story in STORIES.values()]
            acts = [pool.submit(act, name) for name in PLAYS]
            return (
                {name: future.result() for name, future in zip(STORIES, stories, strict=True)},
                {name: future.result() for name, future in zip(PLAYS, acts, strict=True)},
            )

    return once(tmp_path_factory, "reloads", play_all)


def faults(record: Record) -> list[str]:
    """What is not as it should be, in words."""
    step = record.step
    found = [record.trouble] if record.trouble else []
    planned = record.planned.get("summary")
    done = record.reported.get("operations")
    if planned != step.operations:
        found.append(f"planned {planned}, expected {step.operations}")
    if done != step.operations:
        found.append(f"done {done}, expected {step.operations}")
    if tuple(record.writes) != step.writes:
        found.append(f"the kernel saw {record.writes}, expected {list(step.writes)}")
    if set(record.announced) != step.announced:
        found.append(f"announced {dict(record.announced)}, expected {sorted(step.announced)}")
    ours = [a for a in record.adverts if a.port == "a"]
    theirs = {a.vrid for a in record.adverts if a.port == "b" and a.time >= record.begun}
    if theirs != step.heard:
        found.append(f"the peer advertised {sorted(theirs)}, expected {sorted(step.heard)}")
    ended = [(a.vrid, a.target) for a in ours if a.priority == 0]
    if {vrid for vrid, _ in ended} != step.ends or len(ended) != len(set(ended)):
        found.append(f"priority 0 for {ended}, expected {sorted(step.ends)}")
    for vrid in {a.vrid for a in ours if a.time < record.begun} - step.ends:
        gap = record.gap(vrid)
        if gap > INTERVAL + 0.1 + LATITUDE:
            found.append(f"VRID {vrid} was silent for {gap:.3f} s")
    targets = {a.target for a in ours if a.time > record.done}
    if step.targets and targets != step.targets:
        found.append(f"adverts went to {sorted(targets)}, expected {sorted(step.targets)}")
    for vrid, fields in step.says.items():
        after = [a for a in ours if a.vrid == vrid and a.time > record.done]
        for name, value in fields.items():
            wrong = [a for a in after if getattr(a, name) != value]
            if wrong or not after:
                found.append(f"VRID {vrid}: {name} is not {value}: {wrong[:1]}")
    return found


@pytest.mark.parametrize(
    ("story", "step"), [(s.name, step.name) for s in STORIES.values() for step in s.steps]
)
def test_step(
    story: str, step: str, played: Everything, record_property: Callable[[str, object], None]
) -> None:
    told = played[0][story]
    record = told.records.get(step)
    assert record is not None, f"not reached: {told.trouble}\n{told.logs}"
    if record.adverts:
        gaps = [record.gap(v) for v in {a.vrid for a in record.adverts if a.port == "a"} - record.step.ends]
        record_property(
            "figures",
            {
                "table": "reload of a master: longest time between two adverts (ms), interval 300 (slower: 400)",
                "row": f"{story}: {step}",
                "gap": f"{max((g for g in gaps if g < 9), default=0) * 1000:.1f}",
                "took": f"{(record.done - record.begun) * 1000:.0f}",
            },
        )
    found = faults(record)
    assert not found, "\n".join([*found, told.trouble, str(record.planned.get("operations")), told.logs])


@pytest.mark.parametrize(("site", "name"), [(s, a.__name__) for s, (_, acts) in PLAYS.items() for a in acts])
def test_act(site: str, name: str, played: Everything) -> None:
    trouble = played[1][site][name]
    assert not trouble, trouble
