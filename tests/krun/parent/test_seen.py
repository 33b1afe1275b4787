"""A running krun, seen from outside: metrics, top on a terminal, typed events, and that no output holds a secret."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from krun_world import Running, command, director, krun, krunctl, write
from parent_world import wait_for
from prometheus_client.parser import text_string_to_metric_families

from kir.model import Authentication, Config, Secret
from kir.model.base import MASK

SECRET, NEXT_SECRET = "tr0ub4d0", "h0rse9st"


def read(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def scrape(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(path))
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: krun\r\n\r\n")
        data = b""
        while piece := sock.recv(1 << 20):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    return body.decode()


def pids(running: Running) -> dict[str, int]:
    return {p["name"]: p["pid"] for p in running.state()["processes"]}


def test_the_endpoint_on_a_unix_socket(folder: Path, start: Callable[..., Running]) -> None:
    place = folder / "metrics.sock"
    running = start(folder, write(folder, director(folder)), "--metrics", f"unix:{place}")
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    wait_for("the endpoint", place.exists)
    found = read(scrape(place))
    vip = {"iname": "VI_1", "intf": "eth0", "vrid": "51", "ip_address": "192.0.2.10/24"}
    assert found["keepalived_vrrp_state", frozenset(vip.items())] == 2
    assert found["krun_process_up", frozenset({("process", "metrics")})] == 1
    assert found["krun_process_up", frozenset({("process", "check")})] == 1

    before = pids(running)
    write(folder, director(folder, weight=7))
    assert krunctl(running.run_dir, "reload").returncode == 0
    assert pids(running) == before, "it has no part in reloads"
    status = Path(f"/proc/{before['metrics']}/status").read_text().splitlines()
    held = dict(line.split(":\t") for line in status if line.startswith(("CapEff", "CapPrm", "NoNewPrivs")))
    assert (int(held["CapEff"], 16), int(held["CapPrm"], 16), held["NoNewPrivs"]) == (0, 0, "1")
    time.sleep(0.6)  # the answer before is fresh for half a second
    found = read(scrape(place))
    assert found["krun_reloads_total", frozenset({("result", "done")})] == 1
    assert found["krun_last_reload_operations", frozenset({("operation", "ipvs.edit_dest")})] == 1

    os.kill(before["metrics"], signal.SIGKILL)
    wait_for("a successor", lambda: pids(running)["metrics"] not in (0, before["metrics"]))
    after = pids(running)
    assert {n: p for n, p in after.items() if n != "metrics"} == {
        n: p for n, p in before.items() if n != "metrics"
    }

    def served() -> bool:
        with contextlib.suppress(OSError):
            labels = frozenset({("process", "metrics"), ("reason", "killed")})
            return read(scrape(place))["krun_process_restarts_total", labels] >= 1
        return False

    wait_for("the endpoint again", served)
    once = krunctl(running.run_dir, "metrics")
    assert {key[0] for key in read(once.stdout)} == {key[0] for key in found}
    assert krunctl(running.run_dir, "stop").returncode == 0
    assert running.process.wait(10) == 0
    assert not place.exists()
    assert "Traceback" not in running.log.read_text()


def test_a_taken_port_keeps_no_director_down(folder: Path, start: Callable[..., Running]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running = start(folder, write(folder, director(folder)), "--metrics", f"127.0.0.1:{port}")
        wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
        wait_for("words", lambda: running.logged(f"metrics at 127.0.0.1:{port}: Address already in use"))
        process = next(p for p in running.state()["processes"] if p["name"] == "metrics")
        assert process["state"] in ("waiting", "starting")
    wait_for("the port", lambda: running.logged(f"metrics are served at 127.0.0.1:{port}"), 40)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert read(answer.read().decode())["krun_up", frozenset()] == 1


def test_anything_but_the_loopback_is_refused(folder: Path) -> None:
    refused = krun(write(folder, director(folder)), "--metrics", "0.0.0.0:9650", "--run-dir", folder / "run")
    assert refused.returncode == 2
    assert "not the loopback" in refused.stderr
    assert not (folder / "run").exists()


def test_a_silent_scraper_disturbs_nobody(folder: Path, start: Callable[..., Running]) -> None:
    place = folder / "metrics.sock"
    running = start(folder, write(folder, director(folder)), "--metrics", f"unix:{place}")
    wait_for("the endpoint", place.exists)
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(str(place))
                sock.send(b"GET /met")
        assert running.state()["vrrp"][0]["name"] == "VI_1"
        assert krunctl(running.run_dir, "reload").returncode == 0
    wait_for("room", lambda: "krun_up 1" in _scraped(place))
    assert all(p["restarts"] == 0 for p in running.state()["processes"])


def _scraped(place: Path) -> str:
    try:
        return scrape(place)
    except (OSError, AssertionError):
        return ""


def test_metrics_where_no_krun_is(folder: Path) -> None:
    assert krunctl(folder, "metrics").returncode == 2
    down = krunctl(folder, "metrics", "--or-down")
    assert (down.returncode, read(down.stdout)["krun_up", frozenset()]) == (0, 0)


# -- top on a terminal


class Terminal:
    """``krunctl top`` with a terminal of its own as its controlling one."""

    def __init__(self, run_dir: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.text = ""
        self.process = subprocess.Popen(
            command("krun.control.cli", "--run-dir", run_dir, "top"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "150", "LINES": "40"},
        )
        os.set_blocking(self.master, False)

    def shows(self, words: str, times: int = 1) -> bool:
        with contextlib.suppress(BlockingIOError):
            self.text += os.read(self.master, 1 << 16).decode(errors="replace")
        return self.text.count(words) >= times

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def terminal() -> Iterator[Callable[[Path], Terminal]]:
    made: list[Terminal] = []

    def make(run_dir: Path) -> Terminal:
        made.append(Terminal(run_dir))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_top_on_a_terminal(
    folder: Path, start: Callable[..., Running], terminal: Callable[[Path], Terminal]
) -> None:
    running = start(folder, write(folder, director(folder)))
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    for end in (b"q", b"\x03", signal.SIGTERM):
        screen = terminal(running.run_dir)
        wait_for("two pictures", lambda screen=screen: screen.shows("VI_1", 2))  # type: ignore[misc]
        assert "\x1b[?1049h" in screen.text, "a screen of its own"
        assert "\x1b[32m" in screen.text or "\x1b[38" in screen.text, "colours"
        if isinstance(end, bytes):
            screen.press(b"x")  # any other key does nothing
            screen.press(end)
        else:
            screen.process.send_signal(end)
        wait_for("the screen given back", lambda screen=screen: screen.shows("\x1b[?1049l"))  # type: ignore[misc]
        assert screen.process.wait(10) == 0
        assert termios.tcgetattr(screen.slave) == screen.before
        assert "Traceback" not in screen.text


# -- secrets


def secretive(folder: Path, secret: str) -> Config:
    """The director, speaking version 2 with a password."""
    base = director(folder)
    instance = msgspec.structs.replace(
        base.vrrp_instances[0],
        version=2,
        advert_int_us=1_000_000,
        authentication=Authentication(type="PASS", password=Secret(secret)),
    )
    return msgspec.structs.replace(base, vrrp_instances=(instance,))


def test_a_secret_is_in_no_output(folder: Path, start: Callable[..., Running]) -> None:
    place = folder / "metrics.sock"
    ir = write(folder, secretive(folder, SECRET))
    running = start(folder, ir, "--debug", "--log-format", "json", "--metrics", f"unix:{place}")
    wait_for("a master", lambda: running.logged("Entering MASTER STATE"))
    wait_for("the endpoint", place.exists)
    outputs: dict[str, str] = {}

    def note(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        answer = krunctl(running.run_dir, *arguments)
        outputs[f"{len(outputs)} {' '.join(map(str, arguments))}"] = answer.stdout + answer.stderr
        return answer

    write(folder, secretive(folder, NEXT_SECRET))
    for style in ("text", "json", "markdown"):
        assert "vrrp" in note("plan", "--format", style).stdout
    assert MASK in outputs["1 plan --format json"]
    note("reload", "--dry-run", "--json")
    assert note("reload", "--json", "--confirm-within", "5m").returncode == 0
    note("confirm")
    ir.write_text(ir.read_text().replace(NEXT_SECRET, SECRET))  # a wrong digest: refused
    assert note("reload").returncode == 1
    ir.write_text('{"config": {"vrrp_instances": [{"auth_pass": "%s"' % SECRET)  # noqa: UP031
    assert note("reload").returncode == 1
    for arguments in (
        ("status",),
        ("status", "--json"),
        ("explain", "VI_1"),
        ("explain", "VI_1", "--json"),
        ("explain", "tcp 10.0.0.1:80"),
        ("explain", "nothing"),
        ("events",),
        ("events", "--json"),
        ("metrics",),
        ("top", "--count", "2"),
        ("overlays",),
        ("facts",),
        ("undo", "--json"),
    ):
        note(*arguments)
    outputs["the endpoint"] = scrape(place)
    os.kill(running.process.pid, signal.SIGUSR1)
    dump = running.run_dir / "krun-state.json"
    wait_for("the dump", lambda: running.logged("the state is in"))
    outputs["SIGUSR1"] = dump.read_text()
    assert krunctl(running.run_dir, "stop").returncode == 0
    assert running.process.wait(10) == 0
    outputs["the log"] = running.log.read_text()
    outputs["notify scripts"] = (folder / "notified").read_text()
    assert all(text for name, text in outputs.items() if "confirm" not in name), outputs
    for secret in (SECRET, NEXT_SECRET):
        for form in (secret, secret.encode().hex(), json.dumps([*secret.encode()])[1:-1]):
            for name, text in outputs.items():
                assert form not in text, f"{name} shows a secret"


# -- typed events


def test_events_of_every_kind_as_lines_of_json(folder: Path, start: Callable[..., Running]) -> None:
    running = start(folder, write(folder, director(folder)))
    out = folder / "events"
    with out.open("w") as file:
        follower = subprocess.Popen(
            command("krun.control.cli", "--run-dir", running.run_dir, "events", "--follow", "--json"),
            stdout=file,
            stderr=file,
        )

    def events() -> list[dict[str, Any]]:
        return [json.loads(line) for line in out.read_text().splitlines() if line.endswith("}")]

    def seen(kind: str, **data: object) -> bool:
        return any(e["kind"] == kind and e["data"].items() >= data.items() for e in events())

    try:
        wait_for("the master", lambda: seen("vrrp.state", before="BACKUP", state="MASTER"))
        where = ("tcp 10.0.0.1:80", "10.0.0.2:80")
        assert krunctl(running.run_dir, "set", *where, "--weight", "0", "--for", "1h").returncode == 0
        wait_for("the weight", lambda: seen("check.weight", old=1, new=0, real_server="10.0.0.2:80"))
        wait_for("the quorum", lambda: seen("check.quorum", state="down", virtual_server="tcp 10.0.0.1:80"))
        os.kill(pids(running)["check"], signal.SIGKILL)
        wait_for("the death", lambda: seen("process.ended"))
        (ended,) = (e for e in events() if e["kind"] == "process.ended")
        assert (ended["subject"], ended["process"]) == ("check", "krun")
    finally:
        follower.kill()
        follower.wait()
