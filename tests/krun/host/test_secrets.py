"""A secret of the configuration is in the configuration, and nowhere else: every output of krun is searched for one that was planted."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kir import codec
from kir.model import Config
from lab.krun import KRUN, KRUNCTL, build
from lab.processes import wait_for

OLD, NEW = "pl4nted1", "pl4nted2"
"""Eight octets, all of a version 2 password."""

PLANTED = {("Authentication", "password"), ("HmacKey", "secret"), ("TlsClient", "password")}
"""The fields of the IR that hold a secret. One that comes has to be planted here and in the tests of kcc's output."""

CONFIG = """
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass %s
    }
    virtual_ipaddress {
        192.0.2.10/24
    }
}
virtual_server 10.0.0.1 80 {
    lvs_method NAT
    lvs_sched wlc
    protocol TCP
    real_server 10.0.0.2 80 {
        weight 1
    }
}
"""


def test_every_field_with_a_secret_is_known() -> None:
    definitions = msgspec.json.schema(Config)["$defs"]
    assert definitions["Secret"]["properties"]["secret"]["x-secret"] is True
    found = {
        (name, field)
        for name, schema in definitions.items()
        for field, shape in schema.get("properties", {}).items()
        if "#/$defs/Secret" in json.dumps(shape)
    }
    marked = {
        (name, field)
        for name, schema in definitions.items()
        for field, shape in schema.get("properties", {}).items()
        if "x-secret" in json.dumps(shape)
    }
    assert marked == {("Secret", "secret")}, "a secret is a Secret: only that one is masked everywhere"
    assert found == PLANTED


class Director:
    def __init__(self, folder: Path, style: str) -> None:
        self.style, self.folder, self.run_dir, self.log = style, folder, folder / "run", folder / "log"
        self.ir = build(CONFIG % OLD, folder)
        self.new = build((CONFIG % NEW).replace("weight 1", "weight 7"), folder, "new")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *KRUN, str(self.ir), "--run-dir", str(self.run_dir), "--kernel", "memory", "--debug",
                    "--memory-debug", "--log-format", style, "--metrics", f"unix:{folder}/metrics",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for("it to be ready", lambda: "ready" in self.log.read_text(), 30)

    def control(self, *words: str, status: int | None = 0) -> str:
        done = subprocess.run(
            [*KRUNCTL, "--run-dir", str(self.run_dir), *words],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert status is None or done.returncode == status, (words, done)
        return done.stdout + done.stderr

    def pids(self) -> list[int]:
        state: dict[str, Any] = json.loads(self.control("status", "--json"))
        return [state["parent"]["pid"], *(p["pid"] for p in state["processes"])]


@pytest.fixture(params=["text", "json"])
def director(request: pytest.FixtureRequest) -> Iterator[Director]:
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        made = Director(Path(name), request.param)
        yield made
        if made.process.poll() is None:
            os.killpg(made.process.pid, signal.SIGKILL)
            made.process.wait()


def broken(director: Director) -> Iterator[tuple[str, bytes]]:
    """IRs that are refused, each for something that is wrong next to the secret."""
    good = director.new.read_bytes()
    secret = f'"secret": "{NEW}"'.encode()
    assert secret in good or secret.replace(b": ", b":") in good
    at = good.index(NEW.encode())
    yield "edited", good.replace(NEW.encode(), NEW.encode() + b"x")
    yield "cut", good[: at + len(NEW)]
    yield "badstring", good[: at + len(NEW)] + b"\\q" + good[at + len(NEW) :]
    yield "unknown", good.replace(b'"secret":', b'"secrett":', 1)
    yield "kind", good.replace(f'"{NEW}"'.encode(), f'["{NEW}"]'.encode(), 1)
    yield "plain", good.replace(b'"password": {', f'"password": "{NEW}", "was": {{'.encode(), 1)


def test_no_output_has_it(director: Director) -> None:
    said: dict[str, str] = {}
    run = director.control
    for name, data in broken(director):
        path = director.folder / f"{name}.json"
        path.write_bytes(data)
        said[f"reload {name}"] = run("reload", str(path), status=1)
    if director.style == "text":  # what they print does not depend on how the daemon logs
        outputs(director, said)
    # A process that dies, in the middle of it.
    vrrp = next(p for p in json.loads(run("status", "--json"))["processes"] if p["name"] == "vrrp")["pid"]
    os.kill(vrrp, signal.SIGABRT)
    wait_for("its successor", lambda: "started again" in director.log.read_text())
    files(director)
    run("stop")
    assert director.process.wait(15) == 0
    files(director)
    said["log"] = director.log.read_text()
    assert "DEBUG" in said["log"].upper()
    assert all(said.values()), [what for what, text in said.items() if not text]
    for what, text in said.items():
        for secret in (OLD, NEW, OLD.encode().hex(), NEW.encode().hex()):
            assert secret not in text, (
                f"{what} has the password:\n{text[max(0, text.index(secret) - 300) :][:600]}"
            )


def outputs(director: Director, said: dict[str, str]) -> None:
    """Everything that krunctl prints, and what may be read of the processes themselves."""
    run = director.control
    said["plan"] = run("plan", str(director.new))
    said["plan json"] = run("plan", "--json", str(director.new))
    said["plan markdown"] = run("plan", "--format", "markdown", str(director.new))
    assert "breaking" in said["plan"], "the changed password is in the plan"
    said["limit"] = run("reload", str(director.new), "--max-delete", "0", "--dry-run", status=None)
    said["reload"] = run("reload", str(director.new), "--confirm-within", "1h", "--json")
    for words in (
        ["status"], ["status", "--json"], ["events"], ["events", "--json"], ["explain", "VI_1"],
        ["explain", "--json", "VI_1"], ["metrics"], ["top", "--count", "1"], ["overlays"], ["undo", "--json"],
        ["reload", str(director.new)], ["memory"], ["memory", "--json"], ["facts"],
    ):  # fmt: skip
        said[" ".join(words)] = run(*words, status=None)
    recorded = director.folder / "recorded"
    run("record", "-o", str(recorded))
    said["record"] = gzip.decompress(recorded.read_bytes()).decode("latin-1")
    assert "VI_1" in said["record"]
    os.kill(director.process.pid, signal.SIGUSR1)
    dump = director.run_dir / "krun-state.json"
    wait_for("the state document", dump.exists)
    for pid in director.pids():
        said[f"cmdline {pid}"] = Path(f"/proc/{pid}/cmdline").read_bytes().decode("latin-1")
        said[f"environ {pid}"] = Path(f"/proc/{pid}/environ").read_bytes().decode("latin-1")


def files(director: Director) -> None:
    """What the run directory holds: the password is in copies of the IR alone, and these are their owner's."""
    holding = []
    for path in director.run_dir.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if OLD.encode() in data or NEW.encode() in data:
                holding.append(path.name)
                assert path.stat().st_mode & 0o777 == 0o600, path
    assert holding, "the kept IRs are there"
    assert all(name.startswith("ir-") and name.endswith(".json") for name in holding), holding


def test_representations_are_masked(tmp_path: Path) -> None:
    """What a traceback, a log line or a debugger's print would show of the objects themselves."""
    document = codec.load_path(build(CONFIG % OLD, tmp_path))
    for text in (
        repr(document),
        repr(document.config),
        f"{document.config.vrrp_instances[0].authentication}",
    ):
        assert OLD not in text
        assert "********" in text
