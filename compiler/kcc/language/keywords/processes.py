"""Settings of ``global_defs`` about the processes and what they use of the host, and those that stand outside of every block."""

from __future__ import annotations

from kcc.language.arguments.base import Many, Optional
from kcc.language.arguments.globals_ import (
    INCLUDE_CHECK,
    RX_POLICY,
    SYNC_DAEMON,
    UMASK,
)
from kcc.language.arguments.numbers import INT, UINT
from kcc.language.arguments.servers import TIMEOUTS
from kcc.language.arguments.words import IFNAME, MAYBE_BOOL, PATH, STRING, EnumArg, RestArg, StringArg
from kcc.language.tree import (
    CARRIED,
    MOOT,
    RUN,
    Coverage,
    Extra,
    Keyword,
    Missing,
    Repeat,
    flag,
    leaf,
    renamed,
)

_PROCESS_NAME = StringArg("a process name", 15, cut=True)
_TABLE_NAME = Optional(StringArg("a name", 30), True)
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
        RUN,
        "10000",
        f"CPU time that the {of} process may use without a system call while it runs in real time.",
        unit="us",
    )
    return (
        leaf(
            f"{prefix}_priority",
            _NICE,
            RUN,
            "0 (unchanged)",
            f"Nice value of the {of} process.",
            missing=IGNORED,
        ),
        flag(f"{prefix}_no_swap", RUN, "off", f"Lock the memory of the {of} process."),
        leaf(
            f"{prefix}_rt_priority",
            _REALTIME,
            RUN,
            "0 (normal scheduling)",
            f"Real-time priority (SCHED_RR) of the {of} process.",
            missing=IGNORED,
        ),
        leaf(
            f"{prefix}_cpu_affinity",
            _CPUS,
            RUN,
            "all CPUs",
            f"CPUs that the {of} process may run on.",
            missing=IGNORED,
        ),
        rttime,
        renamed(rttime, f"{prefix}_rlimit_rtime", deprecated_by=f"{prefix}_rlimit_rttime"),
    )


def _buffers(name: str, of: str, coverage: Coverage = RUN) -> tuple[Keyword, ...]:
    """The receive buffer of one netlink socket."""
    return (
        leaf(
            name, _BUFFER, coverage, "the system's", f"Receive buffer of {of}.", unit="bytes", missing=IGNORED
        ),
        leaf(
            f"{name}_force", MAYBE_BOOL, coverage, "false", f"Let the receive buffer of {of} pass rmem_max."
        ),
    )


NAMES_OF_PROCESSES = (
    flag("process_names", RUN, "off", "Give each child process a name of its own in ps and top."),
    leaf("process_name", _PROCESS_NAME, RUN, "unchanged", "Name of the parent process."),
    leaf("vrrp_process_name", _PROCESS_NAME, RUN, "unchanged", "Name of the VRRP process."),
    leaf("checker_process_name", _PROCESS_NAME, RUN, "unchanged", "Name of the checker process."),
    leaf(
        "lvs_process_name",
        _PROCESS_NAME,
        RUN,
        "unchanged",
        "Name of the checker process (old form).",
        deprecated_by="checker_process_name",
        alias_of="checker_process_name",
    ),
    leaf("bfd_process_name", _PROCESS_NAME, RUN, "unchanged", "Name of the BFD process."),
)

VRRP_PROCESS = (
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
        RUN,
        "eth0",
        "Interface of static addresses that name none.",
        missing=IGNORED,
    ),
    flag("disable_local_igmp", CARRIED, "off", "No IGMP for groups that are only used on this host."),
    leaf(
        "nftables",
        _TABLE_NAME,
        CARRIED,
        'unset unless needed, then "keepalived"',
        "nftables table for filters.",
        against="vrrp_iptables",
        repeat=Repeat.FIRST,
    ),
    leaf(
        "nftables_priority", INT(-2147483648, 2147483647), CARRIED, "-1", "Priority of the nftables chains."
    ),
    flag("nftables_ifindex", CARRIED, "off", "Interface numbers instead of names in nftables rules."),
    flag("nftables_counters", CARRIED, "off", "Counters in nftables rules."),
    leaf(
        "vrrp_iptables",
        RestArg("[IN_CHAIN [OUT_CHAIN]]"),
        CARRIED,
        "unset",
        "iptables chains for filters.",
        against="nftables",
        repeat=Repeat.FIRST,
    ),
    leaf("vrrp_ipsets", RestArg("[NAME …]"), CARRIED, "keepalived and derived names", "Names of the ipsets."),
    leaf(
        "vrrp_rx_bufs_policy",
        RX_POLICY,
        RUN,
        "the system's buffer size",
        "How large receive buffers of VRRP sockets are.",
        unit="bytes",
        missing=IGNORED,
    ),
    leaf(
        "vrrp_rx_bufs_multiplier",
        UINT(1),
        RUN,
        "3",
        "How many adverts a receive buffer holds.",
        **ONE_WORD,
    ),
    leaf(
        "vmac_prefix",
        STRING,
        CARRIED,
        "vrrp",
        "First part of the names of VMAC interfaces.",
        repeat=Repeat.FIRST,
    ),
    leaf(
        "vmac_addr_prefix",
        STRING,
        CARRIED,
        "vmac_prefix",
        "First part of the names of VMAC interfaces that addresses asked for.",
        repeat=Repeat.FIRST,
    ),
    *_process("vrrp", "VRRP"),
    *_buffers("vrrp_netlink_cmd_rcv_bufs", "the VRRP process's netlink command socket"),
    *_buffers("vrrp_netlink_monitor_rcv_bufs", "the VRRP process's netlink monitor"),
    *_buffers("process_monitor_rcv_bufs", "the process monitor", CARRIED),
)

LVS = (
    leaf(
        "checker_log_all_failures", MAYBE_BOOL, RUN, "false", "Log each failed check, not only the last try."
    ),
    leaf(
        "lvs_timeouts",
        TIMEOUTS,
        RUN,
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
        CARRIED,
        "none",
        "IPVS connection synchronisation with the other director.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "nftables_ipvs",
        _TABLE_NAME,
        CARRIED,
        "off",
        "nftables table that marks packets for virtual server groups.",
        repeat=Repeat.FIRST,
    ),
    leaf(
        "nftables_ipvs_priority",
        INT(-2147483648, 2147483647),
        CARRIED,
        "-1",
        "Priority of the marking chain.",
    ),
    leaf("nftables_ipvs_start_fwmark", UINT(1), CARRIED, "1000", "First mark that nftables_ipvs uses."),
    *_process("checker", "checker"),
    *_buffers("lvs_netlink_cmd_rcv_bufs", "the checker process's netlink command socket"),
    *_buffers("lvs_netlink_monitor_rcv_bufs", "the checker process's netlink monitor"),
)

DAEMON = (
    leaf(
        "use_symlink_paths",
        MAYBE_BOOL,
        RUN,
        "false",
        "Run scripts under the path as written, symbolic links included.",
        since="2.4.3",
    ),
    leaf(
        "set_supplementary_groups",
        MAYBE_BOOL,
        RUN,
        "false",
        "Scripts get the supplementary groups of their user.",
        since="2.4.3",
    ),
    leaf(
        "max_auto_priority",
        Optional(INT(-1, 99), 99),
        RUN,
        "0 (off, with a notice)",
        "How far a late process may raise its own scheduling priority.",
    ),
    leaf(
        "min_auto_priority_delay",
        UINT(1, 10000000),
        RUN,
        "1000000",
        "Lateness from which scheduling priority is raised.",
        unit="us",
        missing=IGNORED,
    ),
    leaf("umask", UMASK, RUN, "0177", "File mode creation mask."),
    leaf(
        "random_seed",
        UINT(),
        RUN,
        "the current time",
        "Start of the random numbers (`${_RANDOM}`, timers).",
    ),
    leaf(
        "reload_check_config",
        Optional(PATH, True),
        RUN,
        "off",
        "Test a configuration before a reload takes it.",
    ),
    leaf("reload_time_file", PATH, RUN, "none", "File with the time of the next reload.", **ONE_WORD),
    flag("reload_repeat", RUN, "off", "Look at reload_time_file again after a reload."),
    leaf("reload_file", Optional(PATH, True), RUN, "off", "File that exists only while a reload runs."),
    leaf(
        "include_check",
        INCLUDE_CHECK,
        RUN,
        "none",
        "Which failures of `include` are errors.",
    ),
    leaf("config_save_dir", PATH, RUN, "none", "Where copies of the configuration are kept."),
    leaf(
        "tmp_config_directory",
        PATH,
        MOOT,
        "memory, or /run",
        "Where the children's copy of the configuration lies.",
        missing=IGNORED,
        moot="its children get their configuration from the parent, and no copy of it lies on a disk in between",
    ),
    leaf("data_use_instance", MAYBE_BOOL, RUN, "false", "Dump files carry the name of the instance."),
    leaf(
        "json_version",
        UINT(1, 2),
        MOOT,
        "1",
        "Form of the JSON dump.",
        missing=IGNORED,
        since="2.4.3",
        moot="what it writes as JSON is its state document, which has a version of its own",
    ),
    leaf(
        "iproute_usr_dir",
        PATH,
        RUN,
        "/etc/iproute2",
        "Where iproute2's own tables lie.",
        since="2.4.3",
        **ONE_WORD,
    ),
    leaf(
        "iproute_etc_dir",
        PATH,
        RUN,
        "/etc/iproute2",
        "Where the host's iproute2 tables lie.",
        since="2.4.3",
        **ONE_WORD,
    ),
    leaf(
        "state_dump_file",
        PATH,
        RUN,
        "keepalived.data in the temporary directory",
        "File of the state dump.",
        since="2.4.3",
        **ONE_WORD,
    ),
    leaf(
        "stats_dump_file",
        PATH,
        RUN,
        "keepalived.stats in the temporary directory",
        "File of the statistics dump.",
        since="2.4.3",
        **ONE_WORD,
    ),
    leaf(
        "json_dump_file",
        PATH,
        RUN,
        "keepalived.json in the temporary directory",
        "File of the JSON dump.",
        since="2.4.3",
        **ONE_WORD,
    ),
    *_process("bfd", "BFD"),
)

ROOT_SETTINGS = (
    flag("linkbeat_use_polling", CARRIED, "off (netlink)", "Ask interfaces for their link state by polling."),
    leaf(
        "net_namespace",
        STRING,
        RUN,
        "the namespace of the process",
        "Network namespace to run in.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "net_namespace_ipvs",
        Optional(STRING, ""),
        RUN,
        "net_namespace",
        "Network namespace of IPVS.",
        repeat=Repeat.FIRST,
    ),
    flag(
        "namespace_with_ipsets",
        MOOT,
        "off",
        "Use ipsets in a network namespace too.",
        moot="it uses no ipsets",
    ),
    flag("use_pid_dir", RUN, "off", "Put process id files into a directory of their own."),
    leaf(
        "instance",
        STRING,
        RUN,
        "none",
        "Name of this keepalived where several run on one host.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "child_wait_time",
        UINT(),
        RUN,
        "5",
        "How long the parent waits for its children to end.",
        unit="seconds",
    ),
)
