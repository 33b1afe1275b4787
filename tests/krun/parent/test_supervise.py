"""The supervisor with real processes: births, deaths, hangs, stops."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from parent_world import QUICK, World, config, gone, wait_for

from krun.control import cli
from krun.parent.privileges import KEEPS

Make = Callable[..., World]


def pids(world: World) -> dict[str, int]:
    return {p["name"]: p["pid"] for p in world.state()["processes"]}


def test_starts_what_the_configuration_needs_and_reports_it(world: World) -> None:
    state = world.state()
    assert [p["name"] for p in state["processes"]] == ["script", "vrrp", "check"]
    assert all(p["answered"] and p["restarts"] == 0 and p["problem"] is None for p in state["processes"])
    assert state["version"] == 1
    assert state["parent"]["pid"] == world.pid
    assert state["parent"]["state"] == "running"
    assert state["vrrp"][0]["name"] == "vrrp"
    assert state["virtual_servers"][0]["name"] == "check"
    assert state["extra"]["script"]["jobs"][0]["pid"] == pids(world)["script"]
    assert state["ir"]["digest"].startswith("sha256:")
    assert state["last_reload"] is None


def test_each_child_gets_only_its_part_and_only_its_descriptors(world: World) -> None:
    vrrp, check, script = (world.events(name, "start")[0] for name in ("vrrp", "check", "script"))
    assert (vrrp["instances"], vrrp["weights"]) == (1, [])
    assert (check["instances"], check["weights"]) == (0, [1])
    assert (script["instances"], script["weights"]) == (0, [])
    for born in (vrrp, check, script):
        # stdio, listener, channel, promises and their map, and what a new loop is made of: epoll, the pair that wakes it; one
        # for this listing.
        assert len(born["descriptors"]) <= 11, born


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to drop")
def test_children_keep_only_the_capabilities_that_they_need(world: World) -> None:
    for name, keeps in KEEPS.items():
        assert set(world.events(name, "start")[0]["capabilities"]) == keeps


def test_only_needed_children_run(make_world: Make) -> None:
    world = make_world(config(check=False)).start()
    assert set(pids(world)) == {"script", "vrrp"}
    empty = make_world(config(vrrp=False, check=False)).start()
    assert empty.state()["processes"] == []


def test_a_killed_child_is_back_with_what_it_had_promised(world: World) -> None:
    before = pids(world)
    time.sleep(QUICK.young)
    world.order("vrrp", "promise VI_1 MASTER")
    world.wait_event("vrrp", "promise")
    time.sleep(0.15)
    killed_at = time.monotonic_ns() // 1000
    os.kill(before["vrrp"], signal.SIGKILL)
    second = world.wait_event("vrrp", "start", 2)
    assert second["promises"] == {"VI_1": "MASTER"}
    assert second["restarts"] == 1
    assert 0 <= killed_at - second["promised_at_us"] < 5_000_000
    world.wait_running()
    after = pids(world)
    assert after["vrrp"] != before["vrrp"]
    assert after["check"] == before["check"]
    assert "killed by SIGKILL" in world.logged()
    assert "started again" in world.logged()
    assert world.process("vrrp")["reasons"] == {"killed": 1}


def test_an_exception_in_the_loop_ends_the_child_with_one_line(world: World) -> None:
    time.sleep(QUICK.young)
    world.order("check", "raise")
    world.wait_event("check", "start", 2)
    log = world.wait_logged("internal error")
    assert "RuntimeError: a mistake in a callback" in log
    assert "ended with exit status 1" in world.wait_logged("ended with exit status 1")
    assert world.process("check")["reasons"] == {"exited": 1}


def test_deaths_in_infancy_are_backed_off_and_never_given_up(world: World) -> None:
    world.order("vrrp", "always start-die")
    os.kill(pids(world)["vrrp"], signal.SIGKILL)
    world.wait_event("vrrp", "start", 5)
    births = [line for line in world.logged().splitlines() if "next start in" in line]
    assert "next start in 0.05 s" in births[0]
    assert "next start in 0.1 s" in births[1]
    # The others are not touched, and status says what is wrong.
    process = wait_for("a waiting vrrp", lambda: (p := world.process("vrrp"))["state"] == "waiting" and p)
    assert not process["answered"]
    assert "exit status 9" in process["problem"]
    (world.run_dir / "vrrp.do").unlink()
    world.wait_running()
    assert world.process("vrrp")["problem"] is None


def test_a_kernel_without_what_is_needed_is_said_in_words_and_retried(world: World) -> None:
    world.order("check", "start-fail")
    os.kill(pids(world)["check"], signal.SIGKILL)
    world.wait_event("check", "start", 3)
    assert "cannot start: this kernel has no such thing; load the module" in world.logged()
    assert "Traceback" not in world.logged()


def test_a_child_whose_loop_does_not_turn_is_replaced(world: World) -> None:
    for count, (child, how) in enumerate((("vrrp", "spin"), ("check", "sleep")), 1):
        world.order(child, how)
        world.wait_event(child, "start", 2)
        world.wait_running()
        assert world.logged().count("its event loop does not turn") == count
        assert world.process(child)["reasons"] == {"stuck": 1}
    assert "killed by SIGKILL" in world.logged()


def test_a_stopped_child_is_continued_then_replaced(world: World) -> None:
    first = pids(world)["vrrp"]
    os.kill(first, signal.SIGSTOP)
    world.wait_logged("was stopped by a signal: continued")
    wait_for("an answer of the continued child", lambda: world.process("vrrp")["answered"])
    assert pids(world)["vrrp"] == first
    os.kill(first, signal.SIGSTOP)
    world.wait_event("vrrp", "start", 2)
    world.wait_running()
    assert pids(world)["vrrp"] != first
    assert world.process("vrrp")["reasons"] == {"stopped": 1}


def test_a_stuck_child_does_not_block_the_status(make_world: Make) -> None:
    from dataclasses import replace

    world = make_world(periods=replace(QUICK, hello=5.0, grace_least=5.0)).start()
    world.order("check", "status-hang")
    began = time.monotonic()
    state = world.state()
    assert time.monotonic() - began < 4
    by_name = {p["name"]: p for p in state["processes"]}
    assert by_name["vrrp"]["answered"]
    assert not by_name["check"]["answered"]
    assert "no answer within" in by_name["check"]["problem"]
    assert state["virtual_servers"] == []
    assert state["vrrp"]


def test_orderly_stop_in_order(world: World) -> None:
    os.kill(world.pid, signal.SIGTERM)
    assert world.wait_end() == 0
    ends = [(e["child"], e["event"]) for e in world.events() if e["event"] in ("stop", "stopped", "abandon")]
    assert ends == [(child, event) for child in ("vrrp", "check", "script") for event in ("stop", "stopped")]
    assert all(gone(pid) for pid in {e["pid"] for e in world.events()})
    left = {p.name for p in world.run_dir.iterdir()}
    # The store stays: what a next krun can undo, and a confirmation that somebody still owes.
    assert left - {p.name for p in world.run_dir.glob("ir-*.json")} == {"events", "krun.store"}


def test_sigterm_to_the_whole_group_is_an_ordinary_stop(make_world: Make) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        world = make_world().start()
        os.killpg(world.pid, number)
        assert world.wait_end() == 0
        assert [e["child"] for e in world.events(event="stopped")] == ["vrrp", "check", "script"]
        assert len(world.events(event="start")) == 3
        assert "started again" not in world.logged()


def test_a_group_signal_while_the_children_are_being_born(make_world: Make) -> None:
    for delay in (0.0, 0.005, 0.01, 0.02, 0.04):
        world = make_world().start(wait=False)
        wait_for("the socket", lambda w=world: (w.run_dir / "krun.sock").exists())
        time.sleep(delay)
        os.killpg(world.pid, signal.SIGTERM)
        assert world.wait_end() == 0, world.logged()
        assert "started again" not in world.logged()
        assert all(gone(pid) for pid in {e["pid"] for e in world.events()})


def test_sigterm_to_a_child_alone_does_nothing(world: World) -> None:
    before = pids(world)
    os.kill(before["vrrp"], signal.SIGTERM)
    os.kill(before["vrrp"], signal.SIGHUP)
    world.wait_logged("SIGTERM does nothing here")
    assert pids(world) == before


def test_a_child_that_does_not_stop_is_killed_in_time(world: World) -> None:
    world.order("vrrp", "stop-hang")
    began = time.monotonic()
    assert world.ask("stop")["ok"]
    assert world.wait_end() == 0
    assert time.monotonic() - began < QUICK.stop + 2
    assert [e["child"] for e in world.events(event="stopped")] == ["check", "script"]


def test_a_stop_while_a_child_waits_for_its_next_start(world: World) -> None:
    world.order("vrrp", "always start-die")
    os.kill(pids(world)["vrrp"], signal.SIGKILL)
    world.wait_event("vrrp", "start", 4)
    os.kill(world.pid, signal.SIGTERM)
    assert world.wait_end() == 0


def test_children_of_a_killed_parent_leave_without_a_word(world: World) -> None:
    os.kill(world.pid, signal.SIGKILL)
    assert world.wait_end() == -signal.SIGKILL
    for child in ("vrrp", "check", "script"):
        event = world.wait_event(child, "abandon")
        wait_for(f"the end of {child}", lambda pid=event["pid"]: gone(pid))
    assert not world.events(event="stop")


def test_a_spinning_child_of_a_killed_parent_ends_too(make_world: Make) -> None:
    from dataclasses import replace

    world = make_world(periods=replace(QUICK, hello=60.0, grace_least=60.0)).start()
    world.order("vrrp", "spin")
    pid = world.wait_event("vrrp", "spin")["pid"]
    os.kill(world.pid, signal.SIGKILL)
    world.wait_end()
    wait_for("the end of the spinning child", lambda: gone(pid))


def test_a_restarted_krun_takes_over_the_run_dir_of_a_killed_one(world: World) -> None:
    os.kill(world.pid, signal.SIGKILL)
    world.wait_end()
    world.status = None
    world.start()
    assert all(p["restarts"] == 0 for p in world.state()["processes"])


def test_usr1_writes_the_state(world: World) -> None:
    import json

    os.kill(world.pid, signal.SIGUSR1)
    world.wait_logged("the state is in")
    path = world.run_dir / "krun-state.json"
    assert json.loads(path.read_bytes())["parent"]["pid"] == world.pid
    assert path.stat().st_mode & 0o777 == 0o600


def test_sockets_and_run_dir_are_private(world: World) -> None:
    assert world.run_dir.stat().st_mode & 0o777 == 0o700
    for name in ("krun.sock", "vrrp.sock", "check.sock", "script.sock", "krun.pid"):
        assert (world.run_dir / name).stat().st_mode & 0o777 == 0o600
    assert (world.run_dir / "krun.pid").read_text().strip() == str(world.pid)


def test_an_unknown_request_is_answered(world: World) -> None:
    answer = world.ask("dance")
    assert not answer["ok"]
    assert "dance" in answer["error"]


def test_what_a_process_was_told_before_it_broke_is_in_a_file(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pids(world)["vrrp"]
    world.order("vrrp", "raise")
    file = world.run_dir / "vrrp.crash.krec"
    wait_for("the file", file.exists)
    wait_for("a successor", lambda: pids(world)["vrrp"] not in (0, before))
    assert "what it was told last will be in" in world.logged()
    assert file.stat().st_mode & 0o777 == 0o600
    assert cli.main(["replay", str(file)]) == 0
    said = capsys.readouterr().out
    assert "ended by an internal error: RuntimeError: a mistake in a callback" in said
    assert "Entering MASTER STATE" in said
    assert "all decided as they were" in said
    # a process that remembers nothing leaves nothing
    world.order("check", "raise")
    world.wait_logged("check process")
    assert not (world.run_dir / "check.crash.krec").exists()
