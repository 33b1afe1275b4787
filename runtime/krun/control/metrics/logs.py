"""Our own metrics of the log: what was left out, and what nobody read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krun.control.metrics.family import Family


def families(state: dict[str, Any]) -> Iterator[Family]:
    """The families of a state document."""
    of = ("process",)
    left_out = Family(
        "krun_log_suppressed_total",
        "counter",
        "Lines that were left out since many like them were written; one line a minute says so",
        (*of, "kind"),
    )
    dropped = Family("krun_log_dropped_total", "counter", "Lines that were lost: nobody read them", of)
    waiting = Family("krun_log_waiting", "gauge", "Lines that wait for a log daemon", of)
    for name, log in _logs(state):
        dropped.add(log["dropped"], name)
        waiting.add(log["waiting"], name)
        for kind, count in log["suppressed"].items():
            left_out.add(count, name, kind)
    yield from (left_out, dropped, waiting)


def _logs(state: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if log := state["parent"].get("log"):
        yield "krun", log
    for process in state.get("processes", []):
        if log := process.get("log"):
            yield process["name"], log
