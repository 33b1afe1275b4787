"""What a child has promised to the outside, where its successor finds it: also when the parent died with it.

The child writes its promises itself, into memory that outlives it (`krun.parent.region`): ``NAME.promises`` in the run directory. There
is no moment at which a promise is on its way, and none costs a system call. Where the run directory is not on tmpfs, or has no room,
the memory has no name: then it outlives the child, and not the parent.

Beside it a SOCK_SEQPACKET pair, the *channel*: the child says ``["ready"]`` (msgpack) once, and either side sees the other die.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import msgspec

from kir.model import Config
from kir.shelf import checkers
from krun.parent import region
from krun.parent.periods import master_down_s
from krun.parent.region import Head, Left, RegionError

log = logging.getLogger("krun.parent")

GONE_S = 0.25
"""How long to wait for an orphan that was killed; a process in a system call may need a moment."""

_DATAGRAM = 4096
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode


def ready(channel: socket.socket) -> None:
    """Tell the parent that the child has started. Raises OSError where the parent is gone."""
    channel.setblocking(True)
    try:
        channel.send(_encode(["ready"]))
    finally:
        channel.setblocking(False)


def pair() -> tuple[socket.socket, socket.socket]:
    """(parent's end, child's end), both non-blocking."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    for sock in (ours, theirs):
        sock.setblocking(False)
    return ours, theirs


def say(channel: socket.socket, kind: str, value: int) -> None:
    """Tell the parent something about this process (`krun.parent.lateness`). Raises OSError where there is no room, or no parent."""
    channel.send(_encode([kind, value]))


class PromiseWriter:
    """The child's side. ``fd``: the region that the parent made; without one a child promises to itself alone (tests)."""

    def __init__(self, fd: int = -1) -> None:
        if fd < 0:
            fd = _nameless("nobody", 0)
        self.fd = fd
        self._region = region.Writer(fd, self._is_full)
        self.left: Left = self._region.left
        if self.left.damaged:
            log.error(
                "promises of the process before are damaged: %d of them do not count", self.left.damaged
            )

    def promise(self, key: str, value: bytes) -> None:
        """Remember ``value`` under ``key``, in place of an older one. Raises ValueError for more than `region.MAX_VALUE` octets."""
        self._region.put(key, value)

    def withdraw(self, key: str) -> None:
        """Forget what was promised under ``key``."""
        self._region.drop(key)

    def renew(self, key: str, now_us: int) -> None:
        """What is promised under ``key`` was just shown to the outside again (CLOCK_MONOTONIC)."""
        self._region.renew(key, now_us)

    def alive(self, now_us: int) -> None:
        """The loop turns."""
        self._region.alive(now_us)

    @staticmethod
    def _is_full(why: str) -> None:
        log.error(
            "no room for more promises (%s): further ones are not kept over the death of this process", why
        )


_said: set[Path] = set()
"""Places of which it was said that nothing is kept there."""


class PromiseStore:
    """The parent's side: the memory of the child ``name``, in ``folder`` where that is possible. ``size``: for how many octets to begin with.

    ``fd``: the memory that this process had before it replaced itself (`krun.parent.legacy`).

    `problem`: why a killed parent would forget it. `void`: why what an earlier krun left does not count; `taken_over_us`: how old it
    was, where it does.
    """

    def __init__(self, name: str, folder: Path, size: int = 0, fd: int = -1) -> None:
        self.name = name
        self.problem = ""
        self.void = ""
        self.taken_over_us: int | None = None
        self.ready = False
        """The child said that it has started; reset by `born`."""
        self.heard: list[tuple[str, int]] = []
        """What it said of itself beside that (`say`), until somebody takes it away."""
        self._path = folder / f"{name}.promises"
        self._place = region.here()
        self.fd = self._adopted(fd) if fd >= 0 else -1
        if self.fd < 0:
            self.fd = self._named(size)

    @property
    def file(self) -> Path | None:
        """Where it outlives the parent; None where it does not."""
        return None if self.problem else self._path

    @property
    def head(self) -> Head:
        """As the child has it now."""
        return region.head(self.fd)

    def born(self) -> None:
        """A new child has the channel now."""
        self.ready = False

    def clear(self) -> None:
        """Forget everything: the child ended in order, its promises with it."""
        region.clear(self.fd)

    def close(self) -> None:
        """The child ended in order and there will be no other: nothing stays."""
        if self.fd >= 0:
            if _names(self._path, self.fd):
                self._path.unlink(missing_ok=True)
            os.close(self.fd)
            self.fd = -1

    def drain(self, channel: socket.socket) -> bool:
        """Read what waits in the channel; False at its end. Nonsense is logged and dropped."""
        while True:
            try:
                data = channel.recv(_DATAGRAM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self.take(data)

    def take(self, data: bytes) -> None:
        """One datagram."""
        try:
            kind, *rest = _decode(data)
        except (msgspec.DecodeError, ValueError) as error:
            log.error("a child sent nonsense over its channel: %s", error)
            return
        if kind == "ready":
            self.ready = True
        elif kind in ("late", "overran") and len(rest) == 1 and isinstance(rest[0], int):
            self.heard.append((kind, rest[0]))

    # -- where it is

    def _named(self, size: int) -> int:
        """An earlier krun's file, where its promises count; else a new one; else memory without a name."""
        fd = self._earlier()
        if fd >= 0:
            return fd
        if not region.on_tmpfs(self._path.parent):
            self._not_kept(self._path.parent, "is not on tmpfs")
            return _nameless(self.name, size)
        try:
            self._path.unlink(missing_ok=True)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                region.form(fd, self.name, self._place, size)
            except OSError:
                os.close(fd)
                self._path.unlink(missing_ok=True)
                raise
            return fd
        except OSError as error:
            self._not_kept(self._path, error.strerror or str(error))
            return _nameless(self.name, size)

    def _not_kept(self, where: Path, why: str) -> None:
        """Say so, once for each place."""
        self.problem = f"{where}: {why}"
        if where not in _said:
            _said.add(where)
            log.warning(
                "%s: if krun's parent process is killed, the next one does not know what this one's processes have promised, and starts as"
                " backup; a run directory below /run keeps it",
                self.problem,
            )

    def _adopted(self, fd: int) -> int:
        try:
            region.check(fd, self.name, self._place)
        except (RegionError, OSError) as error:
            os.close(fd)
            self._is_void(str(error))
            return -1
        if not _names(self._path, fd):
            self.problem = f"{self._path}: is not there; the memory has no name"
        return fd

    def _earlier(self) -> int:
        """The file of an earlier krun, with no process left that writes to it; -1 where there is none that counts."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return -1
        except OSError as error:
            self._is_void(error.strerror or str(error))
            return -1
        try:
            found = region.check(fd, self.name, self._place)
            if found.pid and not _end_orphan(found.pid, found.started):
                raise RegionError(f"is still written to by process {found.pid}, which cannot be killed")
        except (RegionError, OSError) as error:
            os.close(fd)
            self._is_void(str(error))
            return -1
        if found.alive_us:
            now = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
            self.taken_over_us = max(0, now - found.alive_boottime_us)
            log.info(
                "the %s process goes on with what the one of the krun before had promised, %.3f s ago",
                self.name,
                self.taken_over_us / 1e6,
            )
        return fd

    def _is_void(self, why: str) -> None:
        self.void = why
        log.warning("%s: %s: what the krun before had promised does not count", self._path, why)


def expected(config: Config) -> int:
    """About how many octets the promises of a child with ``config`` need; more are added as they are needed."""
    routers = len(config.vrrp_instances) + len(config.vrrp_sync_groups) + len(config.vrrp_scripts)
    return 4096 + 320 * (checkers(config) + len(config.virtual_servers) + 2 * routers)


def forget(folder: Path, names: frozenset[str]) -> None:
    """Remove what an earlier krun's processes promised that do not run now: nobody keeps it true. ``names``: those that run."""
    for path in folder.glob("*.promises"):
        if path.name.removesuffix(".promises") not in names:
            path.unlink(missing_ok=True)


def fresh(folder: Path, config: Config) -> bool:
    """Whether a VRRP process of an earlier krun was alive so lately that peers may still wait for its next advert."""
    try:
        fd = os.open(folder / "vrrp.promises", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        found = region.check(fd, "vrrp", region.here())
    except (RegionError, OSError):
        return False
    finally:
        os.close(fd)
    age_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000 - found.alive_boottime_us
    return 0 <= age_us < max((master_down_s(i) for i in config.vrrp_instances), default=0.0) * 1e6


def _nameless(name: str, size: int) -> int:
    fd = os.memfd_create(f"krun-{name}", os.MFD_CLOEXEC)
    region.form(fd, name, region.here(), size)
    return fd


def _names(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except OSError:
        return False


def _end_orphan(pid: int, began: int) -> bool:
    """A child of a killed krun ends by itself, unless it is stopped or stuck; then it is killed. Whether it is gone."""
    deadline = time.monotonic() + GONE_S
    killed = False
    while pid != os.getpid() and region.started(pid) == began:
        if not killed:
            killed = True
            log.warning("process %d of the krun before did not end by itself: killed", pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                return region.started(pid) != began
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True
