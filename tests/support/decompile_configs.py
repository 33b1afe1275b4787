"""Hypothesis strategies for configurations that a compiler could have made: every field of the IR, and no contradiction.

Beside `support.ir_strategies`, whose small worlds overlap for diffs: here everything is said that text can say.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import msgspec
from hypothesis import strategies as st

from kir.model import (
    Account,
    Address,
    Authentication,
    Checker,
    Config,
    Endpoint,
    Fifo,
    Forwarding,
    Garp,
    Global,
    HttpCheck,
    LvsTimeouts,
    MiscCheck,
    Notify,
    Peer,
    Persistence,
    RealServer,
    Script,
    Secret,
    Service,
    SmtpServer,
    SorryServer,
    StatusRange,
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

SECOND = 1_000_000
ODD = " #!{}@$~'\\.,:;=%äé°"
words = st.one_of(
    st.sampled_from(
        ["edge1", "@x", "$X", "$X=1", "~SEQ(a)", "include", "a b", "#", "!", "{", "}", "it's", "-"]
    ),
    st.text(st.sampled_from("abcXYZ019_-/" + ODD), min_size=1, max_size=10),
).filter(lambda w: not w.endswith("\\"))
"""Words of the language: anything but double quotes and line ends, and no backslash at the end."""

arguments = st.text(
    st.one_of(
        st.sampled_from("abc/ \"'\\$#!{}\n\t~`°"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=8,
)
users = st.sampled_from(["nobody", "www-data", "keepalived script"])
accounts = st.one_of(
    st.just(Account()),
    st.builds(Account, user=users, group=st.none() | users, supplementary=st.booleans()),
)
programs = st.one_of(st.sampled_from(["/bin/true", "/opt/a b/c", "check"]), arguments).filter(
    lambda a: a != "" and not a.startswith("<")
)
argvs = st.builds(lambda first, rest: (first, *rest), programs, st.lists(arguments, max_size=3))
scripts = st.builds(Script, argv=argvs, account=accounts)
maybe_script = st.none() | scripts


def us(low: int, high: int) -> st.SearchStrategy[int]:
    """Microseconds: whole seconds, or anything."""
    return st.one_of(
        st.integers(low // SECOND + 1, high // SECOND).map(lambda s: s * SECOND), st.integers(low, high)
    )


whole = st.integers(0, 4294).map(lambda s: s * SECOND)


def address(family: str) -> st.SearchStrategy[str]:
    if family == "inet":
        return st.integers(0x0A000001, 0x0A0000FF).map(lambda n: str(ipaddress.IPv4Address(n)))
    base = int(ipaddress.IPv6Address("2001:db8::"))
    return st.integers(1, 0xFFFF).map(lambda n: str(ipaddress.IPv6Address(base + n)))


fifos = st.none() | st.builds(
    lambda path, owner, script: Fifo(path=path, user=owner[0], group=owner[1], script=script),
    st.text(
        st.sampled_from("abc/ #!{}$@"), min_size=1, max_size=8
    ),  # keepalived splits this one like a command
    st.tuples(st.none(), st.none()) | st.tuples(users, st.none() | users),
    maybe_script,
)


@st.composite
def globals_(draw: st.DrawFn) -> Global:
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
    )


@st.composite
def vrrp_scripts(draw: st.DrawFn, name: str) -> VrrpScript:
    file = draw(st.none() | st.sampled_from(["/run/ok", "/run/a b"]))
    return VrrpScript(
        name=name,
        argv=() if file else draw(argvs),
        open_file=file,
        account=draw(accounts),
        interval_us=draw(st.integers(1, 4_294_000)) * 1000,
        timeout_us=draw(st.integers(1, 4_294_000)) * 1000,
        rise=draw(st.integers(1, 5)),
        fall=draw(st.integers(1, 5)),
        init_fail=draw(st.booleans()),
    )


@st.composite
def vip(draw: st.DrawFn, text: str, family: str, interface: str) -> Address:
    full = 32 if family == "inet" else 128
    v4 = family == "inet"
    peer = draw(st.none() | st.none() | address(family))
    prefix = full if peer is not None else draw(st.integers(8, full))
    lifetimes: st.SearchStrategy[int | None] = st.none() | st.integers(0, 2**32 - 1)
    return Address(
        address=text,
        prefix=prefix,
        device=draw(st.sampled_from([interface, interface, "eth7"])),
        family=family,
        scope=draw(st.sampled_from([0, 200, 253, 254])) if v4 else 0,
        broadcast=draw(st.none() | address("inet")) if v4 and peer is None else None,
        label=draw(st.none() | st.sampled_from(["eth0:1", "v#1"])) if v4 else None,
        peer=peer,
        home=draw(st.booleans()),
        nodad=not v4 and draw(st.booleans()),
        mngtmpaddr=draw(st.booleans()),
        noprefixroute=draw(st.booleans()),
        autojoin=draw(st.booleans()),
        preferred_lft_s=draw(lifetimes),
        track=draw(st.booleans()),
    )


def notifies(*, instance: bool) -> st.SearchStrategy[Notify]:
    own = {"deleted": maybe_script, "master_rx_lower_pri": maybe_script} if instance else {}
    return st.builds(
        Notify,
        master=maybe_script,
        backup=maybe_script,
        fault=maybe_script,
        stop=maybe_script,
        any=maybe_script,
        **own,
    )


def tracked_scripts(names: list[str], weights: bool) -> st.SearchStrategy[tuple[TrackedScript, ...]]:
    if not names:
        return st.just(())
    weight = st.integers(-253, 253) if weights else st.just(0)
    one = st.builds(TrackedScript, name=st.sampled_from(names), weight=weight, reverse=st.booleans())
    return st.lists(one, max_size=2, unique_by=lambda t: t.name).map(tuple)


def tracked_interfaces(weights: bool) -> st.SearchStrategy[tuple[TrackedInterface, ...]]:
    weight = st.integers(-253, 253) if weights else st.just(0)
    one = st.builds(
        TrackedInterface, name=st.sampled_from(["eth5", "bond0.7"]), weight=weight, reverse=st.booleans()
    )
    return st.lists(one, max_size=2, unique_by=lambda t: t.name).map(tuple)


@st.composite
def instances(
    draw: st.DrawFn,
    name: str,
    scripts_known: list[str],
    group: str | None,
    weights: bool,
    shared: dict[str, Any],
) -> VrrpInstance:
    """One instance; ``shared`` holds what all instances have in common: pacing, and the unicast ones' group."""
    family = draw(st.sampled_from(["inet", "inet6"]))
    version = draw(st.sampled_from([2, 3]))
    strict = draw(st.booleans())
    if strict and family == "inet6":
        version = 3
    priority = draw(st.integers(1, 255))
    owner = priority == 255
    state = ("MASTER" if owner else "BACKUP") if strict else draw(st.sampled_from(["MASTER", "BACKUP"]))
    nopreempt = state == "BACKUP" and not owner and draw(st.booleans())
    delay = 0 if state == "MASTER" or strict or nopreempt else draw(st.just(0) | us(1, 1000 * SECOND))
    interface = draw(st.sampled_from(["eth0", "bond0"]))
    unicast = not strict and draw(st.booleans())
    fault_no_peer = draw(st.booleans())
    low = 1 if unicast and not fault_no_peer else 0
    peers = draw(st.lists(address(family), min_size=low, max_size=3, unique=True)) if unicast else []
    bounds = [
        Peer(address=a, min_ttl=draw(st.integers(0, 9)), max_ttl=draw(st.integers(9, 255))) for a in peers
    ]
    bounded = any(p.min_ttl or p.max_ttl != 255 for p in bounds)
    texts = draw(st.lists(address(family), min_size=1 if strict else 0, max_size=5, unique=True))
    vips = [draw(vip(text, family, interface)) for text in texts]
    other = draw(st.sampled_from(["inet", "inet6"]))
    more = draw(st.lists(address(other).filter(lambda a: a not in texts), max_size=2, unique=True))
    version3 = draw(st.integers(1, 4095)) * 10_000
    source = draw(st.none() | address(family))
    accept = owner if strict else draw(st.booleans())
    if strict and (version == 3 or owner):
        accept = draw(st.booleans())
    garp = draw(garps(strict, shared))
    interval = version3 if version == 3 else draw(st.integers(1, 255)) * SECOND
    adverts = 3 if strict else draw(st.integers(1, 100))
    delays = shared[interface]
    if adverts == 1 or max(delays) >= (adverts - 1) * interval - interval // 256:
        delays = (0, 0)  # as long as the takeover itself: the compiler drops them
    notify = draw(notifies(instance=True))
    return VrrpInstance(
        name=name,
        interface=interface,
        vrid=draw(st.integers(1, 255)),
        version=3 if version == 3 else 2,
        family="inet6" if family == "inet6" else "inet",
        initial_state="MASTER" if state == "MASTER" else "BACKUP",
        priority=priority,
        advert_int_us=interval,
        down_timer_adverts=adverts,
        nopreempt=nopreempt,
        preempt_delay_us=delay,
        strict=strict,
        accept=accept,
        group=shared[family] if unicast else draw(st.sampled_from(GROUPS[family])),
        source=source,
        track_source=source is not None and draw(st.booleans()),
        unicast=unicast,
        unicast_ttl=(draw(st.integers(0, 255)) if family == "inet" else draw(st.none() | st.integers(0, 255)))
        if unicast
        else None,
        peers=tuple(bounds),
        check_unicast_src=unicast and (bounded or draw(st.booleans())),
        fault_no_peer=fault_no_peer,
        authentication=draw(passwords()) if version == 2 and not strict else None,
        vips=tuple(vips),
        excluded_vips=tuple(draw(vip(text, other, interface)) for text in more),
        promote_secondaries=draw(st.booleans()),
        track_primary=draw(st.booleans()),
        track_interfaces=draw(tracked_interfaces(weights and not owner)),
        track_scripts=draw(tracked_scripts(scripts_known, weights and not owner)),
        garp=garp,
        lower_prio_no_advert=strict or draw(st.booleans()),
        higher_prio_send_advert=not strict and draw(st.booleans()),
        owner_ignore_adverts=owner and (strict or draw(st.booleans())),
        skip_check_adv_addr=draw(st.booleans()),
        v3_checksum_as_v2=draw(st.booleans()),
        old_unicast_checksum=draw(st.sampled_from(["auto", "always", "never"])),
        timer_expired_backup=draw(st.none() | st.integers(1, 254)) if nopreempt else None,
        interface_down_delay_us=0,
        interface_up_delay_us=0,
        notify=notify,
        notify_priority_changes=draw(st.booleans()),
        notify_deleted=notify.deleted is not None or draw(st.booleans()),
        smtp_alert=draw(st.booleans()),
        sync_group=group,
    )


GROUPS = {"inet": ["224.0.0.18", "224.0.0.99"], "inet6": ["ff02::12", "ff02::99"]}


def passwords() -> st.SearchStrategy[Authentication | None]:
    fitting = words.filter(lambda w: len(w.encode()) <= 8)
    return st.none() | fitting.map(lambda w: Authentication(type="PASS", password=Secret(secret=w)))


def garps(strict: bool, shared: dict[str, Any]) -> st.SearchStrategy[Garp]:
    return st.builds(
        Garp,
        delay_us=whole,
        repeat=st.integers(1, 9),
        refresh_us=whole,
        refresh_repeat=st.integers(1, 9),
        lower_prio_delay_us=st.just(0) if strict else whole,
        lower_prio_repeat=st.just(0) if strict else st.integers(0, 9),
        arp_interval_us=st.just(shared["arp"]),
        na_interval_us=st.just(shared["na"]),
    )


# --- virtual servers

forwardings = st.one_of(
    st.just(Forwarding()),
    st.just(Forwarding(method="DR")),
    st.just(Forwarding(method="TUN", tunnel_type="ipip")),
    st.builds(
        lambda port, checksum: Forwarding(
            method="TUN", tunnel_type="gue", tunnel_port=port, tunnel_checksum=checksum
        ),
        st.integers(1, 65535),
        st.sampled_from(["nocsum", "csum", "remcsum"]),
    ),
    st.builds(
        lambda checksum: Forwarding(method="TUN", tunnel_type="gre", tunnel_checksum=checksum),
        st.sampled_from(["nocsum", "csum"]),
    ),
)


def timings(kind_alpha: st.SearchStrategy[bool]) -> st.SearchStrategy[Timing]:
    return st.builds(
        Timing,
        delay_loop_us=us(1, 10_000_000_000),
        warmup_us=us(0, 10_000_000_000),
        retry=st.integers(0, 9),
        delay_before_retry_us=us(0, 10_000_000_000),
        alpha=kind_alpha,
        log_all_failures=st.booleans(),
    )


@st.composite
def endpoints(draw: st.DrawFn, family: str, own: str, port: int) -> Endpoint:
    return Endpoint(
        address=draw(st.just(own) | address(family)),
        port=draw(st.just(port) | st.integers(1, 65535)),
        bind_address=draw(st.none() | address(family)),
        bind_port=draw(st.just(0) | st.integers(1, 65535)),
        bind_interface=draw(st.none() | st.just("eth9")),
        fwmark=draw(st.just(0) | st.integers(0, 2**32 - 1)),
        timeout_us=draw(us(1, 4_294_000_000)),
    )


statuses = st.sampled_from(
    [
        (StatusRange(low=200, high=299),),
        (StatusRange(low=200, high=200),),
        (StatusRange(low=100, high=101), StatusRange(low=301, high=599)),
    ]
)


@st.composite
def http_checks(draw: st.DrawFn, endpoint: Endpoint, timing: Timing) -> HttpCheck:
    tls = draw(st.booleans())
    how = draw(st.sampled_from(["none", "host", "name"])) if tls else "none"
    name = draw(words)
    urls = []
    for _ in range(draw(st.integers(1, 3))):
        host = draw(st.none() | words)
        urls.append(
            Url(
                path=draw(words),
                host=host,
                sni=host if how == "host" else name if how == "name" else None,
                digest=draw(st.none() | st.just("0123456789abcdef" * 2)),
                status=draw(statuses),
                tls_compliant=tls and draw(st.booleans()),
            )
        )
    return HttpCheck(
        timing=timing,
        endpoint=endpoint,
        urls=tuple(urls),
        tls=tls,
        protocol=draw(st.sampled_from(["1.0", "1.0C", "1.1"])),
        fast_recovery=draw(st.booleans()),
    )


@st.composite
def checkers(draw: st.DrawFn, family: str, own: str, port: int) -> Checker:
    timing = draw(timings(st.booleans()))
    kind = draw(st.sampled_from(["tcp", "http", "misc"]))
    if kind == "misc":
        return MiscCheck(
            timing=timing,
            argv=draw(argvs),
            account=draw(accounts),
            timeout_us=draw(st.integers(1, 4294)) * SECOND,
            dynamic=draw(st.booleans()),
        )
    endpoint = draw(endpoints(family, own, port))
    return (
        TcpCheck(timing=timing, endpoint=endpoint) if kind == "tcp" else draw(http_checks(endpoint, timing))
    )


@st.composite
def real_servers(draw: st.DrawFn, text: str, family: str, port: int, marked: bool) -> RealServer:
    forwarding = draw(forwardings)
    if forwarding.method == "NAT":
        port = draw(st.integers(1, 65535))
    elif marked:
        port = 0
    return RealServer(
        address=text,
        port=port,
        family="inet6" if family == "inet6" else "inet",
        weight=draw(st.integers(0, 2**31 - 1)),
        forwarding=forwarding,
        upper_threshold=draw(st.just(0) | st.integers(0, 2**32 - 1)),
        lower_threshold=draw(st.just(0) | st.integers(0, 2**32 - 1)),
        inhibit_on_failure=draw(st.booleans()),
        alpha=draw(st.booleans()),
        notify_up=draw(maybe_script),
        notify_down=draw(maybe_script),
        smtp_alert=draw(st.booleans()),
        checkers=tuple(draw(st.lists(checkers(family, text, port), max_size=2))),
    )


@st.composite
def services(draw: st.DrawFn, number: int) -> tuple[str, tuple[Service, ...]]:
    """Name and services: of its own, of a mark, or of a group. ``number`` keeps those of two virtual servers apart."""
    family: Any = draw(st.sampled_from(["inet", "inet6"]))
    protocol: Any = draw(st.sampled_from(["tcp", "udp", "sctp"]))
    port = draw(st.integers(1, 65535))
    base = f"203.0.{number}." if family == "inet" else f"2001:db8:{number + 1}::"

    def at(n: int, p: int) -> Service:
        return Service(family=family, protocol=protocol, address=f"{base}{n}", port=p)

    kind = draw(st.sampled_from(["address", "mark", "group", "marks"]))
    if kind == "address":
        one = at(1, port)
        return one.identity, (one,)
    if kind == "mark":
        one = Service(family=family, fwmark=number * 10 + 1)
        return one.identity, (one,)
    marks = [
        Service(family=family, fwmark=number * 10 + n) for n in draw(st.sets(st.integers(1, 9), min_size=1))
    ]
    if kind == "marks":
        return f"group g{number} {family}", tuple(marks)
    numbers = draw(st.sets(st.integers(1, 9), min_size=1))
    own = [at(n, p) for n in numbers for p in draw(st.sets(st.sampled_from([80, port]), min_size=1))]
    return f"group g {number} {protocol}", (*own, *(marks if draw(st.booleans()) else ()))


@st.composite
def virtual_servers(draw: st.DrawFn, number: int) -> VirtualServer:
    name, its = draw(services(number))
    family, marked = its[0].family, its[0].fwmark != 0
    ports = {s.port for s in its if s.address is not None}
    grouped = name.startswith("group")
    texts = draw(st.lists(address(family), min_size=1, max_size=4, unique=True))
    port = 0 if grouped or marked else ports.copy().pop()
    pool = [draw(real_servers(text, family, port, marked)) for text in texts]
    total = sum(r.weight for r in pool)
    quorum = draw(st.integers(1, max(total, 1)))
    forwarding = draw(forwardings)
    sorry = None
    if draw(st.booleans()):
        sorry = SorryServer(
            address="10.3.0.9" if family == "inet" else "2001:db8:ffff::9",
            port=draw(st.integers(1, 65535)) if forwarding.method == "NAT" else port,
            family=family,
            forwarding=forwarding,
            inhibit=draw(st.booleans()),
        )
    wide = "255.255.255.255" if family == "inet" else "128"
    udp = all(s.protocol in ("udp", None) for s in its)
    flags = draw(st.sets(st.sampled_from(["flag-1", "flag-2", "flag-3", *(["ops"] if udp else [])])))
    persistence = st.builds(
        Persistence,
        timeout_us=st.integers(1, 2678400).map(lambda s: s * SECOND),
        granularity=st.sampled_from([wide, "255.255.255.0" if family == "inet" else "64"]),
        engine=st.none() | st.just("sip"),
    )
    return VirtualServer(
        name=name,
        services=its,
        scheduler=draw(st.sampled_from(["rr", "wlc", "sh", "mh", "sed"])),
        flags=tuple(sorted(flags)),
        persistence=draw(st.none() | persistence),
        quorum=quorum,
        hysteresis=draw(st.integers(0, quorum - 1)),
        quorum_up=draw(maybe_script),
        quorum_down=draw(maybe_script),
        alpha=draw(st.booleans()),
        omega=draw(st.booleans()),
        ha_suspend=not any(s.fwmark for s in its) and draw(st.booleans()),
        smtp_alert=draw(st.booleans()),
        sorry_server=sorry,
        real_servers=tuple(pool),
        delay_loop_us=draw(us(1, 10_000_000_000)),
    )


@st.composite
def compiled_configs(draw: st.DrawFn) -> Config:
    """A whole configuration."""
    names = draw(st.lists(words, max_size=2, unique=True))
    tracks = [draw(vrrp_scripts(name)) for name in names]
    shared = {
        "arp": draw(st.just(0) | us(1, 4_294_000_000)),
        "na": draw(st.just(0) | us(1, 4_294_000_000)),
        **{
            name: draw(st.just((0, 0)) | st.tuples(us(0, 9_000_000), us(0, 9_000_000)))
            for name in ("eth0", "bond0")
        },
        **{family: draw(st.sampled_from(groups)) for family, groups in GROUPS.items()},
    }
    wanted = draw(st.lists(words, max_size=3, unique=True))
    grouped = draw(st.booleans()) and bool(wanted)
    weights = draw(st.booleans())
    group = draw(words) if grouped else None
    made = [draw(instances(n, names, group, not grouped or weights, shared)) for n in wanted]
    owner = any(i.owner for i in made)
    groups = []
    if group is not None:
        groups.append(
            SyncGroup(
                name=group,
                members=tuple(draw(st.permutations(wanted))),
                track_interfaces=draw(tracked_interfaces(not owner)),
                track_scripts=draw(tracked_scripts(names, not owner)),
                tracking_weight=weights,
                notify=draw(notifies(instance=False)),
                notify_priority_changes=draw(st.booleans()),
                smtp_alert=draw(st.booleans()),
            )
        )
    return Config(
        global_defs=draw(globals_()),
        vrrp_scripts=tuple(tracks),
        vrrp_instances=tuple(made),
        vrrp_sync_groups=tuple(groups),
        virtual_servers=tuple(draw(virtual_servers(n)) for n in range(draw(st.integers(0, 3)))),
    )


def plain(config: Config) -> Config:
    """``config`` with ordinary names, and with VRIDs that differ: what keepalived 2.2.7 reads without a quirk of its own.

    (It undoes escapes in commands twice, and takes a quoted brace for a brace.)
    """
    raw = msgspec.to_builtins(config)
    for number, instance in enumerate(raw["vrrp_instances"], 1):
        instance["vrid"] = number
        if instance["authentication"] is not None:
            instance["authentication"]["password"]["secret"] = f"secret{number}"
    for group in raw["vrrp_sync_groups"]:
        group[
            "track_interfaces"
        ] = []  # keepalived wants an interface in the group or in a member, not in both
    return msgspec.convert(_plain(raw), Config)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: key != "supplementary" and _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, str):
        return re.sub(r"[^][A-Za-z0-9_./: %,@=+-]", lambda m: f"_{ord(m.group()):x}", value)
    return value


def without_news(config: Config) -> Config:
    """``config`` without what keepalived 2.2.7 does not know yet."""
    replace = msgspec.structs.replace

    def check(c: Checker) -> Checker:
        if not isinstance(c, HttpCheck):
            return c
        named = all(u.sni == u.host for u in c.urls)
        urls = tuple(replace(u, tls_compliant=False, sni=u.host if named else None) for u in c.urls)
        return replace(c, urls=urls)

    def whole_seconds(us: int) -> int:
        return max(us // SECOND, 1) * SECOND

    return replace(
        config,
        global_defs=replace(config.global_defs, delay_after_boot_us=0),
        vrrp_scripts=tuple(
            replace(s, interval_us=whole_seconds(s.interval_us), timeout_us=whole_seconds(s.timeout_us))
            for s in config.vrrp_scripts
        ),
        vrrp_instances=tuple(
            replace(
                i,
                v3_checksum_as_v2=False,
                timer_expired_backup=None,
                owner_ignore_adverts=i.owner and i.strict,
                **(
                    {}
                    if i.peers
                    else {
                        "unicast": False,
                        "unicast_ttl": None,
                        "check_unicast_src": False,
                        "fault_no_peer": False,
                        "old_unicast_checksum": "auto",
                    }
                ),
                vips=i.vips
                or (
                    Address(
                        address=SOME[i.family],
                        prefix=8,
                        device=i.interface,
                        family=i.family,
                        nodad=i.family == "inet6",
                    ),
                ),
            )
            for i in config.vrrp_instances
        ),
        virtual_servers=tuple(
            replace(
                v,
                real_servers=tuple(
                    replace(r, weight=max(r.weight, 1), checkers=tuple(map(check, r.checkers)))
                    for r in v.real_servers
                ),
            )
            for v in config.virtual_servers
        ),
    )


SOME = {"inet": "10.99.0.1", "inet6": "2001:db8:99::1"}
