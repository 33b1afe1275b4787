"""Settings of ``global_defs`` about SNMP and D-Bus."""

from __future__ import annotations

from kcc.language.arguments.numbers import SECONDS
from kcc.language.arguments.words import STRING
from kcc.language.tree import (
    CHECKED,
    Extra,
    Missing,
    flag,
    leaf,
)

IGNORED = Missing.IGNORED
ONE_WORD = {"missing": IGNORED, "extra": Extra.REFUSED}
_SNMP_INTERVAL = SECONDS("0.001", "30")
SNMP = (
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
