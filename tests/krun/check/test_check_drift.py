"""What others do to our services in the kernel: seen, told, put back, within limits; and the glance that sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from check_world import SECOND, World, config, misc, real, virtual
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.model import Forwarding, Service
from kir.plan.ipvs import desired_table
from kir.state import DestKey, DestParams, IpvsTable, ServiceEntry, ServiceParams
from krun.check.drift import REPEATS, Difference, Repeats, differences
from krun.check.outcome import Outcome
from krun.kernel.glance import expected, parse, same, service_words

Make = Callable[..., World]


@pytest.fixture
def world() -> Iterator[Make]:
    made: list[World] = []

    def make(*args: Any, **kwargs: Any) -> World:
        made.append(World(*args, **kwargs))
        made[-1].loop.run_for(2)
        made[-1].ipvs.log.clear()
        return made[-1]

    yield make
    for one in made:
        one.close()


TWO = config(virtual(real(1, 5), real(2, 5)))


def entry(w: World, n: int = 1) -> ServiceEntry:
    return next(e for s, e in w.ipvs.table.items() if s.address == f"10.0.0.{n}")


def delete_one(w: World) -> None:
    del entry(w).dests[DestKey("192.168.0.1", 80)]


def weigh_one(w: World) -> None:
    entry(w).dests[DestKey("192.168.0.1", 80)] = DestParams(weight=1)


def schedule(w: World) -> None:
    entry(w).params = ServiceParams(scheduler="rr")


def add_one(w: World) -> None:
    entry(w).dests[DestKey("192.168.0.99", 80)] = DestParams(weight=7)


def forward(w: World) -> None:
    entry(w).dests[DestKey("192.168.0.1", 80)] = DestParams(weight=5, forwarding=Forwarding(method="DR"))


class TestPutBack:
    @pytest.mark.parametrize(
        ("harm", "write", "words"),
        [
            (delete_one, "add_dest 192.168.0.1:80", "192.168.0.1:80 was deleted"),
            (weigh_one, "edit_dest 192.168.0.1:80", "was edited: weight 5 -> 1"),
            (schedule, "edit_service tcp 10.0.0.1:80", "scheduler wlc -> rr"),
            (add_one, "del_dest 192.168.0.99:80", "was added with weight 7"),
            (forward, "edit_dest 192.168.0.1:80", "was edited: forwarding NAT -> DR"),
        ],
    )
    def test_within_ten_seconds_with_one_write_and_a_word(
        self,
        world: Make,
        caplog: pytest.LogCaptureFixture,
        harm: Callable[[World], None],
        write: str,
        words: str,
    ) -> None:
        w = world(TWO)
        harm(w)
        w.loop.run_for(10.1)
        assert w.ipvs.names() == [write]
        assert any("somebody else" in r.getMessage() and words in r.getMessage() for r in caplog.records)
        status = w.child.status()["ipvs"]
        assert (status["drift"], status["repairs"], status["left_alone"]) == (1, 1, [])
        w.loop.run_for(120)
        assert w.ipvs.log == []

    def test_a_flushed_table_is_one_difference_a_service(self, world: Make) -> None:
        w = world(config(virtual(real(1), real(2)), virtual(real(3), n=2)))
        whole = w.ipvs.dump()
        w.ipvs.table.clear()
        w.loop.run_for(10.1)
        assert w.ipvs.table == whole
        assert w.child.status()["ipvs"]["drift"] == 2

    def test_while_all_is_well_only_glances_are_taken(self, world: Make) -> None:
        w = world(TWO)
        w.ipvs.dumps = w.ipvs.glances = 0
        w.loop.run_for(50)
        assert (w.ipvs.dumps, w.ipvs.glances >= 4) == (0, True)
        w.loop.run_for(20)
        assert w.ipvs.dumps == 1  # once a minute for what a glance does not show

    def test_what_a_glance_does_not_show_is_seen_within_a_minute(self, world: Make) -> None:
        w = world(TWO)
        entry(w).dests[DestKey("192.168.0.1", 80)] = DestParams(
            weight=5, upper_threshold=9, lower_threshold=3
        )
        w.loop.run_for(62)
        assert w.ipvs.names() == ["edit_dest 192.168.0.1:80"]

    def test_a_kernel_without_a_glance_is_compared_once_a_minute(
        self, world: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        w = world(TWO)
        monkeypatch.setattr(w.ipvs, "glance", lambda: None)
        delete_one(w)
        w.loop.run_for(62)
        assert w.ipvs.names() == ["add_dest 192.168.0.1:80"]

    def test_foreign_services_are_nobodys_business(self, world: Make) -> None:
        w = world(TWO)
        foreign = desired_table(config(virtual(real(7), n=9)))
        w.ipvs.table.update(foreign)
        w.loop.run_for(70)
        assert w.ipvs.log == []
        assert w.ipvs.weights(9) == {"192.168.0.7:80": 1}

    def test_our_own_writes_are_no_drift(self, world: Make) -> None:
        servers = (real(1, 10, checkers=[misc("/c", "a", dynamic=True)]), real(2))
        w = world(config(virtual(*servers)))
        for weight in (40, 3, 90):
            w.answers["a"] = Outcome("good", weight=weight)
            w.loop.run_for(9)
        w.fail(2)
        w.loop.run_for(100)
        assert w.child.status()["ipvs"]["drift"] == 0

    def test_what_the_kernel_refused_is_no_drift(self, world: Make) -> None:
        w = world(TWO)
        w.ipvs.refuse = lambda o: o.op == "ipvs.add_dest"
        w.child.prepare(config(virtual(real(1, 5), real(2, 5), real(3, 5))), "")
        w.child.commit()
        w.loop.run_for(100)
        w.ipvs.refuse = lambda o: False
        w.loop.run_for(100)
        assert w.child.status()["ipvs"]["drift"] == 0
        assert "192.168.0.3:80" in w.ipvs.weights()


class TestFights:
    def fight(self, w: World, rounds: int) -> None:
        """Delete the server again whenever it is there, looked at ten times a second."""
        for _ in range(rounds * 10):
            entry(w).dests.pop(DestKey("192.168.0.1", 80), None)
            w.loop.run_for(0.1)

    def test_after_five_times_in_ten_seconds_it_is_left_alone_with_an_alarm(self, world: Make) -> None:
        w = world(TWO)
        self.fight(w, 40)
        assert len([n for n in w.ipvs.names() if n == "add_dest 192.168.0.1:80"]) == REPEATS
        assert w.child.status()["ipvs"]["left_alone"] == ["tcp 10.0.0.1:80 -> 192.168.0.1:80 was deleted"]
        assert any("left alone until the next reload" in a for a in w.child.status()["alarms"])
        w.loop.run_for(600)
        assert w.ipvs.log == []

    def test_the_rest_of_the_service_goes_on(self, world: Make) -> None:
        w = world(TWO)
        self.fight(w, 40)
        w.ipvs.log.clear()
        w.fail(2)
        w.loop.run_for(10)
        assert w.ipvs.names() == ["del_dest 192.168.0.2:80"]
        w.heal(2)
        w.loop.run_for(10)
        assert w.ipvs.names() == ["add_dest 192.168.0.2:80"]

    def test_a_reload_forgives(self, world: Make) -> None:
        w = world(TWO)
        self.fight(w, 40)
        w.ipvs.log.clear()
        assert w.reload(TWO) == {"operations": {}, "failures": []}
        assert w.ipvs.names() == ["add_dest 192.168.0.1:80"]
        assert w.child.status()["alarms"] == [a for a in w.child.status()["alarms"] if "check.memo" in a]

    def test_a_service_that_is_deleted_again_and_again(self, world: Make) -> None:
        w = world(TWO)
        for _ in range(400):
            w.ipvs.table.clear()
            w.loop.run_for(0.1)
        w.ipvs.log.clear()
        w.fail(2)
        w.loop.run_for(120)
        assert w.ipvs.log == []
        w.reload(TWO)
        assert w.ipvs.weights() == {"192.168.0.1:80": 5}


def test_a_slow_opponent_is_met_each_time() -> None:
    repeats = Repeats()
    one = Difference(Service(family="inet", fwmark=7), None, "was deleted")
    for n in range(50):
        assert repeats.judge([one], n * 3 * SECOND) == []
    assert repeats.seen == 50


def test_differences_name_each_thing_once() -> None:
    have = desired_table(config(virtual(real(1), real(2)), virtual(real(3), n=2)))
    found = list(differences(have, {}))
    assert [str(d) for d in found] == ["tcp 10.0.0.1:80 was deleted", "tcp 10.0.0.2:80 was deleted"]
    assert list(differences(have, have)) == []


# -- the glance

PROC = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A000001:0050 wrr persistent 60000 FFFFFF00
  -> C0A80001:1F90      Masq    3      2          1         
  -> C0A80002:1F90      Route   0      0          0         
UDP  0A000001:0035 rr ops 
  -> C0A80001:0035      Tunnel  1      0          0         
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:01BB wlc 
  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:01BB      Local   1      0          0         
FWM  00000007 lc 
  -> C0A80001:0000      Route   4      0          0         
FWM  00000007 lc 
  -> [2001:0db8:0000:0000:0000:0000:0000:0002]:0000      Route   4      0          0         
FWM  00000008 rr 
"""  # noqa: W291 - as the kernel prints it


def _table() -> IpvsTable:
    def dest(address: str, port: int, weight: int, method: str) -> dict[DestKey, DestParams]:
        return {DestKey(address, port): DestParams(weight=weight, forwarding=Forwarding(method=method))}  # type: ignore[arg-type]

    v6 = "2001:db8::2"
    return {
        Service(family="inet", protocol="tcp", address="10.0.0.1", port=80): ServiceEntry(
            ServiceParams(scheduler="wrr", timeout_s=600, granularity="255.255.255.0"),
            dest("192.168.0.1", 8080, 3, "NAT") | dest("192.168.0.2", 8080, 0, "DR"),
        ),
        Service(family="inet", protocol="udp", address="10.0.0.1", port=53): ServiceEntry(
            ServiceParams(scheduler="rr", flags=("ops",)), dest("192.168.0.1", 53, 1, "TUN")
        ),
        Service(family="inet6", protocol="tcp", address="2001:db8::1", port=443): ServiceEntry(
            ServiceParams(scheduler="wlc", granularity="128"), dest(v6, 443, 1, "NAT")
        ),
        Service(family="inet", fwmark=7): ServiceEntry(
            ServiceParams(scheduler="lc"), dest("192.168.0.1", 0, 4, "DR")
        ),
        Service(family="inet6", fwmark=7): ServiceEntry(
            ServiceParams(scheduler="lc", granularity="128"), dest(v6, 0, 4, "DR")
        ),
        Service(family="inet", fwmark=8): ServiceEntry(ServiceParams(scheduler="rr")),
    }


def test_the_kernels_text_is_what_is_expected() -> None:
    glance = parse(PROC.splitlines(keepends=True))
    assert len(glance) == 6
    for service, one in _table().items():
        assert same(service_words(service), expected(one), glance), service


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Masq    3", "Masq    4"),
        ("Masq    3", "Route   3"),
        ("wrr persistent", "rr persistent"),
        ("FFFFFF00", "FFFFFFFF"),
        ("rr ops", "rr"),
        ("  -> C0A80002:1F90      Route   0      0          0         \n", ""),
        ("FWM  00000008", "FWM  00000009"),
    ],
)
def test_every_difference_is_seen(old: str, new: str) -> None:
    assert old in PROC
    glance = parse(PROC.replace(old, new, 1).splitlines(keepends=True))
    assert not all(same(service_words(s), expected(e), glance) for s, e in _table().items())


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300) | st.lists(st.sampled_from(PROC.splitlines())).map("\n".join))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(parse(text.splitlines(keepends=True)), dict)
