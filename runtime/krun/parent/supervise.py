"""The parent: forks the children, reaps, restarts, says hello, passes reloads on, reports. Nothing else.

It runs no protocol and touches no kernel object, so that there is next to nothing in it that could fail.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kir import __version__
from kir.codec import Document, IrError, load_path
from kir.model import Config
from krun.control import state as documents
from krun.control.framing import Message
from krun.control.server import Answer, ControlServer, listen
from krun.features import unsupported
from krun.loop.reactor import Reactor
from krun.parent import sdnotify
from krun.parent.children import START_ORDER, STOP_ORDER, maker, needed, preload
from krun.parent.periods import Periods
from krun.parent.reload import Outcome, Transaction, part
from krun.parent.report import gather
from krun.parent.shell import Make
from krun.parent.slot import Settings, Slot

log = logging.getLogger("krun.parent")

READY_AT_MOST_S = 10.0
"""systemd hears READY=1 when all children are ready, or after this long: a child in back-off must not end the whole unit."""

PARENT_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


@dataclass(slots=True)
class _Reloading:
    path: Path
    requested_by: str
    answer: Answer | None
    dry: bool = False


class Supervisor:
    """``krun``'s parent process. ``make`` finds the class of a child by name, ``need`` the children of a configuration."""

    def __init__(
        self,
        document: Document,
        path: Path,
        settings: Settings,
        *,
        periods: Periods | None = None,
        make: Callable[[str], Make] = maker,
        need: Callable[[Config], tuple[str, ...]] = needed,
    ) -> None:
        self._document = document
        self._path = path.absolute()
        self._loaded_at = time.time()
        self._settings = settings
        self._periods = periods if periods is not None else Periods()
        self._make = make
        self._need = need
        self._loop = Reactor()
        self._slots: dict[str, Slot] = {}
        self._retired: list[Slot] = []
        self._server: ControlServer | None = None
        self._since = time.time()
        self._last_reload: documents.LastReload | None = None
        self._reloads: list[_Reloading] = []
        self._reloading = False
        self._stopping = False
        self._stop_answers: list[Answer] = []
        self._stop_at = 0.0
        self._said_ready = False

    # -- life

    def run(self) -> int:
        """Start the children and supervise them until the stop; returns the exit status."""
        loop = self._loop
        loop.on_signal(signal.SIGCHLD, self._reap)
        loop.on_signal(signal.SIGTERM, lambda: self._stop("SIGTERM"))
        loop.on_signal(signal.SIGINT, lambda: self._stop("SIGINT"))
        loop.on_signal(signal.SIGHUP, lambda: self._reload(_Reloading(self._path, "SIGHUP", None)))
        loop.on_signal(signal.SIGUSR1, self._dump)
        run_dir = self._settings.run_dir
        self._server = ControlServer(loop, listen(run_dir.control_socket), self._request)
        names = self._need(self._document.config)
        log.info(
            "krun %s (pid %d) runs %s, %s: %s",
            __version__,
            os.getpid(),
            self._path,
            self._document.digest[:19],
            ", ".join(names) or "nothing to do",
        )
        preload(self._settings.kernel)
        classes = [(name, self._make(name)) for name in names]
        gc.collect()
        gc.freeze()  # children share these pages; a collection in one of them would copy them
        for name, make in classes:
            self._add(name, make)
        loop.call_later(READY_AT_MOST_S, self._say_ready)
        self._changed(None)
        try:
            loop.run()
        finally:
            self._server.close()
            loop.close()
        return 0

    def _add(self, name: str, make: Make) -> None:
        slot = Slot(name, make, self._loop, self._settings, self._periods, self._changed)
        self._slots[name] = slot
        slot.start(part(name, self._document.config), self._document.digest)

    def _changed(self, _slot: Slot | None) -> None:
        if not self._said_ready and all(slot.state == "running" for slot in self._slots.values()):
            self._say_ready()

    def _say_ready(self) -> None:
        if not self._said_ready:
            self._said_ready = True
            log.info("ready")
            sdnotify.notify("READY=1", f"STATUS=runs {self._path.name}")

    def _reap(self) -> None:
        """Every child that ended or was stopped, also orphans that were handed to us as process 1 of a container."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if not pid:
                return
            slot = next((s for s in (*self._slots.values(), *self._retired) if s.pid == pid), None)
            if slot is None:
                continue
            if os.WIFSTOPPED(status):
                slot.suspended_by_signal()
            else:
                slot.reaped(status)

    # -- stop

    def _stop(self, why: str) -> None:
        if self._stopping:
            return
        self._stopping = True
        log.info("%s: stopping", why)
        sdnotify.notify("STOPPING=1")
        self._stop_at = self._loop.time() + self._periods.stop
        for waiting in self._reloads:
            self._tell(waiting, {"ok": False, "error": "krun is stopping"})
        self._reloads.clear()
        self._stop_next()

    def _stop_next(self) -> None:
        """One after the other, so that VIPs are gone before the services behind them and scripts go last. Each may use most of
        the time that is left, the last one all of it."""
        left = [name for name in STOP_ORDER if name in self._slots]
        left += [name for name in self._slots if name not in left]
        if not left:
            if self._retired:
                self._loop.call_later(0.01, self._stop_next)  # their own time limit runs
            else:
                self._end()
            return
        slot = self._slots[left[0]]
        remaining = max(0.1, self._stop_at - self._loop.time())
        budget = remaining if len(left) == 1 else remaining * 0.6

        def stopped() -> None:
            del self._slots[slot.name]
            self._stop_next()

        slot.stop(budget, stopped)

    def _end(self) -> None:
        for answer in self._stop_answers:
            answer({"ok": True})
        log.info("stopped")
        self._loop.stop()

    # -- requests

    def _request(self, request: Message, answer: Answer) -> None:
        try:
            self._dispatch(request, answer)
        except Exception as error:
            log.error("control request %r: %s: %s", request.get("op"), type(error).__name__, error)
            log.debug("traceback", exc_info=error)
            answer({"ok": False, "error": f"internal error: {type(error).__name__}: {error}"})

    def _dispatch(self, request: Message, answer: Answer) -> None:
        operation = request.get("op")
        if operation == "status":
            self._gather(lambda state: answer({"ok": True, "state": msgspec.to_builtins(state)}))
        elif operation in ("reload", "plan"):
            given = request.get("path")
            path = self._path if given is None else Path(str(given))
            self._reload(_Reloading(path, "krunctl", answer, dry=operation == "plan"))
        elif operation == "stop":
            self._stop_answers.append(answer)
            self._stop("krunctl stop")
        else:
            answer({"ok": False, "error": f"this krun ({__version__}) knows no request {operation!r}"})

    # -- status

    def _gather(self, done: Callable[[documents.State], None]) -> None:
        state = documents.State(
            parent=documents.Parent(
                pid=os.getpid(),
                release=__version__,
                since=round(self._since, 3),
                run_dir=str(self._settings.run_dir.path),
                kernel=self._settings.kernel,
                state="stopping" if self._stopping else "reloading" if self._reloading else "running",
            ),
            processes=[],
            ir=documents.Ir(
                path=str(self._path),
                digest=self._document.digest,
                version=self._document.version,
                loaded_at=round(self._loaded_at, 3),
            ),
            last_reload=self._last_reload,
        )
        gather(list(self._slots.values()), state, self._periods.status, done)

    def _dump(self) -> None:
        path = self._settings.run_dir.path / "krun-state.json"

        def write(state: documents.State) -> None:
            text = msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n"
            try:
                path.unlink(missing_ok=True)
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(text)
            except OSError as error:
                log.error("SIGUSR1: %s: %s", path, error.strerror or error)
                return
            log.info("SIGUSR1: the state is in %s", path)

        self._gather(write)

    # -- reload

    def _reload(self, wanted: _Reloading) -> None:
        """One at a time. A SIGHUP during a reload is remembered and done after it; several are one."""
        if self._stopping:
            self._tell(wanted, {"ok": False, "error": "krun is stopping"})
            return
        if self._reloading:
            if wanted.answer is not None or all(r.answer is not None for r in self._reloads):
                self._reloads.append(wanted)
            return
        self._reloading = True
        began = time.monotonic_ns()
        if not wanted.dry:
            sdnotify.reloading()
            log.info("%s: reload of %s", wanted.requested_by, wanted.path)
        try:
            document = load_path(wanted.path)
            missing = unsupported(document.features)
            if missing:
                raise IrError(f"{wanted.path}: {missing}")
            names = self._need(document.config)
            classes = {name: self._make(name) for name in names if name not in self._slots}
        except (IrError, ImportError) as error:
            self._reloaded(wanted, None, began, Outcome(applied=False, reason=str(error)))
            return
        transaction = Transaction(
            self._loop,
            self._slots,
            document.config,
            document.digest,
            self._settings.run_dir.path,
            self._periods,
            lambda: self._commit_point(document, wanted.path),
            lambda outcome: self._judged(wanted, document, began, classes, outcome),
            dry=wanted.dry,
        )
        transaction.begin()

    def _commit_point(self, document: Document, path: Path) -> None:
        self._document = document
        self._path = path.absolute()
        self._loaded_at = time.time()
        for slot in self._slots.values():
            slot.adopt(part(slot.name, document.config), document.digest)

    def _judged(
        self, wanted: _Reloading, document: Document, began: int, classes: dict[str, Make], outcome: Outcome
    ) -> None:
        if outcome.applied and not self._stopping:
            for name in START_ORDER:
                if name in classes:
                    self._add(name, classes[name])
            wantless = set(self._slots) - set(self._need(document.config))
            for name in (n for n in STOP_ORDER if n in wantless):
                self._retire(self._slots.pop(name))
        self._reloaded(wanted, document, began, outcome)

    def _retire(self, slot: Slot) -> None:
        """Stop a child that the new configuration does not need."""
        self._retired.append(slot)

        def gone() -> None:
            self._retired.remove(slot)
            if slot.name not in self._slots:
                self._settings.run_dir.child_socket(slot.name).unlink(missing_ok=True)

        slot.stop(self._periods.stop, gone)

    def _reloaded(self, wanted: _Reloading, document: Document | None, began: int, outcome: Outcome) -> None:
        duration_us = (time.monotonic_ns() - began) // 1000
        operations = dict(sorted(outcome.operations.items()))
        report = documents.LastReload(
            result="planned"
            if wanted.dry and not outcome.reason
            else "done"
            if outcome.applied
            else "refused",
            at=round(time.time(), 3),
            requested_by=wanted.requested_by,
            path=str(wanted.path),
            digest=None if document is None else document.digest,
            duration_us=duration_us,
            operations=operations,
            total=sum(operations.values()),
            failures=outcome.failures,
            reason=outcome.reason or None,
        )
        if not wanted.dry:
            self._last_reload = report
            self._log_reload(report)
            sdnotify.notify("READY=1", f"STATUS=runs {self._path.name}")
            gc.freeze()
        self._reloading = False
        answer = {"ok": not outcome.reason, "reload": msgspec.to_builtins(report)}
        if outcome.reason:
            answer["error"] = outcome.reason
        self._tell(wanted, answer)
        if self._reloads:
            # Out of this stack: a row of bad files must not recurse.
            following = self._reloads.pop(0)
            self._loop.call_later(0, lambda: self._reload(following))

    def _log_reload(self, report: documents.LastReload) -> None:
        if report.result == "refused":
            log.error("reload refused, the old configuration goes on: %s", report.reason)
            return
        counts = ", ".join(f"{name} {count}" for name, count in report.operations.items())
        log.info("reloaded in %.1f ms: %s", report.duration_us / 1000, counts or "nothing changed")
        for failure in report.failures[:20]:
            log.error("reload: %s", failure)
        if len(report.failures) > 20:
            log.error("reload: and %d failures more", len(report.failures) - 20)

    def _tell(self, wanted: _Reloading, message: Message) -> None:
        if wanted.answer is not None:
            wanted.answer(message)
