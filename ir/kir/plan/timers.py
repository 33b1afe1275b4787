"""How long things take by the timers of VRRP. All in microseconds."""

from __future__ import annotations

from kir.model import VrrpInstance

SLOWEST, QUICKEST = 1, 254
"""The priorities of an unknown backup that waits longest, and shortest."""


def skew_us(instance: VrrpInstance, priority: int | None = None) -> int:
    """Skew_Time (RFC 3768 section 6.1; RFC 9568 section 6.1: scaled by the interval) of a router of ``priority``, None: its own."""
    interval = 1_000_000 if instance.version == 2 else instance.advert_int_us
    return (256 - (instance.priority if priority is None else priority)) * interval // 256


def master_down_us(instance: VrrpInstance, priority: int | None = None) -> int:
    """Master_Down_Interval: how long a backup of ``priority`` (None: its own) waits for a silent master."""
    return instance.down_timer_adverts * instance.advert_int_us + skew_us(instance, priority)


def start_us(instance: VrrpInstance) -> int:
    """How long after its start it becomes master where nobody else is: keepalived and krun wait less with ``state MASTER``."""
    if instance.initial_state == "MASTER":
        return 0 if instance.owner else instance.advert_int_us + skew_us(instance, 255)
    return master_down_us(instance)


def seconds(us: int) -> float:
    """Microseconds as seconds."""
    return us / 1e6


def text(us: int) -> str:
    """``3.61 s``: two decimals, as timers are read."""
    return f"{us / 1e6:.2f}".rstrip("0").rstrip(".") + " s"
