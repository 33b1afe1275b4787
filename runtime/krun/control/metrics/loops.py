"""Our own metrics of the event loops: how late timers and adverts were, who kept the loop, pauses, garbage collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from krun.control.metrics.family import Family, Histogram


def families(state: dict[str, Any]) -> Iterator[Family | Histogram]:
    """The families of a state document."""
    loops = [(p["name"], p["loop"]) for p in state.get("processes", []) if p.get("loop")]
    bounds = tuple(us / 1e6 for us in loops[0][1]["bounds_us"]) if loops else ()
    of = ("process",)
    late = Histogram(
        "krun_timer_lateness_seconds",
        "How long after their time timers ran and adverts left",
        (*of, "kind"),
        bounds,
    )
    collected = Histogram("krun_gc_pause_seconds", "Collections of garbage, in idle moments", of, bounds)
    worst = Family(
        "krun_timer_lateness_max_seconds", "gauge", "The longest since the last reload", (*of, "kind")
    )
    overruns = Family(
        "krun_loop_overruns_total", "counter", "Callbacks that took longer than the budget", (*of, "callback")
    )
    budget = Family("krun_loop_budget_seconds", "gauge", "How long a callback may take", of)
    pauses = Family(
        "krun_loop_pauses_total", "counter", "Times at which the process stood still although it had work", of
    )
    slept = Family("krun_loop_slept_seconds_total", "counter", "How long it stood still in all", of)
    for name, loop in loops:
        for kind, one in loop["lateness"].items():
            late.add(one["buckets"], one["sum_us"] / 1e6, name, kind)
            worst.add(one["max_us"] / 1e6, name, kind)
        gc = loop["gc"]["pauses"]
        collected.add(gc["buckets"], gc["sum_us"] / 1e6, name)
        budget.add(loop["budget_us"] / 1e6, name)
        for callback, one in loop["overruns"].items():
            overruns.add(one["count"], name, callback)
        pauses.add(loop["pauses"]["count"], name)
        slept.add(loop["pauses"]["total_us"] / 1e6, name)
    yield from (late, worst, collected, overruns, budget, pauses, slept)
