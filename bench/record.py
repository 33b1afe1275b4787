"""What recording costs: ``python bench/record.py``. The same machines with and without it, in turn, CPU of this process, the best of several runs.

No packet leaves and no kernel is asked: beside that the figures are the worst case for the recorder, since a real advert or check costs some
50 µs of system calls more.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "krun" / "check"))

from check_world import World, real, virtual
from check_world import config as pools

from kir.model import Address, Config, VrrpInstance
from krun.check import recorded as checks
from krun.record.ring import DEFAULT_LIMIT
from krun.vrrp import snapshot
from krun.vrrp.director import Director
from krun.vrrp.recorded import RecordedDirector

ROUTERS = 255
TIMES = 5


def routers(count: int, priority: int) -> Config:
    return Config(
        vrrp_instances=tuple(
            VrrpInstance(
                name=f"VI_{n}",
                interface=f"eth{n // 255}",
                vrid=n % 255 + 1,
                version=2,
                family="inet",
                initial_state="BACKUP",
                priority=priority,
                advert_int_us=1_000_000,
                vips=(
                    Address(address=f"10.{n // 200}.{n % 200}.1", prefix=32, device="eth0", family="inet"),
                ),
            )
            for n in range(count)
        )
    )


def started(director: Director, source: str) -> Director:
    for instance in director.instances.values():
        director.seen_link(instance.config.interface, True)
        director.seen_source(instance.name, source)
    director.start(0)
    return director


def backup(director: Director) -> float:
    """Microseconds for an advert that is heard."""
    peer = started(Director(routers(ROUTERS, 150)), "192.0.2.1")
    adverts = [instance.adverts(150)[0] for instance in peer.instances.values()]
    started(director, "192.0.2.2")
    (at,) = director.endpoints()
    now, best = 10_000, float("inf")
    for _ in range(40):
        begun = time.process_time()
        for one in adverts:
            now += 3900
            director.receive(at, bytes(bytearray(one.pdu)), one.source, one.destination, 255, now)
        best = min(best, (time.process_time() - begun) / ROUTERS * 1e6)
    return best


def master(director: Director) -> float:
    """Microseconds for an advert that is sent."""
    started(director, "192.0.2.1")
    now, best = 10_000_000, float("inf")
    director.tick(now)
    for _ in range(40):
        begun, sent = time.process_time(), 0
        for _ in range(100):
            now += 10_000
            sent += len(director.advertise(now)) + len(director.tick(now))
        best = min(best, (time.process_time() - begun) / max(sent, 1) * 1e6)
    return best


def check(limit: int) -> float:
    """Microseconds for a check, without what it asks."""
    world = World(pools(virtual(*(real(n + 1) for n in range(200)))), record=limit)
    try:
        world.loop.run_for(10)
        best = float("inf")
        for _ in range(5):
            before, begun = len(world.asked), time.process_time()
            world.loop.run_for(60)
            best = min(best, (time.process_time() - begun) / (len(world.asked) - before) * 1e6)
        return best
    finally:
        world.close()


def compare(what: str, plain: Callable[[], float], recorded: Callable[[], float]) -> None:
    pairs = [(plain(), recorded()) for _ in range(TIMES)]
    a, b = min(x for x, _ in pairs), min(y for _, y in pairs)
    print(f"{what:<28} {a:6.2f} us   recorded {b:6.2f} us   ratio {b / a:5.2f}")


def taken(what: str, take: Callable[[], object]) -> None:
    """How long the state takes with which a part of the past begins; the first time is the collector's."""
    times = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        take()
        times.append((time.perf_counter() - begun) * 1e3)
    print(f"{what:<28} {min(times):6.2f} to {max(times):.2f} ms")


def main() -> None:
    config = routers(ROUTERS, 100)
    compare(
        "an advert that is heard",
        lambda: backup(Director(config)),
        lambda: backup(RecordedDirector(config, DEFAULT_LIMIT)),
    )
    compare(
        "an advert that is sent",
        lambda: master(Director(config)),
        lambda: master(RecordedDirector(config, DEFAULT_LIMIT)),
    )
    compare("a check", lambda: check(0), lambda: check(DEFAULT_LIMIT))
    director = started(Director(routers(1000, 100)), "192.0.2.1")
    director.tick(10_000_000)
    taken("the state of 1,000 masters", lambda: snapshot.save(director))
    world = World(
        pools(*(virtual(*(real(n + 1) for n in range(240)), n=v + 1) for v in range(125))),
        record=DEFAULT_LIMIT,
    )
    taken("the state of 30,000 checks", lambda: checks.save(world.child._roster))
    world.close()


if __name__ == "__main__":
    main()
