"""What a piece of non-blocking code asks of an event loop: asyncio's has it, and so has the parent's `Reactor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Handle(Protocol):
    """A timer that was set."""

    def cancel(self) -> None: ...


class EventLoop(Protocol):
    """The few calls that connections and timers need; names and meaning are those of `asyncio.AbstractEventLoop`."""

    def add_reader(self, fd: int, callback: Callable[[], Any], /) -> Any: ...

    def remove_reader(self, fd: int, /) -> Any: ...

    def add_writer(self, fd: int, callback: Callable[[], Any], /) -> Any: ...

    def remove_writer(self, fd: int, /) -> Any: ...

    def call_later(self, delay: float, callback: Callable[[], Any], /) -> Handle: ...

    def time(self) -> float: ...
