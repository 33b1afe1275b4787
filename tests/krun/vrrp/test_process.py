"""The process around the machine, with real event loops and time, on kernels in memory that share a wire."""

from __future__ import annotations

import asyncio
import errno
import logging
import mmap
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kir.model import Config, Garp, Notify, Script, TrackedScript, VrrpScript
from kir.state import address_key
from krun.kernel.memory import MemoryKernel, Packet, Wire
from krun.loop.clock import now_us
from krun.notify.client import ScriptResult, ScriptRun
from krun.parent.context import ChildContext
from krun.parent.promises import PromiseWriter
from krun.vrrp import process
from krun.vrrp.process import VrrpChild

from .make import config, router, vip

QUICK = router(version=3, advert_int_us=50_000, garp=Garp(delay_us=100_000, repeat=2))
VIP = address_key(vip("192.0.2.10/24"))
change = msgspec.structs.replace


class Scripts:
    """In place of the script process: answers at once with what the test says."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.runs: list[ScriptRun] = []
        self.answer = ScriptResult("exited", 0)

    def run(
        self,
        spec: ScriptRun,
        done: Callable[[ScriptResult], None] | None = None,
        *,
        taken: Callable[[], None] | None = None,
    ) -> int:
        self.runs.append(spec)
        if done is not None:
            asyncio.get_running_loop().call_soon(done, self.answer)
        if taken is not None:
            asyncio.get_running_loop().call_soon(taken)
        return len(self.runs)

    def programs(self, used: object) -> None: ...

    def cancel(self, token: int) -> None: ...

    def close(self) -> None: ...


class Lab:
    """Children on one wire."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.wire = Wire()
        self.tmp_path = tmp_path
        self.kernels: list[MemoryKernel] = []
        self.children: list[VrrpChild] = []
        self.scripts: list[Scripts] = []
        self.keepers: list[PromiseWriter] = []
        self._channels: list[socket.socket] = []
        monkeypatch.setattr(process, "open_kernel", lambda *_: self.kernels[-1])
        monkeypatch.setattr(process, "ScriptClient", self._script_client)

    def _script_client(self, *_: Any) -> Scripts:
        self.scripts.append(Scripts())
        return self.scripts[-1]

    async def start(
        self, what: Config, kernel: MemoryKernel | None = None, promises: dict[str, bytes] | None = None
    ) -> VrrpChild:
        if kernel is None:
            kernel = MemoryKernel(["eth0"], host=len(self.kernels) + 1)
            self.wire.attach(kernel, "eth0")
        self.kernels.append(kernel)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channels += [ours, theirs]
        self.keepers.append(PromiseWriter())
        child = VrrpChild(
            ChildContext(
                name="vrrp",
                config=what,
                digest="sha256:0",
                kernel="memory",
                run_dir=self.tmp_path,
                listener=ours,
                channel=theirs,
                alive=mmap.mmap(-1, 4096),
                keeper=self.keepers[-1],
                promises=promises or {},
                promised_at_us=now_us(),
            )
        )
        await child.start(asyncio.get_running_loop())
        self.children.append(child)
        return child

    def promises(self, child: int) -> dict[str, bytes]:
        return PromiseWriter(os.dup(self.keepers[child].fd)).left.values

    def close(self) -> None:
        for child in self.children:
            child.abandon()
        for sock in self._channels:
            sock.close()


def play(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, story: Callable[[Lab], Coroutine[Any, Any, None]]
) -> None:
    async def main() -> None:
        lab = Lab(monkeypatch, tmp_path)
        try:
            await story(lab)
        finally:
            lab.close()

    asyncio.run(main())


async def until(what: Callable[[], Any], limit_s: float = 20.0) -> None:
    for _ in range(int(limit_s * 200)):
        if what():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"never came true: {what}")


def state(child: VrrpChild, n: int = 0) -> str:
    return str(child.status()["vrrp"][n]["state"])


def test_election_takeover_and_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def story(lab: Lab) -> None:
        script = Script(argv=("/bin/notify", "x"))
        a = await lab.start(
            config(change(QUICK, priority=150, notify=Notify(any=script, master=Script(argv=("/m",)))))
        )
        b = await lab.start(config(QUICK))
        await until(lambda: state(a) == "MASTER")
        await until(lambda: len(lab.kernels[0].announced) >= 4)
        await asyncio.sleep(0.3)
        assert state(b) == "BACKUP"
        assert (
            VIP in lab.kernels[0].rtnetlink().addresses()
            and VIP not in lab.kernels[1].rtnetlink().addresses()
        )
        assert [run.argv for run in lab.scripts[0].runs] == [
            ("/bin/notify", "x", "INSTANCE", "VI_1", "BACKUP", "150"),
            ("/m",),
            ("/bin/notify", "x", "INSTANCE", "VI_1", "MASTER", "150"),
        ]
        assert len({run.queue for run in lab.scripts[0].runs}) == 1
        shown = a.status()["vrrp"][0]
        assert shown["vips"] == ["192.0.2.10/24 dev eth0"] and shown["master"] == "198.18.1.1"
        assert b.status()["vrrp"][0]["master"] == "198.18.1.1"
        msgspec.json.encode(a.status())
        assert set(lab.promises(0)) == {"VI_1", "told INSTANCE VI_1"}
        await a.stop()
        assert VIP not in lab.kernels[0].rtnetlink().addresses()
        assert lab.promises(0) == {}
        await until(lambda: state(b) == "MASTER")
        assert b.status()["vrrp"][0]["counters"]["pri_zero_rcvd"] == 1

    play(monkeypatch, tmp_path, story)


def test_a_killed_child_is_followed_by_one_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = change(QUICK, advert_int_us=1_000_000, priority=255, initial_state="MASTER")

    async def story(lab: Lab) -> None:
        a = await lab.start(config(slow))
        await until(lambda: state(a) == "MASTER")
        promises = lab.promises(0)
        kernel = lab.kernels[0]
        a.abandon()
        assert VIP in kernel.rtnetlink().addresses()
        kernel.announced.clear()
        writes = kernel.rtnetlink().writes
        again = await lab.start(config(slow), kernel, promises)
        assert state(again) == "MASTER" and kernel.rtnetlink().writes == writes
        assert lab.scripts[-1].runs == [] and len(kernel.announced) == 1

    play(monkeypatch, tmp_path, story)


def test_links_addresses_and_overruns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def story(lab: Lab) -> None:
        a = await lab.start(config(QUICK))
        kernel = lab.kernels[0]
        held = kernel.rtnetlink().addresses
        await until(lambda: state(a) == "MASTER")
        kernel.remove_address(VIP)
        await until(lambda: VIP in held())
        assert a.status()["vrrp"][0]["counters"]["vips_lost"] == 1
        kernel.set_link("eth0", up=False)
        await until(lambda: state(a) == "FAULT")
        assert VIP not in held()
        assert a.status()["vrrp"][0]["faults"] == ["interface eth0 is down"]
        kernel.set_link("eth0", up=True)
        await until(lambda: state(a) == "MASTER")
        own = next(key for key in held() if key.device == "eth0" and key.address.startswith("198.18"))
        kernel.remove_address(own)
        await until(lambda: state(a) == "FAULT")
        kernel.rtnetlink().add_address("eth0", "198.18.1.77", 24)
        await until(lambda: state(a) == "MASTER")
        assert a.status()["vrrp"][0]["source"] == "198.18.1.77"
        kernel.rtnetlink()._held.pop(VIP)  # an event that is lost
        kernel.rtnetlink().lose_events()
        await until(lambda: VIP in held())
        kernel.rtnetlink().remove_link("eth0")
        await until(lambda: state(a) == "FAULT")
        kernel.rtnetlink().set_link("eth0")
        kernel.rtnetlink().add_address("eth0", "198.18.1.78", 24)
        await until(lambda: state(a) == "MASTER" and VIP in held())

    play(monkeypatch, tmp_path, story)


def test_reload_in_two_phases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def story(lab: Lab) -> None:
        first = config(QUICK)
        a = await lab.start(first)
        kernel = lab.kernels[0]
        await until(lambda: state(a) == "MASTER")
        more = config(change(QUICK, vips=(*QUICK.vips, vip("192.0.2.11/32"))))
        assert a.prepare(more, "d") == {"vrrp.update": 1, "ip.add_address": 1}
        a.abort()
        with pytest.raises(ValueError, match="nothing was prepared"):
            a.commit()
        a.prepare(more, "d")
        writes = kernel.rtnetlink().writes
        assert a.commit() == {"operations": {"vrrp.update": 1, "ip.add_address": 1}, "failures": []}
        assert kernel.rtnetlink().writes == writes + 1 and state(a) == "MASTER"
        assert a.prepare(more, "d") == {} and a.commit() == {"operations": {}, "failures": []}
        with pytest.raises(ValueError, match="is taken by"):
            a.prepare(config(QUICK, change(QUICK, name="VI_2")), "d")
        kernel.rtnetlink().refuse = lambda operation: errno.EPERM
        a.prepare(config(change(QUICK, vips=(*QUICK.vips, vip("192.0.2.11/32"), vip("192.0.2.12/32")))), "d")
        answer = a.commit()
        kernel.rtnetlink().refuse = None
        assert "192.0.2.12/32 dev eth0" not in a.status()["vrrp"][0]["vips"]
        assert len(answer["failures"]) == 1

    play(monkeypatch, tmp_path, story)


def test_track_scripts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chk = VrrpScript(name="chk", argv=("/bin/chk",), interval_us=20_000, timeout_us=10_000)

    async def story(lab: Lab) -> None:
        a = await lab.start(config(change(QUICK, track_scripts=(TrackedScript(name="chk"),)), scripts=(chk,)))
        await until(lambda: state(a) == "MASTER")
        lab.scripts[0].answer = ScriptResult("timeout")
        await until(lambda: state(a) == "FAULT")
        assert a.status()["trackers"][0]["state"] == "down"
        lab.scripts[0].answer = ScriptResult("lost")
        await asyncio.sleep(0.1)
        assert state(a) == "FAULT"
        lab.scripts[0].answer = ScriptResult("exited", 0)
        await until(lambda: state(a) == "MASTER")
        assert lab.scripts[0].runs[0].timeout_us == 10_000

    play(monkeypatch, tmp_path, story)


def test_a_flood_of_nonsense_is_one_line_and_no_harm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(lab: Lab) -> None:
        a = await lab.start(config(QUICK))
        await until(lambda: state(a) == "MASTER")
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "krun.vrrp"):
            for n in range(1000):
                lab.kernels[0].deliver(
                    "eth0", Packet(bytes([0x31, 51, n & 0xFF]), "192.0.2.66", "224.0.0.18", 255)
                )
            await until(lambda: a.status()["vrrp"][0]["counters"]["packet_len_err"] == 1000)
        assert len([r for r in caplog.records if r.name == "krun.vrrp"]) == 1
        assert state(a) == "MASTER"

    play(monkeypatch, tmp_path, story)


def test_what_is_not_done_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(lab: Lab) -> None:
        await lab.start(config(change(QUICK, accept=False)))

    play(monkeypatch, tmp_path, story)
    assert "no_accept of VI_1 is not enforced" in caplog.text
