"""The checker process whole: a real event loop, real connections, the memory backend of the kernel."""

from __future__ import annotations

import asyncio
import json
import mmap
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from check_world import SECOND, Scripts, timing

from kir.model import (
    Config,
    Endpoint,
    HttpCheck,
    RealServer,
    Service,
    SorryServer,
    TcpCheck,
    Url,
    VirtualServer,
)
from krun.check.process import CheckChild
from krun.kernel.memory import MemoryKernel
from krun.loop.clock import now_us
from krun.parent.context import ChildContext

OK = b"HTTP/1.0 200 OK\r\n\r\nhello"
FAST = timing(delay_loop_us=60_000, warmup_us=0, retry=1, delay_before_retry_us=30_000)


class Backend:
    """An HTTP server that can be told to fail, and counts its connections."""

    def __init__(self) -> None:
        self.reply = OK
        self.connections = 0
        self.server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self.server is not None:
            self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.reply)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for it; no verdict is taken from how long it took."""
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < end, "it never came about"
        await asyncio.sleep(0.01)


def server(backend: Backend, kind: str, weight: int = 1) -> RealServer:
    end = Endpoint(address="127.0.0.1", port=backend.port, timeout_us=60 * SECOND)
    check: Any = TcpCheck(timing=FAST, endpoint=end)
    if kind == "http":
        check = HttpCheck(timing=FAST, endpoint=end, urls=(Url(path="/health"),))
    return RealServer(address="127.0.0.1", port=backend.port, family="inet", weight=weight, checkers=(check,))


def pool(*servers: RealServer) -> Config:
    service = Service(family="inet", protocol="tcp", address="10.0.0.1", port=80)
    virtual = VirtualServer(
        name=service.identity,
        services=(service,),
        real_servers=servers,
        sorry_server=SorryServer(address="127.0.0.1", port=9, family="inet"),
    )
    return Config(virtual_servers=(virtual,))


class Keeper:
    def __init__(self) -> None:
        self.promised: dict[str, bytes] = {}

    def promise(self, key: str, value: bytes) -> None:
        self.promised[key] = value

    def withdraw(self, key: str) -> None:
        self.promised.pop(key, None)


def child(
    config: Config, kernel: MemoryKernel, promises: dict[str, bytes] | None = None
) -> tuple[CheckChild, Keeper]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper = Keeper()
    context = ChildContext(
        name="check",
        config=config,
        digest="",
        kernel="memory",
        run_dir=Path("/nonexistent"),
        listener=ours,
        channel=theirs,
        alive=mmap.mmap(-1, 4096),
        promises=promises or {},
        promised_at_us=now_us(),
    )
    return CheckChild(context, kernel=kernel, scripts=Scripts(), promises=keeper), keeper


def test_from_start_to_stop() -> None:
    async def go() -> None:
        loop = asyncio.get_running_loop()
        trouble: list[Any] = []
        loop.set_exception_handler(lambda _loop, info: trouble.append(info))
        kernel = MemoryKernel()
        a, b = Backend(), Backend()
        await a.open()
        await b.open()
        config = pool(server(a, "http", 3), server(b, "tcp", 2))
        process, keeper = child(config, kernel)
        await process.start(loop)

        def weights() -> dict[int, int]:
            return {d.port: p.weight for e in kernel.ipvs().dump().values() for d, p in e.dests.items()}

        def state(n: int) -> str:
            return str(process.status()["virtual_servers"][0]["real_servers"][n]["state"])

        assert weights() == {a.port: 3, b.port: 2}
        await until(lambda: a.connections > 2 and b.connections > 2)
        a.reply = b"HTTP/1.0 503 Overloaded\r\n\r\n"
        await until(lambda: weights() == {b.port: 2})
        b.close()
        await until(lambda: weights() == {9: 1})
        reasons = json.dumps(process.status())
        assert "/health: HTTP status 503" in reasons
        assert "connection refused" in reasons
        a.reply = OK
        await until(lambda: weights() == {a.port: 3})
        await b.open()
        await until(lambda: weights() == {a.port: 3, b.port: 2})

        writes = kernel.ipvs().writes
        heavier = pool(server(a, "http", 4), server(b, "tcp", 2))
        assert process.prepare(msgspec.json.decode(msgspec.json.encode(heavier), type=Config), "") == {
            "ipvs.edit_dest": 1
        }
        assert process.commit() == {"operations": {"ipvs.edit_dest": 1}, "failures": []}
        assert kernel.ipvs().writes == writes + 1
        assert process.prepare(heavier, "") == {}
        assert process.commit() == {"operations": {}, "failures": []}
        assert kernel.ipvs().writes == writes + 1

        # Killed and replaced while b is down: the successor knows, and writes nothing.
        b.close()
        await until(lambda: state(1) == "down")
        process.abandon()
        writes = kernel.ipvs().writes
        heir, _ = child(heavier, kernel, keeper.promised)
        await heir.start(loop)
        assert kernel.ipvs().writes == writes
        assert heir.status()["virtual_servers"][0]["real_servers"][1]["state"] == "down"
        await b.open()
        await until(lambda: weights() == {a.port: 4, b.port: 2})
        await heir.stop()
        assert kernel.ipvs().dump() == {}
        await asyncio.sleep(0.1)  # what was under way at the stop has been accepted by now
        seen = a.connections, b.connections
        await asyncio.sleep(0.2)
        assert (a.connections, b.connections) == seen
        a.close()
        b.close()
        assert trouble == []

    asyncio.run(go())


def test_more_checks_than_descriptors() -> None:
    """Thirty checks at once with room for three: all are made, none is refused."""

    async def go() -> None:
        loop = asyncio.get_running_loop()
        kernel = MemoryKernel()
        a = Backend()
        await a.open()
        end = Endpoint(address="127.0.0.1", port=a.port, timeout_us=60 * SECOND)
        check = HttpCheck(timing=FAST, endpoint=end, urls=(Url(path="/"),))
        servers = [
            RealServer(address=f"192.168.7.{n}", port=80, family="inet", checkers=(check,))
            for n in range(1, 31)
        ]
        process, _ = child(pool(*servers), kernel)
        await process.start(loop)
        process._slots.limit = 3
        most = 0

        def all_known() -> bool:
            nonlocal most
            most = max(most, process._slots.held)
            return all(r.state.runs >= 2 for r in process._roster.runners())

        await until(all_known)
        assert most <= 3
        assert all(r.state.up and not r.state.failed_runs for r in process._roster.runners())
        process.abandon()
        assert process._slots.held == 0
        a.close()

    asyncio.run(go())
