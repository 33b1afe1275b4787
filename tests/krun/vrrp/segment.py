"""Directors on a virtual segment with a virtual clock: no socket, no kernel, no waiting. Packets may be lost, links may fall."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kir.model import Config
from kir.plan.operations import DelAddress
from kir.state import AddressKey, address_key
from krun.vrrp import effects as fx
from krun.vrrp import reload
from krun.vrrp.director import Director
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.machine import Role
from krun.vrrp.promises import Inheritance
from krun.vrrp.recorded import RecordedDirector

S = 1_000_000


@dataclass
class Host:
    """A director, the addresses that its kernel has, and what it said."""

    name: str
    source: str
    config: Config
    director: Director
    addresses: set[AddressKey] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)
    announced: list[tuple[int, str]] = field(default_factory=list)
    promises: dict[str, bytes] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    sent: list[tuple[int, str, int]] = field(default_factory=list)
    alive: bool = True

    def roles(self) -> dict[str, Role]:
        return {name: instance.state.role for name, instance in self.director.instances.items()}

    def role(self, name: str = "VI_1") -> Role:
        return self.director.instances[name].state.role


class Segment:
    """``loss``: the share of packets that each receiver misses. Delivery takes ``delay_us``. ``make``: what kind of director is started."""

    def __init__(
        self,
        seed: int = 0,
        loss: float = 0.0,
        delay_us: int = 100,
        make: Callable[[Config], Director] = Director,
    ) -> None:
        self.make = make
        self.now = 1000 * S
        self.hosts: dict[str, Host] = {}
        self.loss = loss
        self.delay = delay_us
        self.random = random.Random(seed)
        self.cut: set[str] = set()
        self._mail: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def add(
        self,
        name: str,
        source: str,
        config: Config,
        inheritance: Inheritance | None = None,
        leftover: set[AddressKey] | None = None,
    ) -> Host:
        """Start a director whose adverts leave from ``source``."""
        host = Host(name, source, config, self.make(config), addresses=leftover or set())
        director = host.director
        for device in ("eth0", "eth1"):
            director.seen_link(device, True)
        director.broken = reload.problems(config)
        for instance in config.vrrp_instances:
            director.seen_source(instance.name, instance.source or source)
        self.hosts[name] = host
        self.carry_out(host, director.start(self.now, host.addresses, inheritance))
        return host

    def reload(self, host: Host, config: Config) -> reload.ReloadPlan:
        """Two phases in one."""
        plan = reload.plan_reload(host.director.config, config)
        sources = {c.name: c.source or host.source for c in config.vrrp_instances}
        around: dict[str, Any] = {"sources": sources, "present": host.addresses}
        if isinstance(host.director, RecordedDirector):
            found = host.director.reconfigure(plan, "", self.now, **around)
        else:
            found = reload.reconfigure(host.director, plan, self.now, **around)
        host.config = config
        self.carry_out(host, found)
        return plan

    def carry_out(self, host: Host, todo: list[fx.Effect]) -> None:
        for effect in todo:
            match effect:
                case fx.Transmit(instance=instance, endpoint=at, datagrams=datagrams):
                    for one in datagrams:
                        host.sent.append((self.now, instance, one.pdu[2]))
                        self._send(host, at, one.pdu, one.source, one.destination, one.ttl)
                case fx.ChangeAddresses(operations=operations):
                    for operation in operations:
                        key = address_key(operation.address)
                        host.writes.append(operation.op)
                        if isinstance(operation, DelAddress):
                            assert key in host.addresses, f"{key} removed but not there"
                            host.addresses.remove(key)
                        else:
                            assert key not in host.addresses or operation.op != "ip.add_address"
                            host.addresses.add(key)
                case fx.AnnounceAddresses(targets=targets, rounds=rounds):
                    host.announced += [(rounds, address) for _, address in targets]
                case fx.TellOutside(name=name, word=word):
                    host.told.append((name, word))
                case fx.Say(subject=subject, text=text):
                    host.log.append(f"({subject}) {text}")
                case fx.Remember(key=key, value=value):
                    if value is None:
                        host.promises.pop(key, None)
                    else:
                        host.promises[key] = value

    def _send(self, sender: Host, at: Endpoint, pdu: bytes, source: str, destination: str, ttl: int) -> None:
        if sender.name in self.cut:
            return
        for host in self.hosts.values():
            if host is sender or host.name in self.cut or self.random.random() < self.loss:
                continue
            if at.group is None and host.source != destination:
                continue
            self._post(host, pdu, source, destination, ttl)

    def _post(self, host: Host, pdu: bytes, source: str, destination: str, ttl: int) -> None:
        def deliver() -> None:
            if host.alive and host.name not in self.cut:
                for at in host.director.endpoints():
                    if destination in (at.group, at.source):
                        self.carry_out(
                            host, host.director.receive(at, pdu, source, destination, ttl, self.now)
                        )

        self._count += 1
        heapq.heappush(self._mail, (self.now + self.delay, self._count, deliver))

    def run(self, duration_us: int, watch: Callable[[], None] | None = None) -> None:
        """Let time pass; ``watch`` is called after each event."""
        end = self.now + duration_us
        while True:
            times = [
                at for host in self.hosts.values() if host.alive and (at := host.director.next_deadline())
            ]
            times += [self._mail[0][0]] if self._mail else []
            at = min(times, default=end + 1)
            if at > end:
                break
            self.now = max(self.now, at)
            if self._mail and self._mail[0][0] <= self.now:
                heapq.heappop(self._mail)[2]()
            else:
                for host in self.hosts.values():
                    if host.alive:
                        self.carry_out(host, host.director.tick(self.now))
            if watch is not None:
                watch()
        self.now = end

    def kill(self, host: Host) -> None:
        """kill -9: not a word, the addresses stay."""
        host.alive = False

    def stop(self, host: Host) -> None:
        self.carry_out(host, host.director.stop(self.now))
        host.alive = False

    def masters(self, name: str = "VI_1") -> list[str]:
        return [
            host.name
            for host in self.hosts.values()
            if host.alive and name in host.director.instances and host.role(name) is Role.MASTER
        ]
