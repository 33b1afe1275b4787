"""Notification pipes (fifo(7)): made, written to, and read by a script if one is configured (keepalived.conf(5), ``notify_fifo``).

The script process does all of it, so that neither an advert nor a check ever waits for a reader, lines of the VRRP and of the checker process
keep their order in a common pipe, and a pipe outlives the process whose news it carries.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from kir import onestep
from kir.model import Account, Fifo, Global
from krun.control.events import event
from krun.loop.clock import now_us
from krun.notify import family
from krun.notify.accounts import Identity, NoSuchAccountError, identify
from krun.notify.client import ScriptResult, ScriptRun
from krun.notify.reports import last_words
from krun.notify.running import Adopted, Running
from krun.notify.spawn import RefusedError, as_user

log = logging.getLogger("krun.notify")

Channel = Literal["vrrp", "lvs"]

MODE = 0o644
"""Of a pipe that is made here, less what ``umask`` of the configuration takes away (0177 if it says nothing: only its owner)."""
SAY_US = 60_000_000
"""How often at most it is said that lines are lost."""
LONGEST_PAUSE_S = 60.0
STEADY_US = 60_000_000
"""A reader that ran for so long is started again at once."""
RETRY_US = 10_000_000
"""How often a pipe that could not be opened is tried again, when there is a line for it."""
END_S = 1.0
"""What a reader gets at the stop to read the last lines."""
MEMO = "fifos.memo"
"""In the run directory: which pipes were made here, and who reads them, for a successor."""


class UnusableError(Exception):
    """The pipe cannot be used; the text says why."""


def open_pipe(fifo: Fifo, identity: Identity, mode: int = MODE) -> tuple[int, bool]:
    """The descriptor of the pipe, and whether it was made just now. Raises `UnusableError`.

    An existing one is used where it is a FIFO that belongs to us or to ``identity``; never through a symbolic link. It is opened
    for reading too: so it needs no reader to be there, and a reader that goes away does not end it.
    """
    path = fifo.path
    made = False
    try:
        with _umask(0):
            made = _attempt(identity, lambda: os.mkfifo(path, mode)) is None
    except FileExistsError:
        pass
    except OSError as error:
        raise UnusableError(f"cannot be made: {error.strerror or error}") from None
    try:
        fd = _attempt(
            identity, lambda: os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        )
    except OSError as error:
        words = "a symbolic link" if os.path.islink(path) else error.strerror or error  # noqa: PTH114
        raise UnusableError(f"cannot be opened: {words}") from None
    assert fd is not None
    details = os.fstat(fd)
    if not stat.S_ISFIFO(details.st_mode):
        os.close(fd)
        raise UnusableError("is there, and no FIFO")
    if details.st_uid not in (os.geteuid(), identity.uid):
        os.close(fd)
        raise UnusableError(f"belongs to user {details.st_uid}, neither to krun nor to {identity.name}")
    if made and (details.st_uid, details.st_gid) != (identity.uid, identity.gid):
        try:
            os.fchown(fd, identity.uid, identity.gid)
        except OSError as error:
            log.warning("%s: cannot be given to user %s: %s", path, identity.name, error.strerror)
    return fd, made


def _attempt(identity: Identity, act: Callable[[], int | None]) -> int | None:
    """As ourselves, and where that is forbidden as the owner: root without CAP_DAC_OVERRIDE is one of the others there."""
    try:
        return act()
    except PermissionError:
        if os.geteuid() != 0 or identity.uid == 0:
            raise
        with as_user(identity):
            return act()


@contextlib.contextmanager
def _umask(mask: int) -> Any:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


class Pipe:
    """One configured pipe. ``changed`` is called when something changes that a successor must know."""

    def __init__(
        self,
        fifo: Fifo,
        loop: asyncio.AbstractEventLoop,
        changed: Callable[[], None],
        *,
        secure: bool,
        mode: int = MODE,
        made: bool = False,
        reader: tuple[int, int] | None = None,
    ) -> None:
        self.fifo = fifo
        self.written = 0
        self.lost = 0
        self.restarts = 0
        self.problem = ""
        self.made = made
        self._loop = loop
        self._changed = changed
        self._secure = secure
        self._mode = mode
        self._fd = -1
        self._tried_us: int | None = None
        self._said_us: int | None = None
        self._lost_said = 0
        self._reader: Running | None = None
        self._old: Adopted | None = None
        self._pause = 0.0
        self._retry: asyncio.TimerHandle | None = None
        self._closing = False
        self._open()
        if reader is not None and family.began_at(reader[0]) == reader[1]:
            # Two readers would take each other's lines: the one from before ends first.
            with contextlib.suppress(RefusedError):
                self._old = Adopted(reader[0], loop, self._old_gone, timeout_us=None)
                self._old.end()
        if self._old is None:
            self._read()

    def line(self, text: bytes) -> None:
        """Write one line. It is lost where the pipe is full, or cannot be opened; both are counted and said."""
        if self._fd >= 0 and self._replaced():
            log.warning("%s: somebody removed the pipe: made again", self.fifo.path)
            os.close(self._fd)
            self._fd = -1
            self._tried_us = None
        if self._fd < 0:
            self._open()
        if self._fd < 0:
            self._lose(self.problem)
            return
        try:
            os.write(self._fd, text)
        except BlockingIOError:
            self._lose("it is full: nobody reads it, or not fast enough")
        except OSError as error:
            self._lose(error.strerror or str(error))
        else:
            self.written += 1

    async def close(self, *, unlink: bool = True) -> None:
        """Remove the pipe, where it was made here, and end its reader, which may read what is left first."""
        self._closing = True
        if self._retry is not None:
            self._retry.cancel()
        if unlink and self.made and not (self._fd >= 0 and self._replaced()):
            with contextlib.suppress(OSError):
                os.unlink(self.fifo.path)  # noqa: PTH108
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        until = self._loop.time() + END_S
        while self._reader is not None and self._loop.time() < until:
            await asyncio.sleep(0.02)
        if self._reader is not None:
            self._reader.end()
            until = self._loop.time() + 0.3
            while self._reader is not None and self._loop.time() < until:
                await asyncio.sleep(0.02)
        self.kill()

    def kill(self) -> None:
        """End the reader at once; the pipe stays."""
        self._closing = True
        for process in (self._reader, self._old):
            if process is not None:
                process.kill()

    def status(self) -> dict[str, Any]:
        """For the state document."""
        return {
            "path": self.fifo.path,
            "written": self.written,
            "lost": self.lost,
            "reader": self._reader.pid if self._reader is not None else None,
            "reader_restarts": self.restarts,
            "problem": self.problem or None,
        }

    @property
    def reader(self) -> tuple[int, int] | None:
        """The process that reads, and when it began."""
        return None if self._reader is None else (self._reader.pid, self._reader.began_at)

    def _open(self) -> None:
        now = now_us()
        if self._tried_us is not None and now - self._tried_us < RETRY_US:
            return
        self._tried_us = now
        try:
            identity = identify(Account(user=self.fifo.user, group=self.fifo.group))
            self._fd, made = open_pipe(self.fifo, identity, self._mode)
        except (UnusableError, NoSuchAccountError) as error:
            if str(error) != self.problem:
                log.error("%s: %s; its lines are lost", self.fifo.path, error)
            self.problem = str(error)
            return
        self.problem = ""
        if made and not self.made:
            self.made = True
            self._changed()

    def _replaced(self) -> bool:
        try:
            there, ours = os.lstat(self.fifo.path), os.fstat(self._fd)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def _lose(self, why: str) -> None:
        self.lost += 1
        now = now_us()
        if self._said_us is None or now - self._said_us >= SAY_US:
            new = self.lost - self._lost_said
            self._said_us, self._lost_said = now, self.lost
            about = event("notify.lost", self.fifo.path, lines=new)
            log.error("%s: %d lines lost: %s", self.fifo.path, new, why, extra=about)

    # -- its reader

    def _old_gone(self) -> None:
        self._old = None
        if not self._closing:
            self._read()

    def _read(self) -> None:
        """Start the script, with the path of the pipe as its last word."""
        self._retry = None
        script = self.fifo.script
        if script is None or self._closing:
            return
        spec = ScriptRun(
            (*script.argv, self.fifo.path),
            script.account,
            label=f"reader of {self.fifo.path}",
            facts=(("KRUN_KIND", "FIFO"), ("KRUN_NAME", self.fifo.path)),
        )
        try:
            self._reader = Running(spec, self._loop, self._ended, secure=self._secure)
        except RefusedError as error:
            self.problem = f"its reader does not run: {error}"
            self._again(0, f"not run: {error}")
            return
        if self.problem.startswith("its reader"):
            self.problem = ""
        self._changed()

    def _ended(self, _running: Running, result: ScriptResult) -> None:
        self._reader = None
        self._changed()
        if self._closing:
            return
        self.restarts += 1
        how = f"signal {result.code}" if result.status == "signaled" else f"exit status {result.code}"
        self._again(result.duration_us, f"ended with {how}", result.output)

    def _again(self, lived_us: int, what: str, output: str = "") -> None:
        self._pause = 0.0 if lived_us >= STEADY_US else min(max(1.0, 2 * self._pause), LONGEST_PAUSE_S)
        if not self._closing:
            log.error(
                "reader of %s: %s; started again in %g s%s",
                self.fifo.path,
                what,
                self._pause,
                last_words(output),
                extra=event("notify.failed", self.fifo.path, how="reader"),
            )
            self._retry = self._loop.call_later(self._pause, self._read)


class Pipes:
    """All pipes of a configuration."""

    def __init__(self, run_dir: Path) -> None:
        self._memo = run_dir / MEMO
        self._pipes: dict[str, Pipe] = {}
        self._routes: dict[Channel, list[Pipe]] = {"vrrp": [], "lvs": []}
        self._held: list[tuple[Channel, bytes]] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def any(self) -> bool:
        return bool(self._pipes)

    def follow(self, settings: Global, secure: bool, loop: asyncio.AbstractEventLoop) -> None:
        """These pipes and no others. One that did not change goes on."""
        wanted: dict[str, Fifo] = {}
        routes: dict[Channel, list[str]] = {"vrrp": [], "lvs": []}
        for fifo, channels in (
            (settings.notify_fifo, ("vrrp", "lvs")),
            (settings.vrrp_notify_fifo, ("vrrp",)),
            (settings.lvs_notify_fifo, ("lvs",)),
        ):
            if fifo is None:
                continue
            if fifo.path not in wanted or (wanted[fifo.path].script is None and fifo.script is not None):
                wanted[fifo.path] = fifo
            for channel in channels:
                if fifo.path not in routes[channel]:  # type: ignore[index]
                    routes[channel].append(fifo.path)  # type: ignore[index]
        known = self._recall()
        kept: dict[str, bool] = {}
        for path in [path for path, pipe in self._pipes.items() if wanted.get(path) != pipe.fifo]:
            pipe = self._pipes.pop(path)
            stays = path in wanted
            kept[path] = stays and pipe.made
            known.pop(path, None)
            # The file of a pipe that stays stays: its readers have it open.
            task = loop.create_task(pipe.close(unlink=not stays))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        for path, fifo in wanted.items():
            if path not in self._pipes:
                before = known.get(path, {})
                reader = before.get("reader")
                self._pipes[path] = Pipe(
                    fifo,
                    loop,
                    self._remember,
                    secure=secure,
                    mode=MODE & ~settings.umask,
                    made=kept.get(path, bool(before.get("made"))),
                    reader=tuple(reader) if reader else None,
                )
        self._routes = {channel: [self._pipes[p] for p in paths] for channel, paths in routes.items()}
        self._remember()

    def line(self, channel: Channel, text: bytes) -> None:
        """A line of the VRRP (``vrrp``) or of the checker process (``lvs``)."""
        if self._held is not None:
            self._held.append((channel, text))
            return
        for pipe in self._routes.get(channel, ()):
            pipe.line(text)

    def hold(self) -> None:
        """A reload is under way: lines wait until it is known which pipes they are for."""
        self._held = self._held if self._held is not None else []

    def release(self) -> None:
        """The reload is over."""
        held, self._held = self._held or [], None
        for channel, text in held:
            self.line(channel, text)

    async def close(self) -> None:
        """The end: no reader, and none of the pipes that were made here."""
        self.release()
        await asyncio.gather(*(pipe.close() for pipe in self._pipes.values()), *self._closing)
        self._pipes.clear()
        with contextlib.suppress(OSError):
            self._memo.unlink(missing_ok=True)

    def kill(self) -> None:
        """End all readers; pipes stay, for a successor."""
        for pipe in self._pipes.values():
            pipe.kill()

    def status(self) -> list[dict[str, Any]]:
        return [pipe.status() for pipe in self._pipes.values()]

    def alarms(self) -> list[str]:
        """What somebody has to look at."""
        return [f"{pipe.fifo.path}: {pipe.problem}" for pipe in self._pipes.values() if pipe.problem]

    def _remember(self) -> None:
        memo = {
            path: {"made": pipe.made, "reader": pipe.reader}
            for path, pipe in self._pipes.items()
            if pipe.made or pipe.reader
        }
        try:
            onestep.write(self._memo, json.dumps(memo).encode())
        except OSError as error:
            log.warning("%s: %s", self._memo, error.strerror or error)

    def _recall(self) -> dict[str, Any]:
        try:
            found = json.loads(self._memo.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
