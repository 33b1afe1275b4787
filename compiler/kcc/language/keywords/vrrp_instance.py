"""``vrrp_instance``: one virtual router."""

from __future__ import annotations

from kcc.language.arguments.address_line import VIRTUAL_ADDRESS
from kcc.language.arguments.addresses import IP, MCAST
from kcc.language.arguments.base import Optional
from kcc.language.arguments.globals_ import EXTRA_IF_OR_OFF
from kcc.language.arguments.numbers import INT, SECONDS, UINT
from kcc.language.arguments.octets import HMAC_KEY
from kcc.language.arguments.rare import ROUTE_LINE, RULE_LINE, USE_IPVLAN, USE_VMAC
from kcc.language.arguments.scripts import SCRIPT
from kcc.language.arguments.track import (
    PEER_LINE,
)
from kcc.language.arguments.words import (
    IFNAME,
    MAYBE_BOOL,
    NAME,
    EnumArg,
    SecretArg,
)
from kcc.language.keywords.vrrp_common import notify, script, trackers
from kcc.language.tree import (
    CARRIED,
    PARTLY_RUN,
    RUN,
    Extra,
    Missing,
    Repeat,
    block,
    flag,
    leaf,
    lines,
)

_GARP_SECONDS = UINT(0, 4294)
REFUSES = "the instance has none: keepalived refuses to start, and no director holds its addresses"

_STATE = (
    leaf(
        "state",
        EnumArg("MASTER", "BACKUP", instead="BACKUP"),
        RUN,
        "BACKUP",
        "State that the instance starts in.",
        sticky="MASTER",
    ),
    leaf(
        "interface", IFNAME, RUN, "", "Interface that the instance sends and hears adverts on.", required=True
    ),
    leaf(
        "virtual_router_id",
        UINT(1, 255),
        RUN,
        "",
        "VRID: the same on all directors of this virtual router, different from all others on the link.",
        required=True,
        consequence=REFUSES,
    ),
    leaf(
        "version",
        INT(2, 3),
        RUN,
        "3 for IPv6, else vrrp_version",
        "VRRP version (2: RFC 3768, 3: RFC 9568).",
        sticky="*",
    ),
    leaf(
        "priority",
        UINT(1, 255, instead=100),
        RUN,
        "100, or 255 with `state MASTER`",
        "The higher becomes master; 255 is the address owner.",
    ),
    leaf(
        "advert_int",
        SECONDS("0.01", "255"),
        RUN,
        "1",
        "Time between two adverts; the same on all directors.",
        unit="seconds",
    ),
    flag("native_ipv6", RUN, "off (the addresses tell)", "The instance is of IPv6 (old form)."),
    flag("preempt", RUN, "on", "Take over from a master of lower priority (the default, old form)."),
    flag("nopreempt", RUN, "off", "Do not take over from a master of lower priority."),
    leaf(
        "preempt_delay",
        SECONDS("0", "1000"),
        RUN,
        "0",
        "Wait this long before taking over from a master of lower priority.",
        unit="seconds",
    ),
    leaf(
        "down_timer_adverts",
        UINT(1, 100),
        RUN,
        "vrrp_down_timer_adverts",
        "Missed adverts after which the master counts as gone.",
    ),
    leaf(
        "timer_expired_backup",
        Optional(UINT(1, 254), 254),
        RUN,
        "off",
        "Late for so long that a backup of this priority may have taken over, a master with `nopreempt` goes back to backup. krun does so always.",
        since="2.4.3",
    ),
    leaf(
        "thread_timer_expired",
        Optional(UINT(1, 254), 254),
        RUN,
        "off",
        "Old name of timer_expired_backup.",
        deprecated_by="timer_expired_backup",
        deprecation_is_error=True,
        alias_of="timer_expired_backup",
        since="2.4.3",
    ),
    leaf("strict_mode", MAYBE_BOOL, RUN, "vrrp_strict", "Keep to the RFC: refuse what it does not allow."),
    flag("accept", RUN, "on unless strict", "Accept packets to the virtual addresses while master."),
    flag("no_accept", PARTLY_RUN, "see accept", "Drop packets to the virtual addresses."),
    leaf(
        "skip_check_adv_addr",
        MAYBE_BOOL,
        RUN,
        "vrrp_skip_check_adv_addr",
        "Compare the addresses of an advert only with the first from the same sender.",
    ),
    leaf(
        "lower_prio_no_advert",
        MAYBE_BOOL,
        RUN,
        "vrrp_lower_prio_no_advert",
        "Send no advert in answer to one of lower priority.",
    ),
    leaf(
        "higher_prio_send_advert",
        MAYBE_BOOL,
        RUN,
        "vrrp_higher_prio_send_advert",
        "A master that hears a higher priority sends one more advert before it gives way.",
    ),
    leaf(
        "owner_ignore_adverts",
        MAYBE_BOOL,
        RUN,
        "vrrp_owner_ignore_adverts with priority 255",
        "An address owner ignores adverts of others.",
        since="2.4.3",
    ),
    leaf(
        "v3_checksum_as_v2",
        MAYBE_BOOL,
        RUN,
        "v3_checksum_as_v2 of global_defs",
        "Version 3 checksums over IPv4 without the pseudo-header.",
        since="2.4.3",
    ),
    leaf("debug", UINT(0, 4), RUN, "0", "Detail of log messages."),
    leaf(
        "kernel_rx_buf_size",
        UINT(),
        RUN,
        "the system's",
        "Receive buffer of the VRRP socket.",
        unit="bytes",
        missing=Missing.IGNORED,
        extra=Extra.REFUSED,
    ),
)

_WIRE = (
    leaf("mcast_src_ip", IP, RUN, "the interface's primary address", "Source address of multicast adverts."),
    leaf("unicast_src_ip", IP, RUN, "the interface's primary address", "Source address of unicast adverts."),
    leaf(
        "mcast_dst_ip",
        MCAST,
        RUN,
        "vrrp_mcast_group4 or vrrp_mcast_group6",
        "Group to which adverts are sent.",
    ),
    flag("track_src_ip", RUN, "off", "FAULT while the source address is missing."),
    lines(
        "unicast_peer",
        PEER_LINE,
        RUN,
        "Directors to which adverts are sent one by one, instead of multicast.",
    ),
    flag("unicast_fault_no_peer", RUN, "off", "FAULT when a unicast instance has no peers."),
    flag(
        "check_unicast_src",
        RUN,
        "vrrp_check_unicast_src",
        "Take unicast adverts only from the configured peers.",
    ),
    leaf("unicast_ttl", UINT(0, 255), RUN, "255 (IPv4), the kernel's (IPv6)", "TTL of unicast adverts."),
    leaf(
        "old_unicast_checksum",
        Optional(EnumArg("never"), True),
        RUN,
        "found out from what arrives",
        "Checksum of old releases in unicast adverts.",
    ),
)

_ADDRESSES = (
    lines(
        "virtual_ipaddress", VIRTUAL_ADDRESS, RUN, "Addresses that the master holds and that adverts carry."
    ),
    lines(
        "virtual_ipaddress_excluded",
        VIRTUAL_ADDRESS,
        RUN,
        "Addresses that the master holds and that adverts do not carry.",
    ),
    flag("no_virtual_ipaddress", RUN, "off", "The instance has no addresses, on purpose.", since="2.4.3"),
    flag(
        "promote_secondaries", RUN, "off", "A deleted primary address makes a secondary one primary (sysctl)."
    ),
    lines("virtual_routes", ROUTE_LINE, RUN, "Routes that the master has."),
    lines("virtual_rules", RULE_LINE, RUN, "Routing rules that the master has."),
)

_LINK = (
    leaf(
        "use_vmac",
        USE_VMAC,
        CARRIED,
        "off",
        "Use the virtual router's MAC address (RFC 9568 section 7.3).",
        repeat=Repeat.JOIN,
    ),
    flag("use_vmac_addr", CARRIED, "off", "Put addresses of other interfaces on VMACs too."),
    flag("vmac_xmit_base", CARRIED, "off", "Send adverts from the interface below the VMAC."),
    leaf(
        "use_ipvlan",
        USE_IPVLAN,
        CARRIED,
        "off",
        "Put the addresses on an ipvlan.",
        repeat=Repeat.FIRST,
    ),
    leaf("vrf", IFNAME, CARRIED, "none", "VRF that a unicast instance without an interface belongs to."),
    flag("dont_track_primary", RUN, "off", "The state of the own interface does not matter."),
    flag(
        "linkbeat_use_polling",
        CARRIED,
        "off",
        "Ask the interface for its link state by polling.",
        deprecated_by="linkbeat_interfaces",
        deprecation_is_error=True,
    ),
    leaf(
        "lvs_sync_daemon_interface",
        IFNAME,
        CARRIED,
        "none",
        "Old form of lvs_sync_daemon.",
        deprecated_by="lvs_sync_daemon in global_defs",
        deprecation_is_error=True,
    ),
)

_GARP = (
    leaf(
        "garp_master_delay",
        _GARP_SECONDS,
        RUN,
        "vrrp_garp_master_delay",
        "When the second burst of gratuitous ARP follows; 0: never.",
        unit="seconds",
    ),
    leaf(
        "garp_master_refresh",
        UINT(),
        RUN,
        "vrrp_garp_master_refresh",
        "How often a master repeats gratuitous ARP; 0: never.",
        unit="seconds",
    ),
    leaf(
        "garp_master_repeat",
        UINT(zero=1),
        RUN,
        "vrrp_garp_master_repeat",
        "Gratuitous ARP messages in a burst.",
    ),
    leaf(
        "garp_master_refresh_repeat",
        UINT(zero=1),
        RUN,
        "vrrp_garp_master_refresh_repeat",
        "Gratuitous ARP messages in a repetition.",
    ),
    leaf(
        "garp_lower_prio_delay",
        _GARP_SECONDS,
        RUN,
        "vrrp_garp_lower_prio_delay",
        "When the second burst follows that a lower-priority advert brought about.",
        unit="seconds",
    ),
    leaf(
        "garp_lower_prio_repeat",
        UINT(0, 2147483647),
        RUN,
        "vrrp_garp_lower_prio_repeat",
        "Gratuitous ARP messages after a lower-priority advert.",
    ),
    leaf(
        "garp_extra_if",
        EXTRA_IF_OR_OFF,
        CARRIED,
        "vrrp_garp_extra_if",
        "Repeat gratuitous ARP on the interface below a VMAC.",
        unit="seconds",
        missing=Missing.IGNORED,
    ),
    leaf(
        "vmac_garp_intvl",
        EXTRA_IF_OR_OFF,
        CARRIED,
        "vrrp_garp_extra_if",
        "Old name of garp_extra_if.",
        unit="seconds",
        missing=Missing.IGNORED,
        deprecated_by="garp_extra_if",
        deprecation_is_error=True,
        alias_of="garp_extra_if",
    ),
)

_AUTH = (
    block(
        "authentication",
        (),
        RUN,
        "Version 2 authentication (RFC 2338 section 5.3.6); newer RFCs dropped it.",
        (
            leaf("auth_type", EnumArg("AH", "PASS"), RUN, "none", "Kind of authentication.", unrun=("AH",)),
            leaf(
                "auth_pass",
                SecretArg("a password", 8, cut=True),
                RUN,
                "none",
                "Password, 1 to 8 octets, the same on all directors.",
            ),
        ),
        repeat=Repeat.MERGE,
    ),
    block(
        "auth_hmac",
        (),
        CARRIED,
        "Keyed hash over adverts, an extension of keepalived.",
        (
            leaf(
                "key",
                HMAC_KEY,
                CARRIED,
                "none",
                "A key with its number.",
                repeat=Repeat.ADD,
                required=True,
                missing=Missing.IGNORED,
            ),
            leaf(
                "active_key",
                UINT(1, 255),
                CARRIED,
                "",
                "Number of the key that adverts are made with.",
                required=True,
            ),
            leaf(
                "time_window",
                UINT(1, 300),
                CARRIED,
                "3 × advert_int, within 5 to 300",
                "How old an advert may be.",
                unit="seconds",
            ),
            leaf(
                "anti_replay", EnumArg("time", "monotonic"), CARRIED, "time", "How repeated adverts are told."
            ),
            leaf(
                "mode",
                EnumArg("enforce", "permissive", "receive-only"),
                CARRIED,
                "enforce",
                "What happens to adverts without a valid hash.",
            ),
        ),
        repeat=Repeat.MERGE,
        since="2.4.3",
    ),
)

_TELLING = (
    *notify("the instance"),
    leaf(
        "notify_deleted",
        Optional(SCRIPT, True),
        RUN,
        "off (a deleted instance is told as FAULT)",
        "Command run when a reload removes the instance.",
        repeat=Repeat.FIRST,
    ),
    script("notify_master_rx_lower_pri", "when a master hears an advert of lower priority"),
    leaf(
        "smtp_alert",
        MAYBE_BOOL,
        RUN,
        "smtp_alert_vrrp, else smtp_alert, else off",
        "Send alert mails about this instance.",
    ),
    leaf(
        "notify_priority_changes",
        MAYBE_BOOL,
        RUN,
        "vrrp_notify_priority_changes",
        "Tell scripts and pipes of each change of priority.",
    ),
)

VRRP_INSTANCE = block(
    "vrrp_instance",
    NAME,
    RUN,
    "A virtual router: addresses that the best director of the link holds.",
    (*_STATE, *_WIRE, *_ADDRESSES, *_LINK, *trackers("the instance"), *_GARP, *_AUTH, *_TELLING),
    repeat=Repeat.UNIQUE,
    missing=Missing.IGNORED,
    extra=Extra.REFUSED,
)
