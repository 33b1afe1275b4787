"""The sockets of the probes, in an epoll set of their own inside the event loop.

A check lives for a few wake-ups only, and asyncio's ``add_writer`` and its kin cost as much as the system calls that they are for.
The probes' sockets are registered here directly, and the loop watches one descriptor: this set's (epoll(7): an epoll descriptor
is itself readable while events wait in it).
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP
BATCH = 512
"""How many events one turn of the loop handles; the rest waits for the next, after everybody else."""

Callback = Callable[[int], None]
"""Called with the events: `READ`, `WRITE`, and, unasked, `BROKEN`."""


class Poller:
    """Made inside the process that uses it, never before a fork."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, fd: int, events: int, callback: Callback) -> None:
        """Call ``callback`` while ``events`` are there (level-triggered)."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        """Other events for a descriptor that is watched."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Before it is closed; harmless for a descriptor that is not watched."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def close(self) -> None:
        """The set, not what is in it."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._callbacks.clear()

    def __len__(self) -> int:
        return len(self._callbacks)

    def _ready(self) -> None:
        callbacks = self._callbacks
        batch = [(fd, events, callbacks.get(fd)) for fd, events in self._epoll.poll(0, BATCH)]
        for fd, events, callback in batch:
            # A callback before this one may have closed the descriptor, and another probe may have been given its number.
            if callback is not None and callbacks.get(fd) is callback:
                callback(events)
