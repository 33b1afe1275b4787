"""Hypothesis strategies for virtual routers."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
from hypothesis import strategies as st

from kir.model import (
    Address,
    Authentication,
    Garp,
    Hmac,
    HmacKey,
    Ipvlan,
    Notify,
    Peer,
    Secret,
    Vmac,
    VrrpInstance,
)
from support.decompile_routing import some_routes, some_rules
from support.decompile_tracks import Tracks, followed
from support.decompile_words import SECOND, address, maybe_script, us, whole, words


@st.composite
def vip(draw: st.DrawFn, text: str, family: str, devices: list[str]) -> Address:
    full = 32 if family == "inet" else 128
    v4 = family == "inet"
    peer = draw(st.none() | st.none() | address(family))
    prefix = full if peer is not None else draw(st.integers(8, full))
    lifetimes: st.SearchStrategy[int | None] = st.none() | st.integers(0, 2**32 - 1)
    return Address(
        address=text,
        prefix=prefix,
        device=draw(st.sampled_from(devices)),
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


@st.composite
def instances(
    draw: st.DrawFn,
    name: str,
    known: Tracks,
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
    unicast = not strict and draw(st.booleans())
    interface = draw(st.sampled_from(["eth0", "bond0", *([""] if unicast else [])]))
    fault_no_peer = draw(st.booleans())
    low = 1 if unicast and not fault_no_peer else 0
    peers = draw(st.lists(address(family), min_size=low, max_size=3, unique=True)) if unicast else []
    bounds = [
        Peer(address=a, min_ttl=draw(st.integers(0, 9)), max_ttl=draw(st.integers(9, 255))) for a in peers
    ]
    bounded = any(p.min_ttl or p.max_ttl != 255 for p in bounds)
    texts = draw(st.lists(address(family), min_size=1 if strict else 0, max_size=5, unique=True))
    devices = ["eth7", interface, interface] if interface else ["eth7"]
    vrid = draw(st.integers(1, 255))
    vmac = draw(vmacs(name, vrid, family, strict)) if interface else None
    ipvlan = draw(ipvlans(name, family)) if interface and vmac is None else None
    on_vmacs = draw(st.booleans())

    def marked(a: Address) -> Address:
        redundant = on_vmacs or (vmac is not None and a.device == interface and a.family == family)
        return msgspec.structs.replace(a, use_vmac=not redundant and draw(st.booleans()))

    vips = [marked(draw(vip(text, family, devices))) for text in texts]
    other = draw(st.sampled_from(["inet", "inet6"]))
    more = draw(st.lists(address(other).filter(lambda a: a not in texts), max_size=2, unique=True))
    version3 = draw(st.integers(1, 4095)) * 10_000
    source = draw(st.none() | address(family) if interface else address(family))
    accept = owner if strict else draw(st.booleans())
    if strict and (version == 3 or owner):
        accept = draw(st.booleans())
    garp = draw(garps(strict, shared))
    interval = version3 if version == 3 else draw(st.integers(1, 255)) * SECOND
    adverts = 3 if strict else draw(st.integers(1, 100))
    delays = shared["delays"].get(interface, (0, 0))
    if adverts == 1 or max(delays) >= (adverts - 1) * interval - interval // 256:
        delays = (0, 0)  # as long as the takeover itself: the compiler drops them
    notify = draw(notifies(instance=True))
    authentication = None
    if version == 2 and not strict:
        authentication = draw(passwords(ah=family == "inet" and (owner or state == "BACKUP")))
    checksum: Any = draw(st.sampled_from(["auto", "always", "never"]))
    like_unicast = unicast or fault_no_peer or checksum != "auto"
    xmit = [like_unicast, False] if strict else [True, like_unicast]
    hmac = draw(hmacs(strict, interval)) if authentication is None else None
    return VrrpInstance(
        name=name,
        interface=interface,
        vrid=vrid,
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
        authentication=authentication,
        hmac=hmac,
        vmac=vmac,
        ipvlan=ipvlan,
        vmac_addresses=on_vmacs,
        xmit_base=vmac is not None and draw(st.sampled_from(xmit)),
        vrf=None if interface else "red",
        linkbeat=draw(st.booleans()),
        rx_buffer_size=draw(st.just(0) | st.integers(0, 2**32 - 1)),
        routes=draw(some_routes([])),
        rules=draw(some_rules([])),
        vips=tuple(vips),
        excluded_vips=tuple([marked(draw(vip(text, other, devices))) for text in more]),
        promote_secondaries=vmac is None and ipvlan is None and draw(st.booleans()),
        track_primary=draw(st.booleans()),
        **draw(followed(known, weights and not owner, process_weights=True)),
        garp=garp,
        lower_prio_no_advert=strict or draw(st.booleans()),
        higher_prio_send_advert=not strict and draw(st.booleans()),
        owner_ignore_adverts=owner and (strict or draw(st.booleans())),
        skip_check_adv_addr=draw(st.booleans()),
        v3_checksum_as_v2=draw(st.booleans()),
        old_unicast_checksum=checksum,
        timer_expired_backup=draw(st.none() | st.integers(1, 254)) if nopreempt else None,
        interface_down_delay_us=delays[0],
        interface_up_delay_us=delays[1],
        notify=notify,
        notify_priority_changes=draw(st.booleans()),
        notify_deleted=notify.deleted is not None or draw(st.booleans()),
        smtp_alert=draw(st.booleans()),
        sync_group=group,
    )


GROUPS = {"inet": ["224.0.0.18", "224.0.0.99"], "inet6": ["ff02::12", "ff02::99"]}


def passwords(*, ah: bool) -> st.SearchStrategy[Authentication | None]:
    fitting = words.filter(lambda w: len(w.encode()) <= 8)
    kinds: list[Any] = ["PASS", *(["AH"] if ah else [])]
    return st.none() | st.builds(
        lambda kind, w: Authentication(type=kind, password=Secret(secret=w)), st.sampled_from(kinds), fitting
    )


link_groups = st.none() | st.integers(0, 2**31 - 1) | st.just("lan")


def _link_names(instance: str, vrid: int) -> st.SearchStrategy[str]:
    """One that no other instance has, or that is free because the VRID is this instance's alone."""
    own = f"{zlib.crc32(instance.encode()):08x}"
    return st.sampled_from([f"v{own}", f"m-{own[:4]}.{own[4:]}"])


@st.composite
def vmacs(draw: st.DrawFn, instance: str, vrid: int, family: str, strict: bool) -> Vmac | None:
    standard = f"00:00:5e:00:{'01' if family == 'inet' else '02'}:{vrid:02x}"
    others = [f"00:00:5e:00:02:{vrid:02x}", f"02:11:22:33:44:{vrid:02x}", "02:11:22:33:44:55"]
    if draw(st.booleans()):
        return None
    return Vmac(
        name=draw(_link_names(instance, vrid)),
        mac=standard if strict else draw(st.sampled_from([standard, *others])),
        netlink_notify=draw(st.booleans()),
        group=draw(link_groups),
    )


@st.composite
def ipvlans(draw: st.DrawFn, instance: str, family: str) -> Ipvlan | None:
    if draw(st.booleans()):
        return None
    own = draw(st.none() | address(family))
    modes: list[Any] = ["bridge", "private", "vepa"]
    return Ipvlan(
        name=draw(_link_names(instance, 0)),
        address=own,
        prefix=None if own is None else draw(st.integers(0, 32 if family == "inet" else 128)),
        mode=draw(st.sampled_from(modes)),
        group=draw(link_groups),
    )


@st.composite
def hmacs(draw: st.DrawFn, strict: bool, interval_us: int) -> Hmac | None:
    if draw(st.booleans()):
        return None
    keys = []
    for number in sorted(draw(st.sets(st.integers(1, 255), min_size=1, max_size=3))):
        secret = draw(st.none() | st.binary(min_size=32, max_size=64))
        keys.append(
            HmacKey(id=number, file=draw(words))
            if secret is None
            else HmacKey(id=number, secret=Secret(secret=secret.hex()))
        )
    replay: Any = draw(st.sampled_from(["time", "monotonic"]))
    default = min(max(3 * (interval_us // SECOND), 5), 300) if replay == "time" else 0
    modes: list[Any] = ["enforce", *([] if strict else ["permissive", "receive-only"])]
    return Hmac(
        keys=tuple(keys),
        active_key=draw(st.sampled_from(keys)).id,
        time_window_us=draw(st.just(default) | st.integers(1, 300)) * SECOND,
        anti_replay=replay,
        mode=draw(st.sampled_from(modes)),
    )


def garps(strict: bool, shared: dict[str, Any]) -> st.SearchStrategy[Garp]:
    extra = st.just((0, False)) | st.tuples(st.integers(1, 86400), st.booleans())
    return st.builds(
        lambda extra, **more: Garp(extra_interval_us=extra[0] * SECOND, extra_all=extra[1], **more),
        extra=extra,
        delay_us=whole,
        repeat=st.integers(1, 9),
        refresh_us=whole,
        refresh_repeat=st.integers(1, 9),
        lower_prio_delay_us=st.just(0) if strict else whole,
        lower_prio_repeat=st.just(0) if strict else st.integers(0, 9),
        arp_interval_us=st.just(shared["arp"]),
        na_interval_us=st.just(shared["na"]),
    )
