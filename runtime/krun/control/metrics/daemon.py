"""Our own metrics of the daemon itself: processes, reloads, the way back, overlays, drains, the store, alarms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krun.control.metrics.family import Family
from krun.control.state import RESTART_REASONS

RESULTS = ("done", "refused", "rolled_back", "returned", "undone", "confirmed")
"""How reloads end (``reloads_…`` of the state document's counters); all are there from the start, so that a first one is a rise."""


def families(state: dict[str, Any]) -> Iterator[Family]:
    """The families of a state document."""
    yield from _parent(state)
    yield from _processes(state.get("processes", []))
    yield from _reloads(state)
    yield from _hand(state)
    yield from _store(state.get("store") or {})
    yield from _promises(state.get("promises") or [])
    yield from _control(state.get("control", {}))
    yield from _scripts(state.get("extra", {}).get("script", {}))
    yield from _mail(state.get("extra", {}))
    yield from _vrrp(state.get("extra", {}).get("vrrp", {}))
    yield from _scrapes(state.get("extra", {}).get("metrics", {}))


def _parent(state: dict[str, Any]) -> Iterator[Family]:
    parent, ir = state["parent"], state["ir"]
    info = Family("krun_info", "gauge", "What runs: always 1", ("release", "kernel", "digest", "source"))
    info.add(1, parent["release"], parent["kernel"], ir["digest"], ir.get("source", "file"))
    start = Family("krun_start_time_seconds", "gauge", "When krun was started")
    start.add(parent["since"])
    loaded = Family("krun_config_timestamp_seconds", "gauge", "When what runs was loaded")
    loaded.add(ir["loaded_at"])
    alarms = Family(
        "krun_alarms", "gauge", "Things that somebody has to look at; `krunctl status` has the words"
    )
    alarms.add(len(state.get("alarms", ())))
    yield from (info, start, loaded, alarms)


def _processes(processes: list[dict[str, Any]]) -> Iterator[Family]:
    of = ("process",)
    up = Family("krun_process_up", "gauge", "Whether the process runs and answers", of)
    restarts = Family(
        "krun_process_restarts_total", "counter", "Times that it was started again, and why", (*of, "reason")
    )
    hello = Family("krun_process_hello_age_seconds", "gauge", "Since its event loop last answered", of)
    start = Family("krun_process_start_time_seconds", "gauge", "When it was started", of)
    memory = Family("krun_process_pss_bytes", "gauge", "Its share of memory (proportional set size)", of)
    for p in processes:
        name = p["name"]
        up.add(p["state"] == "running" and p["answered"], name)
        for reason in RESTART_REASONS:
            restarts.add(p.get("reasons", {}).get(reason, 0), name, reason)
        hello.add(p.get("hello_age_s"), name)
        start.add(p["since"] or None, name)
        memory.add(None if p.get("pss_kb") is None else p["pss_kb"] * 1024, name)
    yield from (up, restarts, hello, start, memory)


def _reloads(state: dict[str, Any]) -> Iterator[Family]:
    counters, last, waiting = state.get("counters", {}), state.get("last_reload"), state.get("confirm")
    total = Family(
        "krun_reloads_total", "counter", "Reloads since the machine booted, by result", ("result",)
    )
    for result in RESULTS:
        total.add(counters.get(f"reloads_{result}", 0), result)
    yield total
    success = Family("krun_last_reload_successful", "gauge", "Whether the last reload was carried out")
    at = Family("krun_last_reload_timestamp_seconds", "gauge", "When the last reload ended")
    took = Family("krun_last_reload_duration_seconds", "gauge", "How long the last reload took")
    operations = Family(
        "krun_last_reload_operations", "gauge", "Operations of the last reload, by kind", ("operation",)
    )
    failures = Family("krun_last_reload_failures", "gauge", "Operations that the kernel refused in it")
    if last is not None:
        success.add(last["result"] == "done")
        at.add(last["at"])
        took.add(last["duration_us"] / 1e6)
        failures.add(len(last["failures"]))
        for name, count in last["operations"].items():
            operations.add(count, name)
    waits = Family("krun_confirm_waiting", "gauge", "Whether a reload waits for `krunctl confirm`")
    waits.add(waiting is not None)
    left = Family(
        "krun_confirm_left_seconds", "gauge", "How long it still waits; then the IR before comes back"
    )
    if waiting is not None:
        left.add(waiting["left_s"])
    undo = Family("krun_undo_available", "gauge", "Whether `krunctl undo` has something to go back to")
    undo.add(state.get("undo") is not None)
    yield from (success, at, took, operations, failures, waits, left, undo)


def _hand(state: dict[str, Any]) -> Iterator[Family]:
    overlays, drains = state.get("overlays", []), state.get("drains", [])
    of = ("virtual_server", "real_server")
    count = Family("krun_overlays", "gauge", "Overlays (`krunctl set`), in effect or resting", ("in_effect",))
    for value in (True, False):
        count.add(sum(bool(o["in_effect"]) is value for o in overlays), str(value).lower())
    ends = Family("krun_overlay_left_seconds", "gauge", "How long the overlay still lasts", of)
    for o in overlays:
        ends.add(o["left_s"], o["virtual_server"], o["real_server"])
    draining = Family("krun_drains", "gauge", "Servers and services on their way out")
    draining.add(len(drains))
    connections = Family("krun_drain_connections", "gauge", "Connections that a drain waits for", of)
    for d in drains:
        connections.add(d.get("connections"), d["service"], d.get("real_server") or "")
    yield from (count, ends, draining, connections)


def _store(store: dict[str, Any]) -> Iterator[Family]:
    failures = Family(
        "krun_store_failures_total", "counter", "Writes of the run directory's store that failed"
    )
    failures.add(store.get("failures"))
    writes = Family("krun_store_writes_total", "counter", "Writes of the run directory's store")
    writes.add(store.get("writes"))
    sound = Family("krun_store_sound", "gauge", "Whether all that must survive a kill is written")
    sound.add(store.get("problem") is None if store else None)
    yield from (failures, writes, sound)


def _promises(promises: list[dict[str, Any]]) -> Iterator[Family]:
    kept = Family(
        "krun_promises_kept",
        "gauge",
        "Whether what the process promised to the outside outlives krun itself",
        ("process",),
    )
    lost = Family("krun_promises_lost_total", "counter", "Promises for which there was no room", ("process",))
    for entry in promises:
        kept.add(entry.get("problem") is None, entry["name"])
        lost.add(entry.get("lost"), entry["name"])
    yield from (kept, lost)


def _control(control: dict[str, Any]) -> Iterator[Family]:
    connections = Family("krun_control_connections", "gauge", "Connections to the control socket")
    connections.add(control.get("connections"))
    refused = Family(
        "krun_control_refused_total",
        "counter",
        "Connections and requests that the control socket had no room for",
    )
    refused.add(control.get("refused"))
    cut = Family("krun_control_cut_off_total", "counter", "Connections that were ended: idle, or not reading")
    cut.add(control.get("cut_off"))
    yield from (connections, refused, cut)


def _scripts(script: dict[str, Any]) -> Iterator[Family]:
    running = Family("krun_scripts_running", "gauge", "Scripts that run now")
    running.add(len(script["running"]) if "running" in script else None)
    waiting = Family("krun_scripts_waiting", "gauge", "Scripts that wait for their turn")
    waiting.add(script.get("waiting"))
    limit = Family("krun_scripts_limit", "gauge", "How many scripts may run at once")
    limit.add(script.get("limit"))
    ended = Family("krun_scripts_ended_total", "counter", "Scripts that ended, by result", ("result",))
    for result, number in script.get("ended", {}).items():
        ended.add(number, result)
    of = ("path",)
    written = Family("krun_pipe_lines_total", "counter", "Lines written to a notification pipe", of)
    lost = Family(
        "krun_pipe_lines_lost_total", "counter", "Lines that a notification pipe had no room for", of
    )
    for pipe in script.get("pipes", ()):
        written.add(pipe["written"], pipe["path"])
        lost.add(pipe["lost"], pipe["path"])
    yield from (running, waiting, limit, ended, written, lost)


def _vrrp(vrrp: dict[str, Any]) -> Iterator[Family]:
    overruns = Family(
        "krun_netlink_overruns_total",
        "counter",
        "Times that notifications of the kernel were lost and all was read anew",
    )
    overruns.add(vrrp.get("netlink_overruns"))
    announcements = vrrp.get("announcements", {})
    waiting = Family("krun_announcements_waiting", "gauge", "Addresses whose announcement waits for its turn")
    waiting.add(announcements.get("waiting"))
    dropped = Family(
        "krun_announcements_dropped_total", "counter", "Announcements that there was no room for"
    )
    dropped.add(announcements.get("dropped"))
    yield from (overruns, waiting, dropped)


def _scrapes(metrics: dict[str, Any]) -> Iterator[Family]:
    scrapes = Family("krun_metrics_scrapes_total", "counter", "Scrapes of the metrics endpoint")
    scrapes.add(metrics.get("scrapes"))
    refused = Family("krun_metrics_refused_total", "counter", "Requests that the metrics endpoint refused")
    refused.add(metrics.get("refused"))
    yield from (scrapes, refused)


def _mail(extra: dict[str, dict[str, Any]]) -> Iterator[Family]:
    """Letters of every process that writes some."""
    of = ("process",)
    queue = Family("krun_mail_queue", "gauge", "Letters that wait or are under way", of)
    ends = Family("krun_mail_total", "counter", "Letters, by what became of them", (*of, "result"))
    retries = Family("krun_mail_retries_total", "counter", "Attempts to send a letter once more", of)
    for process, said in extra.items():
        mail = said.get("mail", {})
        queue.add(mail.get("queue"), process)
        retries.add(mail.get("retries"), process)
        for result in ("sent", "failed", "dropped"):
            ends.add(mail.get(result), process, result)
    yield from (queue, ends, retries)
