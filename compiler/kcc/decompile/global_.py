"""``global_defs``, the settings that stand outside of every block, and the few defaults of instances that have no keyword there."""

from __future__ import annotations

from collections import Counter

from kcc.decompile.daemon import print_daemon, print_outside
from kcc.decompile.firewall import print_firewall
from kcc.decompile.words import Unprintable, command, word
from kcc.decompile.writer import Writer, account_words
from kir.model import Config, Fifo, Global, LvsTimeouts
from kir.model.vrrp import MULTICAST_GROUP

__all__ = ["multicast_groups", "print_globals"]


def multicast_groups(config: Config) -> dict[str, str]:
    """The group by family that must be said globally: that of instances with peers, which cannot say one themselves."""
    found = dict(MULTICAST_GROUP)
    for family in MULTICAST_GROUP:
        groups = {i.group for i in config.vrrp_instances if i.peers and i.family == family and i.group}
        if len(groups) > 1:
            raise Unprintable(
                f"unicast instances carry different multicast groups: {', '.join(sorted(groups))}"
            )
        if groups:
            found[family] = groups.pop()
    return found


def print_globals(config: Config, out: Writer) -> None:
    """What stands outside, then the block, each left out where it would be empty."""
    outside, inner = Writer(), Writer()
    print_outside(config.global_defs, outside)
    _own(config, inner)
    _defaults(config, inner)
    for line in outside.lines:
        out.raw(line)
    if outside.lines:
        out.raw("")
    if inner.lines:
        with out.section("global_defs"):
            for line in inner.lines:
                out.raw(line)


def _own(config: Config, out: Writer) -> None:
    g = config.global_defs
    out.setting("router_id", g.router_id)
    _mail(g, out)
    out.flag("enable_script_security", g.enable_script_security)
    _fifo("notify_fifo", g.notify_fifo, out)
    _fifo("vrrp_notify_fifo", g.vrrp_notify_fifo, out)
    _fifo("lvs_notify_fifo", g.lvs_notify_fifo, out)
    out.flag("fifo_write_vrrp_states_on_reload", g.fifo_states_on_reload)
    out.flag("rs_init_notifies", g.rs_init_notifies)
    out.seconds("vrrp_startup_delay", g.startup_delay_us)
    out.seconds("vrrp_delay_after_boot", g.delay_after_boot_us)
    out.flag("log_unknown_vrids", g.log_unknown_vrids)
    if g.dynamic_interfaces:
        out.raw("dynamic_interfaces allow_if_changes" if g.allow_if_changes else "dynamic_interfaces")
    elif g.allow_if_changes:
        raise Unprintable("`allow_if_changes` is a word of `dynamic_interfaces`, which is off")
    out.flag("disable_local_igmp", g.disable_local_igmp)
    _receive_buffers(g, out)
    out.setting("vmac_addr_prefix", g.vmac_addr_prefix, "vrrp")
    print_firewall(g, out)
    out.flag("lvs_flush", g.lvs_flush)
    if g.lvs_flush_on_stop != "no":
        out.raw("lvs_flush_on_stop VS" if g.lvs_flush_on_stop == "own" else "lvs_flush_on_stop")
    _timeouts(g.lvs_timeouts, out)
    print_daemon(config, out)


def _receive_buffers(g: Global, out: Writer) -> None:
    if g.rx_buffer_policy is not None:
        if g.rx_buffer_size:
            raise Unprintable("`vrrp_rx_bufs_policy` is a rule or a number of octets, not both")
        out.say("vrrp_rx_bufs_policy", g.rx_buffer_policy.upper())
    elif g.rx_buffer_size:
        out.say("vrrp_rx_bufs_policy", g.rx_buffer_size)
    out.setting("vrrp_rx_bufs_multiplier", g.rx_buffer_multiplier, 3)


def _timeouts(t: LvsTimeouts, out: Writer) -> None:
    pairs = (("tcp", t.tcp_s), ("tcpfin", t.tcpfin_s), ("udp", t.udp_s))
    words = [f"{name} {value}" for name, value in pairs if value is not None]
    if words:
        out.raw(" ".join(["lvs_timeouts", *words]))


def _mail(g: Global, out: Writer) -> None:
    if g.notification_emails:
        with out.block("notification_email"):
            for address in g.notification_emails:
                out.line(address)
    out.setting("notification_email_from", g.notification_email_from)
    if g.smtp_server is not None:
        port = [g.smtp_server.port] if g.smtp_server.port != 25 else []
        out.say("smtp_server", g.smtp_server.host, *port)
    out.setting("smtp_helo_name", g.smtp_helo_name)
    out.whole("smtp_connect_timeout", g.smtp_connect_timeout_us, 30_000_000)
    out.flag("no_email_faults", g.no_email_faults)
    out.flag("no_checker_emails", g.no_checker_emails)


def _fifo(keyword: str, fifo: Fifo | None, out: Writer) -> None:
    if fifo is None:
        return
    words = [word(fifo.path)]
    if fifo.user is not None:
        words += [word(fifo.user), *([word(fifo.group)] if fifo.group is not None else [])]
    elif fifo.group is not None:
        raise Unprintable(f"{keyword} has a group and no user")
    out.raw(" ".join([keyword, *words]))
    if fifo.script is not None:
        out.raw(
            " ".join([f"{keyword}_script", command(fifo.script.argv), *account_words(fifo.script.account)])
        )


def _defaults(config: Config, out: Writer) -> None:
    for family, group in multicast_groups(config).items():
        if group != MULTICAST_GROUP[family]:
            out.say("vrrp_mcast_group4" if family == "inet" else "vrrp_mcast_group6", group)
    for keyword, field in (
        ("vrrp_garp_interval", "arp_interval_us"),
        ("vrrp_gna_interval", "na_interval_us"),
    ):
        values = Counter(getattr(i.garp, field) for i in config.vrrp_instances)
        if len(values) > 1:
            raise Unprintable(
                f"instances differ in {field}, which can only be said for all of them ({keyword})"
            )
        for value in values:
            out.seconds(keyword, value)
