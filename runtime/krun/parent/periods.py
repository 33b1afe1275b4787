"""How long things may take: one place, so that tests can hurry."""

from __future__ import annotations

from dataclasses import dataclass

from kir.model import Config, VrrpInstance


@dataclass(frozen=True, slots=True)
class Periods:
    """All in seconds.

    ``hello``: between two hellos to a child, at most; `hello_period` shortens it for VRRP. ``hello_least`` and ``grace_least``: not
    even for an instance with millisecond timers is a child asked more often, or given less time to answer: on a busy machine
    it would be killed for nothing. ``start``: until a child must have said that it is ready. ``stop``: for the orderly stop of all
    children together. ``prepare``, ``commit``: for either phase of a reload. ``status``: until a status goes out without
    the child that does not answer. ``young``: `Backoff.young_s`; ``unit``: `Backoff.unit_s`. ``calm``: a stopped (SIGSTOP) child
    is continued once in this time, the second stop replaces it.
    """

    hello: float = 5.0
    hello_least: float = 0.1
    grace_least: float = 0.25
    start: float = 15.0
    stop: float = 5.0
    prepare: float = 20.0
    commit: float = 60.0
    status: float = 2.0
    young: float = 2.0
    unit: float = 1.0
    calm: float = 10.0


def master_down_s(instance: VrrpInstance) -> float:
    """Master_Down_Interval of our own advert interval (RFC 9568 section 6.1; version 2: RFC 3768 section 6.1)."""
    interval = instance.advert_int_us / 1e6
    skew = (256 - instance.priority) / 256 * (interval if instance.version == 3 else 1.0)
    return instance.down_timer_adverts * interval + skew


def hello_period(name: str, config: Config, periods: Periods) -> float:
    """Between two hellos to the child ``name``: for ``vrrp`` a quarter of the shortest master-down interval, where that is less."""
    if name != "vrrp" or not config.vrrp_instances:
        return periods.hello
    quarter = min(master_down_s(i) for i in config.vrrp_instances) / 4
    return max(min(periods.hello, quarter), min(periods.hello, periods.hello_least))
