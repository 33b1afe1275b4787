"""A supervisor with children that do what a test tells them, in real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kir import codec
from kir.model import Config, RealServer, Service, VirtualServer, VrrpInstance
from krun import logs
from krun.control.client import NoDaemonError, ask
from krun.kernel.door import KernelUnavailable
from krun.parent.beginning import begin
from krun.parent.context import ChildContext
from krun.parent.periods import Periods
from krun.parent.promises import PromiseWriter
from krun.parent.rundir import RunDir
from krun.parent.slot import Settings
from krun.parent.store import Store
from krun.parent.supervise import Supervisor
from krun.record.ring import Ring
from krun.vrrp.recorded import RecordedDirector

T = TypeVar("T")

QUICK = Periods(
    hello=0.15,
    hello_least=0.05,
    grace_least=0.4,
    start=5.0,
    stop=3.0,
    prepare=1.0,
    commit=1.0,
    status=0.4,
    young=0.3,
    unit=0.05,
    calm=1.0,
)
"""Everything hurried, but with room for a busy machine where a wrong verdict would be the price."""


def wait_for(what: str, probe: Callable[[], T | None], seconds: float = 15.0) -> T:
    """``probe``'s first true answer."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}; last: {value!r}")
        time.sleep(0.01)


def config(vrrp: bool = True, check: bool = True, weight: int = 1, advert_int_us: int = 1_000_000) -> Config:
    """A configuration that needs the children asked for."""
    instance = VrrpInstance(
        name="VI_1",
        interface="eth0",
        vrid=51,
        version=3,
        family="inet",
        initial_state="BACKUP",
        priority=100,
        advert_int_us=advert_int_us,
    )
    server = VirtualServer(
        name="tcp 10.0.0.1:80",
        services=(Service(family="inet", protocol="tcp", address="10.0.0.1", port=80),),
        real_servers=(RealServer(address="10.0.0.2", port=80, family="inet", weight=weight),),
    )
    return Config(vrrp_instances=(instance,) if vrrp else (), virtual_servers=(server,) if check else ())


class FakeChild:
    """Writes what happens to it into ``RUN_DIR/events`` and does what ``RUN_DIR/NAME.do`` says, at once or at the named moment.

    Now: ``exit``, ``kill``, ``raise``, ``spin``, ``sleep``, ``promise KEY VALUE``. At a moment: ``start-fail``, ``start-die``,
    ``refuse``, ``prepare-hang``, ``prepare-die``, ``prepare-wait`` (half a second), ``commit-die``, ``commit-raise``, ``commit-hang``,
    ``commit-then-die``, ``stop-hang``, ``status-hang``.
    """

    def __init__(self, context: ChildContext) -> None:
        self.context = context
        self.folder = context.run_dir
        self.sender = context.keeper or PromiseWriter()
        self.prepared: Config | None = None
        self.config = context.config

    def say(self, event: str, **more: Any) -> None:
        line = json.dumps({"child": self.context.name, "event": event, "pid": os.getpid(), **more}) + "\n"
        with (self.folder / "events").open("a") as file:
            file.write(line)

    def told(self, *words: str) -> str | None:
        """The order in the file, taken out of it, if its first word is one of ``words``. A leading ``always`` keeps it."""
        path = self.folder / f"{self.context.name}.do"
        try:
            text = path.read_text()
        except FileNotFoundError:
            return None
        order = text.removeprefix("always ")
        if not order or order.split()[0] not in words:
            return None
        if order == text:
            path.unlink()
        return order

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.say(
            "start",
            promises={k: v.decode() for k, v in self.context.promises.items()},
            promised_at_us=self.context.promised_at_us,
            restarts=self.context.restarts,
            digest=self.context.digest,
            weights=self.weights(),
            instances=len(self.config.vrrp_instances),
            capabilities=_capabilities(),
            descriptors=sorted(int(d) for d in os.listdir("/proc/self/fd")),
        )
        if self.told("start-fail"):
            raise KernelUnavailable("this kernel has no such thing; load the module")
        if self.told("start-die"):
            os._exit(9)
        self.loop = loop
        self.act()

    def recorded(self) -> Ring | None:
        if self.context.name != "vrrp":
            return None
        director = RecordedDirector(self.config, 1000)
        director.seen_link("eth0", True)
        director.seen_source(self.config.vrrp_instances[0].name, "192.0.2.1")
        director.start(1_000_000)
        director.tick(10_000_000)
        return director.ring

    def weights(self) -> list[int]:
        return [r.weight for v in self.config.virtual_servers for r in v.real_servers]

    def act(self) -> None:
        order = self.told("exit", "kill", "raise", "spin", "sleep", "promise")
        words = (order or "").split()
        if words:
            self.say(words[0])
        match words:
            case ["exit"]:
                os._exit(7)
            case ["kill"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["raise"]:
                raise RuntimeError("a mistake in a callback")
            case ["spin"]:
                while True:
                    pass
            case ["sleep"]:
                time.sleep(1000)
            case ["promise", key, value]:
                self.sender.promise(key, value.encode())
        self.loop.call_later(0.01, self.act)

    def prepare(self, config: Config, digest: str) -> dict[str, Any]:
        self.say("prepare", digest=digest)
        if self.told("refuse"):
            raise ValueError("interface eth9 does not exist")
        if self.told("prepare-hang"):
            time.sleep(1000)
        if self.told("prepare-wait"):
            time.sleep(0.5)
        if self.told("prepare-die"):
            os._exit(8)
        self.prepared = config
        return {f"{self.context.name}.update": 1} if config != self.config else {}

    def commit(self) -> dict[str, Any]:
        self.say("commit")
        if self.told("commit-hang"):
            time.sleep(1000)
        if self.told("commit-then-die"):
            self.loop.call_later(0.05, os._exit, 8)
        if self.told("commit-die"):
            os._exit(8)
        if self.told("commit-raise"):
            raise RuntimeError("half done")
        assert self.prepared is not None
        counts = {f"{self.context.name}.update": 1} if self.prepared != self.config else {}
        self.config, self.prepared = self.prepared, None
        self.say("changed", weights=self.weights())
        busy = {"busy": True} if self.told("commit-busy") else {}
        return {"operations": counts, "failures": [], **busy}

    def abort(self) -> None:
        self.say("abort")
        self.prepared = None

    def status(self) -> dict[str, Any]:
        if self.told("status-hang"):
            time.sleep(1000)
        part = {"vrrp": "vrrp", "check": "virtual_servers"}.get(self.context.name, "jobs")
        return {part: [{"name": self.context.name, "pid": os.getpid()}]}

    async def stop(self) -> None:
        self.say("stop")
        if self.told("stop-hang"):
            await asyncio.sleep(1000)
        self.say("stopped")

    def abandon(self) -> None:
        self.say("abandon")


def _capabilities() -> list[int]:
    """This process's effective and permitted capabilities (proc(5), CapEff and CapPrm); one list, for they must be the same."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    masks = {int(status[name], 16) for name in ("CapEff", "CapPrm")}
    assert len(masks) == 1, masks
    mask = masks.pop()
    return [number for number in range(64) if mask >> number & 1]


class World:
    """One supervisor in a process group of its own, forked from the test."""

    def __init__(self, folder: Path, first: Config | None = None, periods: Periods = QUICK) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.run_dir.mkdir(mode=0o700, exist_ok=True)
        self.ir = folder / "ir.json"
        self.log = folder / "log"
        self.write(first if first is not None else config())
        self.periods = periods
        self.pid = 0
        self.status: int | None = None

    def write(self, new: Config) -> str:
        """Make ``new`` the file that a reload reads; returns its digest."""
        document = codec.document(new)
        codec.write(document, self.ir)
        return document.digest

    def start(self, wait: bool = True) -> World:
        self.pid, self.status = os.fork(), None
        if self.pid == 0:
            code = 99
            try:
                os.setsid()
                fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                os.dup2(fd, 2)
                logs.setup("krun", "text", 10)
                run_dir = RunDir(self.run_dir)
                settings = Settings(run_dir, "memory", log_level=10)
                store = Store(self.run_dir)
                try:
                    given: codec.Document | codec.IrError = codec.load_path(self.ir)
                except codec.IrError as error:
                    given = error
                begun = begin(self.ir, given, store)
                code = Supervisor(
                    begun, settings, store, periods=self.periods, make=lambda name: FakeChild
                ).run()
                run_dir.release()
            except BaseException as error:
                os.write(2, repr(error).encode())
            finally:
                os._exit(code)
        if wait:
            self.wait_running()
        return self

    def order(self, child: str, what: str) -> None:
        """Tell a child what to do."""
        path = self.run_dir / f".{child}.do"
        path.write_text(what)
        path.rename(self.run_dir / f"{child}.do")

    def ask(self, op: str, timeout: float = 10.0, **more: Any) -> dict[str, Any]:
        return ask(self.run_dir / "krun.sock", {"op": op, **more}, timeout)

    def state(self) -> dict[str, Any]:
        answer = self.ask("status")
        assert answer["ok"], answer
        state: dict[str, Any] = answer["state"]
        return state

    def process(self, name: str) -> dict[str, Any]:
        return next(p for p in self.state()["processes"] if p["name"] == name)

    def wait_running(self, but: str = "") -> dict[str, Any]:
        def running() -> dict[str, Any] | None:
            try:
                state = self.state()
            except NoDaemonError:
                return None
            processes = [p for p in state["processes"] if p["name"] != but]
            return state if all(p["state"] == "running" for p in processes) else None

        return wait_for("all children to run", running)

    def digests(self) -> set[str | None]:
        """What the parent says that it runs, and what each child says of itself."""
        state = self.state()
        return {state["ir"]["digest"], *(p["digest"] for p in state["processes"])}

    def wait_all_run(self, digest: str) -> None:
        """Every process runs the IR ``digest``."""
        wait_for(f"all to run {digest}", lambda: self.wait_running() and self.digests() == {digest})

    def kill_all(self) -> None:
        """kill -9 of the parent and of all its children, at once."""
        for pid in [self.pid, *(p["pid"] for p in self.state()["processes"] if p["pid"])]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.wait_end()

    def events(self, child: str = "", event: str = "") -> list[dict[str, Any]]:
        path = self.run_dir / "events"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [
            line
            for line in lines
            if (not child or line["child"] == child) and (not event or line["event"] == event)
        ]

    def wait_event(self, child: str, event: str, count: int = 1) -> dict[str, Any]:
        def there() -> list[dict[str, Any]] | None:
            found = self.events(child, event)
            return found if len(found) >= count else None

        return wait_for(f"{child} {event} ({count})", there)[count - 1]

    def logged(self) -> str:
        return self.log.read_text()

    def wait_logged(self, words: str) -> str:
        return wait_for(f"log: {words}", lambda: self.logged() if words in self.logged() else None)

    def wait_end(self, seconds: float = 15.0) -> int:
        """The exit status (negative: the signal)."""

        def ended() -> tuple[int] | None:
            if self.status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.status = os.waitstatus_to_exitcode(status)
            return None if self.status is None else (self.status,)

        return wait_for("the end of krun", ended, seconds)[0]

    def close(self) -> None:
        """Leave nothing behind."""
        if not self.pid:
            return
        # The group too: a child that is being born has not said who it is, and would write where we clear up.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self.status is None:
            for pid in {e["pid"] for e in self.events()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.wait_end()


def gone(pid: int) -> bool:
    """The process does not exist, or is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"
