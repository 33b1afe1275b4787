"""asyncio's event loop with a `Scheduler` in it: by nothing but asyncio's public calls.

The selector is the place where a turn begins and ends; the calls that take a callback wrap it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVarTuple

from krun.loop.scheduler import Scheduler

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


Arguments = TypeVarTuple("Arguments")


class Selector(selectors.EpollSelector):
    """epoll(7); the scheduler has its say before and after every wait."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(self._scheduler.before_wait(timeout))
        self._scheduler.after_wait()
        return ready


class Loop(asyncio.SelectorEventLoop):
    """The loop of a child process."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self._turn = scheduler.turn
        self._timer_turn = scheduler.timer
        super().__init__(Selector(scheduler))

    def call_soon(
        self, callback: Callable[[*Arguments], Any], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        return super().call_soon(self._turn, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], Any],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return super().call_at(when, self._timer_turn, when, callback, *args, context=context)

    def add_reader(
        self, fd: FileDescriptorLike, callback: Callable[[*Arguments], Any], *args: *Arguments
    ) -> None:
        super().add_reader(fd, self._turn, callback, *args)

    def add_writer(
        self, fd: FileDescriptorLike, callback: Callable[[*Arguments], Any], *args: *Arguments
    ) -> None:
        super().add_writer(fd, self._turn, callback, *args)
