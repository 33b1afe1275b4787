"""The kernel: addresses and links, IPVS, announcements, raw VRRP. `door` is the protocol; `open_kernel` chooses a backend.

================  ====================================================================================
``door``          the protocol that both backends fulfil
``linux``         the kernel that this process runs on
``memory``        tables in memory: tests, simulations, ``krun --kernel memory``
``netlink``       the wire format of netlink
``ipvs``          the IPVS table
``addresses``     reading addresses and carrying out address operations
``links``         interfaces
``reflector``     the picture of interfaces and addresses that notifications keep true
``routing``       routes and routing rules
``announce``      gratuitous ARP and unsolicited neighbour advertisements
``adverts``       raw VRRP sockets
``refusals``      the kernel's error numbers in words
================  ====================================================================================
"""

from __future__ import annotations

from kir.model import Config
from krun.kernel.door import Kernel

KERNELS = ("linux", "memory")

LOG = 100
"""How many operations and packets of each kind a daemon's memory backend remembers; tests look at more."""


def open_kernel(name: str, config: Config | None = None) -> Kernel:
    """The backend ``name``. The memory backend has the interfaces that ``config`` names, all up and with an address.

    Nothing is opened yet: the parts raise OSError or `krun.kernel.door.KernelUnavailable` when they are asked for.
    Raises ValueError for an unknown name.
    """
    if name == "linux":
        from krun.kernel.linux import LinuxKernel

        return LinuxKernel()
    if name == "memory":
        from krun.kernel.memory import MemoryKernel, devices_of

        kernel = MemoryKernel(devices=() if config is None else devices_of(config))
        kernel.remember(LOG)
        return kernel
    raise ValueError(f"unknown kernel backend {name!r}; known: {', '.join(KERNELS)}")
