"""The parent's event loop: poll(2), a heap of timers, and signals through a wake-up socket.

Not asyncio: the parent forks, and a forked child must not inherit an epoll set, a running loop or its signal plumbing. poll
keeps nothing in the kernel between two calls, so there is nothing to inherit.
"""

from __future__ import annotations

import contextlib
import heapq
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

_READ = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITE = select.POLLOUT | select.POLLHUP | select.POLLERR

SWEEP_AT = 64
"""From how many timers on those that were cancelled are thrown out: then, and each time that there are twice as many as were left."""

Callback = Callable[[], Any]


class Timer:
    """A callback at a time; `cancel` forgets it."""

    __slots__ = ("callback", "order", "when")

    def __init__(self, when: float, order: int, callback: Callback) -> None:
        self.when = when
        self.order = order
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        self.callback = None

    def __lt__(self, other: Timer) -> bool:
        return (self.when, self.order) < (other.when, other.order)


class Reactor:
    """Readers, writers, timers and signals of one thread. Fulfils `krun.loop.events.EventLoop`.

    In each round what came in is handled before timers: after a pause of the whole machine the answers that arrived
    meanwhile count before the deadlines that passed meanwhile.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._timers: list[Timer] = []
        self._sweep_at = SWEEP_AT
        self._order = 0
        self._signals: dict[int, Callback] = {}
        self._wakeup: tuple[socket.socket, socket.socket] | None = None
        self._stopped = False

    def time(self) -> float:
        return time.monotonic()

    # -- descriptors

    def add_reader(self, fd: int, callback: Callback) -> None:
        self._readers[fd] = callback
        self._watch(fd)

    def remove_reader(self, fd: int) -> bool:
        found = self._readers.pop(fd, None) is not None
        self._watch(fd)
        return found

    def add_writer(self, fd: int, callback: Callback) -> None:
        self._writers[fd] = callback
        self._watch(fd)

    def remove_writer(self, fd: int) -> bool:
        found = self._writers.pop(fd, None) is not None
        self._watch(fd)
        return found

    def _watch(self, fd: int) -> None:
        mask = (select.POLLIN if fd in self._readers else 0) | (select.POLLOUT if fd in self._writers else 0)
        if mask:
            self._poll.register(fd, mask)
        else:
            with contextlib.suppress(KeyError):
                self._poll.unregister(fd)

    # -- timers

    def call_later(self, delay: float, callback: Callback) -> Timer:
        return self.call_at(self.time() + delay, callback)

    def call_at(self, when: float, callback: Callback) -> Timer:
        self._order += 1
        timer = Timer(when, self._order, callback)
        heapq.heappush(self._timers, timer)
        if len(self._timers) >= self._sweep_at:
            # A question that is answered cancels its time limit, which may be minutes away: those are not kept until then.
            self._timers[:] = [one for one in self._timers if one.callback is not None]
            heapq.heapify(self._timers)
            self._sweep_at = max(SWEEP_AT, 2 * len(self._timers))
        return timer

    # -- signals

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call ``callback`` from the loop after the signal arrived; several of them may become one call."""
        if self._wakeup is None:
            reader, writer = socket.socketpair()
            reader.setblocking(False)
            writer.setblocking(False)
            self._wakeup = (reader, writer)
            signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            self.add_reader(reader.fileno(), self._signalled)
        self._signals[number] = callback
        signal.signal(number, _noted)
        # A system call of the parent is restarted rather than ended by a signal (PEP 475 does so for Python's own anyway).
        signal.siginterrupt(number, False)

    def _signalled(self) -> None:
        assert self._wakeup is not None
        numbers: list[int] = []
        with contextlib.suppress(BlockingIOError):
            while data := self._wakeup[0].recv(4096):
                numbers += data
        for number in dict.fromkeys(numbers):
            callback = self._signals.get(number)
            if callback is not None:
                callback()

    # -- running

    def run(self) -> None:
        """Until `stop`."""
        self._stopped = False
        while not self._stopped:
            self.run_once()

    def stop(self) -> None:
        """Leave `run` at the end of the round."""
        self._stopped = True

    def run_once(self, at_most: float | None = None) -> None:
        """One round: wait (``at_most`` seconds), handle what came in, then the timers that are due."""
        timers = self._timers
        while timers and timers[0].callback is None:
            heapq.heappop(timers)
        wait = None if not timers else max(0.0, timers[0].when - self.time())
        if at_most is not None:
            wait = at_most if wait is None else min(wait, at_most)
        # poll counts milliseconds; rounding up keeps it from spinning through the last one.
        ready = self._poll.poll(None if wait is None else int(wait * 1000 + 0.999))
        reader = writer = None
        for fd, mask in ready:
            if mask & select.POLLNVAL:
                # Closed without being removed: a mistake here, but one that must not become a spin.
                self._readers.pop(fd, None)
                self._writers.pop(fd, None)
                self._watch(fd)
                continue
            if mask & _READ and (reader := self._readers.get(fd)) is not None:
                reader()
            if mask & _WRITE and (writer := self._writers.get(fd)) is not None:
                writer()
        del reader, writer  # what was closed meanwhile is not kept until the next round
        now = self.time()
        due: list[Timer] = []
        while timers and timers[0].when <= now:
            due.append(heapq.heappop(timers))
        for timer in due:
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()

    def close(self) -> None:
        """Give back the signals and the wake-up socket."""
        for number in self._signals:
            signal.signal(number, signal.SIG_DFL)
        self._signals.clear()
        if self._wakeup is not None:
            signal.set_wakeup_fd(-1)
            self.remove_reader(self._wakeup[0].fileno())
            for sock in self._wakeup:
                sock.close()
            self._wakeup = None


def _noted(_number: int, _frame: object) -> None:
    """The wake-up socket has the number already; the work is done in the loop."""
