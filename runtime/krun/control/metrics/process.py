"""The metrics process: asks the control socket what ``krunctl status`` asks, and serves it to scrapers.

A process of its own, without privileges, so that neither a scraper nor the text of 30,000 real servers takes the parent's time. It has no part in
reloads: a director is worth more than its metrics.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kir.model import Config
from krun.control.client import Conversation
from krun.control.framing import Message
from krun.control.metrics.address import Where, listen
from krun.control.metrics.document import render, unreachable
from krun.control.metrics.endpoint import Endpoint
from krun.loop.books import Books
from krun.parent.context import ChildContext

log = logging.getLogger("krun.metrics")

STATUS_S = 8.0
"""How long the parent may take to answer; Prometheus gives a scrape ten seconds by default."""


class MetricsChild:
    """Fulfils `krun.parent.child.Child`. Serves at ``where``."""

    def __init__(self, where: Where, context: ChildContext) -> None:
        self._where = where
        self._context = context
        self._endpoint: Endpoint | None = None
        self._parent: Conversation | None = None

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Raises OSError where the address cannot be bound: the parent tries again, later and later, and the director runs on."""
        listener = listen(self._where)
        self._parent = Conversation(loop, self._context.run_dir / "krun.sock")
        self._endpoint = Endpoint(loop, listener, self._fetch)
        log.info("metrics are served at %s", self._where)

    def _fetch(self, done: Callable[[str], None]) -> None:
        def answered(message: Message | None, why: str) -> None:
            if message is None or not message.get("ok"):
                log.warning("metrics: krun does not answer: %s", why or (message or {}).get("error"))
                done(unreachable())
                return
            done(render(message["state"]))

        assert self._parent is not None
        self._parent.ask({"op": "status"}, STATUS_S, answered)

    def prepare(self, config: Config, digest: str) -> dict[str, Any]:
        return {}

    def commit(self) -> dict[str, Any]:
        return {"operations": {}, "failures": []}

    def abort(self) -> None:
        pass

    def status(self) -> dict[str, Any]:
        endpoint = self._endpoint
        return {
            "address": str(self._where),
            "scrapes": 0 if endpoint is None else endpoint.scrapes,
            "refused": 0 if endpoint is None else endpoint.refused,
        }

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        yield from self._endpoint.books() if self._endpoint is not None else ()
        yield from self._parent.books() if self._parent is not None else ()

    async def stop(self) -> None:
        self.abandon()
        if self._where.path:
            Path(self._where.path).unlink(missing_ok=True)

    def abandon(self) -> None:
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None
        if self._parent is not None:
            self._parent.close("it ends")
            self._parent = None
