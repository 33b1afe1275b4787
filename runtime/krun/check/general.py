"""What the global definitions ask of the checker process: the kernel's timeouts."""

from __future__ import annotations

import logging

from kir.model import Config
from krun.check.limit import LimitedLog
from krun.kernel.door import Ipvs


def set_timeouts(ipvs: Ipvs, config: Config, limited: LimitedLog) -> None:
    """``lvs_timeouts``; values that are not configured stay as they are."""
    timeouts = config.global_defs.lvs_timeouts
    if (timeouts.tcp_s, timeouts.tcpfin_s, timeouts.udp_s) == (None, None, None):
        return
    try:
        ipvs.set_timeouts(timeouts.tcp_s, timeouts.tcpfin_s, timeouts.udp_s)
    except OSError as error:
        limited(logging.ERROR, "cannot set the IPVS timeouts: %s", error)
