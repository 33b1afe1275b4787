"""What defaults, inheritance and normalisation make of a text: properties of the finished configuration."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kir.codec import canonical
from kir.model import Config
from support.lowering_cases import compile_text

INSTANCE = "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n{more}\n virtual_ipaddress {{\n {vip}\n }}\n}}\n"


def instance(more: str = "", vip: str = "203.0.113.10/24", name: str = "VI", vrid: int = 5) -> str:
    return INSTANCE.format(name=name, vrid=vrid, more=more, vip=vip)


def config(text: str) -> Config:
    return compile_text(text)[0].config


def test_global_defaults_hold_wherever_they_stand() -> None:
    defaults = (
        "global_defs {\n vrrp_version 3\n vrrp_garp_master_repeat 2\n vrrp_mcast_group4 224.0.0.77\n}\n"
    )
    before, after = config(defaults + instance()), config(instance() + defaults)
    assert before == after
    made = before.vrrp_instances[0]
    assert (made.version, made.garp.repeat, made.garp.lower_prio_repeat, made.group) == (
        3,
        2,
        2,
        "224.0.0.77",
    )


def test_priority_and_state_complete_each_other() -> None:
    assert config(instance()).vrrp_instances[0].priority == 100
    assert config(instance(" state MASTER")).vrrp_instances[0].priority == 255
    assert config(instance(" priority 255")).vrrp_instances[0].initial_state == "MASTER"


def test_ipv6_is_version_3_and_skips_duplicate_address_detection() -> None:
    made = config(instance(vip="2001:db8::5")).vrrp_instances[0]
    assert (made.version, made.family, made.group) == (3, "inet6", "ff02::12")
    vip = made.vips[0]
    assert (vip.prefix, vip.nodad, vip.preferred_lft_s) == (128, True, 0)
    kept = config(instance(vip="2001:db8::5/64 -nodad")).vrrp_instances[0].vips[0]
    assert (kept.nodad, kept.preferred_lft_s) == (False, None)


def test_broadcast_signs_become_addresses() -> None:
    text = instance(vip="10.1.2.3/20 brd +\n 10.1.2.4/20 brd -\n 10.1.2.5 peer 10.9.9.9")
    plus, minus, peer = config(text).vrrp_instances[0].vips
    assert (plus.broadcast, minus.broadcast) == ("10.1.15.255", "10.1.0.0")
    assert (peer.peer, peer.prefix) == ("10.9.9.9", 32)


def test_minimal_garp_yields_to_what_is_said() -> None:
    garp = config("global_defs {\n vrrp_min_garp\n}\n" + instance()).vrrp_instances[0].garp
    assert (garp.repeat, garp.delay_us, garp.refresh_us, garp.refresh_repeat) == (1, 0, 0, 0)
    said = (
        config("global_defs {\n vrrp_min_garp\n}\n" + instance(" garp_master_repeat 4"))
        .vrrp_instances[0]
        .garp
    )
    assert said.repeat == 4


def test_alert_mail_follows_instance_group_and_global() -> None:
    group = "vrrp_sync_group G {\n smtp_alert\n group {\n A\n B\n }\n}\n"
    text = group + instance(name="A") + instance(" smtp_alert off", name="B", vrid=6, vip="203.0.113.11")
    first, second = config(text).vrrp_instances
    assert (first.smtp_alert, second.smtp_alert) == (True, False)


SERVER = "virtual_server 10.0.0.1 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n{vs}\n real_server 10.1.1.1 {{\n{rs}\n {check}\n }}\n}}\n"


def test_a_check_takes_from_server_then_service() -> None:
    text = SERVER.format(
        vs=" delay_loop 9\n retry 4\n alpha",
        rs=" delay_loop 8\n alpha off",
        check="TCP_CHECK {\n warmup 1\n}",
    )
    server = config(text).virtual_servers[0]
    real = server.real_servers[0]
    timing = real.checkers[0].timing
    assert (server.delay_loop_us, timing.delay_loop_us, timing.retry, timing.warmup_us) == (
        9_000_000,
        8_000_000,
        4,
        1_000_000,
    )
    assert (server.alpha, real.alpha, timing.alpha) == (True, False, False)
    assert real.port == 80


def test_equal_values_are_one_object() -> None:
    check = "TCP_CHECK {\n retry 2\n}"
    servers = "".join(f" real_server 10.1.1.{n} 80 {{\n {check}\n }}\n" for n in (1, 2))
    text = f"virtual_server 10.0.0.1 80 {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n{servers}}}\n"
    one, two = config(text).virtual_servers[0].real_servers
    assert one.checkers[0].timing is two.checkers[0].timing


def test_the_order_of_independent_blocks_means_nothing() -> None:
    a, b = instance(name="A"), instance(name="B", vrid=6, vip="203.0.113.11")
    s = SERVER.format(vs="", rs="", check="")
    assert canonical(config(a + b + s)) == canonical(config(s + b + a))


LEAVES = [
    "state MASTER", "state BACKUP", "priority 255", "priority 1", "version 2", "version 3", "advert_int 0.01", "advert_int 255",
    "nopreempt", "preempt", "preempt_delay 5", "strict_mode on", "accept", "no_accept", "native_ipv6", "unicast_src_ip 192.0.2.1",
    "unicast_src_ip fe80::1", "mcast_src_ip 2001:db8::1", "mcast_dst_ip 224.0.0.5", "unicast_ttl 3", "unicast_fault_no_peer",
    "unicast_peer {\n192.0.2.9\n}", "unicast_peer {\nfe80::9\n}", "unicast_peer {\n}", "virtual_ipaddress {\n10.0.0.1\n}",
    "virtual_ipaddress {\n2001:db8::1\n}", "virtual_ipaddress {\n}", "virtual_ipaddress_excluded {\n10.0.0.1/8 brd +\n}",
    "interface eth0", "interface", "virtual_router_id 7", "virtual_router_id 0", "track_script {\nx\n}", "track_interface {\neth0\n}",
    "down_timer_adverts 1", "timer_expired_backup", "owner_ignore_adverts off", "notify_deleted", "smtp_alert", "garp_master_delay 0",
    "authentication {\nauth_type AH\nauth_pass x\n}", "authentication {\nauth_type PASS\n}", "old_unicast_checksum never", "track_src_ip",
]  # fmt: skip
POOL = [
    "lvs_sched sh", "sh-port", "ops", "lvs_method DR", "lvs_method TUN type gue port 9", "protocol UDP", "protocol", "quorum 9",
    "hysteresis 9", "sorry_server 10.1.1.1", "sorry_server ::1 80", "sorry_server_inhibit", "persistence_timeout",
    "persistence_granularity 3", "persistence_engine sip", "ha_suspend", "ip_family inet6", "weight 9", "alpha", "virtualhost a",
    "real_server 10.1.1.1 80 {\n}", "real_server 10.1.1.1 {\nweight 0\n}", "real_server ::5 80 {\nlvs_method TUN\n}",
    "real_server fe80::5 80 {\nTCP_CHECK {\n}\n}", "real_server 10.1.1.2 80 {\nHTTP_GET {\nurl {\n}\n}\n}",
    "real_server 10.1.1.2 81 {\nSSL_GET {\nsni_name\nurl {\npath x\nstatus_code 100-599\n}\n}\n}",
    "real_server 10.1.1.3 80 {\nMISC_CHECK {\nmisc_path x\n}\n}", "real_server x {\n}",
]  # fmt: skip
HEADS = [
    "10.0.0.1 80",
    "10.0.0.1",
    "2001:db8::1 80",
    "fwmark 7",
    "fwmark 0",
    "group g",
    "group m",
    "group none",
    "x",
]
GROUPS = "virtual_server_group g {\n10.0.0.1-3 80\n}\nvirtual_server_group m {\nfwmark 3\nfwmark 4 inet6\n}\n"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(LEAVES), max_size=9), max_size=3),
    st.lists(st.tuples(st.sampled_from(HEADS), st.lists(st.sampled_from(POOL), max_size=7)), max_size=3),
    st.sampled_from(["keepalived-2.4.3", "krun"]),
)
def test_any_combination_gives_a_valid_configuration(
    instances: list[list[str]], servers: list[tuple[str, list[str]]], target: str
) -> None:
    """Whatever is written, what comes out keeps to the model's ranges, and names resolve."""
    text = GROUPS
    for number, leaves in enumerate(instances):
        text += f"vrrp_instance V{number} {{\n" + "\n".join(leaves) + "\n}\n"
    for head, leaves in servers:
        text += f"virtual_server {head} {{\n" + "\n".join(leaves) + "\n}\n"
    text += "vrrp_sync_group S {\n group {\n V0\n V1\n V0\n V7\n }\n}\n"
    lowered, findings = compile_text(text, target)
    made = lowered.config
    assert msgspec.json.decode(msgspec.json.encode(made), type=Config) == made
    names = {i.name for i in made.vrrp_instances}
    assert all(set(group.members) <= names for group in made.vrrp_sync_groups)
    services = [s.identity for v in made.virtual_servers for s in v.services]
    assert len(services) == len(set(services))
    for diagnostic in findings.items:
        assert diagnostic.message and diagnostic.span.line > 0
    assert all(place[1] > 0 for place in lowered.origins.values())
