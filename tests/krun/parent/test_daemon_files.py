"""The files of a krun beside its sockets: pids, dumps on a signal, and those that surround a reload."""

from __future__ import annotations

import ctypes
import datetime as dt
import json
import os
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from krun_world import Running, director, krun, krunctl, write
from parent_world import wait_for

from kir.model import Config, Files, Global, Namespaces, Reload
from krun.control.statistics import text
from krun.parent.dumps import place
from krun.parent.reload_time import parse
from krun.place import run_dir_of


class Created:
    """The names of files that come into being in a folder (inotify(7))."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None)
        self._handle = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self._handle, os.fsencode(folder), 0x100) > 0

    def names(self) -> list[str]:
        data = os.read(self._handle, 1 << 20)
        os.close(self._handle)
        found, at = [], 0
        while at < len(data):
            length = int.from_bytes(data[at + 12 : at + 16], "little")
            found.append(os.fsdecode(data[at + 16 : at + 16 + length].rstrip(b"\0")))
            at += 16 + length
        return found


def settings(folder: Path, weight: int = 1, **changes: Any) -> Config:
    return msgspec.structs.replace(director(folder, weight=weight), global_defs=Global(**changes))


def pids(running: Running) -> dict[str, int]:
    return {process["name"]: process["pid"] for process in running.state()["processes"]}


def written(running: Running) -> dict[str, int]:
    return {path.stem: int(path.read_text()) for path in running.run_dir.glob("*.pid") if path.stem != "krun"}


def test_pid_files(folder: Path, start: Callable[..., Running]) -> None:
    mine = folder / "mine.pid"
    mine.write_text("4000000\n")  # of a krun that was killed
    (folder / "run").mkdir(mode=0o700)
    (folder / "run" / "bfd.pid").write_text("4000000\n")
    ir = write(folder, director(folder))
    running = start(folder, ir, "--pid", str(mine))
    assert int(mine.read_text()) == int((running.run_dir / "krun.pid").read_text()) == running.process.pid
    before = pids(running)
    assert written(running) == before, "and nothing of a krun before"
    second = krun(ir, "--kernel", "memory", "--run-dir", folder / "other", "--pid", mine)
    assert second.returncode == 1
    assert f"{mine}: a krun that runs has it (pid {running.process.pid})" in second.stderr

    os.kill(before["check"], signal.SIGKILL)
    wait_for("its successor", lambda: written(running).get("check") not in (None, before["check"]))
    assert written(running) == pids(running)
    write(folder, msgspec.structs.replace(director(folder), virtual_servers=()))
    assert krunctl(running.run_dir, "reload").returncode == 0
    wait_for("the end of the checker", lambda: "check" not in written(running))
    assert krunctl(running.run_dir, "stop").returncode == 0
    assert running.process.wait(20) == 0
    assert not mine.exists()
    assert not list(running.run_dir.glob("*.pid"))


def test_signals_write_where_the_configuration_says(folder: Path, start: Callable[..., Running]) -> None:
    files = Files(
        state_dump=f"{folder}/out/", stats_dump=str(folder / "keepalived.stats"), dumps_name_instance=True
    )
    (folder / "out").mkdir()
    running = start(folder, write(folder, settings(folder, files=files, instance="one", umask=0o022)))
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    before = pids(running)
    # To the whole group, as a shell would: the parent takes it, and no child minds.
    os.killpg(running.process.pid, signal.SIGUSR1)
    wait_for("the state", lambda: running.logged("SIGUSR1: the state is in"))
    os.killpg(running.process.pid, signal.SIGUSR2)
    wait_for("the statistics", lambda: running.logged("SIGUSR2: the statistics are in"))
    os.killpg(running.process.pid, signal.SIGRTMIN + 2)
    wait_for("the JSON", lambda: running.logged("SIGRTMIN+2: the state is in"))
    for path in (folder / "out" / "krun-state.json.one", running.run_dir / "krun.json.one"):
        assert json.loads(path.read_text())["vrrp"][0]["state"] == "MASTER"
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
    said = (folder / "keepalived.stats.one").read_text()
    assert said.startswith("VRRP Instance: VI_1\n  Advertisements:\n    Received: 0\n    Sent: ")
    assert "  Became master: 1\n" in said
    assert pids(running) == before

    # Another place by a reload; one that cannot be written is said.
    write(folder, settings(folder, files=Files(state_dump="/nowhere/at/all"), instance="one"))
    assert krunctl(running.run_dir, "reload").returncode == 0
    os.kill(running.process.pid, signal.SIGUSR1)
    wait_for("the complaint", lambda: running.logged("SIGUSR1: the state cannot be written: /nowhere/at/all"))

    # What a krun keeps for its life is refused, by its keyword, and named by the plan.
    write(folder, settings(folder, instance="two"))
    refused = krunctl(running.run_dir, "reload")
    assert refused.returncode == 1
    assert "`instance` cannot change while krun runs: stop it and start it" in refused.stderr
    assert running.state()["last_reload"]["result"] == "refused"


@pytest.mark.keepalived
def test_the_statistics_are_those_of_keepalived(tmp_path: Path) -> None:
    """Label by label: what reads the one reads the other."""
    conf = tmp_path / "k.conf"
    conf.write_text(
        "vrrp_instance V {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {\n  10.9.9.9\n }\n}\n"
    )
    inside = (
        "ip link add eth0 type veth peer name eth1; ip link set eth1 up; ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up; "
        f"exec keepalived -n -l -P -f {conf} -p {tmp_path}/p -r {tmp_path}/r -c {tmp_path}/c -b {tmp_path}/b"
    )
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", inside],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for("keepalived", lambda: (tmp_path / "r").exists())
            os.kill(process.pid, signal.SIGUSR2)
            theirs = wait_for(
                "its statistics",
                lambda: (
                    (f := tmp_path / "keepalived.stats").exists()
                    and "Sent" in f.read_text()
                    and f.read_text()
                ),
            )
        finally:
            process.terminate()
    zero = theirs.replace("Sent: 1", "Sent: 0")
    assert text([{"name": "V"}]) == zero


def test_what_surrounds_a_reload(folder: Path, start: Callable[..., Running]) -> None:
    marker, log, copies, when = (folder / name for name in ("busy", "check.log", "copies", "when"))
    copies.mkdir()
    around = Reload(
        check=True, check_log=str(log), marker=True, marker_file=str(marker), time_file=str(when), repeat=True
    )
    common: dict[str, Any] = {"reload": around, "files": Files(config_save_dir=str(copies)), "umask": 0o022}
    marker.touch()  # of a krun that was killed in a reload
    running = start(folder, write(folder, settings(folder, **common)))
    wait_for("the marker to go", lambda: not marker.exists())
    [first] = copies.iterdir()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600

    created = Created(folder)
    (folder / "ir.json").write_text("{")
    assert krunctl(running.run_dir, "reload").returncode == 1
    assert "damaged" in log.read_text()
    assert not marker.exists()
    write(folder, settings(folder, weight=3, **common))
    assert krunctl(running.run_dir, "reload").returncode == 0
    assert log.read_text() == ""
    assert stat.S_IMODE(log.stat().st_mode) == 0o644
    assert len(list(copies.iterdir())) == 2
    assert not marker.exists()
    assert created.names().count(marker.name) == 2, "it was there during each of the two"

    # At a time of day: the file comes while krun runs, and stays, for it is to count every day.
    write(folder, settings(folder, weight=4, **common))
    soon = dt.datetime.now().astimezone() + dt.timedelta(seconds=2)
    when.write_text(soon.strftime("%H:%M:%S"))
    wait_for("the announcement", lambda: running.logged("the next reload is at"))
    wait_for("the reload", lambda: running.logged("reload_time_file: reload of"))
    assert dt.datetime.now().astimezone() >= soon.replace(microsecond=0)
    wait_for("its end", lambda: len(list(copies.iterdir())) == 3)
    assert when.exists()
    # With a date it counts once; nonsense is said.
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    when.write_text(soon.strftime("%Y-%m-%d %H:%M:%SZ"))
    wait_for("the file to go", lambda: not when.exists())
    when.write_text("tomorrow")
    wait_for("the complaint", lambda: running.logged("'tomorrow': neither HH:MM:SS nor"))
    assert running.state()["counters"]["reloads_done"] == 3
    assert "Traceback" not in running.log.read_text()


def test_times_of_a_reload() -> None:
    now = dt.datetime(2026, 11, 30, 12, 0, 0, tzinfo=dt.UTC)

    def at(words: str) -> tuple[str, bool] | None:
        found = parse(words, now)
        return (
            None if found is None else (found[0].astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S"), found[1])
        )

    assert at("13:00:00Z") == ("2026-11-30 13:00:00", False)
    assert at("11:59:59Z\n") == ("2026-12-01 11:59:59", False), "a time of day that has passed is tomorrow's"
    assert at("26-12-24 18:00:00Z") == at("2026-12-24 18:00:00 Z") == ("2026-12-24 18:00:00", True)
    assert at("2026-11-30 11:00:00Z") is None, "a date that has passed"
    for wrong in ("", "25:00:00Z", "12:00", "2026-13-01 00:00:00Z", "12:00:00 CET"):
        with pytest.raises(ValueError, match=r"neither|must be in|day is out"):
            parse(wrong, now)


def test_places() -> None:
    run = Path("/run/krun")
    assert place("state", Config(), run) == run / "krun-state.json"
    named = Config(
        global_defs=Global(
            files=Files(state_dump="x", stats_dump="/tmp/", dumps_name_instance=True),
            instance="a/b",
            namespaces=Namespaces(network="blue"),
        )
    )
    assert place("state", named, run) == run / "x.blue_a_b"
    assert place("stats", named, run) == Path("/tmp/krun.stats.blue_a_b")
    assert (run_dir_of(None), run_dir_of("a/b")) == (run, Path("/run/krun-a_b"))


def test_core_dumps_where_they_are_asked_for(folder: Path, start: Callable[..., Running]) -> None:
    def limits(running: Running) -> set[str]:
        found = set()
        for name, pid in {**pids(running), "krun": running.process.pid}.items():
            if name != "script":
                lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
                found.add(next(line for line in lines if line.startswith("Max core"))[26:36].strip())
        return found

    running = start(folder, write(folder, director(folder)), "--core-dump")
    hard = next(
        line for line in Path("/proc/self/limits").read_text().splitlines() if line.startswith("Max core")
    )
    assert limits(running) == {hard[47:57].strip()}
