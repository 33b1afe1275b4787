"""The metrics as text, read back by Prometheus' own parser."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from krun.control.metrics import daemon, director, exporter
from krun.control.metrics.document import render, unreachable
from krun.control.metrics.family import Family, text
from krun.vrrp.counters import NAMES
from krun.vrrp.reception import Reason
from support.metrics_state import state

Key = tuple[str, frozenset[tuple[str, str]]]


def samples(words: str) -> dict[Key, float]:
    """Every sample by name and labels; no two may have the same."""
    found: dict[Key, float] = {}
    for family in text_string_to_metric_families(words):
        assert family.documentation, family.name
        assert family.type in ("gauge", "counter", "histogram"), family.name
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def value(words: str, name: str, /, **labels: str) -> float:
    return samples(words)[name, frozenset(labels.items())]


def test_what_dashboards_for_keepalived_ask_for() -> None:
    words = render(state())
    assert value(words, "keepalived_up") == 1
    place = {"iname": "VI_1", "vrid": "51"}
    assert value(words, "keepalived_vrrp_state", **place, intf="eth1", ip_address="192.0.2.9/24") == 2
    labels = place | {"intf": "eth0", "state": "MASTER"}
    assert value(words, "keepalived_advertisements_received_total", **labels) == 7
    assert value(words, "keepalived_advertisements_sent_total", **labels) == 3
    assert value(words, "keepalived_become_master_total", **labels) == 1
    assert value(words, "keepalived_authentication_failure_total", **labels) == 2
    assert value(words, "keepalived_gratuitous_arp_delay_total", **labels) == 5
    assert value(words, "keepalived_script_status", name="chk") == 1
    assert not [key for key in samples(words) if ("name", "new") in key[1]], "no result is no status"
    assert not [key for key in samples(words) if "192.0.2.8/32" in dict(key[1]).values()], (
        "as keepalived's dump"
    )


def test_the_event_loops() -> None:
    words = render(state())
    timers = {"process": "vrrp", "kind": "timer"}
    assert value(words, "krun_timer_lateness_seconds_bucket", **timers, le="0.001") == 3
    assert value(words, "krun_timer_lateness_seconds_bucket", **timers, le="0.5") == 4
    assert value(words, "krun_timer_lateness_seconds_bucket", **timers, le="+Inf") == 5
    assert value(words, "krun_timer_lateness_seconds_count", **timers) == 5
    assert value(words, "krun_timer_lateness_seconds_sum", **timers) == 0.702
    assert value(words, "krun_timer_lateness_seconds_count", process="vrrp", kind="advert") == 2
    assert value(words, "krun_timer_lateness_max_seconds", **timers) == 0.7
    assert value(words, "krun_gc_pause_seconds_bucket", process="vrrp", le="0.001") == 6
    callback = "krun.vrrp.process.VrrpChild.commit"
    assert value(words, "krun_loop_overruns_total", process="vrrp", callback=callback) == 4
    assert value(words, "krun_loop_budget_seconds", process="vrrp") == 0.02
    assert value(words, "krun_loop_pauses_total", process="vrrp") == 2
    assert value(words, "krun_loop_slept_seconds_total", process="vrrp") == 4.4
    none = state()
    del none["processes"][0]["loop"]
    assert "krun_timer" not in render(none), "a process that does not say"


def test_the_names_of_the_exporter_are_all_there() -> None:
    """Those of mehdy/keepalived-exporter, but for what has no meaning here (check scripts of its own, a script's process state)."""
    assert {key[0] for key in samples(render(state())) if key[0].startswith("keepalived_")} == {
        "keepalived_up",
        "keepalived_vrrp_state",
        "keepalived_gratuitous_arp_delay_total",
        "keepalived_advertisements_received_total",
        "keepalived_advertisements_sent_total",
        "keepalived_become_master_total",
        "keepalived_release_master_total",
        "keepalived_packet_length_errors_total",
        "keepalived_advertisements_interval_errors_total",
        "keepalived_ip_ttl_errors_total",
        "keepalived_invalid_type_received_total",
        "keepalived_address_list_errors_total",
        "keepalived_authentication_invalid_total",
        "keepalived_authentication_mismatch_total",
        "keepalived_authentication_failure_total",
        "keepalived_priority_zero_received_total",
        "keepalived_priority_zero_sent_total",
        "keepalived_script_status",
    }


def test_our_own() -> None:
    words = render(state())
    of = {"virtual_server": "tcp 10.0.0.1:80", "real_server": "10.0.0.2:80"}
    instance = {"iname": "VI_1", "intf": "eth0", "vrid": "51"}
    for expected, name, labels in (
        (1, "krun_up", {}),
        (2, "krun_process_restarts_total", {"process": "vrrp", "reason": "stuck"}),
        (0, "krun_process_restarts_total", {"process": "vrrp", "reason": "killed"}),
        (0, "krun_process_up", {"process": "check"}),
        (0.25, "krun_process_hello_age_seconds", {"process": "vrrp"}),
        (10240, "krun_process_pss_bytes", {"process": "vrrp"}),
        (3, "krun_reloads_total", {"result": "done"}),
        (0, "krun_reloads_total", {"result": "returned"}),
        (0, "krun_last_reload_successful", {}),
        (0.0015, "krun_last_reload_duration_seconds", {}),
        (1, "krun_last_reload_operations", {"operation": "ipvs.edit_dest"}),
        (12.5, "krun_confirm_left_seconds", {}),
        (2, "krun_store_failures_total", {}),
        (0, "krun_store_sound", {}),
        (0, "krun_promises_kept", {"process": "vrrp"}),
        (3, "krun_promises_lost_total", {"process": "vrrp"}),
        (1, "krun_overlays", {"in_effect": "true"}),
        (3.0, "krun_overlay_left_seconds", of),
        (2, "krun_drains", {}),
        (3, "krun_drain_connections", of | {"real_server": "10.0.0.7:80"}),
        (2, "krun_alarms", {}),
        (2, "krun_vrrp_adverts_dropped_total", instance | {"reason": "auth_failure"}),
        (90, "krun_vrrp_priority", instance),
        (3, "krun_vrrp_sync_group_state", {"group": "G"}),
        (5, "krun_vrrp_unknown_vrid_adverts_total", {"socket": "224.0.0.18 on eth0", "vrid": "99"}),
        (0, "krun_real_server_up", of),
        (12, "krun_real_server_connections", of),
        (4, "krun_check_failed_runs_total", of | {"checker": "TCP_CHECK 0"}),
        (1, "krun_virtual_server_sorry", {"virtual_server": "tcp 10.0.0.1:80"}),
        (3, "krun_ipvs_drift_total", {}),
        (1, "krun_ipvs_left_alone", {}),
        (2, "krun_scripts_waiting", {}),
        (6, "krun_metrics_scrapes_total", {}),
        (2, "krun_mail_queue", {"process": "vrrp"}),
        (1, "krun_mail_total", {"process": "vrrp", "result": "failed"}),
    ):
        assert value(words, name, **labels) == expected, name


def test_in_version_3_another_interval_is_no_drop() -> None:
    three = state()
    three["vrrp"][0]["version"] = 3
    assert not [key for key in samples(render(three)) if ("reason", "advert_interval_err") in key[1]]


def test_every_reason_to_drop_is_counted() -> None:
    assert set(director.DROPS) == {reason.value for reason in Reason}
    assert set(director.DROPS) <= NAMES
    assert {counter for _, counter, _ in exporter.COUNTERS} <= NAMES


def test_a_process_that_says_nothing_leaves_a_text() -> None:
    """Every part of the document that comes from a child may be missing."""
    bare = state() | {
        key: [] for key in ("vrrp", "sync_groups", "trackers", "virtual_servers", "overlays", "drains")
    }
    bare |= {"extra": {}, "last_reload": None, "confirm": None, "undo": None, "store": None}
    words = render(bare)
    assert value(words, "krun_confirm_waiting") == 0
    assert value(words, "krun_drains") == 0
    assert "krun_store_sound" not in words


def test_nobody_answers() -> None:
    assert samples(unreachable()) == {("krun_up", frozenset()): 0, ("keepalived_up", frozenset()): 0}


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5, unique=True), st.floats(allow_nan=False))
def test_any_label_and_number_survive(labels: list[tuple[str, str]], number: float) -> None:
    # str.splitlines of the parser's caller knows more line ends than the format does: feed it line by line as the format means it.
    labels = [tuple(_one_line(part) for part in pair) for pair in labels]  # type: ignore[misc]
    family = Family("x", "gauge", 'a "help"\nof two \\ lines', ("a", "b"))
    for pair in labels:
        family.add(number, *pair)
    found = samples(text([family]))
    assert found == {("x", frozenset({("a", a), ("b", b)})): number for a, b in labels}


def _one_line(words: str) -> str:
    """Prometheus' Python parser cuts at what Python takes for ends of lines, and strips; the format knows of ``\\n`` alone."""
    return "".join(
        c for c in words if c == "\n" or (len(f"a{c}b".splitlines()) == 1 and not "\ud800" <= c <= "\udfff")
    )


def test_values_that_are_none_make_no_sample() -> None:
    family = Family("x", "gauge", "words")
    family.add(None)
    family.add("7")
    assert text([family]) == ""


def test_a_counter_is_named_as_one() -> None:
    with pytest.raises(AssertionError):
        Family("krun_things", "counter", "words")
    with pytest.raises(AssertionError):
        Family("krun_things_total", "gauge", "words")


def test_thirty_thousand_servers_are_a_text_too() -> None:
    many = state()
    virtual = many["virtual_servers"][0]
    virtual["real_servers"] = [
        copy.deepcopy(virtual["real_servers"][0]) | {"identity": f"10.1.{n // 256}.{n % 256}:80"}
        for n in range(30_000)
    ]
    words = render(many)
    assert words.count("\nkrun_real_server_up{") == 30_000


def test_families_are_named_once() -> None:
    names = [family.name for part in (exporter, daemon, director) for family in part.families(state())]
    assert len(names) == len(set(names))
