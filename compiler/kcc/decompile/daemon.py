"""The daemon itself: its processes, namespaces, scripts, files, reload, and what it offers to others."""

from __future__ import annotations

from kcc.decompile.words import Unprintable, word
from kcc.decompile.writer import Writer, refuse
from kir.model import Buffer, Config, Dbus, Files, Global, NftablesIpvs, Process, Reload, Snmp, SyncDaemon

__all__ = ["print_daemon", "print_outside"]

SECOND = 1_000_000


def print_outside(g: Global, out: Writer) -> None:
    """The settings that stand before every block."""
    spaces = g.namespaces
    out.setting("instance", g.instance)
    out.setting("net_namespace", spaces.network)
    if spaces.ipvs is not None:
        out.raw("net_namespace_ipvs" if spaces.ipvs == "" else f"net_namespace_ipvs {word(spaces.ipvs)}")
    out.flag("namespace_with_ipsets", spaces.with_ipsets)
    implied = g.instance is not None or spaces.network is not None
    if implied and not g.use_pid_dir:
        raise Unprintable("an instance name and a network namespace switch `use_pid_dir` on, and it is off")
    out.flag("use_pid_dir", g.use_pid_dir and not implied)
    out.whole("child_wait_time", g.child_wait_time_us, 5 * SECOND)
    out.flag("linkbeat_use_polling", g.linkbeat_polling)


def print_daemon(config: Config, out: Writer) -> None:
    """The settings in ``global_defs``."""
    g = config.global_defs
    _processes(g, out)
    _scripts(g, out)
    if g.umask != 0o177:
        out.raw(f"umask 0{g.umask:o}")
    out.setting("random_seed", g.random_seed)
    _reload(g.reload, out)
    _files(g.files, out)
    _snmp(g.snmp, out)
    _dbus(g.dbus, out)
    _sync_daemon(g.lvs_sync_daemon, {i.name: i.vrid for i in config.vrrp_instances}, out)
    _nftables_ipvs(g.nftables_ipvs, out)


def _processes(g: Global, out: Writer) -> None:
    parent = g.parent_process
    out.setting("process_name", parent.name)
    refuse(parent, "the parent process", "no_swap", "cpus", "rttime_us", "commands", "monitor")
    refuse(g.bfd_process, "the BFD process", "commands", "monitor")
    _process("vrrp", g.vrrp_process, g.vrrp_priority, g.vrrp_rt_priority, out)
    _buffer("vrrp_netlink_cmd_rcv_bufs", g.vrrp_process.commands, out)
    _buffer("vrrp_netlink_monitor_rcv_bufs", g.vrrp_process.monitor, out)
    _process("checker", g.checker_process, g.checker_priority, g.checker_rt_priority, out)
    _buffer("lvs_netlink_cmd_rcv_bufs", g.checker_process.commands, out)
    _buffer("lvs_netlink_monitor_rcv_bufs", g.checker_process.monitor, out)
    _process("bfd", g.bfd_process, g.bfd_priority, g.bfd_rt_priority, out)
    _buffer("process_monitor_rcv_bufs", g.process_monitor, out)
    out.setting("max_auto_priority", g.max_auto_priority, 0)
    out.setting("min_auto_priority_delay", g.min_auto_priority_delay_us, SECOND)  # microseconds


def _process(prefix: str, p: Process, nice: int, real_time: int, out: Writer) -> None:
    out.setting(f"{prefix}_process_name", p.name)
    out.setting(f"{prefix}_priority", nice, 0)
    out.setting(f"{prefix}_rt_priority", real_time, 0)
    out.flag(f"{prefix}_no_swap", p.no_swap)
    if p.cpus:
        out.say(f"{prefix}_cpu_affinity", *p.cpus)
    out.setting(f"{prefix}_rlimit_rttime", p.rttime_us, 10_000)  # microseconds


def _buffer(keyword: str, b: Buffer, out: Writer) -> None:
    out.setting(keyword, b.size, 0)
    out.flag(f"{keyword}_force", b.force)


def _scripts(g: Global, out: Writer) -> None:
    out.script("startup_script", g.startup_script)
    out.whole("startup_script_timeout", g.startup_script_timeout_us, 10 * SECOND)
    out.script("shutdown_script", g.shutdown_script)
    out.whole("shutdown_script_timeout", g.shutdown_script_timeout_us, 10 * SECOND)
    out.flag("use_symlink_paths", g.use_symlink_paths)
    out.flag("set_supplementary_groups", g.set_supplementary_groups)


def _optional(keyword: str, on: bool, value: str | None, out: Writer) -> None:
    """A keyword that is a switch, with a value or without."""
    if on:
        out.say(keyword, *([] if value is None else [value]))
    elif value is not None:
        raise Unprintable(f"`{keyword}` is off, and has a value")


def _reload(r: Reload, out: Writer) -> None:
    _optional("reload_check_config", r.check, r.check_log, out)
    out.setting("reload_time_file", r.time_file)
    out.flag("reload_repeat", r.repeat)
    _optional("reload_file", r.marker, r.marker_file, out)


def _files(f: Files, out: Writer) -> None:
    out.setting("config_save_dir", f.config_save_dir)
    out.setting("tmp_config_directory", f.tmp_config_dir)
    out.setting("state_dump_file", f.state_dump)
    out.setting("stats_dump_file", f.stats_dump)
    out.setting("json_dump_file", f.json_dump)
    out.setting("json_version", f.json_version, 1)
    out.flag("data_use_instance", f.dumps_name_instance)
    out.setting("iproute_usr_dir", f.iproute_usr_dir)
    out.setting("iproute_etc_dir", f.iproute_etc_dir)


def _snmp(s: Snmp, out: Writer) -> None:
    out.setting("snmp_socket", s.socket)
    out.flag("enable_snmp_vrrp", s.vrrp)
    out.flag("enable_snmp_rfcv2", s.rfc2787)
    out.flag("enable_snmp_rfcv3", s.rfc6527)
    out.flag("enable_snmp_checker", s.checker)
    out.flag("enable_traps", s.traps)
    out.seconds("snmp_vs_stats_update_interval", s.vs_stats_interval_us, 5 * SECOND)
    out.seconds("snmp_rs_stats_update_interval", s.rs_stats_interval_us, s.vs_stats_interval_us)


def _dbus(d: Dbus | None, out: Writer) -> None:
    if d is None:
        return
    out.raw("enable_dbus")
    out.setting("dbus_service_name", d.service_name, "org.keepalived.Vrrp1")
    out.flag("dbus_no_interface_name", not d.interface_names)


def _sync_daemon(s: SyncDaemon | None, vrids: dict[str, int], out: Writer) -> None:
    """``vrids`` by instance: the sync id that holds without being said."""
    if s is None:
        return
    default = 0 if s.instance is None else vrids.get(s.instance, 0)
    options = (
        ("inst", s.instance),
        ("id", None if s.id == default else s.id),
        ("maxlen", s.maxlen),
        ("port", s.port),
        ("ttl", s.ttl),
        ("group", s.group),
    )
    words = [part for option, value in options if value is not None for part in (option, value)]
    out.say("lvs_sync_daemon", s.interface, *words)


def _nftables_ipvs(n: NftablesIpvs | None, out: Writer) -> None:
    if n is None:
        return
    out.say("nftables_ipvs", *([] if n.table == "keepalived_ipvs" else [n.table]))
    out.setting("nftables_ipvs_priority", n.priority, -1)
    out.setting("nftables_ipvs_start_fwmark", n.start_fwmark, 1000)
