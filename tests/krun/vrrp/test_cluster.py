"""Any number of directors, any mishap: when the segment has been quiet for long enough there is exactly one master, and its VIPs
are on it and nowhere else."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kir.model import TrackedScript, VrrpScript
from kir.state import address_key
from krun.vrrp.machine import Role
from krun.vrrp.packet import Packet, build

from .make import config, router, vip
from .segment import Host, S, Segment

NAMES = ("a", "b", "c")
SOURCES = dict(zip(NAMES, ("192.0.2.1", "192.0.2.2", "192.0.2.3"), strict=True))
VIPS = ("192.0.2.10/24", "192.0.2.11/32")
KEYS = {address_key(vip(text)) for text in VIPS}
CHK = VrrpScript(name="chk", argv=("/bin/true",))
name_of = st.sampled_from(NAMES)


class Cluster(RuleBasedStateMachine):
    """Directors come, go, die, are cut off, are reloaded; scripts fail; packets are lost and forged."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, Any] = {}
        self.priorities: dict[str, int] = {}

    @initialize(
        seed=st.integers(0, 1000),
        version=st.sampled_from([2, 3]),
        nopreempt=st.booleans(),
        preempt_delay=st.sampled_from([0, 5 * S]),
        priorities=st.tuples(*[st.sampled_from([1, 99, 100, 150, 254])] * 3),
    )
    def begin(
        self, seed: int, version: int, nopreempt: bool, preempt_delay: int, priorities: tuple[int, ...]
    ) -> None:
        self.segment = Segment(seed)
        self.fields = {
            "version": version,
            "nopreempt": nopreempt,
            "preempt_delay_us": 0 if nopreempt else preempt_delay,
        }
        self.priorities = dict(zip(NAMES, priorities, strict=True))
        for name in NAMES:
            self.segment.add(name, SOURCES[name], self.config_of(name))

    def config_of(self, name: str, **more: Any) -> Any:
        one = router(
            priority=self.priorities[name],
            vips=VIPS,
            track_scripts=(TrackedScript(name="chk", weight=-50),),
            **{**self.fields, **more},
        )
        return config(one, scripts=(CHK,))

    def host(self, name: str) -> Host:
        return self.segment.hosts[name]

    @rule(seconds=st.sampled_from([0.01, 0.5, 1, 3, 10]))
    def wait(self, seconds: float) -> None:
        self.segment.run(int(seconds * S))

    @rule(name=name_of, politely=st.booleans())
    def end(self, name: str, politely: bool) -> None:
        host = self.host(name)
        if host.alive:
            (self.segment.stop if politely else self.segment.kill)(host)

    @rule(name=name_of)
    def come_back(self, name: str) -> None:
        host = self.host(name)
        if not host.alive:
            self.segment.add(name, SOURCES[name], self.config_of(name), leftover=set(host.addresses))

    @rule(name=name_of)
    def cut_off(self, name: str) -> None:
        self.segment.cut.add(name)

    @rule(name=name_of)
    def mend(self, name: str) -> None:
        self.segment.cut.discard(name)

    @rule(loss=st.sampled_from([0.0, 0.1, 0.5]))
    def lose(self, loss: float) -> None:
        self.segment.loss = loss

    @rule(name=name_of, success=st.booleans())
    def script(self, name: str, success: bool) -> None:
        host = self.host(name)
        if host.alive:
            self.segment.carry_out(host, host.director.script_ended("chk", success, self.segment.now))

    @rule(name=name_of, up=st.booleans())
    def link(self, name: str, up: bool) -> None:
        host = self.host(name)
        if host.alive:
            self.segment.carry_out(host, host.director.link("eth0", up, self.segment.now))

    @rule(name=name_of, priority=st.sampled_from([1, 50, 100, 200, 254]), delay=st.sampled_from([0, 3 * S]))
    def reload(self, name: str, priority: int, delay: int) -> None:
        host = self.host(name)
        self.priorities[name] = priority
        if host.alive:
            self.segment.reload(host, self.config_of(name, garp=router().garp))

    @rule(name=name_of, key=st.sampled_from(sorted(KEYS)))
    def somebody_removes_a_vip(self, name: str, key: Any) -> None:
        host = self.host(name)
        if host.alive and key in host.addresses:
            host.addresses.remove(key)
            self.segment.carry_out(host, host.director.address_gone(key, self.segment.now))

    @precondition(lambda self: hasattr(self, "segment"))
    @rule(name=name_of, ttl=st.sampled_from([1, 254]), noise=st.binary(max_size=24))
    def forge(self, name: str, ttl: int, noise: bytes) -> None:
        host = self.host(name)
        version = self.fields["version"]
        pdu = build(Packet(version, 51, 255, 1 if version == 2 else 100), "inet", None)
        before = host.director.instances["VI_1"].state
        for at in host.director.endpoints():
            for data in (pdu, b"\x31" + noise, noise):
                found = host.director.receive(at, data, "192.0.2.66", "224.0.0.18", ttl, self.segment.now)
                self.segment.carry_out(host, found)
        assert host.director.instances["VI_1"].state is before

    @invariant()
    def vips_are_where_the_master_is(self) -> None:
        if not hasattr(self, "segment"):
            return
        for host in self.segment.hosts.values():
            if host.alive:
                assert host.addresses == (KEYS if host.role() is Role.MASTER else set()), host.name

    @invariant()
    def timers_are_within_bounds(self) -> None:
        if not hasattr(self, "segment"):
            return
        for host in self.segment.hosts.values():
            state = host.director.instances["VI_1"].state
            if host.alive and state.deadline is not None:
                assert state.deadline <= self.segment.now + 5 * S
                at = host.director.next_deadline()
                assert at is not None and at <= state.deadline

    def teardown(self) -> None:
        """Mend everything and wait."""
        if not hasattr(self, "segment"):
            return
        segment = self.segment
        segment.loss = 0.0
        segment.cut.clear()
        for name in NAMES:
            self.come_back(name)
            segment.carry_out(self.host(name), self.host(name).director.link("eth0", True, segment.now))
        segment.run(20 * S)
        assert len(segment.masters()) == 1, {n: h.roles() for n, h in segment.hosts.items()}
        quiet: set[tuple[str, ...]] = set()
        segment.run(10 * S, lambda: quiet.add(tuple(segment.masters())))
        assert len(quiet) == 1
        self.vips_are_where_the_master_is()
        if not self.fields["nopreempt"]:
            best = max(
                segment.hosts.values(),
                key=lambda h: (h.director.instances["VI_1"].state.priority, h.source),
            )
            (master,) = segment.masters()
            held = segment.hosts[master].director.instances["VI_1"].state.priority
            assert held == best.director.instances["VI_1"].state.priority


Cluster.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCluster = Cluster.TestCase
