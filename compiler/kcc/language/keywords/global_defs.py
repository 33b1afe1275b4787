"""``global_defs`` and the few settings that stand outside of every block."""

from __future__ import annotations

from kcc.language.arguments.addresses import MCAST4, MCAST6
from kcc.language.arguments.base import Many, Optional
from kcc.language.arguments.globals_ import (
    EXTRA_IF,
    INCLUDE_CHECK,
    RX_POLICY,
    SMTP_SERVER,
    SYNC_DAEMON,
    UMASK,
)
from kcc.language.arguments.numbers import INT, SECONDS, UINT
from kcc.language.arguments.scripts import ACCOUNT, FIFO, SCRIPT
from kcc.language.arguments.servers import TIMEOUTS
from kcc.language.arguments.words import IFNAME, MAYBE_BOOL, NAMES, PATH, STRING, EnumArg, RestArg, StringArg
from kcc.language.tree import (
    CARRIED,
    CHECKED,
    RUN,
    Extra,
    Keyword,
    Missing,
    Repeat,
    block,
    flag,
    leaf,
    lines,
    renamed,
)

_PROCESS_NAME = StringArg("a process name", 15, cut=True)
_TABLE_NAME = Optional(StringArg("a name", 30), True)
_GARP_SECONDS = UINT(0, 4294)
_NICE = INT(-20, 19)
_REALTIME = INT(1, 99, clamp=True)
_RTTIME = UINT(1)
_CPUS = Many(UINT(0, 4095))
_BUFFER = UINT()
IGNORED = Missing.IGNORED
ONE_WORD = {"missing": IGNORED, "extra": Extra.REFUSED}


def _process(prefix: str, of: str) -> tuple[Keyword, ...]:
    """Scheduling of one child process; every child has the same five settings."""
    rttime = leaf(
        f"{prefix}_rlimit_rttime",
        _RTTIME,
        CHECKED,
        "10000",
        f"CPU time that the {of} process may use without a system call while it runs in real time.",
        unit="us",
    )
    return (
        leaf(
            f"{prefix}_priority",
            _NICE,
            CARRIED,
            "0 (unchanged)",
            f"Nice value of the {of} process.",
            missing=IGNORED,
        ),
        flag(f"{prefix}_no_swap", CHECKED, "off", f"Lock the memory of the {of} process."),
        leaf(
            f"{prefix}_rt_priority",
            _REALTIME,
            CARRIED,
            "0 (normal scheduling)",
            f"Real-time priority (SCHED_RR) of the {of} process.",
            missing=IGNORED,
        ),
        leaf(
            f"{prefix}_cpu_affinity",
            _CPUS,
            CHECKED,
            "all CPUs",
            f"CPUs that the {of} process may run on.",
            missing=IGNORED,
        ),
        rttime,
        renamed(rttime, f"{prefix}_rlimit_rtime", deprecated_by=f"{prefix}_rlimit_rttime"),
    )


def _buffers(name: str, of: str) -> tuple[Keyword, ...]:
    """The receive buffer of one netlink socket."""
    return (
        leaf(
            name, _BUFFER, CHECKED, "the system's", f"Receive buffer of {of}.", unit="bytes", missing=IGNORED
        ),
        leaf(f"{name}_force", MAYBE_BOOL, CHECKED, "false", f"Let the receive buffer of {of} pass rmem_max."),
    )


_NAMES = (
    flag("process_names", CHECKED, "off", "Give each child process a name of its own in ps and top."),
    leaf("process_name", _PROCESS_NAME, CHECKED, "unchanged", "Name of the parent process."),
    leaf("vrrp_process_name", _PROCESS_NAME, CHECKED, "unchanged", "Name of the VRRP process."),
    leaf("checker_process_name", _PROCESS_NAME, CHECKED, "unchanged", "Name of the checker process."),
    leaf(
        "lvs_process_name",
        _PROCESS_NAME,
        CHECKED,
        "unchanged",
        "Name of the checker process (old form).",
        deprecated_by="checker_process_name",
        alias_of="checker_process_name",
    ),
    leaf("bfd_process_name", _PROCESS_NAME, CHECKED, "unchanged", "Name of the BFD process."),
)

_MAIL = (
    leaf(
        "router_id",
        STRING,
        RUN,
        "the name of the host",
        "Name of this director in mails, SNMP and status output.",
        missing=IGNORED,
    ),
    leaf(
        "notification_email_from",
        STRING,
        CARRIED,
        "USER@HOSTNAME of the process",
        "Sender of alert mails.",
        missing=IGNORED,
        extra=Extra.ERROR,
    ),
    leaf(
        "smtp_server",
        SMTP_SERVER,
        CARRIED,
        "none (no mail is sent)",
        "Mail server for alerts, with its port.",
    ),
    leaf(
        "smtp_helo_name",
        STRING,
        CARRIED,
        "the name of the host",
        "Name said to the mail server.",
        missing=Missing.SILENT,
    ),
    leaf(
        "smtp_connect_timeout",
        UINT(0, 4294, zero=1),
        CARRIED,
        "30",
        "How long to wait for the mail server.",
        unit="seconds",
    ),
    lines("notification_email", NAMES, CARRIED, "Addresses that get alert mails."),
    leaf(
        "smtp_alert",
        MAYBE_BOOL,
        CARRIED,
        "VRRP off, real servers on, virtual servers off",
        "Send alert mails.",
    ),
    leaf("smtp_alert_vrrp", MAYBE_BOOL, CARRIED, "smtp_alert", "Send alert mails about VRRP."),
    leaf("smtp_alert_checker", MAYBE_BOOL, CARRIED, "smtp_alert", "Send alert mails about servers."),
    flag("no_email_faults", CARRIED, "off", "No alert mail when an instance goes to FAULT."),
    leaf(
        "no_checker_emails", MAYBE_BOOL, CARRIED, "false", "No alert mails about servers at start and stop."
    ),
)

_SCRIPTS = (
    leaf(
        "startup_script",
        SCRIPT,
        CHECKED,
        "none",
        "Command run before the children start.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "startup_script_timeout",
        UINT(1, 1000),
        CHECKED,
        "10",
        "How long startup_script may run.",
        unit="seconds",
        missing=IGNORED,
    ),
    leaf(
        "shutdown_script",
        SCRIPT,
        CHECKED,
        "none",
        "Command run after the children ended.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "shutdown_script_timeout",
        UINT(1, 1000),
        CHECKED,
        "10",
        "How long shutdown_script may run.",
        unit="seconds",
        missing=IGNORED,
    ),
    leaf(
        "script_user",
        ACCOUNT,
        RUN,
        "user keepalived_script if there is one, else root",
        "As whom scripts run that say nothing themselves.",
        missing=IGNORED,
    ),
    flag("enable_script_security", RUN, "off", "Do not run a script as root that others could change."),
)


def _fifo(name: str, of: str) -> tuple[Keyword, ...]:
    """A notification pipe and the script that reads it."""
    return (
        leaf(
            name,
            FIFO,
            CARRIED,
            "none",
            f"Named pipe that gets a line at each change of state of {of}.",
            missing=IGNORED,
            repeat=Repeat.FIRST,
        ),
        leaf(
            f"{name}_script",
            SCRIPT,
            CARRIED,
            "none",
            f"Command that reads the pipe of {of}.",
            missing=IGNORED,
            repeat=Repeat.FIRST,
        ),
    )


_NOTIFY = (
    *_fifo("notify_fifo", "everything"),
    *_fifo("vrrp_notify_fifo", "VRRP"),
    *_fifo("lvs_notify_fifo", "servers"),
    leaf(
        "vrrp_notify_priority_changes",
        MAYBE_BOOL,
        RUN,
        "false",
        "Tell notify scripts and pipes of each change of priority.",
    ),
    flag("fifo_write_vrrp_states_on_reload", CHECKED, "off", "Write all states to the pipe after a reload."),
    leaf("rs_init_notifies", MAYBE_BOOL, CARRIED, "false", "Run notify scripts of real servers at start."),
)

_VRRP_DEFAULTS = (
    leaf("vrrp_version", INT(2, 3), RUN, "2", "VRRP version of IPv4 instances."),
    leaf("vrrp_strict", MAYBE_BOOL, RUN, "false", "Keep to the RFC: refuse what it does not allow."),
    leaf(
        "vrrp_mcast_group4",
        MCAST4,
        RUN,
        "224.0.0.18",
        "Group to which IPv4 adverts are sent (RFC 9568 section 5.1.1.2).",
    ),
    leaf(
        "vrrp_mcast_group6",
        MCAST6,
        RUN,
        "ff02::12",
        "Group to which IPv6 adverts are sent (RFC 9568 section 5.1.2.2).",
    ),
    leaf(
        "vrrp_garp_master_delay",
        _GARP_SECONDS,
        RUN,
        "5",
        "When the second burst of gratuitous ARP follows; 0: never.",
        unit="seconds",
    ),
    leaf("vrrp_garp_master_repeat", UINT(zero=1), RUN, "5", "Gratuitous ARP messages in a burst."),
    leaf(
        "vrrp_garp_master_refresh",
        _GARP_SECONDS,
        RUN,
        "0 (never)",
        "How often a master repeats gratuitous ARP.",
        unit="seconds",
    ),
    leaf(
        "vrrp_garp_master_refresh_repeat", UINT(zero=1), RUN, "1", "Gratuitous ARP messages in a repetition."
    ),
    leaf(
        "vrrp_garp_lower_prio_delay",
        _GARP_SECONDS,
        RUN,
        "vrrp_garp_master_delay",
        "When the second burst follows that a lower-priority advert brought about.",
        unit="seconds",
    ),
    leaf(
        "vrrp_garp_lower_prio_repeat",
        UINT(0, 2147483647),
        RUN,
        "vrrp_garp_master_repeat",
        "Gratuitous ARP messages after a lower-priority advert.",
    ),
    leaf(
        "vrrp_down_timer_adverts",
        UINT(1, 100),
        RUN,
        "3",
        "Missed adverts after which a master counts as gone.",
    ),
    leaf(
        "vrrp_garp_interval",
        SECONDS("0.000001", "4294.967295"),
        RUN,
        "0 (no pacing)",
        "Least time between two gratuitous ARP messages of an interface.",
        unit="seconds",
    ),
    leaf(
        "vrrp_gna_interval",
        SECONDS("0.000001", "4294.967295"),
        RUN,
        "0 (no pacing)",
        "Least time between two unsolicited neighbour advertisements of an interface.",
        unit="seconds",
    ),
    leaf("vrrp_min_garp", MAYBE_BOOL, RUN, "false", "Send one gratuitous ARP only and no second burst."),
    leaf(
        "vrrp_garp_extra_if",
        EXTRA_IF,
        CHECKED,
        "0 (off)",
        "Repeat gratuitous ARP on the interface below a VMAC.",
        unit="seconds",
        missing=IGNORED,
    ),
    leaf(
        "vrrp_vmac_garp_intvl",
        EXTRA_IF,
        CHECKED,
        "0 (off)",
        "Old name of vrrp_garp_extra_if.",
        unit="seconds",
        missing=IGNORED,
        deprecated_by="vrrp_garp_extra_if",
        deprecation_is_error=True,
        alias_of="vrrp_garp_extra_if",
    ),
    leaf(
        "vrrp_lower_prio_no_advert",
        MAYBE_BOOL,
        RUN,
        "false",
        "Send no advert in answer to one of lower priority.",
    ),
    leaf(
        "vrrp_higher_prio_send_advert",
        MAYBE_BOOL,
        RUN,
        "false",
        "A master that hears a higher priority sends one more advert before it gives way.",
    ),
    flag("vrrp_check_unicast_src", RUN, "off", "Take unicast adverts only from configured peers."),
    leaf(
        "vrrp_skip_check_adv_addr",
        MAYBE_BOOL,
        RUN,
        "false",
        "Compare the addresses of an advert only with the first from the same sender.",
    ),
    flag(
        "v3_checksum_as_v2",
        RUN,
        "off",
        "Version 3 checksums over IPv4 without the pseudo-header.",
        since="2.4.3",
    ),
    leaf(
        "vrrp_owner_ignore_adverts",
        MAYBE_BOOL,
        RUN,
        "false",
        "An address owner ignores adverts of others.",
        since="2.4.3",
    ),
    leaf(
        "vrrp_startup_delay",
        SECONDS("0.001", "4294.967295"),
        RUN,
        "0 (none)",
        "Wait this long after the start before any instance takes part.",
        unit="seconds",
    ),
    leaf(
        "vrrp_delay_after_boot",
        SECONDS("0.001", "4294.967295"),
        RUN,
        "0 (none)",
        "Wait until the host has been up this long before any instance takes part.",
        unit="seconds",
        since="2.4.3",
    ),
    flag("log_unknown_vrids", RUN, "off", "Log adverts with a VRID that no instance has."),
)

_VRRP_OTHER = (
    leaf(
        "dynamic_interfaces",
        Optional(EnumArg("allow_if_changes"), True),
        CARRIED,
        "off",
        "Interfaces may be missing at start and come and go.",
        consequence="dynamic interfaces are switched on without the option",
    ),
    leaf(
        "default_interface",
        IFNAME,
        CHECKED,
        "eth0",
        "Interface of static addresses that name none.",
        missing=IGNORED,
    ),
    flag("disable_local_igmp", CHECKED, "off", "No IGMP for groups that are only used on this host."),
    leaf(
        "nftables",
        _TABLE_NAME,
        CHECKED,
        'unset unless needed, then "keepalived"',
        "nftables table for filters.",
        against="vrrp_iptables",
        repeat=Repeat.FIRST,
    ),
    leaf(
        "nftables_priority", INT(-2147483648, 2147483647), CHECKED, "-1", "Priority of the nftables chains."
    ),
    flag("nftables_ifindex", CHECKED, "off", "Interface numbers instead of names in nftables rules."),
    flag("nftables_counters", CHECKED, "off", "Counters in nftables rules."),
    leaf(
        "vrrp_iptables",
        RestArg("[IN_CHAIN [OUT_CHAIN]]"),
        CHECKED,
        "unset",
        "iptables chains for filters.",
        against="nftables",
        repeat=Repeat.FIRST,
    ),
    leaf("vrrp_ipsets", RestArg("[NAME …]"), CHECKED, "keepalived and derived names", "Names of the ipsets."),
    leaf(
        "vrrp_rx_bufs_policy",
        RX_POLICY,
        CHECKED,
        "the system's buffer size",
        "How large receive buffers of VRRP sockets are.",
        unit="bytes",
        missing=IGNORED,
    ),
    leaf(
        "vrrp_rx_bufs_multiplier",
        UINT(1),
        CHECKED,
        "3",
        "How many adverts a receive buffer holds.",
        **ONE_WORD,
    ),
    leaf(
        "vmac_prefix",
        STRING,
        CHECKED,
        "vrrp",
        "First part of the names of VMAC interfaces.",
        repeat=Repeat.FIRST,
    ),
    leaf(
        "vmac_addr_prefix",
        STRING,
        CHECKED,
        "vmac_prefix",
        "First part of the names of VMAC interfaces that addresses asked for.",
        repeat=Repeat.FIRST,
    ),
    *_process("vrrp", "VRRP"),
    *_buffers("vrrp_netlink_cmd_rcv_bufs", "the VRRP process's netlink command socket"),
    *_buffers("vrrp_netlink_monitor_rcv_bufs", "the VRRP process's netlink monitor"),
    *_buffers("process_monitor_rcv_bufs", "the process monitor"),
)

_LVS = (
    leaf(
        "checker_log_all_failures", MAYBE_BOOL, RUN, "false", "Log each failed check, not only the last try."
    ),
    leaf(
        "lvs_timeouts",
        TIMEOUTS,
        CARRIED,
        "the kernel's",
        "IPVS connection timeouts (ipvsadm --set).",
        unit="seconds",
        missing=IGNORED,
    ),
    flag("lvs_flush", RUN, "off", "Remove all IPVS services at start, not only known ones."),
    leaf(
        "lvs_flush_on_stop",
        Optional(EnumArg("VS"), True),
        RUN,
        "off",
        "Remove IPVS services at stop: all, or with VS the configured ones.",
    ),
    leaf(
        "lvs_flush_onstop",
        Optional(EnumArg("VS"), True),
        RUN,
        "off",
        "Old name of lvs_flush_on_stop.",
        deprecated_by="lvs_flush_on_stop",
        alias_of="lvs_flush_on_stop",
    ),
    leaf(
        "lvs_sync_daemon",
        SYNC_DAEMON,
        CHECKED,
        "none",
        "IPVS connection synchronisation with the other director.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "nftables_ipvs",
        _TABLE_NAME,
        CHECKED,
        "off",
        "nftables table that marks packets for virtual server groups.",
        repeat=Repeat.FIRST,
    ),
    leaf(
        "nftables_ipvs_priority",
        INT(-2147483648, 2147483647),
        CHECKED,
        "-1",
        "Priority of the marking chain.",
    ),
    leaf("nftables_ipvs_start_fwmark", UINT(1), CHECKED, "1000", "First mark that nftables_ipvs uses."),
    *_process("checker", "checker"),
    *_buffers("lvs_netlink_cmd_rcv_bufs", "the checker process's netlink command socket"),
    *_buffers("lvs_netlink_monitor_rcv_bufs", "the checker process's netlink monitor"),
)

_SNMP_INTERVAL = SECONDS("0.001", "30")
_SNMP = (
    leaf(
        "snmp_socket",
        STRING,
        CHECKED,
        "unix:/var/agentx/master",
        "Where the SNMP master agent listens.",
        **ONE_WORD,
    ),
    flag("enable_traps", CHECKED, "off", "Send SNMP traps."),
    flag("enable_snmp_vrrp", CHECKED, "off", "SNMP: keepalived's MIB for VRRP."),
    flag(
        "enable_snmp_keepalived",
        CHECKED,
        "off",
        "Old name of enable_snmp_vrrp.",
        deprecated_by="enable_snmp_vrrp",
        alias_of="enable_snmp_vrrp",
    ),
    flag("enable_snmp_rfc", CHECKED, "off", "SNMP: both VRRP MIBs of the RFCs."),
    flag("enable_snmp_rfcv2", CHECKED, "off", "SNMP: the VRRP version 2 MIB (RFC 2787)."),
    flag("enable_snmp_rfcv3", CHECKED, "off", "SNMP: the VRRP version 3 MIB (RFC 6527)."),
    flag("enable_snmp_checker", CHECKED, "off", "SNMP: keepalived's MIB for virtual servers."),
    leaf(
        "snmp_vs_stats_update_interval",
        _SNMP_INTERVAL,
        CHECKED,
        "5",
        "How old SNMP figures of virtual servers may be.",
        unit="seconds",
        since="2.4.3",
    ),
    leaf(
        "snmp_rs_stats_update_interval",
        _SNMP_INTERVAL,
        CHECKED,
        "snmp_vs_stats_update_interval",
        "How old SNMP figures of real servers may be.",
        unit="seconds",
        since="2.4.3",
    ),
    flag("enable_dbus", CHECKED, "off", "Offer the D-Bus interface."),
    leaf("dbus_service_name", STRING, CHECKED, "org.keepalived.Vrrp1", "Name on the D-Bus.", missing=IGNORED),
    flag(
        "dbus_no_interface_name", CHECKED, "off", "D-Bus object paths without interface names.", since="2.4.3"
    ),
)

_DAEMON = (
    leaf(
        "use_symlink_paths",
        MAYBE_BOOL,
        CHECKED,
        "false",
        "Run scripts under the path as written, symbolic links included.",
        since="2.4.3",
    ),
    leaf(
        "set_supplementary_groups",
        MAYBE_BOOL,
        CHECKED,
        "false",
        "Scripts get the supplementary groups of their user.",
        since="2.4.3",
    ),
    leaf(
        "max_auto_priority",
        Optional(INT(-1, 99), 99),
        CHECKED,
        "0 (off, with a notice)",
        "How far a late process may raise its own scheduling priority.",
    ),
    leaf(
        "min_auto_priority_delay",
        UINT(1, 10000000),
        CHECKED,
        "1000000",
        "Lateness from which scheduling priority is raised.",
        unit="us",
        missing=IGNORED,
    ),
    leaf("umask", UMASK, CHECKED, "0177", "File mode creation mask."),
    leaf(
        "random_seed",
        UINT(),
        CHECKED,
        "the current time",
        "Start of the random numbers (`${_RANDOM}`, timers).",
    ),
    leaf(
        "reload_check_config",
        Optional(PATH, True),
        CHECKED,
        "off",
        "Test a configuration before a reload takes it.",
    ),
    leaf("reload_time_file", PATH, CHECKED, "none", "File with the time of the next reload.", **ONE_WORD),
    flag("reload_repeat", CHECKED, "off", "Look at reload_time_file again after a reload."),
    leaf("reload_file", Optional(PATH, True), CHECKED, "off", "File that exists only while a reload runs."),
    leaf(
        "include_check",
        INCLUDE_CHECK,
        RUN,
        "none",
        "Which failures of `include` are errors.",
    ),
    leaf("config_save_dir", PATH, CHECKED, "none", "Where copies of the configuration are kept."),
    leaf(
        "tmp_config_directory",
        PATH,
        CHECKED,
        "memory, or /run",
        "Where the children's copy of the configuration lies.",
        missing=IGNORED,
    ),
    leaf("data_use_instance", MAYBE_BOOL, CHECKED, "false", "Dump files carry the name of the instance."),
    leaf("json_version", UINT(1, 2), CHECKED, "1", "Form of the JSON dump.", missing=IGNORED, since="2.4.3"),
    leaf(
        "iproute_usr_dir",
        PATH,
        CHECKED,
        "/etc/iproute2",
        "Where iproute2's own tables lie.",
        since="2.4.3",
        **ONE_WORD,
    ),
    leaf(
        "iproute_etc_dir",
        PATH,
        CHECKED,
        "/etc/iproute2",
        "Where the host's iproute2 tables lie.",
        since="2.4.3",
        **ONE_WORD,
    ),
    leaf(
        "state_dump_file",
        PATH,
        CHECKED,
        "keepalived.data in the temporary directory",
        "File of the state dump.",
        since="2.4.3",
        **ONE_WORD,
    ),
    leaf(
        "stats_dump_file",
        PATH,
        CHECKED,
        "keepalived.stats in the temporary directory",
        "File of the statistics dump.",
        since="2.4.3",
        **ONE_WORD,
    ),
    leaf(
        "json_dump_file",
        PATH,
        CHECKED,
        "keepalived.json in the temporary directory",
        "File of the JSON dump.",
        since="2.4.3",
        **ONE_WORD,
    ),
    *_process("bfd", "BFD"),
)

GLOBAL_DEFS = block(
    "global_defs",
    (),
    RUN,
    "What holds for the whole director, and defaults for everything in it.",
    (*_NAMES, *_MAIL, *_SCRIPTS, *_NOTIFY, *_VRRP_DEFAULTS, *_VRRP_OTHER, *_LVS, *_SNMP, *_DAEMON),
    repeat=Repeat.MERGE,
)

ROOT_SETTINGS = (
    flag("linkbeat_use_polling", CHECKED, "off (netlink)", "Ask interfaces for their link state by polling."),
    leaf(
        "net_namespace",
        STRING,
        CHECKED,
        "the namespace of the process",
        "Network namespace to run in.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "net_namespace_ipvs",
        Optional(STRING, ""),
        CHECKED,
        "net_namespace",
        "Network namespace of IPVS.",
        repeat=Repeat.FIRST,
    ),
    flag("namespace_with_ipsets", CHECKED, "off", "Use ipsets in a network namespace too."),
    flag("use_pid_dir", CHECKED, "off", "Put process id files into a directory of their own."),
    leaf(
        "instance",
        STRING,
        CHECKED,
        "none",
        "Name of this keepalived where several run on one host.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "child_wait_time",
        UINT(),
        CHECKED,
        "5",
        "How long the parent waits for its children to end.",
        unit="seconds",
    ),
)
