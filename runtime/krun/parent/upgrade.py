"""``krunctl upgrade``: the running parent replaces itself by the program that its command line names now, as after a package upgrade.

1. *Judge.* The new program is run beside this one with ``--check-start``: it must load, know the store, the IR that runs and the one
   before, and what it would be handed. Whatever it says or does not say, nothing has been touched yet.
2. *Replace.* execve(2): the pid stays, so a service manager sees no event. The children stay too, and go on.
3. *Renew.* When the new program has all of its modules it replaces one child after the other (`krun.parent.legacy`), as after a death.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kir import __version__
from krun.control.events import event
from krun.control.server import Answer
from krun.loop.events import Handle
from krun.loop.reactor import Reactor
from krun.parent import legacy, sdnotify
from krun.parent.legacy import Heir

log = logging.getLogger("krun.parent")

JUDGE_S = 30.0
"""How long the new program may take to say whether it could start."""

_OUTPUT = 65536


def command() -> list[str]:
    """The command line of this process, with which the program that is installed now is started.

    A script is run by itself, so that its first line decides the interpreter, which an upgrade may have changed too.
    """
    original = sys.orig_argv
    if len(original) > 1 and original[1] == sys.argv[0]:
        script = os.path.abspath(original[1])  # noqa: PTH100 - a link on the way is to stay one
        if not os.path.exists(script) or (os.access(script, os.X_OK) and _is_script(script)):  # noqa: PTH110
            return [script, *original[2:]]
    return [sys.executable, *original[1:]]


def _is_script(path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(2) == b"#!"
    except OSError:
        return False


class Upgrade:
    """The one that may be under way. ``children``: what would be handed on, by name; ``obstacle``: why not now, empty where there is
    nothing; ``strangers``: who hears of the end of a process that is no child (`krun.parent.crew.Crew`).
    """

    def __init__(
        self,
        loop: Reactor,
        children: Callable[[], Mapping[str, Heir]],
        obstacle: Callable[[], str],
        strangers: dict[int, Callable[[int], None]],
        *,
        argv: Callable[[], list[str]] = command,
    ) -> None:
        self._loop = loop
        self._children = children
        self._obstacle = obstacle
        self._strangers = strangers
        self._argv = argv
        self._answer: Answer | None = None
        self._said = b""
        self._limit: Handle | None = None

    @property
    def busy(self) -> bool:
        """Whether the new program is being judged."""
        return self._answer is not None

    def ask(self, answer: Answer) -> None:
        """Judge and, where nothing stands against it, replace; ``answer`` hears before that happens."""
        why = "another upgrade is under way" if self.busy else self._obstacle()
        if why:
            answer({"ok": False, "error": why})
            return
        argv = self._argv()
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            pid = os.posix_spawn(
                argv[0],
                [*argv, "--check-start"],
                {k: v for k, v in os.environ.items() if k != legacy.VARIABLE},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, theirs, 1),
                    (os.POSIX_SPAWN_DUP2, theirs, 2),
                ],
            )
        except OSError as error:
            os.close(ours)
            answer({"ok": False, "error": f"{argv[0]}: cannot be run: {error.strerror or error}"})
            return
        finally:
            os.close(theirs)
        log.info("upgrade: %s is asked whether it could start (pid %d)", argv[0], pid)
        self._answer, self._said = answer, b""
        os.set_blocking(ours, False)
        self._loop.add_reader(ours, lambda: self._read(ours))
        self._strangers[pid] = lambda status: self._judged(argv, ours, status)
        self._limit = self._loop.call_later(JUDGE_S, lambda: _kill(pid))

    def _read(self, fd: int) -> bool:
        """Take what is there; False at the end."""
        try:
            data = os.read(fd, _OUTPUT)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self._said = (self._said + data)[:_OUTPUT]
        if not data:
            self._loop.remove_reader(fd)
        return bool(data)

    def _judged(self, argv: list[str], fd: int, status: int) -> None:
        while select.select([fd], [], [], 0)[0] and self._read(fd):  # it is dead: what it said is there
            pass
        self._loop.remove_reader(fd)
        os.close(fd)
        if self._limit is not None:
            self._limit.cancel()
        answer, self._answer = self._answer, None
        assert answer is not None
        release, why = _verdict(self._said, os.waitstatus_to_exitcode(status))
        why = why or self._obstacle()
        if why:
            log.error(
                "upgrade refused, nothing was touched: %s", why, extra=event("krun.upgrade_refused", why)
            )
            answer({"ok": False, "error": why})
            return
        answer({"ok": True, "release": release, "before": __version__, "pid": os.getpid()})
        self._replace(argv, release)

    def _replace(self, argv: list[str], release: str) -> None:
        children = self._children()
        log.info(
            "upgrade: krun %s replaces %s in this process (pid %d); its children go on meanwhile: %s",
            release,
            __version__,
            os.getpid(),
            ", ".join(children) or "none",
            extra=event("krun.upgrade", release),
        )
        sdnotify.notify(f"STATUS=upgrading to {release}")
        variable: dict[str, str] = {}
        # Blocked until the new program has handlers for them: a SIGTERM in between is late, not deadly.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
        try:
            variable = legacy.pack(__version__, children)
            logging.shutdown()
            sys.stdout.flush()
            os.execve(argv[0], argv, {**os.environ, **variable})  # noqa: S606 - our own command line
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if variable:
                legacy.unpack(variable[legacy.VARIABLE], children)
            log.critical("upgrade: %s: cannot be run: %s; everything is as before", argv[0], error.strerror)


HANDLED: Iterable[int] = (
    signal.SIGCHLD,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGRTMIN + 2,
    signal.SIGRTMAX,
)


def unblock() -> None:
    """The new program has its handlers."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def _verdict(said: bytes, code: int) -> tuple[str, str]:
    """(release, why not) of what ``--check-start`` printed and how it ended."""
    found: Any = None
    lines = said.decode("utf-8", "replace").strip().splitlines()
    for line in lines:
        with contextlib.suppress(ValueError):
            found = json.loads(line)
    if not isinstance(found, dict) or "ok" not in found:
        how = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        words = f": {lines[-1][:200]}" if lines else ""
        return (
            "",
            f"the program that is installed now does not start, or does not know --check-start ({how}){words}",
        )
    if not found["ok"]:
        return "", f"the program that is installed now cannot go on: {found.get('why', 'no reason given')}"
    if code != 0:
        return "", f"the program that is installed now ended with exit status {code}"
    if found.get("legacy") != legacy.VERSION:
        return (
            "",
            f"krun {found.get('krun')} cannot take over from a running krun {__version__}; stop this one and start it",
        )
    return str(found.get("krun")), ""


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
