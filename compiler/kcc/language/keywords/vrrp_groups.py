"""``vrrp_sync_group`` and the other blocks about interfaces and addresses that VRRP has at top level."""

from __future__ import annotations

from kcc.language.arguments.address_line import STATIC_ADDRESS
from kcc.language.arguments.numbers import SECONDS
from kcc.language.arguments.rare import STATIC_ROUTE, STATIC_RULE
from kcc.language.arguments.track import (
    DELAY_LINE,
    LINKBEAT_LINE,
)
from kcc.language.arguments.words import (
    IFNAME,
    IFNAMES,
    MAYBE_BOOL,
    NAME,
    NAMES,
)
from kcc.language.keywords.vrrp_common import notify, trackers
from kcc.language.tree import (
    CARRIED,
    RUN,
    Extra,
    Missing,
    Repeat,
    block,
    flag,
    leaf,
    lines,
)

VRRP_SYNC_GROUP = block(
    "vrrp_sync_group",
    NAME,
    RUN,
    "Instances that change state together.",
    (
        lines(
            "group",
            NAMES,
            RUN,
            "Members, in the order in which they become master.",
            repeat=Repeat.FIRST,
            required=True,
        ),
        *trackers("the group"),
        *notify("the group"),
        leaf(
            "smtp_alert",
            MAYBE_BOOL,
            RUN,
            "smtp_alert_vrrp, else smtp_alert, else off",
            "Send alert mails about this group.",
        ),
        flag(
            "global_tracking",
            RUN,
            "off",
            "Old name of sync_group_tracking_weight.",
            deprecated_by="sync_group_tracking_weight",
            deprecation_is_error=True,
            alias_of="sync_group_tracking_weight",
        ),
        flag("sync_group_tracking_weight", RUN, "off", "Weights may be used with members of this group."),
        leaf(
            "notify_priority_changes",
            MAYBE_BOOL,
            RUN,
            "vrrp_notify_priority_changes",
            "Tell scripts and pipes of each change of priority.",
        ),
    ),
    repeat=Repeat.UNIQUE,
    missing=Missing.IGNORED,
    extra=Extra.REFUSED,
)

_GARP_INTERVAL = SECONDS("0", "4294.967295")
GARP_GROUP = block(
    "garp_group",
    (),
    CARRIED,
    "Interfaces that share the pacing of gratuitous ARP.",
    (
        leaf(
            "garp_interval",
            _GARP_INTERVAL,
            CARRIED,
            "none",
            "Least time between two gratuitous ARP messages.",
            unit="seconds",
        ),
        leaf(
            "gna_interval",
            _GARP_INTERVAL,
            CARRIED,
            "none",
            "Least time between two neighbour advertisements.",
            unit="seconds",
        ),
        leaf("interface", IFNAME, CARRIED, "none", "An interface of the group.", repeat=Repeat.ADD),
        lines("interfaces", IFNAMES, CARRIED, "Interfaces of the group."),
    ),
)

TRACK_GROUP = block(
    "track_group",
    NAME,
    RUN,
    "Instances whose state static addresses, routes and rules follow.",
    (lines("group", NAMES, RUN, "Members.", repeat=Repeat.FIRST, required=True),),
    repeat=Repeat.UNIQUE,
    missing=Missing.IGNORED,
    extra=Extra.REFUSED,
)

STATIC = (
    lines("static_ipaddress", STATIC_ADDRESS, RUN, "Addresses that the director always has."),
    lines("static_routes", STATIC_ROUTE, RUN, "Routes that the director always has."),
    lines("static_rules", STATIC_RULE, RUN, "Routing rules that the director always has."),
)

INTERFACES = (
    lines("linkbeat_interfaces", LINKBEAT_LINE, CARRIED, "Interfaces whose link state is polled."),
    lines(
        "interface_up_down_delays", DELAY_LINE, RUN, "How long a link must be down or up before it counts."
    ),
)
