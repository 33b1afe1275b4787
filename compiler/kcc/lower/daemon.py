"""Settings of the daemon itself: processes, namespaces, reload, files, SNMP, D-Bus, connection synchronisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.lower.firewall import firewall
from kcc.lower.scripts import script
from kir.model import (
    Buffer,
    Dbus,
    Files,
    Namespaces,
    NftablesIpvs,
    Process,
    Reload,
    Snmp,
    SyncDaemon,
)

if TYPE_CHECKING:
    from kcc.language.parsed import Field, Node
    from kcc.lower.scope import Scope

SECOND = 1_000_000
_NAMES = {"vrrp": "keepalived_vrrp", "checker": "keepalived_lvs", "bfd": "keepalived_bfd"}
_BUFFERS = {"vrrp": "vrrp_netlink", "checker": "lvs_netlink"}


class Settings:
    """The leaves of all ``global_defs`` blocks."""

    __slots__ = ("fields",)

    def __init__(self, fields: dict[str, Field]) -> None:
        self.fields = fields

    def get(self, name: str, default: Any = None) -> Any:
        found = self.fields.get(name)
        return default if found is None else found.value

    def has(self, *names: str) -> bool:
        return any(name in self.fields for name in names)

    def buffer(self, name: str) -> Buffer:
        return Buffer(size=self.get(name, 0), force=self.get(f"{name}_force", False))


def daemon(root: Node, fields: dict[str, Field], scope: Scope) -> dict[str, Any]:
    """The fields of `kir.model.Global` that are about the daemon."""
    s = Settings(fields)
    get = s.get
    policy = get("vrrp_rx_bufs_policy")
    nftables, iptables = firewall(fields, scope)
    return {
        "nftables": nftables,
        "iptables": iptables,
        "parent_process": Process(name=get("process_name")),
        "vrrp_process": _process(s, "vrrp"),
        "checker_process": _process(s, "checker"),
        "bfd_process": _process(s, "bfd"),
        "process_monitor": s.buffer("process_monitor_rcv_bufs"),
        "bfd_priority": get("bfd_priority", 0),
        "bfd_rt_priority": get("bfd_rt_priority", 0),
        "max_auto_priority": get("max_auto_priority", 0),
        "min_auto_priority_delay_us": get("min_auto_priority_delay", SECOND),
        "instance": root.get("instance"),
        "use_pid_dir": root.has("use_pid_dir") or root.has("instance") or root.has("net_namespace"),
        "child_wait_time_us": root.get("child_wait_time", 5) * SECOND,
        "namespaces": Namespaces(
            network=root.get("net_namespace"),
            ipvs=root.get("net_namespace_ipvs"),
            with_ipsets=root.get("namespace_with_ipsets", False),
        ),
        "umask": get("umask", 0o177),
        "random_seed": get("random_seed"),
        "startup_script": script(get("startup_script"), scope),
        "startup_script_timeout_us": get("startup_script_timeout", 10) * SECOND,
        "shutdown_script": script(get("shutdown_script"), scope),
        "shutdown_script_timeout_us": get("shutdown_script_timeout", 10) * SECOND,
        "use_symlink_paths": get("use_symlink_paths", False),
        "set_supplementary_groups": get("set_supplementary_groups", False),
        "fifo_states_on_reload": get("fifo_write_vrrp_states_on_reload", False),
        "disable_local_igmp": get("disable_local_igmp", False),
        "rx_buffer_policy": policy.lower() if isinstance(policy, str) else None,
        "rx_buffer_size": policy if isinstance(policy, int) else 0,
        "rx_buffer_multiplier": get("vrrp_rx_bufs_multiplier", 3),
        "vmac_addr_prefix": get("vmac_addr_prefix", scope.defaults.vmac_prefix),
        "reload": _reload(s),
        "files": _files(s),
        "snmp": _snmp(s),
        "dbus": _dbus(s),
        "lvs_sync_daemon": _sync_daemon(root, s, scope),
        "nftables_ipvs": _nftables_ipvs(s),
    }


def _process(s: Settings, kind: str) -> Process:
    name = s.get(f"{kind}_process_name", _NAMES[kind] if s.get("process_names", False) else None)
    buffers = _BUFFERS.get(kind)
    return Process(
        name=name,
        no_swap=s.get(f"{kind}_no_swap", False),
        cpus=tuple(sorted(set(s.get(f"{kind}_cpu_affinity", ())))),
        rttime_us=s.get(f"{kind}_rlimit_rttime", 10_000),
        commands=s.buffer(f"{buffers}_cmd_rcv_bufs") if buffers else Buffer(),
        monitor=s.buffer(f"{buffers}_monitor_rcv_bufs") if buffers else Buffer(),
    )


def _reload(s: Settings) -> Reload:
    check, marker = s.get("reload_check_config"), s.get("reload_file")
    return Reload(
        check=check is not None,
        check_log=check if isinstance(check, str) else None,
        time_file=s.get("reload_time_file"),
        repeat=s.get("reload_repeat", False),
        marker=marker is not None,
        marker_file=marker if isinstance(marker, str) else None,
    )


def _files(s: Settings) -> Files:
    return Files(
        state_dump=s.get("state_dump_file"),
        stats_dump=s.get("stats_dump_file"),
        json_dump=s.get("json_dump_file"),
        json_version=s.get("json_version", 1),
        dumps_name_instance=s.get("data_use_instance", False),
        config_save_dir=s.get("config_save_dir"),
        tmp_config_dir=s.get("tmp_config_directory"),
        iproute_usr_dir=s.get("iproute_usr_dir"),
        iproute_etc_dir=s.get("iproute_etc_dir"),
    )


def _snmp(s: Settings) -> Snmp:
    both = s.has("enable_snmp_rfc")
    services = s.get("snmp_vs_stats_update_interval", 5 * SECOND)
    return Snmp(
        socket=s.get("snmp_socket"),
        vrrp=s.has("enable_snmp_vrrp"),
        rfc2787=both or s.has("enable_snmp_rfcv2"),
        rfc6527=both or s.has("enable_snmp_rfcv3"),
        checker=s.has("enable_snmp_checker"),
        traps=s.has("enable_traps"),
        vs_stats_interval_us=services,
        rs_stats_interval_us=s.get("snmp_rs_stats_update_interval", services),
    )


def _dbus(s: Settings) -> Dbus | None:
    if not s.has("enable_dbus"):
        return None
    return Dbus(
        service_name=s.get("dbus_service_name", "org.keepalived.Vrrp1"),
        interface_names=not s.has("dbus_no_interface_name"),
    )


def _nftables_ipvs(s: Settings) -> NftablesIpvs | None:
    if not s.has("nftables_ipvs", "nftables_ipvs_priority", "nftables_ipvs_start_fwmark"):
        return None
    table = s.get("nftables_ipvs")
    return NftablesIpvs(
        table=table if isinstance(table, str) else "keepalived_ipvs",
        priority=s.get("nftables_ipvs_priority", -1),
        start_fwmark=s.get("nftables_ipvs_start_fwmark", 1000),
    )


def _sync_daemon(root: Node, s: Settings, scope: Scope) -> SyncDaemon | None:
    """The global setting, else the old form in an instance; the first one counts."""
    instances = {node.head[0]: node for node in root.children("vrrp_instance") if node.head}
    said = s.fields.get("lvs_sync_daemon")
    made = None if said is None else _global_form(said, instances, scope)
    first: Field | None = said
    for name, node in instances.items():
        own = node.fields.get("lvs_sync_daemon_interface")
        if own is None:
            continue
        if first is not None:
            scope.say(
                "KC0408",
                f"`{name}`: the sync daemon has its interface already",
                own,
                consequence="keepalived ignores the line",
                help="keep one of the two",
                also=((first, "it is set here first"),),
            )
            continue
        first = own
        made = SyncDaemon(interface=own.value, instance=name, id=node.get("virtual_router_id", 0))
    return made


def _global_form(said: Field, instances: dict[str, Node], scope: Scope) -> SyncDaemon | None:
    interface, pairs = said.value
    options: dict[str, str] = dict(pairs)
    name = options.get("inst")
    if name is not None and name not in instances:
        scope.say(
            "KC0409",
            f"`lvs_sync_daemon`: there is no `vrrp_instance {name}`",
            said,
            consequence="keepalived drops the whole setting: connections are not synchronised",
            help="write the name of an instance",
        )
        return None
    numbers = {key: int(value) for key, value in options.items() if key not in ("inst", "group")}
    default = 0 if name is None else instances[name].get("virtual_router_id", 0)
    return SyncDaemon(
        interface=interface,
        instance=name,
        id=numbers.get("id", default),
        maxlen=numbers.get("maxlen"),
        port=numbers.get("port"),
        ttl=numbers.get("ttl"),
        group=options.get("group"),
    )
