"""The parent: forks the children, reaps, restarts, says hello, passes reloads on, reports. Nothing else.

It runs no protocol and touches no kernel object, so that there is next to nothing in it that could fail.
"""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec

from kir import __version__
from kir.model import Config
from krun import logs
from krun.control import state as documents
from krun.control.access import Access, UnreadableError, open_as
from krun.control.deletions import parse_limit
from krun.control.events import Ring, event, remember
from krun.control.framing import Message
from krun.control.metrics.address import Where
from krun.control.server import Answer, ControlServer, listen
from krun.loop.books import Books
from krun.loop.memory import settle
from krun.loop.reactor import Reactor
from krun.parent import upgrade
from krun.parent.accounting import Gathering
from krun.parent.beginning import Beginning
from krun.parent.children import maker, needed, preload
from krun.parent.crew import ASIDE_STOP_S, Crew
from krun.parent.dumps import Dumps
from krun.parent.legacy import Heir, Legacy
from krun.parent.lifetime import Lifetime
from krun.parent.overlays import Overlays
from krun.parent.own import Own
from krun.parent.periods import Periods
from krun.parent.promises import forget, fresh
from krun.parent.reloads import Reloads
from krun.parent.report import collect, gather, remembered, running
from krun.parent.requests import Wanted, time_to_confirm, time_to_drain
from krun.parent.service import Service
from krun.parent.shell import Make
from krun.parent.slot import Settings, Slot
from krun.parent.store import Store
from krun.parent.upgrade import Upgrade

log = logging.getLogger("krun.parent")

READY_AT_MOST_S = 10.0
"""systemd hears READY=1 when all children are ready, or after this long: a child in back-off must not end the whole unit."""

MEMORY_S = 30.0
"""How long a process may take to account for its memory: with --memory-debug it reads all of it."""

LOGS_S = 1.0
"""How often floods are summed up, and lines sent that wait for a log daemon."""

JSON = signal.SIGRTMIN + 2
"""keepalived's signal for its JSON."""

MEMORY = signal.SIGRTMAX
"""keepalived has its dump of threads there, for whoever looks for a mistake."""


class Supervisor:
    """``krun``'s parent process. ``make`` finds the class of a child by name, ``need`` the children of a
    configuration. ``legacy``: what this process had before it replaced itself.
    """

    def __init__(
        self,
        begun: Beginning,
        settings: Settings,
        store: Store,
        *,
        periods: Periods | None = None,
        make: Callable[[str], Make] = maker,
        need: Callable[[Config], tuple[str, ...]] = needed,
        legacy: Legacy | None = None,
    ) -> None:
        settings = dataclasses.replace(settings, overlays=lambda: store.kept.overlays)
        self._begun: Beginning | None = begun
        self._settings = settings
        self._store = store
        self._periods = periods if periods is not None else Periods()
        self._loop = Reactor()
        self._crew = Crew(self._loop, settings, self._periods, self._changed, make=make, need=need)
        self._reloads = Reloads(
            self._loop,
            self._crew,
            store,
            begun,
            settings.run_dir.path,
            self._periods,
            settings.drain_us,
            self._settled,
            self._adopted,
        )
        self._service = Service(
            self._loop,
            self._crew,
            lambda: self._reloads.document.digest,
            lambda: store.kept.confirm is not None,
            self._periods.status,
        )
        self._reloads.told = self._service.ready
        self._dumps = Dumps(settings.run_dir.path, lambda: self._reloads.document.config, self._gather)
        self._own = Own("krun", ctypes.CDLL(None, use_errno=True))
        self._lifetime = Lifetime(
            self._loop, self._crew, settings, self._periods, lambda: self._reloads.document.config
        )
        self._overlays = Overlays(self._loop, self._crew, store, lambda: self._reloads.document.config)
        self._server: ControlServer | None = None
        self._since = time.time()
        self._stopping = False
        self._stop_answers: list[Answer] = []
        self._said_ready = False
        self._ring = Ring("krun")
        self._legacy = legacy
        self._upgrade = Upgrade(self._loop, self._heirs, self._no_upgrade, self._crew.strangers)
        self._access = Access(os.geteuid(), settings.control_group)
        self._accounting = Gathering("krun", self._loop, self._books, debug=settings.memory_debug)

    # -- life

    def run(self) -> int:
        """Start the children and supervise them until the stop; returns the exit status."""
        loop = self._loop
        self._ring = remember("krun")
        loop.on_signal(signal.SIGCHLD, self._crew.reap)
        loop.on_signal(signal.SIGTERM, lambda: self._stop("SIGTERM"))
        loop.on_signal(signal.SIGINT, lambda: self._stop("SIGINT"))
        loop.on_signal(signal.SIGHUP, lambda: self._reloads.ask(Wanted(self._reloads.path, "SIGHUP")))
        loop.on_signal(signal.SIGUSR1, self._dumps.state)
        loop.on_signal(signal.SIGUSR2, self._dumps.stats)
        loop.on_signal(JSON, self._dumps.json)
        loop.on_signal(MEMORY, self._dump_memory)
        if self._legacy is not None:
            upgrade.unblock()
        run_dir = self._settings.run_dir
        self._server = ControlServer(
            loop, listen(run_dir.control_socket, self._settings.control_group), self._request, peers=True
        )
        begun, crew = self._begun, self._crew
        assert begun is not None
        self._begun = None  # what runs is the reloads' to know; the first IR is not kept for life
        if self._legacy is None:
            run_dir.forget_children()
        self._own.adopt(begun.document.config)
        self._reloads.around.start(begun.document)
        names = crew.need(begun.document.config)
        log.info(
            "krun %s (pid %d) runs %s, %s: %s",
            __version__,
            os.getpid(),
            begun.path,
            begun.document.digest[:19],
            ", ".join(names) or "nothing to do",
        )
        preload(self._settings.kernel)
        self._reloads.hold()
        going_on = self._legacy is not None or fresh(run_dir.path, begun.document.config)
        heirs = self._take_legacy(names)
        self._lifetime.begin(names, begun.document, self._children_begun, heirs=heirs, going_on=going_on)
        for heir in heirs.values():  # the configuration does not need them any more
            os.close(heir.channel)
            os.close(heir.region)
        metrics = None if self._settings.metrics is None else _metrics(self._settings.metrics)
        gc.collect()
        gc.freeze()
        forget(run_dir.path, frozenset(names))
        if metrics is not None:
            crew.add_aside("metrics", metrics)
        self._service.start()
        self._tick_logs()
        del begun
        self._reloads.start()
        self._overlays.start()
        self._accounting.start()
        try:
            loop.run()
        finally:
            self._server.close()
            loop.close()
        return 0

    def _adopted(self, config: Config) -> None:
        """``config`` runs now: what of it concerns this process."""
        self._own.adopt(config)

    def _children_begun(self) -> None:
        """All are forked: at once, or after the startup script."""
        self._reloads.release()
        self._loop.call_later(READY_AT_MOST_S, self._say_ready)
        if not self._crew.slots:
            self._loop.call_later(0, self._say_ready)

    def _take_legacy(self, names: Iterable[str]) -> dict[str, Heir]:
        """What goes on until it is replaced; before the first is, all modules are there."""
        legacy, self._legacy = self._legacy, None
        if legacy is None:
            return {}
        log.info(
            "krun %s goes on where krun %s was", __version__, legacy.release, extra=event("krun.upgraded")
        )
        for name in names:
            self._crew.make(name)
        return dict(legacy.children)

    def _heirs(self) -> dict[str, Heir]:
        return {name: heir for name, slot in self._crew.slots.items() if (heir := slot.heir) is not None}

    def _no_upgrade(self) -> str:
        """Why there can be no upgrade now; empty where there can."""
        waiting = [slot.name for slot in self._crew.slots.values() if slot.heir is None]
        if self._stopping:
            return "krun is stopping"
        if self._reloads.busy:
            return "a reload is under way"
        if self._store.problem:
            return f"what must survive cannot be stored: {self._store.problem}"
        if waiting:
            return f"not all processes run: {', '.join(waiting)}"
        return ""

    def _tick_logs(self) -> None:
        logs.tick()
        self._loop.call_later(LOGS_S, self._tick_logs)

    def _changed(self, slot: Slot) -> None:
        self._lifetime.child_changed(slot)
        if self._lifetime.starting:
            return
        if not self._said_ready and all(slot.state == "running" for slot in self._crew.slots.values()):
            self._say_ready()
        self._reloads.child_changed(slot)

    def _say_ready(self) -> None:
        if not self._said_ready:
            self._said_ready = True
            self._reloads.around.ended()
            log.info("ready", extra=event("krun.ready"))
            self._service.ready()

    # -- stop

    def _stop(self, why: str) -> None:
        if self._stopping:
            return
        self._stopping = True
        log.info("%s: stopping", why, extra=event("krun.stopping", why))
        self._service.stopping(self._lifetime.wait_s() + ASIDE_STOP_S + 2.0)
        self._reloads.stop()
        self._lifetime.stop(self._end)

    def _end(self) -> None:
        for answer in self._stop_answers:
            answer({"ok": True})
        log.info("stopped", extra=event("krun.stopped"))
        self._loop.stop()

    # -- requests

    def _request(self, request: Message, answer: Answer) -> None:
        operation, peer = request.get("op"), request.get("peer")
        refusal = self._access.refusal(peer, operation)
        if refusal:
            log.warning("control request %.40r refused: %s", operation, refusal)
            answer({"ok": False, "error": refusal})
            return
        try:
            self._dispatch(request, answer)
        except (ValueError, UnreadableError) as error:
            answer({"ok": False, "error": str(error)})
        except Exception as error:
            log.error("control request %r: %s: %s", request.get("op"), type(error).__name__, error)
            log.debug("traceback", exc_info=error)
            answer({"ok": False, "error": f"internal error: {type(error).__name__}: {error}"})

    def _dispatch(self, request: Message, answer: Answer) -> None:
        operation = request.get("op")
        if operation == "status":
            self._gather(
                lambda state: answer({"ok": True, "state": msgspec.to_builtins(state)}), request.get("for")
            )
        elif operation in ("reload", "plan"):
            self._reloads.ask(self._wanted(request, answer))
        elif operation == "undo":
            self._reloads.ask(Wanted(None, "krunctl undo", answer))
        elif operation == "confirm":
            self._reloads.confirm(answer)
        elif operation == "events":
            collect(
                self._crew.everyone,
                self._ring,
                request.get("since"),
                self._periods.status,
                answer,
            )
        elif operation == "memory":
            self._accounting.gather(self._crew.everyone, request, MEMORY_S, answer)
        elif operation == "set":
            self._overlays.set(request, answer)
        elif operation == "unset":
            self._overlays.unset(request, answer)
        elif operation == "upgrade":
            self._upgrade.ask(answer)
        elif operation == "stop":
            self._stop_answers.append(answer)
            self._stop("krunctl stop")
        else:
            answer({"ok": False, "error": f"this krun ({__version__}) knows no request {operation!r}"})

    def _wanted(self, request: Message, answer: Answer) -> Wanted:
        """A reload or a plan as it was asked for. Raises ValueError with words for the user."""
        path, within, limit = (request.get(key) for key in ("path", "confirm_within_us", "max_delete"))
        drain = request.get("drain_us")
        peer = request.get("peer")
        wanted = Wanted(
            self._reloads.path if path is None else Path(str(path)),
            "krunctl",
            answer,
            dry=request.get("op") == "plan",
            within_us=0 if within is None else time_to_confirm(within),
            limit=None if limit is None else parse_limit(str(limit)),
            drain_us=None if drain is None else time_to_drain(drain),
            blind=not self._access.whole(peer),
        )
        if wanted.blind and peer is not None and path is not None:
            wanted.opened = open_as(peer, str(path))
        return wanted

    # -- status

    def _gather(self, done: Callable[[documents.State], None], purpose: object = None) -> None:
        settings = self._reloads.document.config.global_defs
        state = documents.State(
            parent=documents.Parent(
                pid=os.getpid(),
                release=__version__,
                since=round(self._since, 3),
                run_dir=str(self._settings.run_dir.path),
                kernel=self._settings.kernel,
                state="stopping" if self._stopping else "reloading" if self._reloads.busy else "running",
                log=logs.counts(),
                instance=settings.instance,
                net_namespace=settings.namespaces.network,
            ),
            processes=[],
            ir=running(self._reloads),
        )
        remembered(state, self._reloads, self._store, self._crew)
        state.overlays = self._overlays.status()
        if self._server is not None:
            state.control = self._server.status()
        if problem := logs.problem():
            state.alarms.append(f"log lines wait, and are lost in the end: {problem}")
        gather(self._crew.everyone, state, self._periods.status, done, purpose)

    # -- memory

    def _books(self) -> Books:
        """All that this process owns."""
        yield from self._crew.books()
        yield from self._reloads.books()
        if self._server is not None:
            yield from self._server.books()

    def _settled(self) -> None:
        """A reload is over, and nothing of it is on the stack any more."""
        self._accounting.reloaded()
        settle(freeze=not self._settings.memory_debug)

    def _dump_memory(self) -> None:
        self._accounting.dump(self._crew.everyone, self._settings.run_dir.path, MEMORY_S)


def _metrics(where: Where) -> Make:
    """The metrics process; imported only where it is wanted."""
    from krun.control.metrics.process import MetricsChild

    return partial(MetricsChild, where)
