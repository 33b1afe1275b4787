"""krun under test, through its command lines only: ``kcc build``, ``krun``, ``krunctl``.

Nothing of the packages is imported here: the laboratory sees what a user sees.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.netns import Namespace
from lab.processes import Process, wait_for

__all__ = ["KCC", "KRUN", "KRUNCTL", "Answer", "Krun", "build"]


def _console_script(module: str) -> list[str]:
    """The console script of ``module`` for this interpreter, installed or not; -P keeps the current
    directory off the path, as for an installed script."""
    return [sys.executable, "-P", "-c", f"import sys; from {module} import main; sys.exit(main())"]


KCC = _console_script("kcc.cli")
KRUN = _console_script("krun.cli")
KRUNCTL = _console_script("krun.control.cli")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said and how it ended."""

    status: int
    stdout: str
    stderr: str


def build(text: str, folder: Path, name: str = "director") -> Path:
    """Compile a configuration with ``kcc build``; returns the ir.json. Findings of it raise with its words."""
    config, ir = folder / f"{name}.conf", folder / f"{name}.json"
    config.write_text(text)
    done = subprocess.run(
        [*KCC, "build", str(config), "-o", str(ir)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0 or not ir.exists():
        raise AssertionError(
            f"kcc build {config} exited with {done.returncode}:\n{done.stdout}{done.stderr}\n{text}"
        )
    return ir


class Krun:
    """krun with the configuration ``text`` in ``namespace``, started at once.

    ``folder`` gets the configuration, the IR, the log and the run directory (a short path: sockets live
    there). A second start in the same folder is a restart on the same run directory. ``respawn``: a supervisor starts it again so many
    seconds after it ended other than in order, with a larger share of a busy processor, as ``Restart=always``, ``RestartSec`` and
    ``CPUWeight`` do; then `pid` is not that of ``process``. ``program``: what is run in place of the installed krun.
    """

    kind = "krun"

    def __init__(
        self,
        namespace: Namespace,
        text: str,
        *,
        folder: Path,
        options: Sequence[str] = (),
        ir: Path | None = None,
        respawn: float | None = None,
        program: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.namespace = namespace
        self.folder = folder
        self.run_dir = folder / "run"
        self.log = folder / "krun.log"
        self.ir = build(text, folder) if ir is None else ir
        argv = [
            *(KRUN if program is None else [str(program)]),
            str(self.ir),
            "--run-dir",
            str(self.run_dir),
            *options,
        ]
        if respawn is not None:
            # sched(7): where sessions share a processor by autogroups, nice(1) counts only inside one of them.
            share = "{ echo -12 > /proc/self/autogroup; } 2>/dev/null"
            loop = f'{share}; until nice -n -12 "$@"; do sleep {respawn}; done'
            argv = ["sh", "-c", loop, "respawn", *argv]
        self.process: Process = namespace.start(argv, log=self.log)

    @property
    def pid(self) -> int:
        """The pid of krun's parent process, by its pid file; 0 where there is none."""
        try:
            return int((self.run_dir / "krun.pid").read_text() or "0")
        except (OSError, ValueError):
            return 0

    def children(self) -> dict[str, int]:
        """Its processes by name, from the process table: quick, and true also when nobody answers."""
        found: dict[str, int] = {}
        parent = self.pid
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    # proc(5): PID (COMM) STATE PPID …
                    name, _, rest = Path(entry.path, "stat").read_text().partition("(")[2].rpartition(")")
                    state, ppid = rest.split()[:2]
                    if int(ppid) == parent and state != "Z" and name.startswith("krun-"):
                        found[name.removeprefix("krun-")] = int(entry.name)
        return found

    def wait_running(self, timeout: float = 60.0) -> None:
        """Wait until ``krunctl status`` answers, and every child with it."""

        def answered() -> bool:
            if not self.process.running():
                raise AssertionError(f"krun ended with {self.process.returncode}:\n{self.process.tail()}")
            answer = self.control("status", "--json")
            processes = json.loads(answer.stdout)["processes"] if answer.status == 0 else []
            return bool(processes) and all(process["answered"] for process in processes)

        wait_for(f"krun in {self.namespace.label} to answer", answered, timeout, interval=0.1)

    def control(self, *arguments: str, timeout: float = 30.0) -> Answer:
        """Run ``krunctl --run-dir DIR ARGUMENTS``."""
        done = self.namespace.run(
            [*KRUNCTL, "--run-dir", str(self.run_dir), *arguments], check=False, timeout=timeout
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def status(self) -> dict[str, Any]:
        """The state document of ``krunctl status --json``."""
        answer = self.control("status", "--json")
        if answer.status != 0:
            raise AssertionError(f"krunctl status exited with {answer.status}: {answer.stderr}")
        document: dict[str, Any] = json.loads(answer.stdout)
        return document

    def reload(self, text: str | None = None) -> Answer:
        """Compile ``text``, if given, over the running IR and ``krunctl reload``."""
        if text is not None:
            build(text, self.folder)
        return self.control("reload")

    def kill(self) -> float:
        """kill -9 of all its processes; returns the time just before."""
        return self.process.kill()

    def stop(self, timeout: float = 15.0) -> int:
        """SIGTERM and wait; returns the exit status."""
        return self.process.stop(timeout)

    def logged(self) -> str:
        """Everything that it and its children have logged."""
        return self.process.output()
