"""IPVS of a real kernel against `krun.kernel`: what is applied is what ipvsadm and a dump give back.

Run as a program it plays every scenario and writes one JSON line for each: name, error (null: it passed), figures.
"""

from __future__ import annotations

import errno
import json
import random
import subprocess
import time
import traceback
from collections.abc import Callable

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from kir.model import Forwarding, Service
from kir.plan.ipvs import plan_table
from kir.plan.operations import (
    AddDest,
    AddService,
    DelDest,
    DelService,
    EditDest,
    EditService,
    IpvsOperation,
)
from kir.state import DestKey, DestParams, IpvsTable, ServiceEntry, ServiceParams
from krun.kernel.ipvs import LinuxIpvs
from krun.kernel.memory import MemoryIpvs

FIGURES: dict[str, str] = {}


def _v4(address: str, port: int, protocol: str = "tcp") -> Service:
    return Service(family="inet", protocol=protocol, address=address, port=port)  # type: ignore[arg-type]


def _tunnel(kind: str, **more: object) -> Forwarding:
    return Forwarding(method="TUN", tunnel_type=kind, **more)  # type: ignore[arg-type]


def every_kind() -> IpvsTable:
    """A table with every kind of service and server."""
    direct = Forwarding(method="DR")
    return {
        _v4("10.0.0.1", 80): ServiceEntry(
            ServiceParams(scheduler="wlc"),
            {
                DestKey("192.168.0.1", 8080): DestParams(weight=3, upper_threshold=10, lower_threshold=5),
                DestKey("192.168.0.2", 80): DestParams(weight=0, forwarding=direct),
                DestKey("192.168.0.3", 80): DestParams(weight=1, forwarding=_tunnel("ipip")),
                DestKey("192.168.0.4", 80): DestParams(
                    weight=1, forwarding=_tunnel("gue", tunnel_port=6080, tunnel_checksum="remcsum")
                ),
                DestKey("192.168.0.5", 80): DestParams(
                    weight=1, forwarding=_tunnel("gre", tunnel_checksum="csum")
                ),
                DestKey("2001:db8::5", 80): DestParams(
                    weight=1, forwarding=_tunnel("gre", tunnel_checksum="nocsum")
                ),
            },
        ),
        _v4("10.0.0.1", 53, "udp"): ServiceEntry(ServiceParams(scheduler="rr", flags=("ops",))),
        _v4("10.0.0.1", 5060, "sctp"): ServiceEntry(
            ServiceParams(
                scheduler="sh", flags=("flag-1", "flag-2"), timeout_s=300, granularity="255.255.255.0"
            )
        ),
        _v4("10.0.0.2", 5060, "udp"): ServiceEntry(
            ServiceParams(scheduler="rr", timeout_s=60, engine="sip", flags=("flag-3", "ops"))
        ),
        _v4("10.0.0.3", 0): ServiceEntry(ServiceParams(scheduler="rr", timeout_s=60)),
        Service(family="inet6", protocol="tcp", address="2001:db8::1", port=443): ServiceEntry(
            ServiceParams(scheduler="mh", flags=("flag-1", "flag-2"), timeout_s=50, granularity="64"),
            {DestKey("2001:db8::2", 443): DestParams(weight=2147483647)},
        ),
        Service(family="inet", fwmark=7): ServiceEntry(
            ServiceParams(scheduler="wrr"), {DestKey("192.168.0.1", 0): DestParams(weight=1)}
        ),
        Service(family="inet6", fwmark=0x7FFFFFFF): ServiceEntry(
            ServiceParams(scheduler="wrr", granularity="128"),
            {DestKey("2001:db8::3", 0): DestParams(weight=1)},
        ),
    }


EVERY_KIND_SAVED = """\
-A --sctp-service 10.0.0.1:5060 -s sh -p 300 -M 255.255.255.0 -b sh-fallback,sh-port
-A -f 2147483647 -6 -s wrr
-A -f 7 -s wrr
-A -t 10.0.0.1:80 -s wlc
-A -t 10.0.0.3:0 -s rr -p 60
-A -t [2001:db8::1]:443 -s mh -p 50 -M 64 -b mh-fallback,mh-port
-A -u 10.0.0.1:53 -s rr -o
-A -u 10.0.0.2:5060 -s rr -p 60 --pe sip -o -b flag-3
-a -f 2147483647 -6 -r [2001:db8::3]:0 -m -w 1
-a -f 7 -r 192.168.0.1:0 -m -w 1
-a -t 10.0.0.1:80 -r 192.168.0.1:8080 -m -w 3
-a -t 10.0.0.1:80 -r 192.168.0.2:80 -g -w 0
-a -t 10.0.0.1:80 -r 192.168.0.3:80 -i -w 1 --tun-type ipip
-a -t 10.0.0.1:80 -r 192.168.0.4:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 10.0.0.1:80 -r 192.168.0.5:80 -i -w 1 --tun-type gre --tun-csum
-a -t 10.0.0.1:80 -r [2001:db8::5]:80 -i -w 1 --tun-type gre --tun-nocsum
-a -t [2001:db8::1]:443 -r [2001:db8::2]:443 -m -w 2147483647
"""
"""The same table in the words of ipvsadm, sorted. It saves no thresholds, and prints marks from 2^31 on as negative."""


def ipvsadm(*arguments: str, text: str | None = None) -> str:
    done = subprocess.run(["ipvsadm", *arguments], input=text, capture_output=True, text=True, check=True)
    return done.stdout


def saved() -> str:
    return "".join(sorted(f"{line.rstrip()}\n" for line in ipvsadm("-Sn").splitlines()))


def everything_is_applied_and_read_back(ipvs: LinuxIpvs) -> None:
    wanted = every_kind()
    operations = plan_table({}, wanted)
    before = ipvs.writes
    assert ipvs.apply(operations) == []
    assert ipvs.writes - before == len(operations)
    assert ipvs.dump() == wanted
    assert saved() == EVERY_KIND_SAVED
    assert plan_table(ipvs.dump(), wanted) == []
    assert ipvs.apply(plan_table(ipvs.dump(), {})) == []
    assert ipvs.dump() == {} and saved() == ""


def what_ipvsadm_made_is_read(ipvs: LinuxIpvs) -> None:
    ipvsadm("-R", text=EVERY_KIND_SAVED)
    wanted = every_kind()
    for entry in wanted.values():
        for key, params in entry.dests.items():
            entry.dests[key] = msgspec.structs.replace(params, upper_threshold=0, lower_threshold=0)
    assert ipvs.dump() == wanted


def edits_change_every_parameter(ipvs: LinuxIpvs) -> None:
    ipvs.apply(plan_table({}, every_kind()))
    web = _v4("10.0.0.1", 80)
    wanted = every_kind()
    wanted[web].params = ServiceParams(
        scheduler="mh", flags=("flag-2", "ops"), timeout_s=10, granularity="255.0.0.0", engine="sip"
    )
    for number, key in enumerate(list(wanted[web].dests)):
        wanted[web].dests[key] = DestParams(
            weight=number,
            forwarding=Forwarding(method="DR")
            if ":" not in key.address
            else _tunnel("gue", tunnel_port=9, tunnel_checksum="csum"),
            upper_threshold=20 + number,
            lower_threshold=number,
        )
    six = next(s for s in wanted if s.family == "inet6" and s.address)
    wanted[six].params = ServiceParams(scheduler="rr", granularity="128")
    operations = plan_table(ipvs.dump(), wanted)
    assert {type(o) for o in operations} == {EditService, EditDest}
    assert ipvs.apply(operations) == []
    assert ipvs.dump() == wanted
    back = plan_table(ipvs.dump(), every_kind())
    assert ipvs.apply(back) == [] and ipvs.dump() == every_kind()


def refusals_are_told_and_do_not_stop_the_rest(ipvs: LinuxIpvs) -> None:
    one = DestParams(weight=1)
    rr = ServiceParams(scheduler="rr")
    web, ghost = _v4("10.0.0.1", 80), _v4("10.9.9.9", 1)
    there, absent = DestKey("192.168.0.1", 80), DestKey("192.168.0.99", 80)
    ipvs.apply([AddService(service=web, params=rr), AddDest(service=web, dest=there, params=one)])
    cases: list[tuple[IpvsOperation, int, str]] = [
        (AddService(service=web, params=rr), errno.EEXIST, "is there already"),
        (
            AddService(service=ghost, params=ServiceParams(scheduler="magic")),
            errno.ENOENT,
            "modprobe -a ip_vs_magic",
        ),
        (
            AddDest(service=ghost, dest=there, params=one),
            errno.ESRCH,
            "its virtual service could not be added",
        ),
        (DelService(service=ghost), errno.ESRCH, "no such virtual service"),
        (AddDest(service=web, dest=there, params=one), errno.EEXIST, "the server is there already"),
        (AddDest(service=web, dest=DestKey("224.0.0.1", 80), params=one), errno.EINVAL, "not a unicast"),
        (
            AddDest(service=web, dest=absent, params=DestParams(weight=1, lower_threshold=3)),
            errno.ERANGE,
            "lower threshold 3 is above",
        ),
        (
            AddDest(service=web, dest=absent, params=DestParams(weight=-1)),
            errno.ERANGE,
            "weight -1 is negative",
        ),
        (AddDest(service=web, dest=DestKey("2001:db8::7", 80), params=one), errno.EINVAL, "needs a tunnel"),
        (
            AddDest(service=web, dest=absent, params=DestParams(weight=1, forwarding=_tunnel("gue"))),
            errno.EINVAL,
            "GUE tunnel needs a port",
        ),
        (DelDest(service=web, dest=absent), errno.ENOENT, "no such server"),
        (EditDest(service=web, dest=absent, params=one, old=one), errno.ENOENT, "no such server"),
        (
            AddService(
                service=Service(family="inet6", protocol="tcp", address="2001:db8::8", port=1),
                params=ServiceParams(scheduler="rr", granularity="0", timeout_s=3),
            ),
            errno.EINVAL,
            "granularity 0",
        ),
        (
            AddDest(service=web, dest=DestKey("not an address", 80), params=one),
            errno.EINVAL,
            "cannot be put into a netlink message",
        ),
    ]
    good = AddDest(service=web, dest=absent, params=one)
    failures = ipvs.apply([*(operation for operation, _, _ in cases), good])
    assert {f.operation.target for f in failures} == {o.target for o, _, _ in cases}
    by_operation = {id(f.operation): f for f in failures}
    for operation, number, words in cases:
        failure = by_operation[id(operation)]
        assert failure.errno == number, failure
        assert words in failure.message and failure.message.startswith(operation.op), failure.message
    assert set(ipvs.dump()[web].dests) == {there, absent}
    memory = MemoryIpvs()
    memory.apply([AddService(service=web, params=rr), AddDest(service=web, dest=there, params=one)])
    for operation, number, _ in cases[:-1]:
        if operation.service == ghost and isinstance(operation, AddDest):
            continue
        told = [f.errno for f in memory.apply([operation])]
        unicast = isinstance(operation, AddDest) and operation.dest.address == "224.0.0.1"
        assert told == [number] or unicast, (operation, told)


def a_namespace_without_loopback_is_explained(ipvs: LinuxIpvs) -> None:
    """The kernel says only EINVAL where a fresh namespace has no local routing table yet."""
    import ctypes
    import os

    if os.unshare(0x40000000) if hasattr(os, "unshare") else ctypes.CDLL(None).unshare(0x40000000):
        raise OSError("unshare")
    fresh = LinuxIpvs()
    web = _v4("10.0.0.1", 80)
    operations: list[IpvsOperation] = [
        AddService(service=web, params=ServiceParams(scheduler="rr")),
        AddDest(service=web, dest=DestKey("192.168.0.1", 80), params=DestParams(weight=1)),
    ]
    (failure,) = fresh.apply(operations)
    assert failure.errno == errno.EINVAL and "ip link set lo up" in failure.message
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    assert fresh.apply(operations[1:]) == []
    fresh.close()


def timeouts(ipvs: LinuxIpvs) -> None:
    before = ipvs.writes
    ipvs.set_timeouts(None, None, None)
    assert ipvs.writes == before
    ipvs.set_timeouts(100, 20, 50)
    ipvs.set_timeouts(None, 30, None)
    assert "100 30 50" in ipvsadm("-L", "--timeout") and ipvs.writes == before + 2
    try:
        ipvs.set_timeouts(2**31, None, None)
    except OSError as error:
        assert error.errno == errno.EINVAL and "refused" in str(error)
    else:
        raise AssertionError("a timeout of 68 years was taken")


def connections_are_counted(ipvs: LinuxIpvs) -> None:
    import socket

    subprocess.run(["ip", "addr", "add", "10.0.0.1/32", "dev", "lo"], check=True)
    web = _v4("10.0.0.1", 80)
    with socket.create_server(("127.0.0.1", 8080)) as server:
        local = DestKey("127.0.0.1", 8080)
        ipvs.apply(
            [
                AddService(service=web, params=ServiceParams(scheduler="rr")),
                AddDest(service=web, dest=local, params=DestParams(weight=1)),
            ]
        )
        key = (web.identity, str(local))
        assert ipvs.connections() == {key: 0}
        with socket.create_connection(("10.0.0.1", 80), 5) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
            assert ipvs.connections() == {key: 1}


def ten_thousand_servers_in_one_batch(ipvs: LinuxIpvs) -> None:
    operations: list[IpvsOperation] = []
    wanted: IpvsTable = {}
    for s in range(1000):
        service = _v4(f"10.7.{s // 250}.{s % 250 + 1}", 80)
        dests = {DestKey(f"10.8.{n}.{n + 1}", 80): DestParams(weight=n) for n in range(10)}
        wanted[service] = ServiceEntry(ServiceParams(scheduler="rr"), dests)
    operations = plan_table({}, wanted)
    started = time.perf_counter()
    assert ipvs.apply(operations) == []
    applied = time.perf_counter()
    assert ipvs.dump() == wanted
    read = time.perf_counter()
    counted = ipvs.connections()
    FIGURES["apply 11,000"] = f"{1000 * (applied - started):.0f} ms"
    FIGURES["dump 11,000"] = f"{1000 * (read - applied):.0f} ms"
    FIGURES["connections 10,000"] = f"{1000 * (time.perf_counter() - read):.0f} ms"
    assert len(counted) == 10_000 and set(counted.values()) == {0}
    changed = {s: ServiceEntry(e.params, dict(e.dests)) for s, e in wanted.items()}
    changed[_v4("10.7.1.1", 80)].dests[DestKey("10.8.0.1", 80)] = DestParams(weight=77)
    small = plan_table(ipvs.dump(), changed)
    before = ipvs.writes
    assert len(small) == 1 and ipvs.apply(small) == [] and ipvs.writes - before == 1
    assert ipvs.dump() == changed


def an_error_in_the_middle_of_a_batch(ipvs: LinuxIpvs) -> None:
    web = _v4("10.0.0.1", 80)
    one = DestParams(weight=1)
    operations: list[IpvsOperation] = [AddService(service=web, params=ServiceParams(scheduler="rr"))]
    operations += [
        AddDest(service=web, dest=DestKey(f"10.8.{n // 250}.{n % 250 + 1}", 80), params=one)
        for n in range(2000)
    ]
    wrong = (1, 499, 500, 501, 999, 1234, 2000)
    for position in wrong:
        operations[position] = AddDest(
            service=web, dest=DestKey("10.8.0.5", 81), params=DestParams(weight=-1)
        )
    failures = ipvs.apply(operations)
    assert [f.operation for f in failures] == [operations[n] for n in wrong]
    assert {f.errno for f in failures} == {errno.ERANGE}
    assert len(ipvs.dump()[web].dests) == 2000 - len(wrong)


_FORWARDING = st.one_of(
    st.just(Forwarding()),
    st.just(Forwarding(method="DR")),
    st.just(_tunnel("ipip")),
    st.builds(lambda c: _tunnel("gre", tunnel_checksum=c), st.sampled_from(("nocsum", "csum"))),
    st.builds(
        lambda p, c: _tunnel("gue", tunnel_port=p, tunnel_checksum=c),
        st.integers(1, 65535),
        st.sampled_from(("nocsum", "csum", "remcsum")),
    ),
)
_U31 = st.integers(0, 2**31 - 1)


@st.composite
def _dests(draw: st.DrawFn, family: str) -> dict[DestKey, DestParams]:
    dests = {}
    for number in range(1, 1 + draw(st.integers(0, 4))):
        forwarding = draw(_FORWARDING)
        foreign = forwarding.method == "TUN" and draw(st.booleans())
        six = (family == "inet6") != foreign
        key = DestKey(f"2001:db8::{number:x}" if six else f"192.168.0.{number}", draw(st.integers(0, 65535)))
        upper = draw(_U31)
        dests[key] = DestParams(
            weight=draw(_U31),
            forwarding=forwarding,
            upper_threshold=upper,
            lower_threshold=draw(st.integers(0, upper)),
        )
    return dests


@st.composite
def _tables(draw: st.DrawFn) -> IpvsTable:
    table: IpvsTable = {}
    for _ in range(draw(st.integers(0, 4))):
        family = draw(st.sampled_from(("inet", "inet6")))
        protocol = draw(st.sampled_from((None, "tcp", "udp", "sctp")))
        number = draw(st.sampled_from((1, 2, 0xFFFFFFFF if protocol is None else 3)))
        timeout = draw(st.one_of(st.just(0), st.integers(1, 86400)))
        if protocol is None:
            service = Service(family=family, fwmark=number)  # type: ignore[arg-type]
        else:
            address = f"2001:db8:1::{number}" if family == "inet6" else f"10.0.0.{number}"
            # Port 0 (every port) is for persistent services.
            port = draw(st.integers(0 if timeout else 1, 3))
            service = Service(family=family, protocol=protocol, address=address, port=port)  # type: ignore[arg-type]
        whole = "255.255.255.255" if family == "inet" else "128"
        masks = ("255.0.0.0", "255.255.255.0", whole) if family == "inet" else ("1", "64", whole)
        params = ServiceParams(
            scheduler=draw(st.sampled_from(("rr", "wrr", "lc", "wlc", "sh"))),
            flags=tuple(sorted(draw(st.sets(st.sampled_from(("flag-1", "flag-2", "flag-3", "ops")))))),
            timeout_s=timeout,
            granularity=draw(st.sampled_from(masks)) if timeout else whole,
        )
        table[service] = ServiceEntry(params, draw(_dests(family)))
    return table


def any_table_to_any_other(ipvs: LinuxIpvs) -> None:
    """Random tables: the plan from one to the next, applied, gives exactly the next; the memory backend agrees."""
    memory = MemoryIpvs()

    @seed(random.Random(1).getrandbits(32))
    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(_tables())
    def step(wanted: IpvsTable) -> None:
        operations = plan_table(ipvs.dump(), wanted)
        assert ipvs.apply(operations) == [], operations
        assert ipvs.dump() == wanted
        assert memory.apply(operations) == []
        assert memory.dump() == wanted

    step()


SCENARIOS: dict[str, Callable[[LinuxIpvs], None]] = {
    scenario.__name__: scenario
    for scenario in (
        everything_is_applied_and_read_back,
        what_ipvsadm_made_is_read,
        edits_change_every_parameter,
        refusals_are_told_and_do_not_stop_the_rest,
        timeouts,
        connections_are_counted,
        ten_thousand_servers_in_one_batch,
        an_error_in_the_middle_of_a_batch,
        any_table_to_any_other,
        a_namespace_without_loopback_is_explained,
    )
}


def main() -> None:
    ipvs = LinuxIpvs()
    for name, scenario in SCENARIOS.items():
        FIGURES.clear()
        error = None
        try:
            scenario(ipvs)
        except BaseException:
            error = traceback.format_exc()
        print(json.dumps({"name": name, "error": error, "figures": FIGURES}), flush=True)
        ipvs.apply(plan_table(ipvs.dump(), {}))


if __name__ == "__main__":
    main()
