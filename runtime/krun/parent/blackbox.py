"""What a process remembers when it breaks: written to the run directory by a fork of it, so that its successor need not wait."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from kir import __version__
from krun.loop.clock import now_us
from krun.parent.child import Child
from krun.parent.context import ChildContext

log = logging.getLogger("krun.shell")

AT_MOST_S = 60
"""Longer than that the writer does not live."""


def path_of(context: ChildContext) -> Path:
    """Where the last recording of a process that broke is; the next one takes its place."""
    return context.run_dir / f"{context.name}.crash.krec"


def save(
    child: Child | None, context: ChildContext, error: BaseException, forget: Callable[[], None]
) -> None:
    """Begin to write what ``child`` remembers, where it does. ``forget`` is called in the writer: it lets go of everything that the process
    shares with others. Never raises.
    """
    ring = getattr(child, "recorded", lambda: None)()
    if ring is None:
        return
    target = path_of(context)
    words = f"{type(error).__name__}: {error}"
    try:
        pid = os.fork()
    except OSError as problem:
        log.error("what it was told is not saved: cannot fork: %s", problem.strerror or problem)
        return
    if pid:
        log.critical("what it was told last will be in %s: `krunctl replay` shows it", target)
        return
    try:
        signal.alarm(AT_MOST_S)
        forget()
        with contextlib.suppress(OSError):  # the successor's adverts come first
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, 0, 10)
        _write(target, context.name, ring, words)
    except BaseException:  # noqa: BLE001 - the last frame of a process that has nobody to tell
        with contextlib.suppress(OSError):
            target.unlink()
    finally:
        os._exit(0)


def _write(target: Path, name: str, ring: object, words: str) -> None:
    import platform

    import msgspec

    from krun.record import file
    from krun.record.dump import pieces
    from krun.record.masks import Masks
    from krun.record.ring import Ring
    from krun.record.save import masked

    assert isinstance(ring, Ring)
    masks = Masks()
    header = file.Header(
        krun_record=file.VERSION,
        release=__version__,
        saved_at=round(time.time(), 3),
        host={"name": platform.node()},
        crash=words,
    )
    offset = time.time() - now_us() / 1e6
    lines = [{"process": {"name": name, "pid": os.getppid(), "offset_s": offset}}]
    lines += [masked(name, msgspec.json.decode(msgspec.json.encode(piece)), masks) for piece in pieces(ring)]
    file.write(target, header, lines)
