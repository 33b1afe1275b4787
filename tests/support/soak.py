"""A director that is reloaded thousands of times must not grow: the campaign, the measurements, the verdict.

Measured is twice with the same configuration, after a warm-up and at the end: what the kernel says of each process (PSS, descriptors,
threads, zombies), what Python says (allocated blocks), with ``--memory-debug`` all objects by type, and the files of the run directory.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from kcc.compile import compile_input
from kcc.diagnostics.model import Severity
from kcc.source.options import Options
from kir import codec
from krun.control.client import NoDaemonError, ask
from krun.control.events import SIZE
from krun.logs.limit import MOST
from support.soak_world import Configurations, Servers

RELOAD_S = 60.0
QUIET_S = 20.0
LOOKS = 5
GROWN_UP_S = 3.0
"""By then each check of a configuration has run once, and the connections that are opened when they are needed are open."""

RECORD = "500"
"""So many messages are recorded; none where objects are counted, for the recorder holds some of every kind."""

SCRAPE = b"GET /metrics HTTP/1.1\r\n\r\n"
PSS_GROWTH_KB = 1024
LONG = 500
BLOCKS_AN_EVENT = 12
"""About how many blocks of memory an event of the ring takes: text, data, numbers. The ring holds a thousand, and fills while it is measured."""

SLACK = 40
"""Objects of Python's own types that may be more or fewer at the end: timers, greetings and questions under way. A leak of one object a
reload is hundreds."""

EVENT = "krun.control.events.Event"
FLOOD = "krun.logs.limit._Flood"
RINGS = {EVENT: SIZE, FLOOD: MOST}
"""What fills while it is measured, and its limit: each has a few objects of Python's own beside it."""

UNDER_WAY = (
    *RINGS,
    "krun.control.client._Asked",
    "krun.control.stream.Stream",
    "krun.control.framing.Decoder",
    "krun.loop.reactor.Timer",
    "krun.parent.witness.Witness",
    "krun.notify.client._Outstanding",
    "krun.notify.client.ScriptRun",
    "krun.check.schedule.Alarm",
    "krun.kernel.glance.Seen",
    "krun.loop.budget.Overrun",
    "krun.kernel.addresses.HostAddress",
    "krun.check.probes.misc.MiscProbe",
    "krun.notify.helper._Job",
    "krun.notify.running.Running",
)
"""Types of which a few come and go at any time; for these `SLACK` counts as well."""


@dataclass
class Sample:
    """What one process was at one moment."""

    usage: dict[str, Any]
    owners: dict[str, int]
    types: dict[str, int]
    left_behind: list[dict[str, Any]]

    def least(self, other: Sample) -> Sample:
        """Of two looks with the same configuration the smaller numbers: checks, scripts and questions come and go all the time."""

        def smaller(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
            return {key: min(one[key], two[key]) for key in one if key in two}

        return Sample(
            smaller(self.usage, other.usage),
            smaller(self.owners, other.owners),
            smaller(self.types, other.types),
            other.left_behind,
        )


@dataclass
class Verdict:
    """``complaints``: what grew; empty where all is well. ``table``: a line a process."""

    reloads: int
    seconds: float
    growth_kb: int = PSS_GROWTH_KB
    complaints: list[str] = field(default_factory=list)
    table: list[str] = field(default_factory=list)


class Soak:
    """``options``: of krun beside the kernel's. ``descriptors``: how many more a process may have at the end, where scripts and checks are
    so slow that some are under way at any time. ``enter``: in which network namespace krun is started (`lab.netns.Namespace`)."""

    def __init__(
        self,
        seed: int,
        *,
        kernel: str = "memory",
        options: tuple[str, ...] = (),
        configurations: int = 24,
        services: bool = True,
        descriptors: int = 0,
        enter: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    ) -> None:
        self._descriptors = descriptors
        self._folder = tempfile.TemporaryDirectory(prefix="ks")
        self.folder = Path(self._folder.name)
        self.folder.chmod(0o755)
        self.rng = Random(seed)
        self.servers = Servers(self.rng)
        made = Configurations(seed, self.folder, self.servers.ports, services=services)
        self.irs = [self._build(n, text) for n, text in enumerate(made.some(configurations))]
        self.broken = self.folder / "broken.json"
        self.broken.write_bytes(self.irs[0].read_bytes()[:-200])
        self.besides: Callable[[], object] = lambda: None
        """What else happens with each tenth reload."""
        self.run_dir = self.folder / "run"
        self.socket = self.run_dir / "krun.sock"
        self.scrapes = self.folder / "metrics.sock"
        self.log = self.folder / "log"
        command = [sys.executable, "-P", "-c", "import sys; from krun.cli import main; sys.exit(main())"]
        with self.log.open("w") as log, enter():
            self.process = subprocess.Popen(
                [
                    *command, str(self.irs[0]), "--kernel", kernel, "--run-dir", str(self.run_dir),
                    "--metrics", f"unix:{self.scrapes}", "--record", "0" if "--memory-debug" in options else RECORD, *options,
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.wait("krun to be ready", lambda: " ready" in self.log.read_text())

    def _build(self, number: int, text: str) -> Path:
        conf = self.folder / f"{number}.conf"
        conf.write_text(text)
        compiled = compile_input(str(conf), Options(), building=True)
        if compiled.broken:
            wrong = [
                f"{d.span.line}: {d.message}" for d in compiled.findings.items if d.severity is Severity.ERROR
            ]
            raise AssertionError(f"{conf} does not compile: {wrong}")
        path = self.folder / f"{number}.json"
        codec.write(compiled.document(), path)
        return path

    def wait(self, what: str, probe: Callable[[], object], seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not probe():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"waited for {what}:\n{self.log.read_text()[-3000:]}")
            self.servers.serve()
            time.sleep(0.02)

    # -- what happens

    def ask(self, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = ask(self.socket, request, RELOAD_S)
        return answer

    def reload(self, path: Path, **more: Any) -> None:
        answer = self.ask(op="reload", path=str(path), **more)
        assert answer["ok"], (path, answer)

    def happen(self) -> None:
        """One of the things that happen around a director."""
        rng = self.rng
        match rng.randrange(10):
            case 0:
                self.ask(op="status")
            case 1:
                self.ask(op="events", since={})
            case 2:
                self._scrape(rng.choice((SCRAPE, b"nonsense\r\n\r\n", b"GET /me")))
            case 3:
                self.ask(op="plan", path=str(rng.choice(self.irs)))
            case 4:
                assert not self.ask(op="reload", path=str(self.broken))["ok"]
            case 5:
                self._hang_up(rng.choice((b"", b"\0\0\0\x05{}", b"\xff" * 40, b"\0\0\0\x02{}")))
            case 6:
                self.reload(rng.choice(self.irs), confirm_within_us=60_000_000)
                self.ask(op=rng.choice(("confirm", "undo")))
            case 7:
                self.ask(op="memory")
            case 8:
                self.ask(op=rng.choice(("undo", "confirm", "nonsense")))
            case _:
                self.servers.turn()

    def _scrape(self, request: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.settimeout(5)
            sock.connect(str(self.scrapes))
            sock.sendall(request)
            if request.startswith(b"GET /metrics"):
                while sock.recv(1 << 20):
                    pass

    def _hang_up(self, request: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.connect(str(self.socket))
            sock.sendall(request)

    def go(self, reloads: int) -> None:
        """So many reloads to random configurations, and as many other things in between."""
        for number in range(reloads):
            self.reload(self.rng.choice(self.irs))
            self.happen()
            if number % 10 == 0:
                self.besides()
            self.servers.serve()
            with contextlib.suppress(ChildProcessError):
                assert self.process.poll() is None, self.log.read_text()[-3000:]

    # -- what is measured

    def measure(self) -> dict[str, Sample]:
        """All processes, with the first configuration, when nothing is under way any more."""
        self.servers.all_up()
        self.reload(self.irs[0])
        self._scrape(SCRAPE)
        self._serve(GROWN_UP_S)
        until = time.monotonic() + QUIET_S
        while not self._quiet() and time.monotonic() < until:
            self._serve(0.2)
        found: dict[str, Sample] = {}
        for _ in range(LOOKS):
            for one in self.ask(op="memory", types=True)["processes"]:
                assert "problem" not in one, one
                usage = {k: v for k, v in one.items() if isinstance(v, int) and k != "debug"}
                owners = {kind: entry["count"] for kind, entry in one["owners"].items()}
                sample = Sample(usage, owners, one.get("types", {}), one.get("left_behind", []))
                before = found.get(one["process"])
                found[one["process"]] = sample if before is None else before.least(sample)
            self._serve(0.4)
        return found

    def _serve(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.servers.serve()
            time.sleep(0.01)

    def _quiet(self) -> bool:
        state = self.ask(op="status")["state"]
        script = state["extra"].get("script", {})
        return (
            all(p["answered"] and p["state"] == "running" for p in state["processes"])
            and not script.get("running")
            and not script.get("waiting")
            and not state["drains"]
        )

    def zombies(self) -> list[str]:
        """Processes of this krun that have ended and were not reaped."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    name, _, rest = (entry / "stat").read_text().rpartition(")")
                    state, _, _, session = rest.split()[:4]
                    if state == "Z" and int(session) == self.process.pid:
                        found.append(name)
        return found

    def files(self) -> int:
        return len(list(self.run_dir.iterdir()))

    # -- the whole

    def run(self, reloads: int, warm_up: int) -> Verdict:
        """``warm_up`` reloads, measure, ``reloads`` more, measure again."""
        began = time.monotonic()
        self.go(warm_up)
        before, files = self.measure(), self.files()
        self.go(reloads)
        after = self.measure()
        # A short warm-up leaves rings and heaps half empty: then so much more may be used, and blocks and objects are what tells.
        allowed = PSS_GROWTH_KB if warm_up >= LONG else 6 * PSS_GROWTH_KB
        verdict = Verdict(reloads, time.monotonic() - began, allowed)
        for name, sample in after.items():
            sample.usage["descriptors"] -= min(
                self._descriptors, max(0, sample.usage["descriptors"] - before[name].usage["descriptors"])
            )
            _judge(verdict, name, before[name], sample)
        if before.keys() != after.keys():
            verdict.complaints.append(f"processes: {sorted(before)} before, {sorted(after)} after")
        if self.files() != files:
            verdict.complaints.append(f"run directory: {files} files before, {self.files()} after")
        if found := self.zombies():
            verdict.complaints.append(f"zombies: {found}")
        with contextlib.suppress(NoDaemonError):
            restarts = self.ask(op="status")["state"]["counters"]["restarts"]
            if restarts:
                verdict.complaints.append(f"{restarts} restarts of children: see the log")
        for line in self.log.read_text().splitlines():
            if "internal error" in line or "left behind" in line or "event loop: " in line:
                verdict.complaints.append(line)
        return verdict

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, 9)
                self.process.wait()
        self.servers.close()
        self._folder.cleanup()

    def __enter__(self) -> Soak:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _judge(verdict: Verdict, name: str, before: Sample, after: Sample) -> None:
    def complain(words: str) -> None:
        verdict.complaints.append(f"{name}: {words}")

    old, new = before.usage, after.usage
    grown = {key: new[key] - old[key] for key in old if key in new}
    verdict.table.append(
        f"{name:<8} PSS {old['pss_kb']:>6} -> {new['pss_kb']:>6} kB   RSS {grown['rss_kb']:+6d} kB   blocks {grown['blocks']:+7d}"
        f"   frozen {grown['frozen']:+6d}   descriptors {old['descriptors']} -> {new['descriptors']}"
    )
    for key in ("descriptors", "threads"):
        if grown[key]:
            complain(f"{key}: {old[key]} before, {new[key]} after")
    if grown["rss_kb"] > verdict.growth_kb and grown["pss_kb"] > verdict.growth_kb:
        complain(f"{grown['pss_kb']} kB more (PSS), {grown['rss_kb']} kB resident")
    for kind in before.owners.keys() | after.owners.keys():
        count = after.owners.get(kind, 0) - before.owners.get(kind, 0)
        if count and kind not in (
            "question",
            "script run",
            "script job",
            "script process",
            "probe",
            "control connection",
        ):
            complain(f"{kind}: {count:+d}")
    for left in after.left_behind:
        complain(f"left behind: {left}")
    events = sum(max(after.types.get(kind, 0) - before.types.get(kind, 0), 0) for kind in RINGS)
    if not after.types:
        # Without the census: what an event of the ring takes, and nothing else, may be more.
        if grown["blocks"] > BLOCKS_AN_EVENT * 1000:
            complain(f"{grown['blocks']} allocated blocks more")
        return
    for kind in sorted(before.types.keys() | after.types.keys()):
        count = after.types.get(kind, 0) - before.types.get(kind, 0)
        ours = kind.startswith(("krun.", "kir.")) and kind not in UNDER_WAY
        allowed = RINGS.get(kind, 0 if ours else SLACK)
        if ".operations." in kind or "_operations." in kind:
            allowed = 100  # what the kernel in memory remembers (krun.kernel.LOG)
        if kind in ("dict", "list", "tuple"):
            allowed += 2 * events
        if count > allowed:
            complain(f"{count} objects more of type {kind}: {before.types.get(kind, 0)} before")


VARIANTS = ("debug", "normal", "linux", "ipvs")


def campaign(variant: str, seed: int, reloads: int, warm_up: int = 0) -> Verdict:
    """One of `VARIANTS`; the warm-up is a tenth of ``reloads``, and 500 at least, unless given: it fills what is bounded."""
    first = warm_up or max(LONG, reloads // 10)
    if variant == "debug":
        with Soak(seed, options=("--memory-debug",)) as soak:
            return soak.run(reloads, first)
    if variant == "normal":
        with Soak(seed) as soak:
            return soak.run(reloads, first)
    if variant == "linux":
        return _on_linux(seed, reloads, first)
    from kernel.soak import run

    return run(seed, max(reloads // 10, 100), max(first // 10, 50))


def _on_linux(seed: int, reloads: int, warm_up: int) -> Verdict:
    """VRRP on a real kernel, with a second director that is reloaded as well: adverts, elections, addresses, routes and rules."""
    from lab.netns import Segment

    with Segment(
        {"one": ["192.0.2.1/24", "2001:db8::1/64"], "two": ["192.0.2.2/24"]}, label="soak"
    ) as segment:
        one, two = segment.directors["one"], segment.directors["two"]
        with (
            Soak(
                seed, kernel="linux", options=("--memory-debug",), services=False, enter=lambda: one
            ) as soak,
            Soak(seed + 1, kernel="linux", services=False, enter=lambda: two) as peer,
        ):
            soak.besides = lambda: peer.reload(peer.rng.choice(peer.irs))
            return soak.run(reloads, warm_up)
