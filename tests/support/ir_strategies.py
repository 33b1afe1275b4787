"""Hypothesis strategies for configurations of the IR: small worlds, so that pairs of them overlap."""

from __future__ import annotations

from hypothesis import strategies as st

from kir.model import (
    Address,
    Authentication,
    Config,
    Endpoint,
    Forwarding,
    HttpCheck,
    MiscCheck,
    Persistence,
    RealServer,
    Secret,
    Service,
    SorryServer,
    TcpCheck,
    TrackedScript,
    Url,
    VirtualServer,
    VrrpInstance,
    VrrpScript,
)
from kir.model import Timing as Timing_

addresses = st.builds(
    lambda n, prefix, device, label: Address(
        address=f"192.0.2.{n}", prefix=prefix, device=device, family="inet", label=label
    ),
    st.integers(1, 6),
    st.sampled_from((24, 32)),
    st.sampled_from(("eth0", "eth1")),
    st.sampled_from((None, None, "eth0:vip")),
)

timings = st.builds(Timing_, delay_loop_us=st.sampled_from((1_000_000, 6_000_000)), retry=st.integers(0, 3))
endpoints = st.builds(
    Endpoint, address=st.sampled_from(("10.0.0.1", "10.0.0.2")), port=st.sampled_from((80, 8080))
)
checkers = st.one_of(
    st.builds(TcpCheck, timing=timings, endpoint=endpoints),
    st.builds(
        HttpCheck,
        timing=timings,
        endpoint=endpoints,
        urls=st.just((Url(path="/"),)),
        tls=st.booleans(),
    ),
    st.builds(MiscCheck, timing=timings, argv=st.just(("/bin/true",))),
)
forwardings = st.builds(Forwarding, method=st.sampled_from(("NAT", "DR")))


def unique(
    values: st.SearchStrategy[object], key: object, most: int
) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(values, max_size=most, unique_by=key).map(tuple)  # type: ignore[arg-type]


real_servers = st.builds(
    lambda n, **more: RealServer(address=f"10.0.0.{n}", port=80, family="inet", **more),
    st.integers(1, 5),
    weight=st.integers(0, 3),
    forwarding=forwardings,
    inhibit_on_failure=st.booleans(),
    upper_threshold=st.sampled_from((0, 0, 100)),
    checkers=st.lists(checkers, max_size=2).map(tuple),
)

services = st.one_of(
    st.builds(
        lambda n: Service(family="inet", protocol="tcp", address=f"203.0.113.{n}", port=80), st.integers(1, 4)
    ),
    st.builds(lambda n: Service(family="inet", fwmark=n), st.integers(1, 2)),
)

sorry_servers = st.none() | st.builds(
    lambda n, inhibit: SorryServer(address=f"10.0.0.{n}", port=80, family="inet", inhibit=inhibit),
    st.sampled_from((1, 9)),
    st.booleans(),
)

virtual_servers = st.builds(
    lambda service, **more: VirtualServer(name=service.identity, services=(service,), **more),
    services,
    scheduler=st.sampled_from(("rr", "wlc")),
    flags=st.sampled_from(((), ("flag-1",))),
    persistence=st.none() | st.just(Persistence(timeout_us=360_000_000, granularity="255.255.255.255")),
    quorum=st.integers(1, 3),
    sorry_server=sorry_servers,
    real_servers=unique(real_servers, lambda r: r.identity, 5),  # type: ignore[attr-defined]
)

instances = st.builds(
    VrrpInstance,
    name=st.sampled_from(("VI_1", "VI_2", "VI_3")),
    interface=st.sampled_from(("eth0", "eth1")),
    vrid=st.integers(50, 53),
    version=st.sampled_from((2, 3)),
    family=st.just("inet"),
    initial_state=st.sampled_from(("MASTER", "BACKUP")),
    priority=st.integers(1, 254),
    advert_int_us=st.sampled_from((1_000_000, 2_000_000)),
    group=st.just("224.0.0.18"),
    authentication=st.none()
    | st.builds(
        lambda s: Authentication(type="PASS", password=Secret(secret=s)), st.sampled_from(("a", "b"))
    ),
    vips=unique(addresses, lambda a: a.identity, 4),  # type: ignore[attr-defined]
    excluded_vips=unique(addresses, lambda a: a.identity, 2),  # type: ignore[attr-defined]
    track_scripts=st.lists(st.just(TrackedScript(name="chk")), max_size=1).map(tuple),
)

scripts = st.builds(
    VrrpScript, name=st.sampled_from(("chk", "chk2")), argv=st.just(("/bin/true",)), rise=st.integers(1, 2)
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A configuration in which an address belongs to one instance, as the compiler makes sure."""
    chosen = draw(unique(instances, lambda i: i.name, 3))  # type: ignore[attr-defined]
    seen: set[tuple[str, int, str]] = set()
    clean = []
    for instance in chosen:
        kept: dict[str, list[Address]] = {"vips": [], "excluded_vips": []}
        for part, into in kept.items():
            for a in getattr(instance, part):
                key = (a.address, a.prefix, a.device)
                if key not in seen:
                    seen.add(key)
                    into.append(a)
        clean.append(
            VrrpInstance(
                **{
                    **{f: getattr(instance, f) for f in instance.__struct_fields__},  # type: ignore[attr-defined]
                    **{k: tuple(v) for k, v in kept.items()},
                }
            )
        )
    return Config(
        vrrp_scripts=draw(unique(scripts, lambda s: s.name, 2)),  # type: ignore[attr-defined,arg-type]
        vrrp_instances=tuple(clean),
        virtual_servers=draw(unique(virtual_servers, lambda v: v.name, 4)),  # type: ignore[attr-defined,arg-type]
    )
