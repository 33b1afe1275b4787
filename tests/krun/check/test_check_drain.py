"""Servers on their way out: weight 0 first, deletion when nothing is left or at the deadline, back with one write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from check_world import SECOND, Ipvs, World, config, real, sorry, virtual

from kir.model import Service
from kir.plan.ipvs import desired_table
from krun.check.memo import Memo

Make = Callable[..., World]

TWO = config(virtual(real(1, 5), real(2, 5)))
ONE = config(virtual(real(1, 5)))
DRAIN = 30 * SECOND


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Make]:
    made: list[World] = []

    def make(*args: Any, **kwargs: Any) -> World:
        made.append(World(*args, **{"run_dir": tmp_path, **kwargs}))
        if "now_us" not in kwargs:  # what a successor writes at its start is the point
            made[-1].ipvs.log.clear()
        return made[-1]

    yield make
    for one in made:
        one.close()


def drains(w: World) -> list[tuple[str, str | None, int | None]]:
    return [(d["service"], d["real_server"], d["connections"]) for d in w.child.status()["drains"]]


def heir(first: World, what: Any, world: Make, **more: Any) -> World:
    """The world after a kill -9 of everything, with the kernel's table as it was left."""
    first.child.abandon()
    second: World = world(what, table=first.ipvs.table, now_us=first.loop.now_us, **more)
    second.ipvs.counts = first.ipvs.counts
    return second


def test_a_server_that_goes_loses_its_weight_with_one_write_and_goes_when_it_is_idle(world: Make) -> None:
    w = world(TWO)
    w.ipvs.counts = {"192.168.0.2:80": 3}
    assert w.reload(ONE, DRAIN)["operations"] == {"checker.stop": 1, "ipvs.edit_dest": 1}
    assert w.ipvs.names() == ["edit_dest 192.168.0.2:80"]
    assert w.ipvs.weights() == {"192.168.0.1:80": 5, "192.168.0.2:80": 0}
    assert drains(w) == [("tcp 10.0.0.1:80", "192.168.0.2:80", 3)]
    w.loop.run_for(20)
    assert w.ipvs.log == []
    assert w.child.status()["drains"][0]["left_s"] == pytest.approx(10, abs=0.1)
    w.ipvs.counts = {}
    w.loop.run_for(1.1)
    assert w.ipvs.names() == ["del_dest 192.168.0.2:80"]
    assert drains(w) == []
    w.loop.run_for(300)
    assert w.ipvs.log == []


def test_the_deadline_cuts_what_is_left_and_is_exact(world: Make) -> None:
    w = world(TWO)
    w.ipvs.counts = {"192.168.0.2:80": 3}
    w.reload(ONE, DRAIN + SECOND // 2)
    w.loop.run_for(30.4)
    assert w.ipvs.weights() == {"192.168.0.1:80": 5, "192.168.0.2:80": 0}
    w.loop.run_for(0.15)
    assert w.ipvs.weights() == {"192.168.0.1:80": 5}


def test_connections_that_nobody_can_count_are_waited_for(world: Make) -> None:
    w = world(TWO)
    w.ipvs.counts = None
    w.reload(ONE, DRAIN)
    w.loop.run_for(29)
    assert drains(w) == [("tcp 10.0.0.1:80", "192.168.0.2:80", None)]
    w.loop.run_for(1.1)
    assert w.ipvs.weights() == {"192.168.0.1:80": 5}


def test_a_reload_that_takes_the_server_back_restores_its_weight_with_one_write(world: Make) -> None:
    w = world(TWO)
    w.ipvs.counts = {"192.168.0.2:80": 3}
    w.reload(ONE, DRAIN)
    w.loop.run_for(5)
    w.ipvs.log.clear()
    assert w.reload(TWO)["operations"] == {"checker.start": 1, "ipvs.edit_dest": 1}
    assert w.ipvs.weights() == {"192.168.0.1:80": 5, "192.168.0.2:80": 5}
    w.loop.run_for(300)
    assert w.ipvs.names() == ["edit_dest 192.168.0.2:80"]
    assert drains(w) == []


def test_other_reloads_leave_a_drain_as_it_is(world: Make) -> None:
    w = world(TWO)
    w.ipvs.counts = {"192.168.0.2:80": 3}
    w.reload(ONE, DRAIN)
    w.ipvs.log.clear()
    w.loop.run_for(5)
    assert w.reload(config(virtual(real(1, 7))), DRAIN)["operations"] == {"ipvs.edit_dest": 1}
    assert w.reload(config(virtual(real(1, 7), scheduler="rr")))["operations"] == {"ipvs.edit_service": 1}
    w.loop.run_for(24)
    assert drains(w)
    w.loop.run_for(2)
    assert w.ipvs.weights() == {"192.168.0.1:80": 7}


def test_health_goes_on_beside_a_drain(world: Make) -> None:
    w = world(config(virtual(real(1), real(2), real(3))))
    w.ipvs.counts = {"192.168.0.3:80": 1}
    w.reload(config(virtual(real(1), real(2))), 300 * SECOND)
    w.fail(1)
    w.loop.run_for(10)
    assert w.ipvs.weights() == {"192.168.0.2:80": 1, "192.168.0.3:80": 0}
    w.heal(1)
    w.loop.run_for(10)
    assert w.ipvs.weights() == {"192.168.0.1:80": 1, "192.168.0.2:80": 1, "192.168.0.3:80": 0}
    assert not w.child._table.audit().counts


def test_a_whole_service_drains_and_is_one_deletion(world: Make) -> None:
    two = virtual(real(8, 2), real(9, 2), n=2)
    w = world(config(virtual(real(1)), two))
    w.ipvs.counts = {"192.168.0.8:80": 1}
    done = w.reload(config(virtual(real(1))), DRAIN)
    assert done["operations"] == {"checker.stop": 2, "ipvs.edit_dest": 2}
    assert w.ipvs.weights(2) == {"192.168.0.8:80": 0, "192.168.0.9:80": 0}
    assert drains(w) == [("tcp 10.0.0.2:80", None, 1)]
    w.ipvs.log.clear()
    w.loop.run_for(25)
    assert not w.child._table.audit().counts
    w.ipvs.counts = {}
    w.loop.run_for(2)
    assert w.ipvs.names() == ["del_service tcp 10.0.0.2:80"]


def test_the_last_service_drains_and_says_that_work_is_left(world: Make) -> None:
    w = world(config(virtual(real(1))))
    w.ipvs.counts = {"192.168.0.1:80": 1}
    done = w.reload(config(), DRAIN)
    assert done["busy"] is True
    assert w.ipvs.weights() == {"192.168.0.1:80": 0}
    w.ipvs.counts = {}
    w.loop.run_for(2)
    assert not w.ipvs.table
    assert "busy" not in w.reload(config())


def test_a_service_comes_back_while_it_drains(world: Make) -> None:
    both = config(virtual(real(1)), virtual(real(8, 2), real(9, 2), n=2))
    w = world(both)
    w.ipvs.counts = {"192.168.0.8:80": 1}
    w.reload(config(virtual(real(1))), DRAIN)
    assert w.reload(both)["operations"] == {"checker.start": 2, "ipvs.edit_dest": 2}
    w.loop.run_for(100)
    assert w.ipvs.table == desired_table(both)


def test_a_drain_survives_a_kill_of_everything_and_keeps_its_deadline(world: Make) -> None:
    w = world(TWO)
    w.ipvs.counts = {"192.168.0.2:80": 3}
    w.reload(ONE, DRAIN)
    w.loop.run_for(20)
    second = heir(w, ONE, world)
    assert second.ipvs.log == []
    assert drains(second) == [("tcp 10.0.0.1:80", "192.168.0.2:80", 3)]
    second.loop.run_for(9)
    assert second.ipvs.log == []
    second.loop.run_for(1.1)
    assert second.ipvs.names() == ["del_dest 192.168.0.2:80"]


def test_a_service_that_drains_survives_too(world: Make) -> None:
    w = world(config(virtual(real(1)), virtual(real(8, 2), n=2)))
    w.ipvs.counts = {"192.168.0.8:80": 3}
    w.reload(config(virtual(real(1))), DRAIN)
    second = heir(w, config(virtual(real(1))), world)
    assert second.ipvs.log == []
    second.loop.run_for(31)
    assert second.ipvs.names() == ["del_service tcp 10.0.0.2:80"]


def test_a_deadline_that_passed_while_nobody_ran_is_kept_at_once(world: Make) -> None:
    w = world(TWO)
    w.ipvs.counts = {"192.168.0.2:80": 3}
    w.reload(ONE, DRAIN)
    w.loop.now_us += 100 * SECOND
    second = heir(w, ONE, world)
    second.loop.run_for(0.1)
    assert second.ipvs.weights() == {"192.168.0.1:80": 5}


def test_without_a_drain_everything_goes_at_once(world: Make) -> None:
    w = world(TWO)
    w.ipvs.counts = {"192.168.0.2:80": 3}
    assert w.reload(ONE)["operations"] == {"checker.stop": 1, "ipvs.del_dest": 1}


def test_a_stop_does_not_wait_for_drains(world: Make, tmp_path: Path) -> None:
    w = world(TWO)
    w.ipvs.counts = {"192.168.0.2:80": 3}
    w.reload(ONE, DRAIN)
    asyncio.run(w.child.stop())
    assert w.ipvs.table == {}
    assert Memo(tmp_path).load().services == ()


def test_a_refused_deletion_is_tried_again(world: Make) -> None:
    w = world(TWO)
    w.reload(ONE, DRAIN)
    w.ipvs.refuse = lambda o: o.op == "ipvs.del_dest"
    w.loop.run_for(5)
    assert drains(w)
    w.ipvs.refuse = lambda o: False
    w.loop.run_for(70)
    assert w.ipvs.weights() == {"192.168.0.1:80": 5}


def test_a_sorry_server_that_takes_over_by_a_reload_lets_the_others_drain(world: Make) -> None:
    w = world(config(virtual(real(1), real(2))))
    w.ipvs.counts = {"192.168.0.1:80": 1, "192.168.0.2:80": 1}
    w.reload(config(virtual(real(1), real(2), quorum=3, sorry_server=sorry())), DRAIN)
    assert w.ipvs.weights() == {"192.168.0.1:80": 0, "192.168.0.2:80": 0, "192.168.0.250:80": 1}
    w.reload(config(virtual(real(1), real(2), quorum=2, sorry_server=sorry())))
    assert w.ipvs.weights() == {"192.168.0.1:80": 1, "192.168.0.2:80": 1}
    assert drains(w) == []


class TestOwnership:
    def other(self) -> Any:
        return desired_table(config(virtual(real(5), n=9)))

    def test_what_an_earlier_krun_created_and_nobody_wants_goes(self, world: Make) -> None:
        w = world(config(virtual(real(1)), virtual(real(2), n=2)), table=self.other())
        second = heir(w, config(virtual(real(1))), world)
        assert second.ipvs.names() == ["del_service tcp 10.0.0.2:80"]
        assert second.ipvs.weights(9) == {"192.168.0.5:80": 1}
        assert second.child.status()["ipvs"]["foreign_services"] == 1

    def test_what_was_down_stays_out_until_its_first_good_answer(self, world: Make) -> None:
        c = config(virtual(real(1), real(2), real(3, inhibit_on_failure=True), sorry_server=sorry()))
        w = world(c)
        w.fail(1)
        w.fail(3)
        w.loop.run_for(5)
        second = heir(w, c, world)
        assert second.ipvs.log == []
        assert [second.server(n)["state"] for n in (1, 2, 3)] == ["down", "up", "down"]
        second.loop.run_for(3)
        assert second.ipvs.weights() == {"192.168.0.1:80": 1, "192.168.0.2:80": 1, "192.168.0.3:80": 1}

    def test_a_sorry_server_stays_until_a_real_one_has_answered(self, world: Make) -> None:
        c = config(virtual(real(1), real(2), sorry_server=sorry()))
        w = world(c)
        w.fail(1)
        w.fail(2)
        w.loop.run_for(5)
        second = heir(w, c, world)
        assert second.ipvs.log == []
        second.fail(1)
        second.loop.run_for(3)
        assert second.ipvs.weights() == {"192.168.0.2:80": 1}

    def test_what_keepalived_left_out_is_no_word_on_health(self, world: Make, tmp_path: Path) -> None:
        table = desired_table(config(virtual(real(1))))
        w = world(config(virtual(real(1), real(2))), table=table)
        assert w.server(2)["state"] == "up"

    def test_what_matches_stays_without_a_write(self, world: Make) -> None:
        w = world(TWO)
        assert heir(w, TWO, world).ipvs.log == []

    def test_ownership_is_written_before_the_service_is(self, world: Make, tmp_path: Path) -> None:
        ipvs = Ipvs()
        seen: list[set[str]] = []
        ipvs.after = lambda _table: seen.append({s.identity for s in Memo(tmp_path).load().services})
        w = world(ONE, ipvs=ipvs)
        w.reload(config(virtual(real(1)), virtual(real(2), n=2)))
        assert "tcp 10.0.0.1:80" in seen[0]
        assert all("tcp 10.0.0.2:80" in s for s in seen[2:])

    @pytest.mark.parametrize(
        "damage",
        [
            lambda data: b"",
            lambda data: data[: len(data) // 2],
            lambda data: data.replace(b"10.0.0.2", b"10.0.0.3"),
            lambda data: b"something else\n" + data,
        ],
    )
    def test_a_damaged_memo_owns_nothing(
        self, world: Make, tmp_path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        w = world(config(virtual(real(1)), virtual(real(2), n=2)))
        file = tmp_path / "check.memo"
        file.write_bytes(damage(file.read_bytes()))
        second = heir(w, config(virtual(real(1))), world)
        assert second.ipvs.log == []
        assert second.ipvs.weights(2) == {"192.168.0.2:80": 1}

    def test_a_memo_of_another_boot_or_namespace_counts_for_nothing(
        self, world: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        w = world(config(virtual(real(1)), virtual(real(2), n=2)))
        monkeypatch.setattr("krun.check.memo.boot_id", lambda: "another")
        assert heir(w, config(virtual(real(1))), world).ipvs.log == []

    def test_a_memo_that_cannot_be_written_is_an_alarm_and_no_end(self, world: Make, tmp_path: Path) -> None:
        w = world(ONE, run_dir=tmp_path / "absent")
        assert any("check.memo" in alarm for alarm in w.child.status()["alarms"])
        assert w.ipvs.weights() == {"192.168.0.1:80": 5}

    def test_a_service_that_moves_to_a_group_is_one_table(self, world: Make) -> None:
        w = world(config(virtual(real(1), real(2))))
        services = (
            Service(family="inet", protocol="tcp", address="10.0.0.1", port=80),
            Service(family="inet", protocol="tcp", address="10.0.0.3", port=80),
        )
        done = w.reload(config(virtual(real(1), real(2), name="group WEB tcp", services=services)), DRAIN)
        assert done["operations"]["ipvs.add_service"] == 1
        assert done["operations"]["ipvs.add_dest"] == 2
        assert not [o for o in w.ipvs.log if o.service.address == "10.0.0.1"]
        assert drains(w) == []
