"""Our own metrics of a director: instances, groups, virtual and real servers, IPVS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krun.control.metrics.exporter import STATES
from krun.control.metrics.family import Family

DROPS = (
    "packet_len_err",
    "ip_ttl_err",
    "version_err",
    "invalid_authtype",
    "authtype_mismatch",
    "auth_failure",
    "advert_interval_err",
    "invalid_type_rcvd",
    "checksum_err",
    "unicast_err",
    "owner_ignored",
)
"""Counters of `krun.vrrp.counters` that count dropped adverts; version 3 accepts another interval."""

_OF = ("iname", "intf", "vrid")
_SERVER = ("virtual_server", "real_server")


def families(state: dict[str, Any]) -> Iterator[Family]:
    """The families of a state document."""
    yield from _instances(state.get("vrrp", []))
    yield from _groups(state.get("sync_groups", []))
    yield from _strangers(state.get("extra", {}).get("vrrp", {}))
    yield from _virtual_servers(state.get("virtual_servers", []))
    yield from _checks(state.get("extra", {}).get("check", {}))


def _instances(instances: list[dict[str, Any]]) -> Iterator[Family]:
    dropped = Family(
        "krun_vrrp_adverts_dropped_total", "counter", "Adverts dropped, by the reason", (*_OF, "reason")
    )
    priority = Family("krun_vrrp_priority", "gauge", "Priority in our adverts, with all that is tracked", _OF)
    base = Family("krun_vrrp_base_priority", "gauge", "Configured priority", _OF)
    since = Family("krun_vrrp_state_timestamp_seconds", "gauge", "Since when in this state", _OF)
    faults = Family("krun_vrrp_faults", "gauge", "Reasons for which the instance is in FAULT", _OF)
    held = Family("krun_vrrp_addresses", "gauge", "Addresses of the instance that are on this director", _OF)
    lost = Family("krun_vrrp_addresses_lost_total", "counter", "Addresses that somebody else removed", _OF)
    routes = Family(
        "krun_vrrp_routes_lost_total", "counter", "Routes and rules that somebody else removed", _OF
    )
    unsent = Family("krun_vrrp_send_errors_total", "counter", "Adverts that could not be sent", _OF)
    for i in instances:
        of = (i["name"], i["interface"], i["vrid"])
        counters = i.get("counters", {})
        for reason in DROPS:
            if reason != "advert_interval_err" or i.get("version") == 2:
                dropped.add(counters.get(reason), *of, reason)
        priority.add(i.get("effective_priority"), *of)
        base.add(i.get("priority"), *of)
        since.add(i.get("since"), *of)
        faults.add(len(i.get("faults", ())), *of)
        held.add(len(i.get("vips", ())), *of)
        lost.add(counters.get("vips_lost"), *of)
        routes.add(counters.get("routes_lost"), *of)
        unsent.add(counters.get("send_err"), *of)
    yield from (dropped, priority, base, since, faults, held, lost, routes, unsent)


def _groups(groups: list[dict[str, Any]]) -> Iterator[Family]:
    family = Family("krun_vrrp_sync_group_state", "gauge", "0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT", ("group",))
    for group in groups:
        family.add(STATES.get(group["state"], 0), group["name"])
    yield family


def _strangers(vrrp: dict[str, Any]) -> Iterator[Family]:
    family = Family(
        "krun_vrrp_unknown_vrid_adverts_total",
        "counter",
        "Adverts for VRIDs that are not configured here",
        ("socket", "vrid"),
    )
    for stranger in vrrp.get("unknown_vrids", ()):
        family.add(stranger["count"], stranger["socket"], stranger["vrid"])
    yield family


def _virtual_servers(virtuals: list[dict[str, Any]]) -> Iterator[Family]:
    quorum = Family(
        "krun_virtual_server_quorum_up", "gauge", "Whether the quorum is there", ("virtual_server",)
    )
    weight = Family(
        "krun_virtual_server_weight", "gauge", "Weight of all servers that are up", ("virtual_server",)
    )
    sorry = Family(
        "krun_virtual_server_sorry", "gauge", "Whether the sorry server answers", ("virtual_server",)
    )
    up = Family("krun_real_server_up", "gauge", "Whether the real server passes its checks", _SERVER)
    real = Family("krun_real_server_weight", "gauge", "Weight in effect", _SERVER)
    connections = Family("krun_real_server_connections", "gauge", "Connections, active and inactive", _SERVER)
    runs = Family("krun_check_runs_total", "counter", "Checks made", (*_SERVER, "checker"))
    failed = Family("krun_check_failed_runs_total", "counter", "Checks that failed", (*_SERVER, "checker"))
    for v in virtuals:
        name = v["name"]
        quorum.add(v["quorum"]["up"], name)
        weight.add(v["quorum"]["weight"], name)
        if v.get("sorry_server") is not None:
            sorry.add(v["sorry_server"]["active"], name)
        for server in v.get("real_servers", ()):
            of = (name, server["identity"])
            up.add(server["state"] == "up", *of)
            real.add(server.get("effective_weight"), *of)
            connections.add(server.get("connections"), *of)
            for check in server.get("checkers", ()):
                runs.add(check.get("runs"), *of, check["checker"])
                failed.add(check.get("failed_runs"), *of, check["checker"])
    yield from (quorum, weight, sorry, up, real, connections, runs, failed)


def _checks(check: dict[str, Any]) -> Iterator[Family]:
    ipvs, load = check.get("ipvs", {}), check.get("checks", {})
    drift = Family("krun_ipvs_drift_total", "counter", "Differences found in the IPVS table that others made")
    drift.add(ipvs.get("drift"))
    repairs = Family("krun_ipvs_repairs_total", "counter", "Writes that put the IPVS table right again")
    repairs.add(ipvs.get("repairs"))
    left = Family(
        "krun_ipvs_left_alone", "gauge", "Objects that others change again and again, left until a reload"
    )
    left.add(len(ipvs["left_alone"]) if "left_alone" in ipvs else None)
    writes = Family("krun_ipvs_writes_total", "counter", "Messages written to IPVS")
    writes.add(ipvs.get("writes"))
    refused = Family("krun_ipvs_refused", "gauge", "Whether a refused write is still to be tried again")
    refused.add(ipvs.get("refused"))
    services = Family("krun_ipvs_services", "gauge", "Services in the IPVS table, by whose they are", ("of",))
    services.add(ipvs.get("services"), "krun")
    services.add(ipvs.get("foreign_services"), "others")
    active = Family("krun_checks_under_way", "gauge", "Checks that hold a socket now")
    active.add(load.get("under_way"))
    waiting = Family("krun_checks_waiting", "gauge", "Checks that wait for a socket")
    waiting.add(load.get("waiting"))
    room = Family("krun_checks_limit", "gauge", "Checks that may hold a socket at once")
    room.add(load.get("limit"))
    yield from (drift, repairs, left, writes, refused, services, active, waiting, room)
