"""``vrrp_sync_group`` and ``vrrp_instance``."""

from __future__ import annotations

from kcc.decompile.addresses import print_addresses
from kcc.decompile.interfaces import print_own_link
from kcc.decompile.routes import print_routes, print_rules
from kcc.decompile.tracking import print_tracked
from kcc.decompile.words import Unprintable, duration, whole_seconds
from kcc.decompile.writer import Writer, refuse
from kir.model import Garp, Hmac, Notify, SyncGroup, VrrpInstance

__all__ = ["print_group", "print_instance"]

SECOND = 1_000_000


def print_group(group: SyncGroup, out: Writer) -> None:
    """One ``vrrp_sync_group``."""
    with out.section("vrrp_sync_group", group.name):
        with out.block("group"):
            for name in group.members:
                out.line(name)
        out.flag("sync_group_tracking_weight", group.tracking_weight)
        print_tracked(group, out)
        refuse(group.notify, f"sync group {group.name}", "deleted", "master_rx_lower_pri")
        _notify(group.notify, out)
        out.flag("notify_priority_changes", group.notify_priority_changes)
        out.flag("smtp_alert", group.smtp_alert)


def print_instance(i: VrrpInstance, group: SyncGroup | None, multicast: dict[str, str], out: Writer) -> None:
    """One ``vrrp_instance``, a member of ``group``; ``multicast`` are the groups by family that hold without being said."""
    if i.sync_group is not None and (group is None or i.name not in group.members):
        raise Unprintable(f"{i.name}: the sync group {i.sync_group} does not have it as a member")
    with out.section("vrrp_instance", i.name):
        out.say("state", i.initial_state)
        if i.interface:
            out.say("interface", i.interface)
        out.setting("vrf", i.vrf)
        out.say("virtual_router_id", i.vrid)
        out.say("version", i.version)
        out.say("priority", i.priority)
        out.say("advert_int", duration(i.advert_int_us))
        out.flag("native_ipv6", i.family == "inet6" and not i.vips)
        out.flag("strict_mode", i.strict)
        out.setting("down_timer_adverts", i.down_timer_adverts, 3)
        out.flag("nopreempt", i.nopreempt)
        out.seconds("preempt_delay", i.preempt_delay_us)
        if i.accept != (i.owner or not i.strict):
            out.raw("accept" if i.accept else "no_accept")
        print_own_link(i, out)
        _wire(i, multicast, out)
        _authentication(i, out)
        _answers(i, out)
        _garp(i.garp, i.strict, out)
        print_addresses("virtual_ipaddress", i.vips, i.interface, out)
        # Version 2 does without, and releases before 2.4.3 do not know the word.
        out.flag("no_virtual_ipaddress", not i.vips and not i.strict and i.version == 3)
        print_addresses("virtual_ipaddress_excluded", i.excluded_vips, i.interface, out)
        print_routes("virtual_routes", i.routes, out)
        print_rules("virtual_rules", i.rules, out)
        out.flag("promote_secondaries", i.promote_secondaries)
        out.flag("dont_track_primary", not i.track_primary)
        out.flag("linkbeat_use_polling", i.linkbeat)
        print_tracked(i, out)
        _notify(i.notify, out)
        if i.notify.deleted is not None and not i.notify_deleted:
            raise Unprintable(f"{i.name} has a script for its deletion, and is not told of it")
        out.flag("notify_deleted", i.notify_deleted and i.notify.deleted is None)
        _inherited("notify_priority_changes", i.notify_priority_changes, group, out)
        _inherited("smtp_alert", i.smtp_alert, group, out)


def _inherited(keyword: str, on: bool, group: SyncGroup | None, out: Writer) -> None:
    """A switch that a member takes from its group where it says nothing."""
    if on:
        out.raw(keyword)
    elif group is not None and getattr(group, keyword):
        out.raw(f"{keyword} false")


def _wire(i: VrrpInstance, multicast: dict[str, str], out: Writer) -> None:
    """Where adverts come from and go to."""
    out.setting("unicast_src_ip" if i.unicast else "mcast_src_ip", i.source)
    out.flag("track_src_ip", i.track_source)
    if not i.peers and i.group is not None:
        out.setting("mcast_dst_ip", i.group, multicast[i.family])
    if i.unicast:
        with out.block("unicast_peer"):
            for peer in i.peers:
                low = ["min_ttl", peer.min_ttl] if peer.min_ttl else []
                high = ["max_ttl", peer.max_ttl] if peer.max_ttl != 255 else []
                out.line(peer.address, *low, *high)
        if i.unicast_ttl is not None and (i.unicast_ttl != 255 or i.family == "inet6"):
            out.say("unicast_ttl", i.unicast_ttl)
        out.flag("check_unicast_src", i.check_unicast_src)
    elif i.peers:
        raise Unprintable(f"{i.name} has unicast peers, and sends multicast")
    out.flag("unicast_fault_no_peer", i.fault_no_peer)
    if i.old_unicast_checksum != "auto":
        out.raw("old_unicast_checksum never" if i.old_unicast_checksum == "never" else "old_unicast_checksum")
    out.flag("v3_checksum_as_v2", i.v3_checksum_as_v2)
    out.setting("kernel_rx_buf_size", i.rx_buffer_size, 0)


def _authentication(i: VrrpInstance, out: Writer) -> None:
    """What proves where adverts come from."""
    if i.authentication is not None:
        with out.block("authentication"):
            out.say("auth_type", i.authentication.type)
            try:
                out.say("auth_pass", i.authentication.password.secret)
            except Unprintable:
                raise Unprintable(
                    f"the password of {i.name} holds a character that no word can hold"
                ) from None
    if i.hmac is not None:
        with out.block("auth_hmac"):
            _hmac(i.hmac, i, out)


def _hmac(h: Hmac, i: VrrpInstance, out: Writer) -> None:
    for key in h.keys:
        if (key.secret is None) == (key.file is None):
            raise Unprintable(f"key {key.id} of {i.name} has a secret or a file, one of the two")
        value = f"file:{key.file}" if key.secret is None else f"hex:{key.secret.secret}"
        out.say("key", key.id, value)
    out.say("active_key", h.active_key)
    window = min(max(3 * (i.advert_int_us // SECOND), 5), 300) if h.anti_replay == "time" else 0
    out.whole("time_window", h.time_window_us, window * SECOND)
    out.setting("anti_replay", h.anti_replay, "time")
    out.setting("mode", h.mode, "enforce")


def _answers(i: VrrpInstance, out: Writer) -> None:
    if not i.strict:
        out.flag("lower_prio_no_advert", i.lower_prio_no_advert)
        out.flag("higher_prio_send_advert", i.higher_prio_send_advert)
        out.flag("owner_ignore_adverts", i.owner_ignore_adverts)
    out.flag("skip_check_adv_addr", i.skip_check_adv_addr)
    out.setting("timer_expired_backup", i.timer_expired_backup)


def _garp(g: Garp, strict: bool, out: Writer) -> None:
    out.whole("garp_master_delay", g.delay_us, 5 * SECOND)
    out.setting("garp_master_repeat", g.repeat, 5)
    out.whole("garp_master_refresh", g.refresh_us)
    out.setting("garp_master_refresh_repeat", g.refresh_repeat, 1)
    if not strict:
        out.whole("garp_lower_prio_delay", g.lower_prio_delay_us, 5 * SECOND)
        out.setting("garp_lower_prio_repeat", g.lower_prio_repeat, 5)
    if g.extra_interval_us:
        everywhere = "all " if g.extra_all else ""
        out.raw(f"garp_extra_if {everywhere}{whole_seconds(g.extra_interval_us, 'garp_extra_if')}")
    elif g.extra_all:
        raise Unprintable("`garp_extra_if all` needs a number of seconds")


def _notify(n: Notify, out: Writer) -> None:
    out.script("notify_master", n.master)
    out.script("notify_backup", n.backup)
    out.script("notify_fault", n.fault)
    out.script("notify_stop", n.stop)
    out.script("notify_deleted", n.deleted)
    out.script("notify", n.any)
    out.script("notify_master_rx_lower_pri", n.master_rx_lower_pri)
