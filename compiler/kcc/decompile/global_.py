"""``global_defs``, and the few defaults of instances that have no keyword in the instance."""

from __future__ import annotations

from collections import Counter

from kcc.decompile.words import Unprintable, command, duration, whole_seconds, word
from kcc.decompile.writer import Writer, account_words, guard
from kir.model import Config, Fifo, Global, VrrpInstance

__all__ = ["GROUPS", "multicast_groups", "print_globals"]

GROUPS = {"inet": "224.0.0.18", "inet6": "ff02::12"}
"""The groups that RFC 9568 section 5.1.1.2 and 5.1.2.2 give."""


def multicast_groups(config: Config) -> dict[str, str]:
    """The group by family that must be said globally: that of unicast instances, which cannot say one themselves."""
    found = dict(GROUPS)
    for family in GROUPS:
        groups = {i.group for i in config.vrrp_instances if i.unicast and i.family == family and i.group}
        if len(groups) > 1:
            raise Unprintable(
                f"unicast instances carry different multicast groups: {', '.join(sorted(groups))}"
            )
        if groups:
            found[family] = groups.pop()
    return found


def print_globals(config: Config, out: Writer) -> None:
    """The block, left out where it would be empty; then the delays of interfaces."""
    inner = Writer()
    _own(config.global_defs, inner)
    _defaults(config, inner)
    if inner.lines:
        with out.block("global_defs"):
            for line in inner.lines:
                out.raw(line)
        out.raw("")
    _delays(config.vrrp_instances, out)


def _own(g: Global, out: Writer) -> None:
    guard(
        g,
        "router_id",
        "enable_script_security",
        "notification_emails",
        "notification_email_from",
        "smtp_server",
        "smtp_helo_name",
        "smtp_connect_timeout_us",
        "no_email_faults",
        "no_checker_emails",
        "notify_fifo",
        "vrrp_notify_fifo",
        "lvs_notify_fifo",
        "startup_delay_us",
        "delay_after_boot_us",
        "log_unknown_vrids",
        "dynamic_interfaces",
        "allow_if_changes",
        "rs_init_notifies",
        "lvs_flush",
        "lvs_flush_on_stop",
        "lvs_timeouts",
        "vrrp_priority",
        "checker_priority",
        "vrrp_rt_priority",
        "checker_rt_priority",
    )
    if g.router_id is not None:
        out.say("router_id", g.router_id)
    _mail(g, out)
    out.flag("enable_script_security", g.enable_script_security)
    _fifo("notify_fifo", g.notify_fifo, out)
    _fifo("vrrp_notify_fifo", g.vrrp_notify_fifo, out)
    _fifo("lvs_notify_fifo", g.lvs_notify_fifo, out)
    out.flag("rs_init_notifies", g.rs_init_notifies)
    if g.startup_delay_us:
        out.say("vrrp_startup_delay", duration(g.startup_delay_us))
    if g.delay_after_boot_us:
        out.say("vrrp_delay_after_boot", duration(g.delay_after_boot_us))
    out.flag("log_unknown_vrids", g.log_unknown_vrids)
    if g.dynamic_interfaces:
        out.raw("dynamic_interfaces allow_if_changes" if g.allow_if_changes else "dynamic_interfaces")
    for name in ("vrrp_priority", "checker_priority", "vrrp_rt_priority", "checker_rt_priority"):
        if getattr(g, name):
            out.say(name, getattr(g, name))
    out.flag("lvs_flush", g.lvs_flush)
    if g.lvs_flush_on_stop != "no":
        out.raw("lvs_flush_on_stop VS" if g.lvs_flush_on_stop == "own" else "lvs_flush_on_stop")
    t = g.lvs_timeouts
    guard(t, "tcp_s", "tcpfin_s", "udp_s")
    pairs = [
        f"{name} {value}" for name, value in _timeouts(t.tcp_s, t.tcpfin_s, t.udp_s) if value is not None
    ]
    if pairs:
        out.raw(" ".join(["lvs_timeouts", *pairs]))


def _timeouts(*values: int | None) -> list[tuple[str, int | None]]:
    return list(zip(("tcp", "tcpfin", "udp"), values, strict=True))


def _mail(g: Global, out: Writer) -> None:
    if g.notification_emails:
        with out.block("notification_email"):
            for address in g.notification_emails:
                out.line(address)
    if g.notification_email_from is not None:
        out.say("notification_email_from", g.notification_email_from)
    if g.smtp_server is not None:
        guard(g.smtp_server, "host", "port")
        out.say(
            "smtp_server", g.smtp_server.host, *([g.smtp_server.port] if g.smtp_server.port != 25 else [])
        )
    if g.smtp_helo_name is not None:
        out.say("smtp_helo_name", g.smtp_helo_name)
    if g.smtp_connect_timeout_us != 30_000_000:
        out.say("smtp_connect_timeout", whole_seconds(g.smtp_connect_timeout_us, "smtp_connect_timeout"))
    out.flag("no_email_faults", g.no_email_faults)
    out.flag("no_checker_emails", g.no_checker_emails)


def _fifo(keyword: str, fifo: Fifo | None, out: Writer) -> None:
    if fifo is None:
        return
    guard(fifo, "path", "user", "group", "script")
    words = [word(fifo.path)]
    if fifo.user is not None:
        words += [word(fifo.user), *([word(fifo.group)] if fifo.group is not None else [])]
    out.raw(" ".join([keyword, *words]))
    if fifo.script is not None:
        guard(fifo.script, "argv", "account")
        out.raw(
            " ".join([f"{keyword}_script", command(fifo.script.argv), *account_words(fifo.script.account)])
        )


def _defaults(config: Config, out: Writer) -> None:
    for family, group in multicast_groups(config).items():
        if group != GROUPS[family]:
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
            if value:
                out.say(keyword, duration(value))


def _delays(instances: tuple[VrrpInstance, ...], out: Writer) -> None:
    """``interface_up_down_delays``: by interface. An instance that is too fast for a delay has none."""
    found: dict[str, tuple[int, int]] = {}
    for i in instances:
        pair = (i.interface_down_delay_us, i.interface_up_delay_us)
        if pair == (0, 0):
            continue
        if found.setdefault(i.interface, pair) != pair:
            raise Unprintable(f"instances on {i.interface} have different up and down delays")
    if found:
        with out.block("interface_up_down_delays"):
            for name, (down, up) in found.items():
                out.line(name, duration(down), *([duration(up)] if up else []))
        out.raw("")
