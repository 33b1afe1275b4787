"""What a process sets of itself, as its configuration says: its name in ps and top, its memory locked, its file mode mask, the buffers of
its netlink sockets. How it is scheduled is the parent's affair (`krun.parent.scheduling`)."""

from __future__ import annotations

import ctypes
import os

from kir.model import Buffer, Config, Process
from krun.kernel.adverts import receive_buffer
from krun.kernel.netlink.socket import Room, receive_buffers
from krun.parent.privileges import locked

_PR_SET_NAME = 15  # linux/prctl.h
_MCL_CURRENT, _MCL_FUTURE = 1, 2  # asm-generic/mman.h


def name_of(name: str, config: Config) -> str:
    """What the process ``name`` (``krun``: the parent) is called: 15 octets at most (prctl(2), PR_SET_NAME)."""
    process = _process(name, config)
    if process is not None and process.name:
        return process.name
    return "krun" if name == "krun" else f"krun-{name}"


def _process(name: str, config: Config) -> Process | None:
    settings = config.global_defs
    return {
        "krun": settings.parent_process,
        "vrrp": settings.vrrp_process,
        "check": settings.checker_process,
        "bfd": settings.bfd_process,
    }.get(name)


MOST = 1 << 30
"""No receive buffer is larger: the kernel counts them in a signed int, doubled (socket(7), SO_RCVBUF)."""

LARGEST = 65535
"""Octets of the largest packet: what a device's MTU may be, and no advert exceeds."""


def advert_room(config: Config) -> int:
    """Octets that ``vrrp_rx_bufs_policy`` and ``kernel_rx_buf_size`` want in a VRRP socket, 0: nobody said. Sockets are shared by instances, so the
    most that anybody wants; a policy that goes by the MTU or by adverts gets room for the largest there can be.
    """
    settings = config.global_defs
    sizes = [instance.rx_buffer_size for instance in config.vrrp_instances]
    if settings.rx_buffer_policy is not None:
        sizes.append(LARGEST * settings.rx_buffer_multiplier)
    return max([settings.rx_buffer_size, *sizes])


def _room(buffer: Buffer) -> Room | None:
    return Room(buffer.size, buffer.force) if buffer.size else None


class Own:
    """Of the process ``name``; ``libc`` loaded with ``use_errno=True``. `problems`: what could not be had, in words."""

    def __init__(self, name: str, libc: ctypes.CDLL) -> None:
        self.problems: list[str] = []
        self._name = name
        self._libc = libc
        self._called: str | None = None
        self._locked = False

    def adopt(self, config: Config) -> None:
        """As ``config`` says. Nothing is done where nothing changed."""
        os.umask(config.global_defs.umask)
        process = _process(self._name, config)
        if process is not None:
            if self._name == "vrrp":
                receive_buffer(min(advert_room(config), MOST))
            receive_buffers(_room(process.commands), _room(process.monitor))
        called = name_of(self._name, config)
        if called != self._called:
            self._called = called
            self._libc.prctl(_PR_SET_NAME, called.encode()[:15], 0, 0, 0)
        lock = locked(self._name, config)
        if lock != self._locked:
            self._locked = lock
            self.problems = []
            result = self._libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) if lock else self._libc.munlockall()
            if result != 0:
                self._locked = False
                why = os.strerror(ctypes.get_errno())
                self.problems = [f"its memory cannot be locked ({why}): that needs CAP_IPC_LOCK"]
