"""``krun`` and ``krunctl`` as processes, on the kernel in memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from parent_world import config

from kir import codec
from kir.model import Account, Address, Config, Notify, Script


def command(module: str, *arguments: str | Path) -> list[str]:
    code = f"import sys; from {module} import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", code, *map(str, arguments)]


def krunctl(run_dir: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("krun.control.cli", "--run-dir", run_dir, *arguments),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def krun(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("krun.cli", *arguments), capture_output=True, text=True, timeout=60, check=False
    )


class Running:
    def __init__(self, folder: Path, ir: Path, *options: str) -> None:
        self.run_dir = folder / "run"
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command("krun.cli", ir, "--kernel", "memory", "--run-dir", self.run_dir, *options),
                stderr=log,
                stdout=log,
                start_new_session=True,
            )

    def logged(self, words: str) -> bool:
        assert self.process.poll() is None or words in self.log.read_text(), self.log.read_text()
        return words in self.log.read_text()

    def state(self) -> dict[str, Any]:
        answer = krunctl(self.run_dir, "status", "--json")
        assert answer.returncode == 0, answer.stderr
        state: dict[str, Any] = json.loads(answer.stdout)
        return state

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def director(folder: Path, priority: int = 100, weight: int = 1) -> Config:
    """One instance with a VIP and a notify script that writes to ``folder/notified``, one pool."""
    told = folder / "notify.sh"
    told.write_text(f'#!/bin/sh\necho "$(id -u) $@" >> {folder}/notified\n')
    told.chmod(0o755)
    (folder / "notified").touch()
    (folder / "notified").chmod(0o666)
    base = config(weight=weight, advert_int_us=200_000)
    user = "nobody" if os.geteuid() == 0 else None
    instance = msgspec.structs.replace(
        base.vrrp_instances[0],
        priority=priority,
        vips=(Address(address="192.0.2.10", prefix=24, device="eth0", family="inet"),),
        notify=Notify(any=Script(argv=(str(told),), account=Account(user=user))),
    )
    return msgspec.structs.replace(base, vrrp_instances=(instance,))


def write(folder: Path, new: Config) -> Path:
    codec.write(codec.document(new), folder / "ir.json")
    return folder / "ir.json"
