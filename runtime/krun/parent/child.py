"""The contract of a child process: what `krun.parent` runs after a fork, and what it may ask of it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from kir.model import Config
from krun.loop.books import Books
from krun.parent.context import ChildContext


class Child(Protocol):
    """A protocol process, inside its own event loop. The shell around it (`krun.parent.shell`) owns loop, signals, hello and
    control socket; the child owns what it is for.

    Construction must not touch kernel or network: ``start`` does.
    """

    def __init__(self, context: ChildContext) -> None: ...

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open sockets, adopt what is in the kernel, arm timers. Raises `krun.kernel.door.KernelUnavailable` or OSError with
        words for the log.
        """

    def prepare(self, config: Config, digest: str) -> dict[str, Any]:
        """First phase of a reload: judge ``config`` without changing anything; returns the plan's operation counts by name.

        Raises ValueError with the reason where it cannot be taken.
        """

    def commit(self) -> dict[str, Any]:
        """Second phase: apply what was prepared. Returns ``{"operations": {name: count}, "failures": [text, …]}``, and ``"busy": True``
        where there is work left that outlasts the reload: then the process stays, though the new configuration may not need it.
        """

    def abort(self) -> None:
        """Forget what was prepared."""

    def status(self) -> dict[str, Any]:
        """This process's part of the state document, plain JSON."""

    def books(self) -> Books:
        """What this process owns, for the account of its memory (`krun.loop.books`); called between two turns of its loop."""

    async def stop(self) -> None:
        """Orderly stop: priority-0 adverts, VIPs and services removed as configured; returns when done (bounded by the caller)."""

    def abandon(self) -> None:
        """The parent is gone: end without a word on the network and remove nothing."""
