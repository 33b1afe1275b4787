"""What a director was told and decided: recorded, saved without its secrets, read and run again, with the same decisions."""

from __future__ import annotations

import gzip
import inspect
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.model import Authentication, Config, Secret, SyncGroup, TrackedScript, VrrpScript
from krun.record import file
from krun.record.dump import pieces
from krun.record.masks import Masks, NoMasks
from krun.record.moments import Moment
from krun.record.save import masked
from krun.vrrp import replayed, snapshot
from krun.vrrp.alarms import Alarms
from krun.vrrp.book import Book
from krun.vrrp.director import Director
from krun.vrrp.drift import Drift
from krun.vrrp.instance import Instance
from krun.vrrp.intake import Intake
from krun.vrrp.machine import Role
from krun.vrrp.packet import checksum_right
from krun.vrrp.recorded import INPUTS, RecordedDirector
from krun.vrrp.routing import Routing
from krun.vrrp.steps import Steps
from krun.vrrp.surroundings import Surroundings
from krun.vrrp.sync import Group

from .make import config, router
from .segment import Host, S, Segment

CHK = VrrpScript(name="chk", argv=("/bin/true",))
NAMES = {"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3"}
PASSWORDS = ("s3cret!", "oth3r!", "oth3r!longer", "oth3r!lonely", "")


def recording(director: RecordedDirector, target: Path, masks: Masks | None = None) -> file.Recording:
    """Through the socket's JSON and the file, as `krunctl record` does it."""
    made = masks or Masks()
    lines = [{"process": {"name": "vrrp", "pid": 1, "offset_s": 1e9}}]
    lines += [
        masked("vrrp", msgspec.json.decode(msgspec.json.encode(piece)), made)
        for piece in pieces(director.ring)
    ]
    file.write(target, file.Header(krun_record=file.VERSION, release="0", saved_at=0), lines)
    return file.read(target)


def replay(found: file.Recording) -> list[Moment]:
    return [moment for section in found.sections for moment in replayed.replay(section)]


class Story:
    """Three directors, and everything that can happen to them, by chance."""

    def __init__(self, seed: int, limit: int = 8000) -> None:
        self.random = random.Random(seed)
        self.segment = Segment(
            seed, loss=0.02, make=lambda c: RecordedDirector(c, limit, clock=lambda: self.segment.now)
        )
        self.version = self.random.choice([2, 2, 3])
        self.grouped = self.random.random() < 0.5
        for name, source in NAMES.items():
            self.segment.add(name, source, self.config_of(name))

    def config_of(self, name: str) -> Config:
        chance = self.random
        password = chance.choice(PASSWORDS) if chance.random() < 0.3 else PASSWORDS[0]
        common: dict[str, Any] = {
            "version": self.version,
            "priority": chance.choice([90, 100, 150, 254, 255]),
            "nopreempt": chance.random() < 0.2,
            "preempt_delay_us": chance.choice([0, 0, 3 * S]),
            "track_scripts": (TrackedScript(name="chk", weight=chance.choice([-50, 0])),),
            "initial_state": "BACKUP",
            "authentication": Authentication(type="PASS", password=Secret(secret=password))
            if password
            else None,
        }
        instances = [
            router(
                chance.choice(["VI_1", "VI_1", "web"]),
                vips=chance.choice([("192.0.2.10/24",), ("192.0.2.10/24", "192.0.2.11/32")]),
                **common,
            ),
            router("VI_2", vrid=52, vips=("198.51.100.1/32",), **common),
        ]
        if chance.random() < 0.3:
            instances.append(router("VI_3", vrid=53, vips=("198.51.100.3/32",), interface="eth1"))
        groups = ()
        if self.grouped:
            names = (instances[0].name, "VI_2")
            groups = (SyncGroup(name="G", members=names),)
            instances[:2] = [msgspec.structs.replace(i, sync_group="G") for i in instances[:2]]
        return config(*instances, groups=groups, scripts=(CHK,))

    def live(self) -> list[Host]:
        return [host for host in self.segment.hosts.values() if host.alive]

    def step(self) -> None:
        segment, chance, now = self.segment, self.random, self.segment.now
        segment.run(chance.randrange(3 * S))
        host = chance.choice(self.live())
        director = host.director
        what = chance.randrange(9)
        if what == 0:
            segment.carry_out(host, director.link("eth0", chance.choice([True, True, False, None]), now))
        elif what == 1:
            segment.carry_out(host, director.script_ended("chk", chance.random() < 0.7, now))
        elif what == 2:
            segment.reload(host, self.config_of(host.name))
        elif what == 3 and host.addresses:
            gone = chance.choice(sorted(host.addresses, key=str))
            host.addresses.discard(gone)
            segment.carry_out(host, director.address_gone(gone, segment.now))
        elif what == 4:
            self.forge(host)
        elif what == 5:
            source = chance.choice([host.source, None, "192.0.2.77"])
            segment.carry_out(host, director.source("VI_2", source, segment.now))
        elif what == 6:
            at = chance.choice(list(director.endpoints()) or [None])
            if at is not None:
                segment.carry_out(
                    host, director.socket(at, chance.choice([None, "no such device"]), segment.now)
                )
        elif what == 7:
            segment.cut ^= {host.name}
        else:
            segment.carry_out(host, director.put_back(set(host.addresses), segment.now))

    def forge(self, host: Host) -> None:
        """A packet that somebody broke, aged, signed otherwise or made up."""
        chance = self.random
        for at in host.director.endpoints():
            for other in self.live():
                for instance in other.director.instances.values():
                    for one in instance.adverts(chance.choice([0, 50, 200])):
                        pdu = bytearray(one.pdu)
                        if chance.random() < 0.7:
                            pdu[chance.randrange(len(pdu))] ^= 1 << chance.randrange(8)
                        if chance.random() < 0.2:
                            pdu = pdu[: chance.randrange(len(pdu))]
                        ttl = chance.choice([255, 255, 64])
                        found = host.director.receive(
                            at, bytes(pdu), "192.0.2.9", one.destination, ttl, self.segment.now
                        )
                        self.segment.carry_out(host, found)


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 100_000))
def test_whatever_happens_a_replay_decides_the_same(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("record")
    story = Story(seed)
    for _ in range(60):
        story.step()
    for host in story.live():
        director = host.director
        assert isinstance(director, RecordedDirector)
        found = recording(director, folder / "x.krec")
        text = gzip.decompress((folder / "x.krec").read_bytes())
        assert not any(word.encode() in text for word in PASSWORDS if word), "a password is in the file"
        assert found.whole
        moments = replay(found)
        assert [m for m in moments if m.differs] == []
        assert len(moments) > 10
        real = recording(director, folder / "y.krec", NoMasks())
        assert [m.said for m in replay(real)] == [m.said for m in moments]


def test_a_replay_ends_where_the_director_is(tmp_path: Path) -> None:
    story = Story(3, limit=400)
    for _ in range(80):
        story.step()
    director = story.live()[0].director
    assert isinstance(director, RecordedDirector)
    assert director.ring.lost > 0
    assert director.ring.messages <= 2 * 400
    section = recording(director, tmp_path / "x.krec", NoMasks()).sections[0]
    player = replayed._Player(section)
    for number, part in enumerate(section.parts):
        assert not any(m.differs for m in player.part(part))
        if number + 1 < len(section.parts):
            assert player._director is not None
            there = msgspec.json.decode(section.parts[number + 1].state, type=snapshot.Saved)
            assert comparable(snapshot.save(player._director)) == comparable(there)
    assert player._director is not None
    assert comparable(snapshot.save(player._director)) == comparable(snapshot.save(director))


def comparable(saved: snapshot.Saved) -> Any:
    """Sets have no order."""
    plain = msgspec.to_builtins(saved)
    for instance in plain["instances"]:
        instance["said"] = sorted(instance["said"])
        for name in ("faults", "pending"):
            instance["state"][name] = sorted(instance["state"][name])
            instance["verdict"][name] = sorted(instance["verdict"][name])
    for book in ("addresses", "routes", "rules"):
        plain[book]["left"] = sorted(plain[book]["left"], key=str)
    return plain


def test_another_decision_is_seen_and_does_not_spread(tmp_path: Path) -> None:
    segment = Segment(make=lambda c: RecordedDirector(c, 1000))
    director = segment.add("a", NAMES["a"], config(router())).director
    segment.run(500 * S)
    assert isinstance(director, RecordedDirector)
    found = recording(director, tmp_path / "x.krec")
    spoiled = found.sections[0].parts[0]
    for entry in spoiled.entries:
        if entry[0] == "!" and entry[1]["do"] == "Transmit":
            entry[1]["datagrams"][0]["ttl"] = 1
            break
    else:
        pytest.fail("nothing was sent in the first part")
    moments = replay(found)
    assert any(m.differs for m in moments)
    assert len(found.sections[0].parts) > 1
    assert not moments[-1].differs


def test_a_quiet_network_costs_two_numbers_a_message() -> None:
    segment = Segment(make=lambda c: RecordedDirector(c, 200_000))
    for name in ("a", "b"):
        segment.add(name, NAMES[name], config(router(priority=150 if name == "a" else 100)))
    segment.run(10 * S)
    before = {n: sum(p.cost for p in h.director.ring.parts) for n, h in segment.hosts.items()}  # type: ignore[attr-defined]
    segment.run(1000 * S)
    for name, host in segment.hosts.items():
        cost = sum(p.cost for p in host.director.ring.parts) - before[name]  # type: ignore[attr-defined]
        assert cost <= 3 * 1000 + 10
    assert segment.masters() == ["a"]


def test_masks_keep_what_is_judged() -> None:
    masks = Masks()
    for secret in ("abc", "12345678", "123456789", "ü"):
        one = Instance(router(authentication=Authentication(type="PASS", password=Secret(secret=secret))), 0)
        one.state = msgspec.structs.replace(one.state, source="192.0.2.1", role=Role.MASTER)
        pdu = one.adverts(100)[0].pdu
        for wrong in (pdu, pdu[:6] + b"\x12\x34" + pdu[8:]):
            other = masks.pdu(wrong, "inet")
            assert other != wrong
            assert checksum_right(other, None) == checksum_right(wrong, None)
            assert masks.pdu(wrong, "inet") == other
        assert masks.text(secret) not in (secret, "")
    assert masks.text("12345678") != masks.text("123456789")
    assert masks.text("12345678")[:8] == masks.text("123456789")[:8]
    assert masks.pdu(b"\x21\x33\x64\x01abcdefgh", "inet") == b"\x21\x33\x64\x01abcd" + bytes(4)
    key = "ab" * 32
    assert masks.text(key) != key
    assert len(masks.text(key)) == len(key)


def test_no_input_is_forgotten() -> None:
    """Whoever gives the director another way to be told something must record it, and say how it is told again."""
    told = {
        name
        for name, method in inspect.getmembers(Director, inspect.isfunction)
        if not name.startswith("_") and "list[Effect]" in str(inspect.signature(method).return_annotation)
    }
    told -= {"take"}  # no input
    assert told <= INPUTS.keys(), f"{told - INPUTS.keys()}: add it to krun.vrrp.recorded"
    own = {name for name in vars(RecordedDirector) if not name.startswith("_")}
    assert told <= own, f"{told - own}: RecordedDirector does not record it"


SAVED: dict[type, tuple[set[str], set[str]]] = {
    # what is saved; what follows from the rest, or decides nothing
    Director: (
        {"not_before", "begun"},
        {"drift"},
    ),
    Steps: (
        {"started", "adverts"},
        {"outbox", "ledger", "routing", "alarms", "intake", "between", "advert_left"},
    ),
    Surroundings: (
        {"config", "instances", "groups", "health", "links", "sources", "broken", "deaf", "given_up", "static_problems"},
        {"scripts", "_followed"},
    ),
    Instance: (
        {"config", "index", "state", "verdict", "primary", "said", "flaps", "old_checksum", "heard"},
        {"counters", "recent", "_adverts", "settings", "rules"},
    ),
    Group: ({"config", "role"}, set()),
    Drift: ({"static_flaps", "shown"}, {"_known", "_outbox"}),
    Intake: ({"unknown"}, {"routes", "log_unknown_vrids", "_say"}),
    Alarms: ({"_heap", "_armed"}, {"_sequence", "_wake"}),
    Book: ({"have", "held", "left", "problems", "_wanted", "_dirty"}, {"_key_of"}),
    Routing: ({"routes", "rules"}, set()),
}  # fmt: skip


def test_no_memory_is_forgotten() -> None:
    """Whoever lets a machine remember something more must save it, or say here why not."""
    director = Director(config(router(sync_group="G"), groups=(SyncGroup(name="G", members=("VI_1",)),)))
    instance = director.instances["VI_1"]
    things: list[Any] = [
        director, instance, director.groups["G"], director.drift, director.intake, director.alarms,
        director.ledger, director.routing,
    ]  # fmt: skip
    for thing in things:
        known: set[str] = set()
        for kind in type(thing).__mro__:
            for saved in SAVED.get(kind, ()):
                known |= saved
        has = set(getattr(thing, "__dict__", {})) or set(type(thing).__slots__)
        assert has <= known, f"{type(thing).__name__}: {has - known} is not saved (krun.vrrp.snapshot)"
