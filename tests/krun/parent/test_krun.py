"""``krun`` and ``krunctl`` as their users call them, on the kernel in memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from krun_world import Running, director, krun, krunctl, write
from parent_world import config, wait_for

from kir.model import Config, Snmp
from krun.parent.accounting import AGAIN_S
from krun.parent.shell import STUCK_END_S


def test_a_whole_life(folder: Path, start: Callable[..., Running]) -> None:
    ir = write(folder, director(folder))
    running = start(folder, ir)
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    state = running.state()
    assert state["vrrp"][0]["state"] == "MASTER"
    assert "192.0.2.10/24 dev eth0" in state["vrrp"][0]["vips"]
    assert state["virtual_servers"][0]["real_servers"][0]["state"] == "up"

    text = krunctl(running.run_dir, "status").stdout
    assert "MASTER" in text
    assert "tcp 10.0.0.1:80" in text
    assert "\x1b" not in text

    unchanged = krunctl(running.run_dir, "reload")
    assert unchanged.stdout.startswith("made 0 operations")
    write(folder, director(folder, weight=7))
    planned = krunctl(running.run_dir, "plan", "--json")
    assert json.loads(planned.stdout)["summary"] == {"ipvs.edit_dest": 1}
    done = krunctl(running.run_dir, "reload")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("made 1 operation in ")
    assert "ipvs.edit_dest 1" in done.stdout
    assert running.state()["last_reload"]["operations"] == {"ipvs.edit_dest": 1}

    ir.write_text("{")
    refused = krunctl(running.run_dir, "reload")
    assert refused.returncode == 1
    assert "damaged" in refused.stderr
    assert running.state()["last_reload"]["result"] == "refused"

    assert krunctl(running.run_dir, "stop").returncode == 0
    assert running.process.wait(10) == 0
    uid = 65534 if os.geteuid() == 0 else os.geteuid()
    lines = (folder / "notified").read_text().splitlines()
    assert lines == [f"{uid} INSTANCE VI_1 {word} 100" for word in ("BACKUP", "MASTER", "STOP")]
    assert "Traceback" not in running.log.read_text()
    assert krunctl(running.run_dir, "status").returncode == 2


def test_a_killed_vrrp_process_keeps_its_role(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, director(folder)))
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    processes = {p["name"]: p["pid"] for p in running.state()["processes"]}
    os.kill(processes["vrrp"], signal.SIGKILL)
    wait_for("a successor", lambda: running.logged("started again"))
    state = wait_for("the successor's answer", lambda: (s := running.state())["vrrp"] and s)
    assert state["vrrp"][0]["state"] == "MASTER"
    assert running.log.read_text().count("Entering BACKUP STATE") == 1


def test_ctrl_c_is_an_ordinary_stop(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, director(folder)), "--log-format", "json")
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.process.wait(10) == 0
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    assert lines[-1]["message"] == "stopped"
    assert not [line for line in lines if line["level"] in ("error", "critical")]


def test_memory_debug_reports_what_a_reload_left(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, director(folder)), "--memory-debug")
    write(folder, director(folder, weight=2))
    assert krunctl(running.run_dir, "reload").returncode == 0
    wait_for("the account", lambda: running.logged("through the reload"))
    time.sleep(AGAIN_S + 0.5)
    assert "left behind" not in running.log.read_text()
    answer = krunctl(running.run_dir, "memory", "--types")
    assert answer.returncode == 0 and "LEFT" not in answer.stdout, answer.stdout
    assert "krun.check.pool.Pool" in answer.stdout


def test_where_the_memory_is(folder: Path, start: Callable[..., Running]) -> None:
    """krunctl memory, and SIGRTMAX: also when somebody sends it to the whole group, which ends no child."""
    running = start(folder, write(folder, director(folder)))
    pids = {p["name"]: p["pid"] for p in running.state()["processes"]}
    answer = krunctl(running.run_dir, "memory", "--json")
    assert answer.returncode == 0, answer.stderr
    told = {one["process"]: one for one in json.loads(answer.stdout)["processes"]}
    assert told.keys() == {"krun", *pids}
    assert all(one["pss_kb"] > 1000 and one["threads"] == 1 and not one["debug"] for one in told.values())
    assert told["vrrp"]["owners"]["instance"]["count"] == 1
    assert told["check"]["owners"]["real server"]["count"] == 1
    text = krunctl(running.run_dir, "memory").stdout
    assert "vrrp: " in text and "instance" in text and "(PSS)" in text
    os.killpg(running.process.pid, signal.SIGRTMAX)
    os.killpg(running.process.pid, signal.SIGUSR2)
    wait_for("the account", lambda: running.logged("SIGRTMAX: the account of memory is in"))
    written = json.loads((running.run_dir / "krun-memory.json").read_bytes())
    assert {one["process"] for one in written} == told.keys()
    time.sleep(STUCK_END_S + 0.3)
    assert {p["name"]: p["pid"] for p in running.state()["processes"]} == pids


def test_two_on_one_run_dir(folder: Path, start: Callable[..., Running]) -> None:
    ir = write(folder, director(folder))
    running = start(folder, ir)
    second = krun(ir, "--kernel", "memory", "--run-dir", running.run_dir)
    assert second.returncode == 1
    assert f"runs already with run directory {running.run_dir} (pid {running.process.pid})" in second.stderr
    assert running.state()["processes"]


def test_unusable_input_ends_with_2_and_touches_nothing(folder: Path) -> None:
    good = write(folder, director(folder)).read_bytes()
    cases: list[tuple[str, bytes | None, str]] = [
        ("missing.json", None, "cannot be read"),
        ("empty.json", b"", "empty"),
        ("cut.json", good[:-100], "cut off or damaged"),
        ("edited.json", good.replace(b'"weight": 1', b'"weight": 9'), "digest"),
        ("newer.json", good.replace(b'"kir": "1.0"', b'"kir": "2.0"'), "upgrade"),
        ("foreign.json", b'{"name": "x"}', "kcc build"),
        (
            "keepalived.conf",
            b"vrrp_instance VI_1 {\n}\n",
            "this is a keepalived.conf|if this is a keepalived.conf",
        ),
        ("nul.json", b"\0" * 100, "not JSON"),
        ("deep.json", b"[" * 100_000, "not JSON|damaged"),
    ]
    run_dir = folder / "run"
    for name, content, words in cases:
        if content is not None:
            (folder / name).write_bytes(content)
        done = krun(folder / name, "--kernel", "memory", "--run-dir", run_dir)
        assert done.returncode == 2, (name, done.stderr)
        assert any(word in done.stderr for word in words.split("|")), (name, done.stderr)
        assert done.stderr.startswith("krun: ")
        assert "Traceback" not in done.stderr
    assert krun(folder, "--run-dir", run_dir).returncode == 2
    assert not run_dir.exists()


def test_what_krun_does_not_run_is_refused_by_name(folder: Path) -> None:
    snmp = Snmp(socket="udp:127.0.0.1:705")
    new = msgspec.structs.replace(
        config(), global_defs=msgspec.structs.replace(Config().global_defs, snmp=snmp)
    )
    done = krun(write(folder, new), "--run-dir", folder / "run")
    assert done.returncode == 2
    assert "`snmp` (SNMP)" in done.stderr


def test_arguments_and_version() -> None:
    assert krun().returncode == 2
    assert krun("a.json", "--kernel", "windows").returncode == 2
    assert krun("--version").stdout.startswith("krun ")
    assert krunctl(Path("/nonexistent"), "--version").stdout.startswith("krunctl ")
    assert krunctl(Path("/nonexistent")).returncode == 2
    assert krunctl(Path("/nonexistent"), "status").returncode == 2
    assert krunctl(Path("/nonexistent"), "dance").returncode == 2


def test_a_start_is_cheap_in_imports(folder: Path) -> None:
    """pyroute2 costs 160 ms and 20 MB; the checker's modules are not read where only VRRP runs."""
    ir = write(folder, config(check=False))
    code = (
        "import sys\nfrom krun.parent.children import maker, needed\nfrom kir.codec import load_path\nimport krun.cli\n"
        f"[maker(n) for n in needed(load_path({str(ir)!r}).config)]\n"
        "print([m for m in ('pyroute2', 'rich', 'kcc', 'ply', 'krun.check.process') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_timing_of_a_stop_is_bounded(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, director(folder)))
    began = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0
    assert time.monotonic() - began < 8
