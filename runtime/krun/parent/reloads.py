"""Reloads, one at a time: from a file, back to the IR before, or back because nobody confirmed.

A reload that wants a confirmation follows BIRD's ``configure timeout``: the IR before it returns at the deadline unless somebody
confirms. A further reload that is done ends the wait, for it shows that somebody is there; with a time of its own it begins a new one,
and what returns then is the IR before *that* reload. There is one level of undo.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from kir.codec import Document, IrError
from kir.model import Config
from krun.control import state as documents
from krun.control.deletions import deletions, judge
from krun.control.events import event
from krun.control.framing import MAX_MESSAGE, Message
from krun.control.server import Answer
from krun.loop.books import Books, Entry
from krun.loop.events import EventLoop
from krun.parent import sdnotify
from krun.parent.around import Around
from krun.parent.beginning import Beginning, read
from krun.parent.boot import boot_id, boottime_us
from krun.parent.crew import Crew
from krun.parent.deadline import Deadline
from krun.parent.handover import differing
from krun.parent.periods import Periods
from krun.parent.reload import Outcome, Transaction
from krun.parent.requests import Run, Wanted, report, tell
from krun.parent.slot import Slot
from krun.parent.store import Confirm, Store, StoreError

log = logging.getLogger("krun.parent")

RETRY_STORE_S = 10.0
WAITING = 16
"""How many reloads and plans wait behind the one under way; one more is refused."""

BLIND_AT_MOST = MAX_MESSAGE // 2
"""Octets of two configurations that are told to somebody who may not read them."""

COUNTER = {"done": "reloads_done", "refused": "reloads_refused", "rolled back": "reloads_rolled_back"}


class Reloads:
    """What runs, and the way to something else. ``directory``: the run directory. ``settled`` is called a turn after each reload."""

    def __init__(
        self,
        loop: EventLoop,
        crew: Crew,
        store: Store,
        begun: Beginning,
        directory: Path,
        periods: Periods,
        drain_us: int = 0,
        settled: Callable[[], object] = lambda: None,
        adopted: Callable[[Config], None] = lambda _config: None,
    ) -> None:
        self._loop = loop
        self._settled = settled
        self._drain_us = drain_us
        self._crew = crew
        self._store = store
        self._directory = directory
        self._periods = periods
        self.document = begun.document
        self.path = begun.path
        self.source = begun.source
        self.loaded_at = begun.loaded_at
        self.last: documents.LastReload | None = store.kept.last_reload
        self.alarm = ""
        self.told: Callable[[], None] = sdnotify.ready
        """Called when a reload is over, whatever came of it."""
        self._waiting: list[Wanted] = []
        self._run: Run | None = None
        self._transaction: Transaction | None = None
        self._stopping = False
        self._held = False
        self.around = Around(
            loop,
            directory,
            begun.document,
            adopted,
            lambda: self.ask(Wanted(self.path, "reload_time_file")),
            lambda: self.kept_copy,
        )
        self._deadline = Deadline(loop, store, self._nobody_confirmed)

    def start(self) -> None:
        """The loop is about to run: deadlines count from now on."""
        for left in self._directory.glob("next-*.ir"):  # by a krun that was killed in a reload
            left.unlink(missing_ok=True)
        self._deadline.watch()
        self._retry_store()

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        yield Entry("document", "that runs", self.document)
        yield Entry("configuration", "that runs", self.document.config)
        for wanted in self._waiting:
            yield Entry("reload", wanted.requested_by, wanted)
        if self._run is not None:
            yield Entry("reload", self._run.wanted.requested_by, self._run)
            yield Entry("reload", self._run.wanted.requested_by, self._run.wanted)
            if self._run.document is not None:
                yield Entry("document", "of a reload under way", self._run.document)
                yield Entry("configuration", "of a reload under way", self._run.document.config)
        if self._transaction is not None:
            yield Entry("reload", "under way", self._transaction)

    @property
    def busy(self) -> bool:
        return self._run is not None

    # -- requests

    def ask(self, wanted: Wanted) -> None:
        """One at a time. A SIGHUP during a reload is remembered and done after it; several are one."""
        if self._stopping:
            tell(wanted, {"ok": False, "error": "krun is stopping"})
        elif self._run is None and not self._held:
            self._begin(wanted)
        elif (
            wanted.answer is not None or wanted.returning or all(w.answer is not None for w in self._waiting)
        ):
            if len(self._waiting) >= WAITING and wanted.answer is not None:
                error = f"{WAITING} reloads and plans wait for their turn already"
                tell(wanted, {"ok": False, "error": error})
            else:
                self._waiting.append(wanted)

    def hold(self) -> None:
        """What is asked for from now on waits, until `release`."""
        self._held = True

    def release(self) -> None:
        """The children run: what waited is done."""
        self._held = False
        if self._run is None:
            self._next()

    def confirm(self, answer: Answer) -> None:
        """What runs is to stay."""
        confirm = self._store.kept.confirm
        if confirm is None:
            answer({"ok": False, "error": "no reload waits for a confirmation"})
            return
        if self._deadline.passed and not self._deadline.failures:
            answer(
                {
                    "ok": False,
                    "error": "too late: the time has passed, and the configuration before it comes back",
                }
            )
            return
        self._store.update(confirm=None, counters=self._store.count("reloads_confirmed"))
        self.alarm = ""
        self._deadline.watch()
        log.info(
            "krunctl: %s is confirmed",
            self.document.digest[:19],
            extra=event("reload.confirmed", str(self.path)),
        )
        reply: Message = {"ok": True, "digest": self.document.digest, "path": str(self.path)}
        if self._store.problem:
            reply["warning"] = f"confirmed, but that cannot be stored: {self._store.problem}"
        answer(reply)

    def child_changed(self, slot: Slot) -> None:
        """A child came up, or went into back-off."""
        if self._transaction is not None:
            self._transaction.child_changed(slot)

    def stop(self) -> None:
        """krun stops: what waits is refused, what is under way is called off. A wait for a confirmation outlives the stop."""
        self._stopping = True
        self.around.stop()
        self._deadline.cancel()
        waiting, self._waiting = self._waiting, []
        for wanted in waiting:
            tell(wanted, {"ok": False, "error": "krun is stopping"})
        if self._transaction is not None:
            self._transaction.call_off("krun is stopping")
        confirm = self._store.kept.confirm
        if confirm is not None:
            log.warning(
                "a reload still waits for `krunctl confirm`: a start with the same file goes on waiting"
            )
        self._store.update(stopped=True)

    # -- one reload

    def _begin(self, wanted: Wanted) -> None:
        run = self._run = Run(wanted, time.monotonic_ns(), str(wanted.path or ""))
        if wanted.returning and not self._deadline.passed:
            self._run = None  # confirmed, undone or replaced while it waited for its turn
            self._deadline.settled()
            self._next()
            return
        if not wanted.dry:
            sdnotify.reloading(self._longest_s())
            self.around.began()
        try:
            document = self._read(run)
            classes = {
                name: self._crew.make(name)
                for name in self._crew.need(document.config)
                if name not in self._crew.slots
            }
            self.around.judge(self.document.config, document.config)
            self._judge_limit(run, document)
            if not wanted.dry:
                self._keep(run, document)
        except (IrError, StoreError, ImportError) as error:
            self._end(Outcome(applied=False, reason=str(error)))
            return
        self._transaction = Transaction(
            self._loop,
            self._crew,
            self.document,
            document,
            classes,
            self._directory,
            self._periods,
            lambda: self._seal(run),
            self._end,
            dry=wanted.dry,
            drain_us=self._drain_us if wanted.drain_us is None else wanted.drain_us,
        )
        self._transaction.begin()

    def _read(self, run: Run) -> Document:
        """The IR that is asked for. Raises IrError or StoreError."""
        wanted = run.wanted
        if wanted.path is not None:
            log.log(
                logging.DEBUG if wanted.dry else logging.INFO,
                "%s: %s of %s",
                wanted.requested_by,
                "plan" if wanted.dry else "reload",
                wanted.path,
            )
            found = _read_for(wanted, wanted.path, self.document)
            same = found.digest == self.document.digest and found.version == self.document.version
            run.document = self.document if same else found
            return run.document
        previous = self._store.kept.previous
        if previous is None:
            raise StoreError(
                "there is no configuration to go back to: nothing was reloaded yet, or the last step was an undo"
            )
        run.path = previous.path
        if wanted.returning:
            log.warning(
                "nobody confirmed %s in time: back to %s (from %s)",
                self.document.digest[:19],
                previous.digest[:19],
                previous.path,
            )
        else:
            log.info("%s: back to %s (from %s)", wanted.requested_by, previous.digest[:19], previous.path)
        run.document = self._store.get(previous)
        return run.document

    def _judge_limit(self, run: Run, document: Document) -> None:
        """Raises IrError where more is deleted than the request allows."""
        if run.wanted.limit is None:
            return
        kinds = deletions(self.document.config, document.config)
        over = judge(kinds, run.wanted.limit)
        if over:
            run.kinds = kinds
            raise IrError(over)

    def _keep(self, run: Run, document: Document) -> None:
        """Store what is needed afterwards. Raises `StoreError` where a confirmation is wanted and the way back has no place."""
        try:
            if self._store.kept.running is None:
                kept = self._store.put(self.document, str(self.path), self.loaded_at)
                self._store.require(running=kept)
            run.reference = self._store.put(document, run.path, time.time())
        except StoreError as error:
            if run.wanted.within_us:
                raise StoreError(f"the way back cannot be kept, so nothing was changed: {error}") from None
            log.warning("%s: `krunctl undo` and a krun that is killed will not know this IR", error)

    def _seal(self, run: Run) -> str:
        """Every process has changed. What the store has to know for a wait must be written before that counts."""
        wanted, kept = run.wanted, self._store.kept
        again = (
            kept.running is not None
            and run.document is not None
            and run.document.digest == self.document.digest
        )
        confirm = None
        if wanted.within_us and (not again or kept.confirm is not None):
            now = time.time()
            confirm = Confirm(
                deadline_us=boottime_us() + wanted.within_us,
                boot_id=boot_id(),
                deadline=round(now + wanted.within_us / 1e6, 3),
                within_us=wanted.within_us,
                requested_by=wanted.requested_by,
            )
        previous = None if wanted.path is None else kept.previous if again else kept.running
        changes = {"running": run.reference, "previous": previous, "confirm": confirm}
        if confirm is None:
            run.ends_wait = kept.confirm is not None and wanted.path is not None
            self._store.update(**changes)
            return ""
        try:
            self._store.require(**changes)
        except StoreError as error:
            return f"the way back cannot be kept: {error}"
        run.confirm_by = confirm.deadline
        return ""

    # -- the end of one

    def _end(self, outcome: Outcome) -> None:
        run, self._run, self._transaction = self._run, None, None
        assert run is not None
        wanted = run.wanted
        if outcome.applied and run.document is not None:
            outcome.operations.update(self.around.applied(run.document))
            self._applied(run, run.document)
        told = report(run, outcome)
        if not wanted.dry:
            self.around.ended()
            self.around.judged(run.path, outcome.reason)
            self._conclude(run, outcome, told)
        answer: Message = {"ok": not outcome.reason, "reload": msgspec.to_builtins(told)}
        if outcome.reason:
            answer["error"] = outcome.reason
        if wanted.dry:
            answer["running"] = {
                "digest": self.document.digest,
                "path": str(self.path),
                "kept": self.kept_copy,
                "overlays": list(self._store.kept.overlays),
                "drain_us": self._drain_us if wanted.drain_us is None else wanted.drain_us,
            }
            if run.document is not None:
                answer["differ"] = differing(run.document.config, self.document.config)
            if wanted.blind and outcome.reason == "" and run.document is not None:
                answer["blind"] = _blinded(self.document, run.document)
                if sum(len(bytes(part)) for part in answer["blind"].values()) > BLIND_AT_MOST:
                    answer = {
                        "ok": False,
                        "error": "too large a configuration to be compared for anybody but root",
                    }
        if wanted.within_us and outcome.applied and run.confirm_by is None:
            answer["warning"] = "this IR was running already: nothing waits for a confirmation"
        tell(wanted, answer)
        if wanted.returning:
            self._returned(outcome)
        if self._store.kept.confirm is None:
            self.alarm = ""
        if not self._stopping:
            self._deadline.watch()
        self._next()

    def _applied(self, run: Run, document: Document) -> None:
        self.document = document
        self.path = Path(run.path).absolute()
        self.source = "file" if run.wanted.path is not None else "kept"
        self.loaded_at = time.time()
        if run.ends_wait:
            log.warning("a reload waited for `krunctl confirm`; this one ends the wait: what runs now stays")

    def _conclude(self, run: Run, outcome: Outcome, report: documents.LastReload) -> None:
        if not outcome.applied and run.reference is not None:
            self._store.drop(run.reference)
        self.last = report
        self._log(report)
        counters = self._store.count(COUNTER[report.result])
        if outcome.applied and run.wanted.path is None:
            name = "reloads_returned" if run.wanted.returning else "reloads_undone"
            counters[name] = counters.get(name, 0) + 1
        self._store.update(last_reload=report, counters=counters)
        if not self._stopping:
            self.told()
        self._loop.call_later(0, self._settled)

    def _longest_s(self) -> float:
        """What a reload and the way back may take: the sum of their time limits."""
        periods = self._periods
        return periods.prepare + periods.start + 2 * periods.commit

    def _returned(self, outcome: Outcome) -> None:
        if outcome.applied:
            self._deadline.settled()
            self.alarm = ""
        elif not self._stopping:
            self._deadline.failed()
            self.alarm = f"nobody confirmed a reload, and the way back does not work: {outcome.reason}"
            log.critical("%s; it is tried again", self.alarm)

    def _next(self) -> None:
        if self._waiting and not self._stopping:
            # Out of this stack: a row of bad files must not recurse.
            following = self._waiting.pop(0)
            self._loop.call_later(0, lambda: self.ask(following))

    def _log(self, report: documents.LastReload) -> None:
        if report.result != "done":
            log.error(
                "reload %s, the old configuration goes on: %s",
                report.result,
                report.reason,
                extra=event(f"reload.{report.result.replace(' ', '_')}", report.path),
            )
            return
        counts = ", ".join(
            [f"{name} {count}" for name, count in report.operations.items()]
            + [
                f"{name} process {what}"
                for what, names in (("started", report.started), ("ended", report.ended))
                for name in names
            ]
        )
        log.info(
            "reloaded in %.1f ms: %s",
            report.duration_us / 1000,
            counts or "nothing changed",
            extra=event("reload.done", report.path),
        )
        for failure in report.failures[:20]:
            log.error("reload: %s", failure)
        if len(report.failures) > 20:
            log.error("reload: and %d failures more", len(report.failures) - 20)
        confirm = self._store.kept.confirm
        if confirm is not None:
            log.warning(
                "this configuration goes away in %g s unless `krunctl confirm` comes", confirm.within_us / 1e6
            )

    # -- time

    def _nobody_confirmed(self) -> None:
        self.ask(Wanted(None, "no confirmation", returning=True))

    def _retry_store(self) -> None:
        if self._store.problem and self._run is None:
            self._store.retry()
        self._loop.call_later(RETRY_STORE_S, self._retry_store)

    # -- for the state document

    @property
    def kept_copy(self) -> str | None:
        """Where a copy of what runs is kept."""
        running = self._store.kept.running
        return None if running is None else str(self._store.place(running))


def _read_for(wanted: Wanted, path: Path, last: Document) -> Document:
    """The IR at ``path``, by the descriptor that was opened for it where there is one. Raises IrError."""
    if wanted.opened is None:
        return read(path, last)
    place = f"/proc/self/fd/{wanted.opened}"
    try:
        return read(Path(place), last)
    except IrError as error:
        raise IrError(str(error).replace(place, str(path))) from None


def _blinded(old: Document, new: Document) -> Message:
    """Both configurations for somebody who may see what they say, but no secret of them."""
    from kir.blind import blind
    from kir.shelf import whole

    key = os.urandom(32)  # forgotten with this call
    return {
        side: msgspec.Raw(msgspec.json.encode(blind(whole(document.config), key)))
        for side, document in (("old", old), ("new", new))
    }
