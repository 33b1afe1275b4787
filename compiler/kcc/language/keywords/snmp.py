"""Settings of ``global_defs`` about SNMP and D-Bus."""

from __future__ import annotations

from kcc.language.arguments.numbers import SECONDS
from kcc.language.arguments.words import STRING
from kcc.language.tree import (
    CARRIED,
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
        CARRIED,
        "unix:/var/agentx/master",
        "Where the SNMP master agent listens.",
        **ONE_WORD,
    ),
    flag("enable_traps", CARRIED, "off", "Send SNMP traps."),
    flag("enable_snmp_vrrp", CARRIED, "off", "SNMP: keepalived's MIB for VRRP."),
    flag(
        "enable_snmp_keepalived",
        CARRIED,
        "off",
        "Old name of enable_snmp_vrrp.",
        deprecated_by="enable_snmp_vrrp",
        alias_of="enable_snmp_vrrp",
    ),
    flag("enable_snmp_rfc", CARRIED, "off", "SNMP: both VRRP MIBs of the RFCs."),
    flag("enable_snmp_rfcv2", CARRIED, "off", "SNMP: the VRRP version 2 MIB (RFC 2787)."),
    flag("enable_snmp_rfcv3", CARRIED, "off", "SNMP: the VRRP version 3 MIB (RFC 6527)."),
    flag("enable_snmp_checker", CARRIED, "off", "SNMP: keepalived's MIB for virtual servers."),
    leaf(
        "snmp_vs_stats_update_interval",
        _SNMP_INTERVAL,
        CARRIED,
        "5",
        "How old SNMP figures of virtual servers may be.",
        unit="seconds",
        since="2.4.3",
    ),
    leaf(
        "snmp_rs_stats_update_interval",
        _SNMP_INTERVAL,
        CARRIED,
        "snmp_vs_stats_update_interval",
        "How old SNMP figures of real servers may be.",
        unit="seconds",
        since="2.4.3",
    ),
    flag("enable_dbus", CARRIED, "off", "Offer the D-Bus interface."),
    leaf("dbus_service_name", STRING, CARRIED, "org.keepalived.Vrrp1", "Name on the D-Bus.", missing=IGNORED),
    flag(
        "dbus_no_interface_name", CARRIED, "off", "D-Bus object paths without interface names.", since="2.4.3"
    ),
)
