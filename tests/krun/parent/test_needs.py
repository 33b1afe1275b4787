"""Which capabilities a configuration needs: one function says it, and a child keeps no other."""

from __future__ import annotations

import msgspec
from parent_world import config

from kir.model import Config, Endpoint, Fifo, Global, Namespaces, Process, RealServer, TcpCheck, Timing
from krun.parent.needs import needed_capabilities


def _of(**settings: object) -> set[tuple[str, str]]:
    made = msgspec.structs.replace(config(), global_defs=Global(**settings))  # type: ignore[arg-type]
    return {(need.process, need.name) for need in needed_capabilities(made)}


PLAIN = _of()


def test_without_settings_of_its_own_a_krun_needs_little() -> None:
    assert {
        ("vrrp", "CAP_NET_ADMIN"),
        ("vrrp", "CAP_NET_RAW"),
        ("check", "CAP_NET_ADMIN"),
        ("check", "CAP_NET_RAW"),
        ("script", "CAP_SETUID"),
        ("script", "CAP_SETGID"),
        ("script", "CAP_KILL"),
        ("script", "CAP_DAC_READ_SEARCH"),
    } == PLAIN
    assert needed_capabilities(Config()) == ()


def test_each_setting_brings_its_own() -> None:
    nice, admin = {("krun", "CAP_SYS_NICE")}, {("krun", "CAP_SYS_ADMIN")}
    assert _of(vrrp_rt_priority=50) - PLAIN == nice
    assert _of(checker_priority=-5) - PLAIN == nice
    assert _of(max_auto_priority=1) - PLAIN == nice
    assert _of(vrrp_priority=5, max_auto_priority=-1) == PLAIN, "being nicer needs nothing"
    assert _of(vrrp_process=Process(cpus=(0,))) == PLAIN
    assert _of(vrrp_process=Process(no_swap=True)) - PLAIN == {("vrrp", "CAP_IPC_LOCK")}
    assert _of(checker_process=Process(no_swap=True)) - PLAIN == {("check", "CAP_IPC_LOCK")}
    assert _of(notify_fifo=Fifo(path="/run/f")) - PLAIN == {("script", "CAP_CHOWN")}
    assert _of(namespaces=Namespaces(network="blue")) - PLAIN == admin
    assert _of(namespaces=Namespaces(ipvs="blue")) - PLAIN == admin
    assert _of(namespaces=Namespaces(ipvs="")) == PLAIN, "the host's own is where it starts"


def test_a_process_that_does_not_run_needs_nothing() -> None:
    only_checks = msgspec.structs.replace(
        config(vrrp=False), global_defs=Global(vrrp_rt_priority=50, vrrp_process=Process(no_swap=True))
    )
    assert {need.process for need in needed_capabilities(only_checks)} == {"check", "script"}


def test_a_check_from_a_low_port_needs_the_capability_for_it() -> None:
    def bound(port: int) -> set[str]:
        check = TcpCheck(
            timing=Timing(),
            endpoint=Endpoint(address="10.0.0.2", port=80, bind_address="10.0.0.9", bind_port=port),
        )
        real = RealServer(address="10.0.0.2", port=80, family="inet", checkers=(check,))
        server = msgspec.structs.replace(config().virtual_servers[0], real_servers=(real,))
        made = msgspec.structs.replace(config(), virtual_servers=(server,))
        return {need.why for need in needed_capabilities(made) if need.name == "CAP_NET_BIND_SERVICE"}

    assert bound(80) == {"checks from a port below 1024 (`bind_port`)"}
    assert bound(8080) == bound(0) == set()
