"""Reloads that want a confirmation, undo, limits: also over the death of every process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from parent_world import World, config, wait_for

from krun.control.overlays import Overlay, encode
from krun.parent.boot import boot_id, boottime_us
from krun.parent.store import Kept, Store


def digest(world: World) -> str:
    value: str = world.state()["ir"]["digest"]
    return value


def reload(world: World, seconds: float | None = None, **more: Any) -> dict[str, Any]:
    if seconds is not None:
        more["confirm_within_us"] = int(seconds * 1e6)
    return world.ask("reload", **more)


def kept(world: World) -> Kept:
    store = Store(world.run_dir)
    assert store.open()
    return store.kept


def rewrite(world: World, **changes: Any) -> None:
    """Change what a krun that is not running has left."""
    store = Store(world.run_dir)
    assert store.open()
    assert store.update(**changes)


def test_without_a_confirmation_the_old_one_comes_back(world: World) -> None:
    old = digest(world)
    new = world.write(config(weight=7))
    answer = reload(world, 1)
    assert answer["ok"], answer
    assert answer["reload"]["confirm_by"] == pytest.approx(time.time() + 1, abs=1)
    state = world.state()
    assert state["ir"]["digest"] == new
    assert 0 < state["confirm"]["left_s"] <= 1
    assert state["confirm"]["back_to"] == old
    assert state["undo"]["digest"] == old
    assert "goes away in 1 s unless `krunctl confirm` comes" in world.logged()
    wait_for("the return", lambda: digest(world) == old)
    world.wait_all_run(old)
    state = world.state()
    assert state["confirm"] is None
    assert state["undo"] is None
    assert state["ir"]["source"] == "kept"
    assert state["last_reload"]["requested_by"] == "no confirmation"
    assert state["counters"] == {"reloads_done": 2, "reloads_returned": 1, "restarts": 0}
    assert world.events("check", "changed")[-1]["weights"] == [1]
    assert f"nobody confirmed {new[:19]} in time: back to {old[:19]}" in world.logged()
    # The file still has what nobody confirmed; a reload takes it again.
    assert reload(world)["ok"]
    assert digest(world) == new


def test_a_confirmed_reload_stays_and_can_still_be_undone(world: World) -> None:
    old = digest(world)
    new = world.write(config(weight=7))
    assert reload(world, 1)["ok"]
    answer = world.ask("confirm")
    assert (answer["ok"], answer["digest"]) == (True, new)
    time.sleep(1.2)
    state = world.state()
    assert state["ir"]["digest"] == new
    assert state["confirm"] is None
    assert state["undo"]["digest"] == old
    assert not world.ask("confirm")["ok"]
    answer = world.ask("undo")
    assert answer["ok"], answer
    assert answer["reload"]["operations"] == {"check.update": 1}
    world.wait_all_run(old)
    assert "there is no configuration to go back to" in world.ask("undo")["error"]
    assert world.state()["counters"]["reloads_undone"] == 1
    assert world.state()["counters"]["reloads_confirmed"] == 1


def test_undo_before_the_deadline_ends_the_wait(world: World) -> None:
    old = digest(world)
    world.write(config(weight=7))
    assert reload(world, 30)["ok"]
    assert world.ask("undo")["ok"]
    world.wait_all_run(old)
    assert world.state()["confirm"] is None
    assert kept(world).confirm is None


def test_nothing_to_confirm_and_nothing_to_undo(world: World) -> None:
    assert world.ask("confirm")["error"] == "no reload waits for a confirmation"
    assert "nothing was reloaded yet" in world.ask("undo")["error"]
    answer = reload(world, 5)
    assert answer["ok"]
    assert "running already: nothing waits" in answer["warning"]
    assert world.state()["confirm"] is None


def test_a_second_reload_ends_the_wait_as_in_bird(world: World) -> None:
    world.write(config(weight=2))
    assert reload(world, 30)["ok"]
    second = digest(world)
    third = world.write(config(weight=3))
    assert reload(world)["ok"]
    state = world.state()
    assert (state["ir"]["digest"], state["confirm"], state["undo"]["digest"]) == (third, None, second)
    assert "this one ends the wait" in world.logged()


def test_a_second_reload_with_a_time_waits_anew(world: World) -> None:
    world.write(config(weight=2))
    assert reload(world, 30)["ok"]
    second = digest(world)
    third = world.write(config(weight=3))
    assert reload(world, 60)["ok"]
    state = world.state()
    assert (state["ir"]["digest"], state["confirm"]["back_to"]) == (third, second)
    assert state["confirm"]["left_s"] > 30
    # The same again only moves the deadline: what comes back stays what it was.
    assert reload(world, 120)["ok"]
    state = world.state()
    assert state["confirm"]["left_s"] > 60
    assert state["confirm"]["back_to"] == second


def test_a_refused_reload_does_not_touch_the_wait(world: World) -> None:
    old = digest(world)
    world.write(config(weight=2))
    assert reload(world, 30)["ok"]
    world.write(config(weight=3))
    world.order("check", "refuse")
    assert not reload(world)["ok"]
    world.ir.write_text("{")
    assert not reload(world)["ok"]
    state = world.state()
    assert state["confirm"]["back_to"] == old
    assert len(list(world.run_dir.glob("ir-*.json"))) == 2


def test_a_failed_change_keeps_the_wait_that_was_there(world: World) -> None:
    old = digest(world)
    second = world.write(config(weight=2))
    assert reload(world, 30)["ok"]
    world.write(config(weight=3))
    world.order("check", "commit-die")
    assert not reload(world, 60)["ok"]
    world.wait_all_run(second)
    state = world.state()
    assert state["confirm"]["back_to"] == old
    assert state["confirm"]["left_s"] < 30


@pytest.mark.parametrize("how", ["the parent alone", "everything"])
def test_the_deadline_goes_on_over_a_kill(world: World, how: str) -> None:
    old = digest(world)
    new = world.write(config(weight=7))
    assert reload(world, 4)["ok"]
    deadline = world.state()["confirm"]["deadline"]
    if how == "everything":
        world.kill_all()
    else:
        os.kill(world.pid, signal.SIGKILL)
        world.wait_end()
    world.start()
    state = world.state()
    assert state["ir"]["digest"] == new
    assert state["confirm"]["deadline"] == deadline
    assert 0 < state["confirm"]["left_s"] < 4
    world.wait_all_run(new)
    wait_for("the return", lambda: digest(world) == old)
    assert time.time() >= deadline - 0.1
    world.wait_all_run(old)


def test_a_confirmation_after_a_kill(world: World) -> None:
    new = world.write(config(weight=7))
    assert reload(world, 2)["ok"]
    world.kill_all()
    world.start()
    assert world.ask("confirm")["ok"]
    time.sleep(2.2)
    assert digest(world) == new
    world.kill_all()
    world.start()
    assert digest(world) == new
    assert world.state()["undo"] is not None


def test_a_deadline_that_passed_meanwhile(world: World) -> None:
    old = digest(world)
    world.write(config(weight=7))
    assert reload(world, 1)["ok"]
    world.kill_all()
    time.sleep(1.1)
    world.start()
    world.wait_all_run(old)
    state = world.state()
    assert state["last_reload"]["requested_by"] == "no confirmation, at the start"
    assert state["counters"]["reloads_returned"] == 1
    assert {e["digest"] for e in world.events(event="start")[3:]} == {old}
    assert "nobody confirmed the reload of" in world.logged()


def test_after_another_boot_nobody_has_confirmed(world: World) -> None:
    old = digest(world)
    world.write(config(weight=7))
    assert reload(world, 3600)["ok"]
    world.kill_all()
    confirm = kept(world).confirm
    assert confirm is not None
    rewrite(world, confirm=msgspec.structs.replace(confirm, boot_id="another"))
    world.start()
    world.wait_all_run(old)


def test_a_wait_outlives_an_orderly_stop(world: World) -> None:
    old = digest(world)
    new = world.write(config(weight=7))
    assert reload(world, 2)["ok"]
    assert world.ask("stop")["ok"]
    assert world.wait_end() == 0
    world.start()
    assert digest(world) == new
    assert world.state()["confirm"]["back_to"] == old
    wait_for("the return", lambda: digest(world) == old)


def test_started_with_another_file_nothing_waits_any_more(world: World) -> None:
    world.write(config(weight=7))
    assert reload(world, 30)["ok"]
    world.kill_all()
    world.ir = world.folder / "other.json"
    other = world.write(config(weight=9))
    world.start()
    world.wait_all_run(other)
    assert world.state()["confirm"] is None
    assert "nothing waits any more" in world.logged()


def test_after_a_kill_what_ran_goes_on_whatever_the_file_says(world: World) -> None:
    ran = digest(world)
    for content in (None, b"{"):
        if content is None:
            world.write(config(weight=7))
        else:
            world.ir.write_bytes(content)
        world.kill_all()
        world.start()
        world.wait_all_run(ran)
        assert world.state()["ir"]["source"] == "kept"
    assert "holds another IR" in world.logged()
    assert "the file cannot be used" in world.logged()


def test_after_a_stop_the_file_counts_and_undo_knows_what_ran(world: World) -> None:
    old = digest(world)
    new = world.write(config(weight=7))
    assert world.ask("stop")["ok"]
    world.wait_end()
    world.start()
    assert digest(world) == new
    assert world.state()["ir"]["source"] == "file"
    assert world.ask("undo")["ok"]
    world.wait_all_run(old)


def test_a_damaged_store_is_no_obstacle(world: World) -> None:
    new = world.write(config(weight=7))
    world.kill_all()
    (world.run_dir / "krun.store").write_bytes(b"\0" * 100)
    world.start()
    world.wait_all_run(new)
    assert "it is set aside as krun.store.aside" in world.logged()
    assert world.logged().count("set aside") == 1


def test_a_kept_document_that_is_damaged_is_no_obstacle(world: World) -> None:
    new = world.write(config(weight=7))
    world.kill_all()
    for path in world.run_dir.glob("ir-*.json"):
        path.write_bytes(b"x" * path.stat().st_size)
    world.start()
    world.wait_all_run(new)
    assert "the kept IR is damaged" in world.logged()


def test_the_overlays_of_others_stay(world: World) -> None:
    overlay = Overlay(
        virtual_server="tcp 10.0.0.1:80",
        service="tcp 10.0.0.1:80",
        real_server="10.0.0.2:80",
        weight=0,
        deadline_us=boottime_us() + 3_600_000_000,
        boot_id=boot_id(),
        since=time.time(),
        until=time.time() + 3600,
        by="root",
    )
    overlays = encode((overlay,))
    world.kill_all()
    rewrite(world, overlays=overlays)
    world.start()
    world.write(config(weight=7))
    assert reload(world)["ok"]
    assert world.state()["store"]["overlays"] == 1
    assert kept(world).overlays == overlays


def test_a_return_that_fails_is_tried_again(world: World) -> None:
    old = digest(world)
    world.write(config(weight=7))
    assert reload(world, 1)["ok"]
    world.order("check", "commit-die")
    wait_for("the alarm", lambda: any("the way back does not work" in a for a in world.state()["alarms"]))
    wait_for("the return", lambda: digest(world) == old)
    world.wait_all_run(old)
    assert world.state()["alarms"] == []


def test_a_reload_under_way_at_the_deadline(world: World) -> None:
    """The deadline waits for its turn; a reload that was done meanwhile has ended the wait."""
    world.write(config(weight=7))
    assert reload(world, 1)["ok"]
    third = world.write(config(weight=8))
    world.order("check", "prepare-wait")
    time.sleep(0.7)
    assert reload(world)["ok"]
    time.sleep(0.7)
    assert digest(world) == third
    assert world.state()["confirm"] is None


def test_nonsense_is_refused_in_words(world: World) -> None:
    for wrong in (0, -5, 1.5, "5m", True, 10**18, 999):
        answer = world.ask("reload", confirm_within_us=wrong)
        assert answer["error"] == "the time to confirm must be from 1 s to 30 days", wrong
    for limit in ("", "x", "-1", "5%%"):
        assert "is no limit" in world.ask("reload", max_delete=limit)["error"]
    assert "more than everything" in world.ask("reload", max_delete="101%")["error"]
    assert "internal error" not in world.logged()


@pytest.fixture
def small(make_world: Callable[..., World]) -> Iterator[World]:
    """A world whose run directory is a tmpfs of 256 kB."""
    world = make_world()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(world.run_dir)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here")
    yield world.start()
    world.close()
    # Children whose parent was killed need a moment to be gone.
    wait_for(
        "the end of the tmpfs",
        lambda: subprocess.run(["umount", str(world.run_dir)], check=False).returncode == 0,
    )


def fill(folder: Path) -> None:
    with (folder / "filler").open("ab") as file:
        try:
            while True:
                os.write(file.fileno(), b"x" * 256)
        except OSError:
            return


def test_a_full_tmpfs(small: World) -> None:
    world = small
    old = digest(world)
    fill(world.run_dir)
    new = world.write(config(weight=7))
    answer = reload(world, 30)
    assert not answer["ok"]
    assert "the way back cannot be kept, so nothing was changed" in answer["error"]
    assert "No space left on device" in answer["error"]
    assert digest(world) == old
    # Without room for the files that hand the new IR to the processes a plain reload cannot be done either: refused, in words.
    answer = reload(world)
    assert not answer["ok"]
    assert "No space left on device" in answer["error"]
    assert world.wait_running()
    (world.run_dir / "filler").unlink()
    answer = reload(world, 30)
    assert answer["ok"], answer
    assert digest(world) == new
    assert world.state()["store"]["problem"] is None
    assert world.state()["store"]["failures"] > 0


def test_a_store_that_cannot_be_written_is_an_alarm_and_no_death(world: World) -> None:
    store = world.run_dir / "krun.store"
    store.unlink()
    store.mkdir()
    (store / "in the way").touch()
    new = world.write(config(weight=7))
    assert reload(world)["ok"]
    assert digest(world) == new
    state = world.state()
    assert "cannot be stored" in state["store"]["problem"]
    assert "forgets the way back" in state["alarms"][0]
    world.write(config(weight=8))
    answer = reload(world, 30)
    assert not answer["ok"]
    assert "the way back cannot be kept" in answer["error"]
    world.wait_all_run(new)
    (store / "in the way").unlink()
    store.rmdir()
    assert reload(world, 30)["ok"]
    assert world.state()["alarms"] == []


def test_a_limit_on_deletions(world: World) -> None:
    old = digest(world)
    world.write(config(check=False))
    answer = reload(world, max_delete="0")
    assert not answer["ok"]
    assert answer["error"] == (
        "it deletes 1 of 1 service (100 %), 1 of 1 real server (100 %), and the limit is 0: "
        "tcp 10.0.0.1:80; tcp 10.0.0.1:80 -> 10.0.0.2:80"
    )
    assert answer["reload"]["limit"]["services"] == {"there": 1, "deleted": ["tcp 10.0.0.1:80"]}
    assert answer["reload"]["result"] == "refused"
    assert digest(world) == old
    assert not world.events(event="prepare")
    assert "the limit is 50 %" in world.ask("plan", max_delete="50%")["error"]
    assert reload(world, max_delete="2")["ok"]


def test_a_way_back_that_is_lost_is_said_and_nothing_waits(world: World) -> None:
    new = world.write(config(weight=7))
    assert reload(world, 1)["ok"]
    previous = kept(world).previous
    assert previous is not None
    world.kill_all()
    Store(world.run_dir).place(previous).unlink()
    time.sleep(1.1)
    world.start()
    world.wait_all_run(new)
    assert world.state()["confirm"] is None
    assert "the IR before it is lost" in world.logged()
