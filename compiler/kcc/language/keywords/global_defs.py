"""``global_defs``: mail, scripts, notification, and the defaults of VRRP."""

from __future__ import annotations

from kcc.language.arguments.addresses import MCAST4, MCAST6
from kcc.language.arguments.globals_ import (
    EXTRA_IF,
    SMTP_SERVER,
)
from kcc.language.arguments.numbers import INT, SECONDS, UINT
from kcc.language.arguments.scripts import ACCOUNT, FIFO, SCRIPT
from kcc.language.arguments.words import MAYBE_BOOL, NAMES, STRING
from kcc.language.keywords.processes import DAEMON, LVS, NAMES_OF_PROCESSES, VRRP_PROCESS
from kcc.language.keywords.snmp import SNMP
from kcc.language.tree import (
    CARRIED,
    RUN,
    Extra,
    Keyword,
    Missing,
    Repeat,
    block,
    flag,
    leaf,
    lines,
)

_GARP_SECONDS = UINT(0, 4294)
IGNORED = Missing.IGNORED


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
        RUN,
        "USER@HOSTNAME of the process",
        "Sender of alert mails.",
        missing=IGNORED,
        extra=Extra.ERROR,
    ),
    leaf(
        "smtp_server",
        SMTP_SERVER,
        RUN,
        "none (no mail is sent)",
        "Mail server for alerts, with its port.",
    ),
    leaf(
        "smtp_helo_name",
        STRING,
        RUN,
        "the name of the host",
        "Name said to the mail server.",
        missing=Missing.SILENT,
    ),
    leaf(
        "smtp_connect_timeout",
        UINT(0, 4294, zero=1),
        RUN,
        "30",
        "How long to wait for the mail server.",
        unit="seconds",
    ),
    lines("notification_email", NAMES, RUN, "Addresses that get alert mails."),
    leaf(
        "smtp_alert",
        MAYBE_BOOL,
        RUN,
        "VRRP off, real servers on, virtual servers off",
        "Send alert mails.",
    ),
    leaf("smtp_alert_vrrp", MAYBE_BOOL, RUN, "smtp_alert", "Send alert mails about VRRP."),
    leaf("smtp_alert_checker", MAYBE_BOOL, RUN, "smtp_alert", "Send alert mails about servers."),
    flag("no_email_faults", RUN, "off", "No alert mail when an instance goes to FAULT."),
    leaf(
        "no_checker_emails",
        MAYBE_BOOL,
        RUN,
        "false",
        "No alert mails about checks that leave their server what it is.",
    ),
)

_SCRIPTS = (
    leaf(
        "startup_script",
        SCRIPT,
        RUN,
        "none",
        "Command run before the children start.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "startup_script_timeout",
        UINT(1, 1000),
        RUN,
        "10",
        "How long startup_script may run.",
        unit="seconds",
        missing=IGNORED,
    ),
    leaf(
        "shutdown_script",
        SCRIPT,
        RUN,
        "none",
        "Command run after the children ended.",
        missing=IGNORED,
        repeat=Repeat.FIRST,
    ),
    leaf(
        "shutdown_script_timeout",
        UINT(1, 1000),
        RUN,
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
            RUN,
            "none",
            f"Named pipe that gets a line at each change of state of {of}.",
            missing=IGNORED,
            repeat=Repeat.FIRST,
        ),
        leaf(
            f"{name}_script",
            SCRIPT,
            RUN,
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
        "Tell notify pipes of each change of priority.",
    ),
    flag("fifo_write_vrrp_states_on_reload", RUN, "off", "Write all states to the pipe after a reload."),
    leaf("rs_init_notifies", MAYBE_BOOL, RUN, "false", "Run notify scripts of real servers at start."),
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
        UINT(),
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
        CARRIED,
        "0 (off)",
        "Repeat gratuitous ARP on the interface below a VMAC.",
        unit="seconds",
        missing=IGNORED,
    ),
    leaf(
        "vrrp_vmac_garp_intvl",
        EXTRA_IF,
        CARRIED,
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

GLOBAL_DEFS = block(
    "global_defs",
    (),
    RUN,
    "What holds for the whole director, and defaults for everything in it.",
    (*NAMES_OF_PROCESSES, *_MAIL, *_SCRIPTS, *_NOTIFY, *_VRRP_DEFAULTS, *VRRP_PROCESS, *LVS, *SNMP, *DAEMON),
    repeat=Repeat.MERGE,
)
