"""``krunctl set``, ``unset``, ``overlays`` and ``--drain`` as their users call them, on the kernel in memory; and through kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from krun_world import Running, krun, krunctl, write
from parent_world import config, wait_for

from kir.model import Config, RealServer
from krun.control.client import ask

VS = "tcp 10.0.0.1:80"


def pool(*weights: int) -> Config:
    """A pool of servers 10.0.0.2, 10.0.0.3 … without checks."""
    base = config(vrrp=False).virtual_servers[0]
    servers = tuple(
        RealServer(address=f"10.0.0.{n}", port=80, family="inet", weight=weight)
        for n, weight in enumerate(weights, 2)
    )
    return Config(virtual_servers=(msgspec.structs.replace(base, real_servers=servers),))


def weights(running: Running) -> dict[str, int]:
    [virtual] = running.state()["virtual_servers"]
    return {s["identity"]: s["effective_weight"] for s in virtual["real_servers"]}


def by_hand(
    running: Running, server: str, weight: int, span: str, *more: str
) -> subprocess.CompletedProcess[str]:
    return krunctl(running.run_dir, "set", VS, server, "--weight", str(weight), "--for", span, *more)


def kill(running: Running) -> None:
    """kill -9 of everything."""
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()


def test_a_hand_on_a_server(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, pool(5, 5)))
    done = by_hand(running, "10.0.0.2:80", 0, "30m", "--reason", "kernel update")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{VS} -> 10.0.0.2:80: weight 0 until 2")
    assert f"{VS} -> 10.0.0.2:80 weight 5 -> 0" in done.stdout
    assert "ipvs.edit_dest 1" in done.stdout
    assert weights(running) == {"10.0.0.2:80": 0, "10.0.0.3:80": 5}

    [overlay] = running.state()["overlays"]
    assert (overlay["weight"], overlay["reason"], overlay["in_effect"]) == (0, "kernel update", True)
    assert f"(uid {os.geteuid()}), pid " in overlay["by"]
    assert 1700 < overlay["left_s"] <= 1800
    assert "overlay on tcp 10.0.0.1:80 -> 10.0.0.2:80: weight 0 until" in running.log.read_text()

    listed = krunctl(running.run_dir, "overlays").stdout
    assert "weight 0 for 29m 5" in listed
    assert "kernel update" in listed
    text = krunctl(running.run_dir, "status").stdout
    assert "OVERLAYS" in text
    assert "0 (5) by hand" in text
    write(folder, pool(7, 7))
    plan = krunctl(running.run_dir, "plan").stdout
    assert "overlay: tcp 10.0.0.1:80 -> 10.0.0.2:80 weight 0 for" in plan
    assert "1 operation: ipvs.edit_dest 1" in plan  # the overlay covers the other
    reloaded = krunctl(running.run_dir, "reload", "--json")
    assert json.loads(reloaded.stdout)["operations"] == {"ipvs.edit_dest": 1}
    assert weights(running) == {"10.0.0.2:80": 0, "10.0.0.3:80": 7}

    again = by_hand(running, "10.0.0.2", 3, "1h", "--json")
    assert json.loads(again.stdout)["replaced"] is True
    assert weights(running)["10.0.0.2:80"] == 3
    gone = krunctl(running.run_dir, "unset", VS)
    assert gone.returncode == 0
    assert weights(running) == {"10.0.0.2:80": 7, "10.0.0.3:80": 7}
    assert krunctl(running.run_dir, "overlays").stdout == "no overlay\n"


def test_wrong_words(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, pool(5, 5)))
    for arguments, status, words in [
        (("set", "tcp 10.0.0.1:81", "10.0.0.2:80", "--weight", "0", "--for", "1m"), 1, f"near it: `{VS}`"),
        (("set", VS, "10.0.0.9:80", "--weight", "0", "--for", "1m"), 1, "`10.0.0.2:80`"),
        (("set", VS, "10.0.0.2:80", "--weight", "-1", "--for", "1m"), 2, "weight"),
        (("set", VS, "10.0.0.2:80", "--weight", "65536", "--for", "1m"), 2, "0 to 65535"),
        (("set", VS, "10.0.0.2:80", "--weight", "0", "--for", "soon"), 2, "is no time"),
        (("set", VS, "10.0.0.2:80", "--weight", "0", "--for", "31d"), 2, "at most 30 days"),
        (("set", VS, "10.0.0.2:80", "--weight", "0"), 2, "--for"),
        (
            ("set", VS, "10.0.0.2:80", "--weight", "0", "--for", "1m", "--reason", "x" * 300),
            1,
            "200 characters",
        ),
        (("unset", VS, "10.0.0.2:80"), 1, "there is no overlay on"),
        (("unset", "tcp 10.9.9.9:80"), 1, "there is no virtual server"),
        (("reload", "--drain", "soon"), 2, "is no time"),
    ]:
        done = krunctl(running.run_dir, *arguments)
        assert done.returncode == status, (arguments, done)
        assert words in done.stderr, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
    assert running.state()["overlays"] == []
    assert weights(running) == {"10.0.0.2:80": 5, "10.0.0.3:80": 5}
    assert (
        krunctl(folder / "nowhere", "set", VS, "10.0.0.2:80", "--weight", "0", "--for", "1m").returncode == 2
    )


def test_it_survives_every_death_and_ends_in_time(folder: Path, start: Callable[..., Running]) -> None:
    ir = write(folder, pool(5, 5))
    running = start(folder, ir)
    assert by_hand(running, "10.0.0.2:80", 0, "1h").returncode == 0
    assert by_hand(running, "10.0.0.3:80", 9, "12s").returncode == 0
    os.kill(next(p["pid"] for p in running.state()["processes"] if p["name"] == "check"), signal.SIGKILL)

    def back() -> bool:
        process = next(p for p in running.state()["processes"] if p["name"] == "check")
        return process["restarts"] == 1 and process["answered"]

    wait_for("the checker's successor", back)
    assert weights(running) == {"10.0.0.2:80": 0, "10.0.0.3:80": 9}
    kill(running)
    running = start(folder, ir)
    assert weights(running)["10.0.0.2:80"] == 0
    wait_for("the second one's end", lambda: weights(running) == {"10.0.0.2:80": 0, "10.0.0.3:80": 5}, 30)
    assert [o["real_server"] for o in running.state()["overlays"]] == ["10.0.0.2:80"]
    assert "(weight 9, by" in running.log.read_text()


def test_a_removed_server_lets_its_overlay_rest(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, pool(5, 5)))
    assert by_hand(running, "10.0.0.3:80", 0, "1h").returncode == 0
    write(folder, pool(5))
    assert krunctl(running.run_dir, "reload").returncode == 0
    assert running.state()["overlays"][0]["in_effect"] is False
    assert "the overlay rests" in running.log.read_text()
    assert "rests: that server is not configured" in krunctl(running.run_dir, "overlays").stdout
    assert krunctl(running.run_dir, "undo").returncode == 0
    assert weights(running) == {"10.0.0.2:80": 5, "10.0.0.3:80": 0}
    write(folder, pool(5))
    assert krunctl(running.run_dir, "reload").returncode == 0
    assert krunctl(running.run_dir, "unset", VS, "10.0.0.3:80").returncode == 0
    assert running.state()["overlays"] == []


def test_what_cannot_be_kept_is_refused(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, pool(5, 5)))
    # As on a full tmpfs: a folder stands where the store is renamed to, so no write of it succeeds.
    store = running.run_dir / "krun.store"
    store.unlink()
    (store / "in the way").mkdir(parents=True)
    done = by_hand(running, "10.0.0.2:80", 0, "1h")
    assert done.returncode == 1
    assert "cannot be kept, so nothing was changed" in done.stderr
    assert weights(running)["10.0.0.2:80"] == 5


@pytest.mark.parametrize("how", ["reload", "krun"])
def test_a_drain(folder: Path, start: Callable[..., Running], how: str) -> None:
    ir = write(folder, pool(5, 5))
    running = start(folder, ir, *(("--drain", "1h") if how == "krun" else ()))
    write(folder, pool(5))
    more = ("--drain", "1h") if how == "reload" else ()
    planned = json.loads(krunctl(running.run_dir, "plan", "--json", *more).stdout)
    assert [(o["op"], o["phase"]) for o in planned["operations"]] == [
        ("ipvs.edit_dest", "now"),
        ("ipvs.del_dest", "after_drain"),
    ]
    assert planned["drain_us"] == 3600 * 1_000_000
    done = json.loads(krunctl(running.run_dir, "reload", "--json", *more).stdout)
    assert done["operations"] == {"ipvs.edit_dest": 1}

    def drains() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = running.state()["drains"]
        return found

    [drain] = drains()
    assert (drain["service"], drain["real_server"]) == (VS, "10.0.0.3:80")
    assert "DRAINING" in krunctl(running.run_dir, "status").stdout
    assert "draining: tcp 10.0.0.1:80 -> 10.0.0.3:80" in krunctl(running.run_dir, "plan").stdout
    os.kill(next(p["pid"] for p in running.state()["processes"] if p["name"] == "check"), signal.SIGKILL)
    wait_for("the checker's successor", lambda: running.state()["virtual_servers"])
    write(folder, pool(5, 5))
    assert krunctl(running.run_dir, "reload", "--drain", "0").returncode == 0
    assert drains() == []
    write(folder, pool(5))
    cut = json.loads(krunctl(running.run_dir, "reload", "--json", "--drain", "0").stdout)
    assert cut["operations"] == {"ipvs.del_dest": 1}


def test_nobody_can_say_that_he_is_somebody_else(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, pool(5)))
    request = {"op": "set", "service": VS, "server": "10.0.0.2:80", "weight": 0, "for_us": 60_000_000}
    forged = {**request, "peer": {"uid": 4711, "pid": 1}}
    answer = ask(running.run_dir / "krun.sock", forged, 10.0)
    assert answer["ok"], answer
    assert f"(uid {os.geteuid()}), pid {os.getpid()}" in answer["overlay"]["by"]
    for wrong in ({"weight": "0"}, {"for_us": None}, {"service": None}, {"server": {}}, {"weight": 10**30}):
        answer = ask(running.run_dir / "krun.sock", {**request, **wrong}, 10.0)
        assert not answer["ok"]
        assert "internal error" not in answer["error"]


def test_krun_takes_no_wrong_times(folder: Path) -> None:
    ir = write(folder, pool(5))
    for option in ("--drain", "--audit"):
        done = krun(ir, "--run-dir", folder / "run", option, "soon")
        assert done.returncode == 2
        assert "is no time" in done.stderr
