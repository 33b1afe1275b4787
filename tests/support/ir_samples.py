"""Configurations of the IR for tests, made by hand."""

from __future__ import annotations

from kir.model import (
    Account,
    Address,
    Authentication,
    Config,
    Endpoint,
    Forwarding,
    Global,
    HttpCheck,
    MiscCheck,
    Notify,
    Peer,
    Persistence,
    RealServer,
    Script,
    Secret,
    Service,
    SorryServer,
    SyncGroup,
    TcpCheck,
    Timing,
    TrackedInterface,
    TrackedScript,
    Url,
    VirtualServer,
    VrrpInstance,
    VrrpScript,
)

PASSWORD = "k3ep-1t!"


def vip(address: str = "203.0.113.10", prefix: int = 24, device: str = "eth0", **more: object) -> Address:
    family = "inet6" if ":" in address else "inet"
    return Address(address=address, prefix=prefix, device=device, family=family, **more)  # type: ignore[arg-type]


def instance(name: str = "VI_1", **more: object) -> VrrpInstance:
    base: dict[str, object] = {
        "name": name,
        "interface": "eth0",
        "vrid": 51,
        "version": 2,
        "family": "inet",
        "initial_state": "BACKUP",
        "priority": 150,
        "advert_int_us": 1_000_000,
        "group": "224.0.0.18",
        "vips": (vip(),),
    }
    return VrrpInstance(**{**base, **more})  # type: ignore[arg-type]


def real(address: str = "192.168.0.1", port: int = 80, **more: object) -> RealServer:
    family = "inet6" if ":" in address else "inet"
    return RealServer(address=address, port=port, family=family, **more)  # type: ignore[arg-type]


def service(address: str = "10.0.0.1", port: int = 80, protocol: str = "tcp") -> Service:
    family = "inet6" if ":" in address else "inet"
    return Service(family=family, protocol=protocol, address=address, port=port)  # type: ignore[arg-type]


def virtual(*reals: RealServer, at: Service | None = None, **more: object) -> VirtualServer:
    at = at or service()
    return VirtualServer(name=at.identity, services=(at,), real_servers=reals or (real(),), **more)  # type: ignore[arg-type]


def full() -> Config:
    """One of everything."""
    timing = Timing(delay_loop_us=6_000_000, warmup_us=6_000_000, retry=3)
    return Config(
        global_defs=Global(router_id="edge1", enable_script_security=True),
        vrrp_scripts=(
            VrrpScript(name="chk", argv=("/bin/true",), account=Account(user="nobody"), rise=2, fall=3),
        ),
        vrrp_instances=(
            instance(
                authentication=Authentication(type="PASS", password=Secret(secret=PASSWORD)),
                track_interfaces=(TrackedInterface(name="eth1", weight=-20),),
                track_scripts=(TrackedScript(name="chk", weight=-60),),
                notify=Notify(master=Script(argv=("/usr/local/bin/up", "VI_1"))),
                sync_group="G1",
            ),
            instance(
                "VI_6",
                family="inet6",
                version=3,
                vrid=52,
                unicast=True,
                group=None,
                source="2001:db8::1",
                peers=(Peer(address="2001:db8::3"), Peer(address="2001:db8::2", min_ttl=254)),
                advert_int_us=500_000,
                vips=(vip("fe80::10", 64, nodad=True), vip("2001:db8::10", 64, nodad=True)),
                sync_group="G1",
            ),
        ),
        vrrp_sync_groups=(SyncGroup(name="G1", members=("VI_1", "VI_6")),),
        virtual_servers=(
            virtual(
                real(
                    "192.168.0.2",
                    weight=2,
                    checkers=(
                        TcpCheck(timing=timing, endpoint=Endpoint(address="192.168.0.2", port=80)),
                        MiscCheck(timing=timing, argv=("/usr/local/bin/check", "-v"), dynamic=True),
                    ),
                ),
                real(
                    checkers=(
                        HttpCheck(
                            timing=timing,
                            endpoint=Endpoint(address="192.168.0.1", port=80),
                            urls=(Url(path="/health", host="www.example.org"),),
                        ),
                    ),
                    inhibit_on_failure=True,
                ),
                scheduler="wlc",
                persistence=Persistence(timeout_us=300_000_000, granularity="255.255.255.0"),
                sorry_server=SorryServer(address="192.168.0.9", port=80, family="inet"),
                quorum=2,
            ),
            VirtualServer(
                name="fwmark 7 inet",
                services=(Service(family="inet", fwmark=7),),
                scheduler="rr",
                real_servers=(real("10.1.0.1", 0, forwarding=Forwarding(method="DR")),),
            ),
        ),
    )
