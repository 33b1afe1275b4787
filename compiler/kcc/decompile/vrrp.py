"""``vrrp_script``, ``vrrp_sync_group`` and ``vrrp_instance``."""

from __future__ import annotations

from collections.abc import Sequence

from kcc.decompile.words import Unprintable, command, duration, whole_seconds
from kcc.decompile.writer import Writer, account_words, guard
from kir.model import (
    Address,
    Garp,
    Notify,
    SyncGroup,
    TrackedInterface,
    TrackedScript,
    VrrpInstance,
    VrrpScript,
)

__all__ = ["print_group", "print_instance", "print_script"]

_FULL = {"inet": 32, "inet6": 128}


def print_script(script: VrrpScript, out: Writer) -> None:
    """One ``vrrp_script``. Its weight was resolved into the lines that use it."""
    guard(
        script,
        "name",
        "argv",
        "open_file",
        "account",
        "interval_us",
        "timeout_us",
        "rise",
        "fall",
        "init_fail",
    )
    with out.block("vrrp_script", script.name):
        argv = (f"<{script.open_file}",) if script.open_file is not None else script.argv
        out.raw(f"script {command(argv)}")
        out.say("interval", duration(script.interval_us))
        if script.timeout_us != script.interval_us:
            out.say("timeout", duration(script.timeout_us))
        if script.rise != 1:
            out.say("rise", script.rise)
        if script.fall != 1:
            out.say("fall", script.fall)
        _user(account_words(script.account), out)
        out.flag("init_fail", script.init_fail)
    out.raw("")


def _user(words: list[str], out: Writer) -> None:
    if words:
        out.raw(" ".join(["user", *words]))


def print_group(group: SyncGroup, out: Writer) -> None:
    """One ``vrrp_sync_group``."""
    guard(
        group,
        "name",
        "members",
        "track_interfaces",
        "track_scripts",
        "tracking_weight",
        "notify",
        "notify_priority_changes",
        "smtp_alert",
    )
    with out.block("vrrp_sync_group", group.name):
        with out.block("group"):
            for name in group.members:
                out.line(name)
        out.flag("sync_group_tracking_weight", group.tracking_weight)
        _tracked("track_interface", group.track_interfaces, out)
        _tracked("track_script", group.track_scripts, out)
        _notify(group.notify, out)
        out.flag("notify_priority_changes", group.notify_priority_changes)
        out.flag("smtp_alert", group.smtp_alert)
    out.raw("")


def print_instance(i: VrrpInstance, group: SyncGroup | None, multicast: dict[str, str], out: Writer) -> None:
    """One ``vrrp_instance``, a member of ``group``; ``multicast`` are the groups by family that hold without being said."""
    _guard(i)
    with out.block("vrrp_instance", i.name):
        out.say("state", i.initial_state)
        out.say("interface", i.interface)
        out.say("virtual_router_id", i.vrid)
        out.say("version", i.version)
        out.say("priority", i.priority)
        out.say("advert_int", duration(i.advert_int_us))
        out.flag("native_ipv6", i.family == "inet6" and not i.vips)
        out.flag("strict_mode", i.strict)
        if i.down_timer_adverts != 3:
            out.say("down_timer_adverts", i.down_timer_adverts)
        out.flag("nopreempt", i.nopreempt)
        if i.preempt_delay_us:
            out.say("preempt_delay", duration(i.preempt_delay_us))
        if i.accept != (i.owner or not i.strict):
            out.raw("accept" if i.accept else "no_accept")
        _wire(i, multicast, out)
        _answers(i, out)
        _garp(i.garp, i.strict, out)
        _addresses("virtual_ipaddress", i.vips, i.interface, out)
        # Version 2 does without, and releases before 2.4.3 do not know the word.
        out.flag("no_virtual_ipaddress", not i.vips and not i.strict and i.version == 3)
        _addresses("virtual_ipaddress_excluded", i.excluded_vips, i.interface, out)
        out.flag("promote_secondaries", i.promote_secondaries)
        out.flag("dont_track_primary", not i.track_primary)
        _tracked("track_interface", i.track_interfaces, out)
        _tracked("track_script", i.track_scripts, out)
        _notify(i.notify, out)
        out.flag("notify_deleted", i.notify_deleted and i.notify.deleted is None)
        _inherited("notify_priority_changes", i.notify_priority_changes, group, out)
        _inherited("smtp_alert", i.smtp_alert, group, out)
    out.raw("")


def _inherited(keyword: str, on: bool, group: SyncGroup | None, out: Writer) -> None:
    """A switch that a member takes from its group where it says nothing."""
    if on:
        out.raw(keyword)
    elif group is not None and getattr(group, keyword):
        out.raw(f"{keyword} false")


def _guard(i: VrrpInstance) -> None:
    guard(
        i,
        *("name", "interface", "vrid", "version", "family", "initial_state", "priority", "advert_int_us"),
        *("down_timer_adverts", "nopreempt", "preempt_delay_us", "strict", "accept", "group", "source"),
        *("track_source", "unicast", "unicast_ttl", "peers", "check_unicast_src", "fault_no_peer"),
        *("authentication", "vips", "excluded_vips", "promote_secondaries", "track_primary"),
        *("track_interfaces", "track_scripts", "garp", "lower_prio_no_advert", "higher_prio_send_advert"),
        *("owner_ignore_adverts", "skip_check_adv_addr", "v3_checksum_as_v2", "old_unicast_checksum"),
        *("timer_expired_backup", "interface_down_delay_us", "interface_up_delay_us", "notify"),
        *("notify_priority_changes", "notify_deleted", "smtp_alert", "sync_group"),
    )


def _wire(i: VrrpInstance, multicast: dict[str, str], out: Writer) -> None:
    """Where adverts come from and go to, and what proves them."""
    if i.source is not None:
        out.say("unicast_src_ip" if i.unicast else "mcast_src_ip", i.source)
    out.flag("track_src_ip", i.track_source)
    if not i.unicast and i.group is not None and i.group != multicast[i.family]:
        out.say("mcast_dst_ip", i.group)
    if i.unicast:
        with out.block("unicast_peer"):
            for peer in i.peers:
                guard(peer, "address", "min_ttl", "max_ttl")
                low = ["min_ttl", peer.min_ttl] if peer.min_ttl else []
                high = ["max_ttl", peer.max_ttl] if peer.max_ttl != 255 else []
                out.line(peer.address, *low, *high)
        if i.unicast_ttl is not None and (i.unicast_ttl != 255 or i.family == "inet6"):
            out.say("unicast_ttl", i.unicast_ttl)
        out.flag("check_unicast_src", i.check_unicast_src)
    out.flag("unicast_fault_no_peer", i.fault_no_peer)
    if i.old_unicast_checksum != "auto":
        out.raw("old_unicast_checksum never" if i.old_unicast_checksum == "never" else "old_unicast_checksum")
    out.flag("v3_checksum_as_v2", i.v3_checksum_as_v2)
    if i.authentication is not None:
        guard(i.authentication, "type", "password")
        with out.block("authentication"):
            out.say("auth_type", i.authentication.type)
            try:
                out.say("auth_pass", i.authentication.password.secret)
            except Unprintable:
                raise Unprintable(
                    f"the password of {i.name} holds a character that no word can hold"
                ) from None


def _answers(i: VrrpInstance, out: Writer) -> None:
    if not i.strict:
        out.flag("lower_prio_no_advert", i.lower_prio_no_advert)
        out.flag("higher_prio_send_advert", i.higher_prio_send_advert)
        out.flag("owner_ignore_adverts", i.owner_ignore_adverts)
    out.flag("skip_check_adv_addr", i.skip_check_adv_addr)
    if i.timer_expired_backup is not None:
        out.say("timer_expired_backup", i.timer_expired_backup)


def _garp(g: Garp, strict: bool, out: Writer) -> None:
    guard(
        g,
        *("delay_us", "repeat", "refresh_us", "refresh_repeat", "lower_prio_delay_us", "lower_prio_repeat"),
        *("arp_interval_us", "na_interval_us"),
    )
    if g.delay_us != 5_000_000:
        out.say("garp_master_delay", whole_seconds(g.delay_us, "garp_master_delay"))
    if g.repeat != 5:
        out.say("garp_master_repeat", g.repeat)
    if g.refresh_us:
        out.say("garp_master_refresh", whole_seconds(g.refresh_us, "garp_master_refresh"))
    if g.refresh_repeat != 1:
        out.say("garp_master_refresh_repeat", g.refresh_repeat)
    if strict:
        return
    if g.lower_prio_delay_us != 5_000_000:
        out.say("garp_lower_prio_delay", whole_seconds(g.lower_prio_delay_us, "garp_lower_prio_delay"))
    if g.lower_prio_repeat != 5:
        out.say("garp_lower_prio_repeat", g.lower_prio_repeat)


def _addresses(keyword: str, addresses: Sequence[Address], interface: str, out: Writer) -> None:
    if addresses:
        with out.block(keyword):
            for address in addresses:
                out.line(*address_words(address, interface))


def address_words(a: Address, interface: str) -> list[str]:
    """The words of an address line; ``interface`` needs no ``dev``."""
    guard(
        a,
        *("address", "prefix", "device", "family", "scope", "broadcast", "label", "peer", "home", "nodad"),
        *("mngtmpaddr", "noprefixroute", "autojoin", "preferred_lft_s", "track"),
    )
    full = _FULL[a.family]
    words = [a.address if a.peer is not None else f"{a.address}/{a.prefix}"]
    if a.peer is not None:
        words += ["peer", a.peer]
    if a.device != interface:
        words += ["dev", a.device]
    if a.broadcast is not None:
        words += ["brd", a.broadcast]
    if a.scope:
        words += ["scope", str(a.scope)]
    if a.label is not None:
        words += ["label", a.label]
    own = 0 if a.family == "inet6" and a.prefix == full else None
    if a.preferred_lft_s != own:
        words += ["preferred_lft", "forever" if a.preferred_lft_s is None else str(a.preferred_lft_s)]
    if a.nodad != (a.family == "inet6"):
        if a.nodad:
            raise Unprintable(f"{a.address}: `nodad` has no meaning for IPv4")
        words.append("-nodad")
    words += [name for name in ("home", "mngtmpaddr", "noprefixroute", "autojoin") if getattr(a, name)]
    if not a.track:
        words.append("no_track")
    return words


def _tracked(keyword: str, items: Sequence[TrackedInterface | TrackedScript], out: Writer) -> None:
    if not items:
        return
    with out.block(keyword):
        for item in items:
            guard(item, "name", "weight", "reverse")
            weight = ["weight", item.weight] if item.weight or item.reverse else []
            out.line(item.name, *weight, *(["reverse"] if item.reverse else []))


def _notify(n: Notify, out: Writer) -> None:
    guard(n, "master", "backup", "fault", "stop", "deleted", "any", "master_rx_lower_pri")
    out.script("notify_master", n.master)
    out.script("notify_backup", n.backup)
    out.script("notify_fault", n.fault)
    out.script("notify_stop", n.stop)
    out.script("notify_deleted", n.deleted)
    out.script("notify", n.any)
    out.script("notify_master_rx_lower_pri", n.master_rx_lower_pri)
