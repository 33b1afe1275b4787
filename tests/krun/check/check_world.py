"""Builders for configurations, and a small world for the checker process: a clock and a loop that tests turn by hand."""

from __future__ import annotations

import asyncio
import heapq
import mmap
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kir.model import (
    Account,
    Checker,
    Config,
    Endpoint,
    Global,
    MiscCheck,
    RealServer,
    Script,
    Service,
    SorryServer,
    TcpCheck,
    Timing,
    VirtualServer,
)
from kir.plan.operations import IpvsOperation
from kir.state import DestKey, IpvsTable
from krun.check.outcome import GOOD, Outcome, bad, unable
from krun.kernel.door import Failure
from krun.kernel.glance import Glance
from krun.kernel.memory.ipvs import MemoryIpvs
from krun.notify.client import ScriptResult, ScriptRun
from krun.parent.context import ChildContext

SECOND = 1_000_000


def timing(**changes: Any) -> Timing:
    return Timing(
        **{
            "delay_loop_us": 6 * SECOND,
            "warmup_us": 0,
            "retry": 1,
            "delay_before_retry_us": SECOND,
            **changes,
        }
    )


def tcp(address: str = "192.168.0.1", port: int = 80, **changes: Any) -> TcpCheck:
    return TcpCheck(timing=timing(**changes), endpoint=Endpoint(address=address, port=port))


def misc(*argv: str, dynamic: bool = False, **changes: Any) -> MiscCheck:
    return MiscCheck(
        timing=timing(retry=0, **changes), argv=argv or ("/bin/check",), account=Account(), dynamic=dynamic
    )


def script(name: str) -> Script:
    return Script(argv=(f"/notify/{name}",))


def real(n: int, weight: int = 1, checkers: Sequence[Checker] | None = None, **fields: Any) -> RealServer:
    address = f"192.168.0.{n}"
    found = (tcp(address),) if checkers is None else tuple(checkers)
    return RealServer(address=address, port=80, family="inet", weight=weight, checkers=found, **fields)


def virtual(*servers: RealServer, n: int = 1, **fields: Any) -> VirtualServer:
    service = Service(family="inet", protocol="tcp", address=f"10.0.0.{n}", port=80)
    return VirtualServer(
        **{"name": service.identity, "services": (service,), "real_servers": servers, **fields}
    )


def sorry(n: int = 250, **fields: Any) -> SorryServer:
    return SorryServer(address=f"192.168.0.{n}", port=80, family="inet", **fields)


def config(*servers: VirtualServer, **general: Any) -> Config:
    return Config(virtual_servers=servers, global_defs=Global(**general))


def key(n: int) -> DestKey:
    return DestKey(f"192.168.0.{n}", 80)


class Ipvs:
    """The memory backend's table, with a hook after each write, and a log of what was carried out."""

    def __init__(self, table: IpvsTable | None = None) -> None:
        self.memory = MemoryIpvs()
        self.memory._table.update(table or {})
        self.table = self.memory._table
        self.log: list[IpvsOperation] = []
        self.refuse: Callable[[IpvsOperation], bool] = lambda _operation: False
        self.batches = self.dumps = self.glances = 0
        self.counts: dict[str, int] | None = {}
        self.closed = False
        self.after: Callable[[IpvsTable], None] = lambda _table: None

    def dump(self) -> IpvsTable:
        self.dumps += 1
        return self.memory.dump()

    def apply(self, operations: Sequence[IpvsOperation]) -> list[Failure]:
        self.batches += 1
        failures = []
        for operation in operations:
            if self.refuse(operation):
                failures.append(Failure(operation, 22, "the test refuses it"))
                continue
            refused = self.memory.apply([operation])
            failures += refused
            if not refused:
                self.log.append(operation)
            self.after(self.table)
        return failures

    @property
    def timeouts(self) -> tuple[int | None, int | None, int | None]:
        return self.memory.timeouts

    def connections(self) -> dict[tuple[str, str], int]:
        """As ``/proc/net/ip_vs``: every server that is there, 0 unless a test says otherwise (``counts``)."""
        if self.counts is None:
            return {}
        return {
            (service.identity, str(dest)): self.counts.get(str(dest), 0)
            for service, entry in self.table.items()
            for dest in entry.dests
        }

    def glance(self) -> Glance | None:
        self.glances += 1
        return self.memory.glance()

    def set_timeouts(self, tcp_s: int | None, tcpfin_s: int | None, udp_s: int | None) -> None:
        self.memory.set_timeouts(tcp_s, tcpfin_s, udp_s)

    @property
    def writes(self) -> int:
        return len(self.log)

    def close(self) -> None:
        self.closed = True

    def weights(self, n: int = 1) -> dict[str, int]:
        """Server → weight of virtual server ``n``."""
        for service, entry in self.table.items():
            if service.address == f"10.0.0.{n}":
                return {str(d): p.weight for d, p in entry.dests.items()}
        return {}

    def names(self) -> list[str]:
        """The operations so far, as ``add_dest 192.168.0.1:80``; forgets them."""
        names = [f"{o.op.removeprefix('ipvs.')} {o.target.rpartition('-> ')[2]}" for o in self.log]
        self.log.clear()
        return names


class Kernel:
    """A kernel with nothing but IPVS."""

    name = "test"

    def __init__(self, ipvs: Ipvs, rtnetlink: Any = None) -> None:
        self._ipvs = ipvs
        self._rtnetlink = rtnetlink

    def ipvs(self) -> Ipvs:
        return self._ipvs

    def rtnetlink(self) -> Any:
        return self._rtnetlink


@dataclass
class Scripts:
    """A script runner that only writes down; ``result`` is what a run ends with, by `finish`."""

    runs: list[tuple[int, ScriptRun]] = field(default_factory=list)
    waiting: dict[int, Callable[[ScriptResult], None]] = field(default_factory=dict)
    cancelled: list[int] = field(default_factory=list)

    def run(
        self,
        spec: ScriptRun,
        done: Callable[[ScriptResult], None] | None = None,
        *,
        taken: Callable[[], None] | None = None,
    ) -> int:
        token = len(self.runs) + 1
        self.runs.append((token, spec))
        if done is not None:
            self.waiting[token] = done
        return token

    def cancel(self, token: int) -> None:
        self.cancelled.append(token)
        self.waiting.pop(token, None)

    def names(self) -> list[str]:
        """The scripts run so far; forgets them."""
        names = [spec.argv[0].removeprefix("/notify/") for _, spec in self.runs]
        self.runs.clear()
        return names


class Handle:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Loop:
    """The part of an event loop that the checker process uses, on a clock that the test moves."""

    def __init__(self) -> None:
        self.now_us = 1_000 * SECOND
        self._heap: list[tuple[float, int, Handle]] = []
        self._soon: list[Callable[[], None]] = []
        self._count = 0

    def clock(self) -> int:
        return self.now_us

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        handle = Handle(callback)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, handle))
        return handle

    def add_reader(self, _fd: int, _callback: Callable[[], None]) -> None:
        """Nothing becomes readable here: the probes of the tests have no sockets."""

    def remove_reader(self, _fd: int) -> None: ...

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def turn(self) -> None:
        while self._soon:
            self._soon.pop(0)()

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now_us + round(seconds * SECOND)
        self.turn()
        while self._heap and self._heap[0][0] * SECOND <= end:
            when, _, handle = heapq.heappop(self._heap)
            if handle.callback is None:
                continue
            self.now_us = max(self.now_us, round(when * SECOND))
            handle.callback()
            self.turn()
        self.now_us = end


class World:
    """A checker process whose probes answer as ``answers`` says: (virtual server, real server, kind position) → outcome.

    ``asked`` counts the runs by real server.
    """

    def __init__(
        self,
        start: Config,
        *,
        table: IpvsTable | None = None,
        promises: Mapping[str, bytes] | None = None,
        ipvs: Ipvs | None = None,
        rtnetlink: Any = None,
        run_dir: Path = Path("/nonexistent"),
        drain_us: int = 0,
        overlays: Sequence[Mapping[str, Any]] = (),
        now_us: int = 0,
        record: int = 0,
    ) -> None:
        from krun.check.process import CheckChild  # not needed by the builders above

        self.loop = Loop()
        self.loop.now_us = now_us or self.loop.now_us
        self.ipvs = ipvs or Ipvs(table)
        self.scripts = Scripts()
        self.answers: dict[str, Outcome] = {}
        self.asked: list[tuple[float, str]] = []
        self.promised: dict[str, bytes] = {}
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.context = ChildContext(
            name="check",
            config=start,
            digest="",
            kernel="memory",
            run_dir=run_dir,
            listener=self.ours,
            channel=self.theirs,
            alive=mmap.mmap(-1, 4096),
            promises=dict(promises or {}),
            drain_us=drain_us,
            overlays=tuple(dict(o) for o in overlays),
            record=record,
        )
        self.child = CheckChild(
            self.context,
            kernel=Kernel(self.ipvs, rtnetlink),  # type: ignore[arg-type]
            scripts=self.scripts,
            clock=self.loop.clock,
            boottime=self.loop.clock,
            epoch=lambda: self.loop.now_us / SECOND,
            promises=self,
            rng=random.Random(7),
        )
        asyncio.run(self.child.start(self.loop))  # type: ignore[arg-type]
        self.child._workshop.make = self._make
        self.child._table.cost = lambda: 0  # the test's machine may be as slow as it likes
        self.loop.turn()

    # As a PromiseWriter.

    def promise(self, name: str, value: bytes) -> None:
        self.promised[name] = value

    def withdraw(self, name: str) -> None:
        self.promised.pop(name, None)

    # As a maker of probes.

    def _make(self, _e: Any, scripts: Any, checker: Checker, url: int, label: str, done: Any) -> Any:
        world = self
        address = checker.argv[-1] if isinstance(checker, MiscCheck) else checker.endpoint.address

        class Probe:
            def start(self) -> None:
                world.asked.append((world.loop.now_us / SECOND, address))
                outcome = world.answers.get(address, GOOD)
                world.loop.call_soon(lambda: self._answer(outcome))

            def _answer(self, outcome: Outcome) -> None:
                if not self.cancelled:
                    done(outcome)

            cancelled = False

            def cancel(self) -> None:
                self.cancelled = True

        return Probe()

    def fail(self, n: int, reason: str = "connection refused") -> None:
        self.answers[f"192.168.0.{n}"] = bad(reason)

    def heal(self, n: int) -> None:
        self.answers.pop(f"192.168.0.{n}", None)

    def block(self, n: int) -> None:
        self.answers[f"192.168.0.{n}"] = unable("no socket")

    def reload(self, new: Config, drain_us: int = 0) -> dict[str, Any]:
        """Both phases; the counts that were foretold must be those that happened."""
        self.context.drain_us = drain_us
        foretold = self.child.prepare(new, "")
        done = self.child.commit()
        assert foretold == done["operations"]
        self.loop.turn()
        return done

    def server(self, n: int, v: int = 0) -> dict[str, Any]:
        """The status of a real server."""
        servers = self.child.status()["virtual_servers"][v]["real_servers"]
        found: dict[str, Any] = next(s for s in servers if s["identity"] == f"192.168.0.{n}:80")
        return found

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
        self.context.alive.close()
