"""``krunctl events``: all processes, in order, also over the death of one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from krun_world import Running, command, director, krunctl, write
from parent_world import World, config, wait_for


def test_events_of_the_parent(world: World) -> None:
    world.write(config(weight=7))
    assert world.ask("reload", confirm_within_us=60_000_000)["ok"]
    assert world.ask("confirm")["ok"]
    world.write(config(weight=8))
    world.order("check", "refuse")
    assert not world.ask("reload")["ok"]
    os.kill(world.process("vrrp")["pid"], signal.SIGKILL)
    wait_for("the end to be seen", lambda: world.process("vrrp")["restarts"])
    events = world.ask("events")["events"]
    kinds = [e["kind"] for e in events if e["process"] == "krun"]
    for kind in ("krun.ready", "reload.done", "reload.confirmed", "reload.refused", "process.ended"):
        assert kind in kinds
    assert next(e for e in events if e["kind"] == "process.ended")["subject"] == "vrrp"
    last = max(e["number"] for e in events if e["process"] == "krun")
    assert [
        e for e in world.ask("events", since={f"krun.{world.pid}": last})["events"] if e["process"] == "krun"
    ] == []


def test_a_child_that_hangs_does_not_keep_the_others_events(world: World) -> None:
    world.order("check", "spin")
    world.wait_event("check", "spin")
    assert any(e["kind"] == "krun.ready" for e in world.ask("events")["events"])


def test_following_as_users_do(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, director(folder)))
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    shown = krunctl(running.run_dir, "events")
    assert shown.returncode == 0
    assert "(VI_1) Entering MASTER STATE" in shown.stdout
    assert "krun-vrrp" in shown.stdout
    output = folder / "followed"
    with output.open("w") as file:
        follower = subprocess.Popen(
            command(
                "krun.control.cli", "--run-dir", running.run_dir, "events", "--follow", "--format", "json"
            ),
            stdout=file,
            stderr=subprocess.DEVNULL,
        )
    try:
        wait_for("what was", lambda: "krun.ready" in output.read_text())
        write(folder, director(folder, weight=9))
        assert krunctl(running.run_dir, "reload").returncode == 0
        wait_for("what comes", lambda: "reload.done" in output.read_text())
        follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 0
    finally:
        follower.kill()
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["at"] for line in lines[:3]] == sorted(line["at"] for line in lines[:3])
    assert lines[-1]["kind"] in ("reload.done", "check", "vrrp", "parent")
    assert krunctl(folder / "nowhere", "events", "--follow").returncode == 2
