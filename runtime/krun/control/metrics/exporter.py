"""The metrics that dashboards for keepalived know: names, labels and values of the common exporter (mehdy/keepalived-exporter)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krun.control.metrics.family import Family

STATES = {"INIT": 0, "BACKUP": 1, "MASTER": 2, "FAULT": 3}
"""The values of ``keepalived_vrrp_state``."""

_LABELS = ("iname", "intf", "vrid", "state")

COUNTERS = (
    ("advertisements_received", "advert_rcvd", "Adverts accepted from others"),
    ("advertisements_sent", "advert_sent", "Adverts sent"),
    ("become_master", "become_master", "Times that the instance became master"),
    ("release_master", "release_master", "Times that the instance ceased to be master"),
    ("packet_length_errors", "packet_len_err", "Adverts dropped: length"),
    ("advertisements_interval_errors", "advert_interval_err", "Adverts with another interval than ours"),
    ("ip_ttl_errors", "ip_ttl_err", "Adverts dropped: TTL"),
    ("invalid_type_received", "invalid_type_rcvd", "Adverts dropped: packet type"),
    ("address_list_errors", "addr_list_err", "Adverts with other addresses than ours"),
    ("authentication_invalid", "invalid_authtype", "Adverts dropped: unknown kind of authentication"),
    ("authentication_mismatch", "authtype_mismatch", "Adverts dropped: another kind of authentication"),
    ("authentication_failure", "auth_failure", "Adverts dropped: wrong password"),
    ("priority_zero_received", "pri_zero_rcvd", "Adverts with priority 0 accepted: a master left"),
    ("priority_zero_sent", "pri_zero_sent", "Adverts with priority 0 sent: we left"),
)
"""(name without prefix and ``_total``, our counter, help)."""


def families(state: dict[str, Any]) -> Iterator[Family]:
    """The families of a state document. ``keepalived_up`` is 1 where there is one at all."""
    up = Family("keepalived_up", "gauge", "Whether the VRRP and checker daemon answers")
    up.add(1)
    yield up
    instances = state.get("vrrp", [])
    yield _states(instances)
    for name, counter, words in COUNTERS:
        family = Family(f"keepalived_{name}_total", "counter", words, _LABELS)
        for i in instances:
            value = i.get("counters", {}).get(counter)
            family.add(value, i["name"], i["interface"], i["vrid"], _known(i["state"]))
        yield family
    delay = Family(
        "keepalived_gratuitous_arp_delay_total", "counter", "Configured garp_master_delay in seconds", _LABELS
    )
    for i in instances:
        if "garp_delay_us" in i:
            value = i["garp_delay_us"] / 1e6
            delay.add(value, i["name"], i["interface"], i["vrid"], _known(i["state"]))
    yield delay
    yield from _scripts(state.get("trackers", []))


def _states(instances: list[dict[str, Any]]) -> Family:
    """One sample for each VIP, on whatever director it is at the moment; ``intf`` is the VIP's own device."""
    family = Family(
        "keepalived_vrrp_state",
        "gauge",
        "State of the instance that a VIP belongs to: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT",
        ("iname", "intf", "vrid", "ip_address"),
    )
    for i in instances:
        for a in i.get("addresses", ()):
            if not a["excluded"]:
                address = f"{a['address']}/{a['prefix']}"
                family.add(STATES.get(_known(i["state"])), i["name"], a["device"], i["vrid"], address)
    return family


def _known(state: str) -> str:
    return state if state in STATES else "INIT"


def _scripts(trackers: list[dict[str, Any]]) -> Iterator[Family]:
    family = Family("keepalived_script_status", "gauge", "Result of a track script: 1 good, 0 bad", ("name",))
    for tracker in trackers:
        if tracker.get("kind") == "script":
            family.add({"up": 1, "down": 0}.get(tracker["state"]), tracker["name"])
    yield family
