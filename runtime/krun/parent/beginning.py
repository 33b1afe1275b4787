"""What a krun starts with: the file that its arguments name, or what an earlier krun of this run directory has to go on with.

====================================================  ==========================================================================
the earlier krun …                                    this one starts with
====================================================  ==========================================================================
left nothing, or nothing usable                       the file
was told to stop, in order                            the file
was killed, and was started with the same file        what ran: a crash changes nothing. Where the file says something else by now,
                                                      the log says so, and a reload takes it
was killed, and was started with another file         the file: somebody asks for something else
waits for a confirmation, and there is time left      what ran, and the deadline goes on
waited for a confirmation, and the time has passed    what ran before that reload; likewise when the machine was booted since
====================================================  ==========================================================================
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

from kir.again import load_path
from kir.codec import Document, IrError
from krun.control.state import LastReload
from krun.features import unsupported
from krun.parent.boot import boot_id, boottime_us
from krun.parent.store import Kept, Reference, Store, StoreError

log = logging.getLogger("krun.parent")


@dataclass(frozen=True, slots=True)
class Beginning:
    """``document``, read from ``path`` (at ``loaded_at``, seconds since the epoch); ``source``: ``file`` or ``kept``."""

    document: Document
    path: Path
    source: str
    loaded_at: float


def read(path: Path, last: Document | None = None) -> Document:
    """The IR at ``path``; ``last``: the one that was read before (`kir.again`). Raises `IrError`, also where it needs what this runtime does not run."""
    document = load_path(path, last)
    missing = unsupported(document.features)
    if missing:
        raise IrError(f"{path}: {missing}")
    return document


def begin(argument: Path, given: Document | IrError, store: Store) -> Beginning:
    """Open ``store`` and choose. ``given``: what `read` made of the file ``argument``, or why it could not.

    Raises that where the file is what counts. Afterwards the store knows what starts.
    """
    argument = argument.absolute()
    found = store.open()
    chosen = _earlier(argument, given, store) if found else None
    if chosen is None:
        if isinstance(given, IrError):
            raise given
        chosen = Beginning(given, argument, "file", time.time())
    _remember(argument, store, chosen)
    return chosen


def _earlier(argument: Path, given: Document | IrError, store: Store) -> Beginning | None:
    """What an earlier krun goes on with; None where the file counts."""
    kept = store.kept
    same = kept.argument == str(argument)
    if kept.confirm is not None and not same:
        log.warning(
            "a reload of %s waited for `krunctl confirm`, and krun was started with another file: nothing waits any more",
            kept.running.path if kept.running is not None else "?",
        )
    if kept.confirm is not None and same:
        left_us = kept.confirm.left_us(boottime_us(), boot_id())
        if left_us:
            log.warning("a reload waits for `krunctl confirm`: %d s are left", left_us // 1_000_000)
            chosen = _running(argument, given, store)
            if chosen is not None:
                return chosen
        return _go_back(store)
    if kept.stopped or not same or kept.boot_id != boot_id():
        return None
    chosen = _running(argument, given, store)
    if chosen is None or chosen.document is given:
        return chosen
    if isinstance(given, IrError):
        log.warning(
            "krun goes on with what it ran when it was killed, for the file cannot be used: %s", given
        )
        return chosen
    log.warning(
        "krun goes on with what it ran when it was killed (%s, from %s); %s holds another IR (%s): `krunctl reload %s` takes it",
        chosen.document.digest[:19],
        chosen.path,
        argument,
        given.digest[:19],
        argument,
    )
    return chosen


def _running(argument: Path, given: Document | IrError, store: Store) -> Beginning | None:
    """What ran: the file's IR where that is the same, which saves reading it again; else the kept copy."""
    running = store.kept.running
    if running is None or isinstance(given, IrError) or given.digest != running.digest:
        return _get(store, running)
    path = Path(running.path)
    return Beginning(given, path, "file" if path == argument else "kept", running.loaded_at)


def _go_back(store: Store) -> Beginning | None:
    """Nobody confirmed: the IR before is what starts."""
    kept = store.kept
    chosen = _get(store, kept.previous)
    if chosen is None or kept.running is None:
        log.critical(
            "nobody confirmed the reload, and the IR before it is lost: krun starts with what its arguments say"
        )
        store.update(confirm=None)
        return None
    log.warning(
        "nobody confirmed the reload of %s (%s) in time: krun starts with the IR before it (%s, from %s)",
        kept.running.path,
        kept.running.digest[:19],
        chosen.document.digest[:19],
        chosen.path,
    )
    report = LastReload(
        result="done",
        at=round(time.time(), 3),
        requested_by="no confirmation, at the start",
        path=str(chosen.path),
        digest=chosen.document.digest,
        duration_us=0,
        operations={},
        total=0,
        failures=[],
    )
    store.update(
        running=kept.previous,
        previous=None,
        confirm=None,
        last_reload=report,
        counters=store.count("reloads_returned"),
    )
    return chosen


def _get(store: Store, reference: Reference | None) -> Beginning | None:
    if reference is None:
        return None
    try:
        document = store.get(reference)
    except StoreError as error:
        log.error("%s", error)
        return None
    missing = unsupported(document.features)
    if missing:
        log.error("%s: %s", reference.path, missing)
        return None
    return Beginning(document, Path(reference.path), "kept", reference.loaded_at)


def _remember(argument: Path, store: Store, chosen: Beginning) -> None:
    """Write down what starts. What ran before, where that was something else, is what ``undo`` brings back."""
    kept: Kept = store.kept
    try:
        running = store.put(chosen.document, str(chosen.path), chosen.loaded_at)
    except StoreError as error:
        log.warning("%s: a krun that is killed will not know what ran", error)
        running = None
    before = kept.running
    changed = before is not None and before.digest != chosen.document.digest
    confirm = kept.confirm
    if confirm is not None and (changed or kept.argument != str(argument)):
        confirm = None
    store.update(
        argument=str(argument),
        running=running,
        previous=before if changed else kept.previous,
        confirm=confirm,
        stopped=False,
        boot_id=boot_id(),
    )
