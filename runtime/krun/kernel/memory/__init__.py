"""A kernel in memory: the same protocol, semantics and refusals, no privileges, and nothing random.

For unit tests, simulations of several directors, and ``krun --kernel memory``. `MemoryKernel` has controls that play what
others do to a host (a cable is pulled, an administrator deletes an address); a `Wire` joins several kernels.
"""

from __future__ import annotations

from krun.kernel.memory.addresses import MemoryRtnetlink
from krun.kernel.memory.adverts import MemoryAdvertSocket
from krun.kernel.memory.ipvs import MemoryIpvs
from krun.kernel.memory.kernel import MemoryKernel, devices_of
from krun.kernel.memory.routing import MemoryRouting
from krun.kernel.memory.wire import Packet, Wire

__all__ = [
    "MemoryAdvertSocket",
    "MemoryIpvs",
    "MemoryKernel",
    "MemoryRouting",
    "MemoryRtnetlink",
    "Packet",
    "Wire",
    "devices_of",
]
