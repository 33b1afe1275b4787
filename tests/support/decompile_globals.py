"""Hypothesis strategies for the director itself: ``global_defs``, what stands outside, and interfaces."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kir.model import (
    Buffer,
    Dbus,
    Fifo,
    Files,
    GarpGroup,
    Global,
    InterfaceDelay,
    Ipsets,
    Iptables,
    Linkbeat,
    LvsTimeouts,
    Namespaces,
    Nftables,
    NftablesIpvs,
    Process,
    Reload,
    Secret,
    SmtpServer,
    Snmp,
    SyncDaemon,
    TlsClient,
)
from support.decompile_words import SECOND, maybe_script, us, users, words

U32 = 0xFFFFFFFF
maybe_word = st.none() | words
sizes = st.just(0) | st.integers(0, U32)
signed = st.integers(-(2**31), 2**31 - 1)
buffers = st.builds(Buffer, size=sizes, force=st.booleans())
NO_BUFFER = st.just(Buffer())

fifos = st.none() | st.builds(
    lambda path, owner, script: Fifo(path=path, user=owner[0], group=owner[1], script=script),
    st.text(
        st.sampled_from("abc/ #!{}$@"), min_size=1, max_size=8
    ),  # keepalived splits this one like a command
    st.tuples(st.none(), st.none()) | st.tuples(users, st.none() | users),
    maybe_script,
)


def processes(buffer: st.SearchStrategy[Buffer]) -> st.SearchStrategy[Process]:
    return st.builds(
        Process,
        name=st.none() | st.sampled_from(["lb", "a b", "x#y"]),
        no_swap=st.booleans(),
        cpus=st.sets(st.integers(0, 4095), max_size=3).map(lambda found: tuple(sorted(found))),
        rttime_us=st.integers(1, U32),
        commands=buffer,
        monitor=buffer,
    )


tables = st.sampled_from(["keepalived", "lb", "a b"])
nftables = st.builds(Nftables, table=tables, priority=signed, ifindex=st.booleans(), counters=st.booleans())
ipsets = st.one_of(
    st.none(),
    st.just(Ipsets()),
    st.builds(Ipsets, **dict.fromkeys(Ipsets.__struct_fields__, st.sampled_from(["a", "b6", "c_nd"]))),
)
chains = st.sampled_from([("INPUT", "OUTPUT"), ("in", None), ("in", "out")])
iptables = st.builds(
    lambda names, sets: Iptables(input=names[0], output=names[1], ipsets=sets), chains, ipsets
)
firewalls: Any = st.one_of(
    st.just((None, None)),
    st.tuples(nftables, st.none()),
    st.tuples(st.none(), iptables),
    st.tuples(st.builds(Nftables, priority=signed, ifindex=st.booleans()), iptables),
)
files = st.builds(
    Files,
    state_dump=maybe_word,
    stats_dump=maybe_word,
    json_dump=maybe_word,
    json_version=st.sampled_from([1, 2]),
    dumps_name_instance=st.booleans(),
    config_save_dir=maybe_word,
    tmp_config_dir=maybe_word,
    iproute_usr_dir=maybe_word,
    iproute_etc_dir=maybe_word,
)
snmps = st.builds(
    Snmp,
    socket=maybe_word,
    vrrp=st.booleans(),
    rfc2787=st.booleans(),
    rfc6527=st.booleans(),
    checker=st.booleans(),
    traps=st.booleans(),
    vs_stats_interval_us=us(1000, 30 * SECOND),
    rs_stats_interval_us=us(1000, 30 * SECOND),
)
buses = st.none() | st.builds(Dbus, service_name=words, interface_names=st.booleans())
marks = st.none() | st.builds(
    NftablesIpvs,
    table=st.sampled_from(["keepalived_ipvs", "marks"]),
    priority=signed,
    start_fwmark=st.integers(1, U32),
)


@st.composite
def reloads(draw: st.DrawFn) -> Reload:
    check, marker = draw(st.booleans()), draw(st.booleans())
    return Reload(
        check=check,
        check_log=draw(maybe_word) if check else None,
        time_file=draw(maybe_word),
        repeat=draw(st.booleans()),
        marker=marker,
        marker_file=draw(maybe_word) if marker else None,
    )


def sync_daemons(instances: list[str]) -> st.SearchStrategy[SyncDaemon | None]:
    port = st.none() | st.integers(1, 65535)
    return st.none() | st.builds(
        SyncDaemon,
        interface=st.sampled_from(["eth0", "bond0"]),
        instance=st.sampled_from([None, *instances]),
        id=st.integers(0, 255),
        maxlen=st.none() | st.integers(1, 65507),
        port=port,
        ttl=st.none() | st.integers(1, 255),
        group=st.none() | st.sampled_from(["224.0.0.81", "ff02::81"]),
    )


@st.composite
def daemons(draw: st.DrawFn, instances: list[str]) -> dict[str, Any]:
    """The settings of the daemon; ``instances`` by name."""
    instance, network = draw(maybe_word), draw(maybe_word)
    policy: Any = draw(st.sampled_from([None, "mtu", "advert"]))
    nft, ipt = draw(firewalls)
    return {
        "nftables": nft,
        "iptables": ipt,
        "linkbeat_polling": draw(st.booleans()),
        "bfd_priority": draw(st.integers(-20, 19)),
        "bfd_rt_priority": draw(st.integers(0, 99)),
        "parent_process": Process(name=draw(st.none() | st.just("parent"))),
        "vrrp_process": draw(processes(buffers)),
        "checker_process": draw(processes(buffers)),
        "bfd_process": draw(processes(NO_BUFFER)),
        "process_monitor": draw(buffers),
        "max_auto_priority": draw(st.integers(-1, 99)),
        "min_auto_priority_delay_us": draw(st.integers(1, 10_000_000)),
        "instance": instance,
        "use_pid_dir": instance is not None or network is not None or draw(st.booleans()),
        "child_wait_time_us": draw(sizes) * SECOND,
        "namespaces": Namespaces(
            network=network, ipvs=draw(st.just("") | maybe_word), with_ipsets=draw(st.booleans())
        ),
        "umask": draw(st.integers(0, 0o777)),
        "random_seed": draw(st.none() | sizes),
        "startup_script": draw(maybe_script),
        "startup_script_timeout_us": draw(st.integers(1, 1000)) * SECOND,
        "shutdown_script": draw(maybe_script),
        "shutdown_script_timeout_us": draw(st.integers(1, 1000)) * SECOND,
        "use_symlink_paths": draw(st.booleans()),
        "set_supplementary_groups": draw(st.booleans()),
        "fifo_states_on_reload": draw(st.booleans()),
        "disable_local_igmp": draw(st.booleans()),
        "rx_buffer_policy": policy,
        "rx_buffer_size": 0 if policy else draw(sizes),
        "rx_buffer_multiplier": draw(st.integers(1, U32)),
        "vmac_addr_prefix": draw(st.just("vrrp") | words),
        "reload": draw(reloads()),
        "files": draw(files),
        "snmp": draw(snmps),
        "dbus": draw(buses),
        "lvs_sync_daemon": draw(sync_daemons(instances)),
        "nftables_ipvs": draw(marks),
    }


@st.composite
def interface_settings(draw: st.DrawFn) -> dict[str, Any]:
    """Delays, polling and pacing of interfaces."""
    names = st.lists(st.sampled_from(["bond0", "eth0", "eth5"]), unique=True)
    delays = us(0, 9_000_000)
    intervals = st.just(0) | us(1, 4_294_000_000)
    methods: st.SearchStrategy[Any] = st.sampled_from(["auto", "mii", "ethtool", "ioctl"])
    paced = draw(st.permutations(["bond0", "eth0", "eth5"]))
    cut = draw(st.integers(1, 3))
    groups = [paced[:cut], paced[cut:]][: draw(st.integers(0, 2))]
    return {
        "linkbeat_interfaces": tuple([Linkbeat(interface=n, method=draw(methods)) for n in draw(names)]),
        "interface_delays": tuple(
            [InterfaceDelay(interface=n, down_us=draw(delays), up_us=draw(delays)) for n in draw(names)]
        ),
        "garp_groups": tuple(
            [
                GarpGroup(
                    interfaces=tuple(g), arp_interval_us=draw(intervals), na_interval_us=draw(intervals)
                )
                for g in groups
                if g
            ]
        ),
    }


@st.composite
def tls_clients(draw: st.DrawFn) -> TlsClient:
    password = draw(maybe_word)
    return TlsClient(
        ca=draw(words),
        certificate=draw(maybe_word),
        key=draw(maybe_word),
        password=None if password is None else Secret(secret=password),
    )


@st.composite
def globals_(draw: st.DrawFn, instances: list[str]) -> Global:
    pipes: list[Fifo | None] = []
    for fifo in (draw(fifos), draw(fifos), draw(fifos)):  # each path once: a second reader is dropped
        pipes.append(None if fifo is not None and fifo.path in {p.path for p in pipes if p} else fifo)
    dynamic = draw(st.booleans())
    return Global(
        router_id=draw(st.none() | words),
        enable_script_security=draw(st.booleans()),
        notification_emails=tuple(draw(st.lists(words, max_size=3))),
        notification_email_from=draw(st.none() | words),
        smtp_server=draw(
            st.none() | st.builds(SmtpServer, host=st.just("mail.example.org"), port=st.integers(1, 65535))
        ),
        smtp_helo_name=draw(st.none() | words),
        smtp_connect_timeout_us=draw(st.integers(1, 4294)) * SECOND,
        no_email_faults=draw(st.booleans()),
        no_checker_emails=draw(st.booleans()),
        notify_fifo=pipes[0],
        vrrp_notify_fifo=pipes[1],
        lvs_notify_fifo=pipes[2],
        startup_delay_us=draw(st.just(0) | us(1000, 4_294_000_000)),
        delay_after_boot_us=draw(st.just(0) | us(1000, 4_294_000_000)),
        log_unknown_vrids=draw(st.booleans()),
        dynamic_interfaces=dynamic,
        allow_if_changes=dynamic and draw(st.booleans()),
        rs_init_notifies=draw(st.booleans()),
        lvs_flush=draw(st.booleans()),
        lvs_flush_on_stop=draw(st.sampled_from(["no", "all", "own"])),
        lvs_timeouts=draw(
            st.builds(
                LvsTimeouts,
                tcp_s=st.none() | st.integers(0, 86400),
                tcpfin_s=st.none() | st.integers(0, 86400),
                udp_s=st.none() | st.integers(0, 86400),
            )
        ),
        vrrp_priority=draw(st.integers(-20, 19)),
        checker_priority=draw(st.integers(-20, 19)),
        vrrp_rt_priority=draw(st.integers(0, 99)),
        checker_rt_priority=draw(st.integers(0, 99)),
        # All of it in every other configuration: small ones find more elsewhere.
        **(draw(daemons(instances)) if draw(st.booleans()) else {}),
    )
