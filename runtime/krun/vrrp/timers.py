"""The intervals of a virtual router, in microseconds.

RFC 9568 section 6.1 counts version 3 in centiseconds; here the skew keeps its microseconds, so that routers whose priorities differ
by one do not wake in the same tick.
"""

from __future__ import annotations

from kir.model import VrrpInstance

OWNER_PRIORITY = 255


def skew_us(version: int, priority: int, master_interval_us: int) -> int:
    """Skew_Time: (256 − priority)/256 of a second in version 2 (RFC 3768 section 6.1), of the master's interval in version 3
    (RFC 9568 section 6.1)."""
    unit = 1_000_000 if version == 2 else master_interval_us
    return (256 - priority) * unit // 256


def master_down_us(config: VrrpInstance, priority: int, master_interval_us: int) -> int:
    """Master_Down_Interval (Active_Down_Interval in RFC 9568): ``down_timer_adverts`` intervals, three by the RFCs, and the skew."""
    return config.down_timer_adverts * master_interval_us + skew_us(
        config.version, priority, master_interval_us
    )


def shortest_master_down_us(config: VrrpInstance) -> int:
    """The earliest that any peer of this instance can take over after our last advert."""
    return master_down_us(config, OWNER_PRIORITY, config.advert_int_us)
