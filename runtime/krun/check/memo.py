"""What the checker process must know again after any process was killed: which services are its own, and which servers drain.

One file in the run directory, which is on tmpfs: ``check.memo``, a line ``krun-check-memo VERSION SHA256`` and then JSON. It is written
beside its place and renamed, so a reader sees the old or the new one; it is written *before* a service is created, so no service is
ever there that nobody knows to be ours. It counts in the boot and the network namespace in which it was written: elsewhere the kernel's
table is another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import msgspec

from kir.model import Service
from kir.state import DestKey
from krun.parent.boot import boot_id

log = logging.getLogger("krun.check")

VERSION = 1
LIMIT = 64 * 1024 * 1024
"""The most octets; 30,000 servers that drain at once need some 8 MB."""

_MAGIC = "krun-check-memo"


class Drain(msgspec.Struct, frozen=True, kw_only=True):
    """A server of ``service`` (``dest`` None: the whole service) that has weight 0 and goes when it has no connection left, or at
    ``deadline_us`` (CLOCK_BOOTTIME). ``since`` and ``until`` are the same for people, in seconds since the epoch.
    """

    service: Service
    dest: DestKey | None
    deadline_us: int
    since: float
    until: float

    @property
    def target(self) -> str:
        return self.service.identity if self.dest is None else f"{self.service.identity} -> {self.dest}"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The content: ``services`` that are ours in the kernel, ``drains`` under way."""

    boot_id: str = ""
    netns: int = 0
    services: tuple[Service, ...] = ()
    drains: tuple[Drain, ...] = ()


class Memo:
    """The file in ``folder``. While it cannot be written `problem` says why; nothing here raises."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "check.memo"
        self.problem = ""
        self._boot = boot_id()
        self._netns = _netns()
        self._written: Known | None = None

    def load(self) -> Known:
        """What a predecessor left; as new where that is nothing, damaged, or of another boot or namespace."""
        try:
            data = self._read()
        except FileNotFoundError:
            return Known()
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            log.error(
                "%s: %s; services that this configuration does not name are not known to be ours, and stay",
                self.file,
                error,
            )
            return Known()
        if (data.boot_id, data.netns) != (self._boot, self._netns):
            return Known()
        self._written = data
        return data

    def save(self, services: tuple[Service, ...], drains: tuple[Drain, ...]) -> bool:
        """Write, where that is anything new."""
        known = Known(boot_id=self._boot, netns=self._netns, services=services, drains=drains)
        if known == self._written and not self.problem:
            return True
        body = msgspec.json.encode(known)
        head = f"{_MAGIC} {VERSION} {hashlib.sha256(body).hexdigest()}\n".encode()
        new = self.file.with_name("check.memo.new")
        try:
            if len(body) > LIMIT:
                raise OSError(f"{len(body):,} octets are more than the {LIMIT:,} that may be kept")
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(head + body)
            new.replace(self.file)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            if not self.problem:
                log.warning(
                    "%s cannot be written (%s): a krun that is killed now forgets which services are its own and which servers drain",
                    self.file,
                    error.strerror or error,
                )
            self.problem = f"{self.file}: {error.strerror or error}"
            return False
        if self.problem:
            log.warning("%s is written again", self.file)
        self.problem = ""
        self._written = known
        return True

    def forget(self) -> None:
        """Everything of ours is out of the kernel."""
        self._written = None
        with contextlib.suppress(OSError):
            self.file.unlink()

    def _read(self) -> Known:
        handle = os.open(self.file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if os.fstat(handle).st_uid != os.geteuid():
                raise ValueError("belongs to another user")
            data = file.read(LIMIT + 200)
        line, _, body = data.partition(b"\n")
        words = line.decode("ascii", "replace").split()
        if len(words) != 3 or words[:2] != [_MAGIC, str(VERSION)]:
            raise ValueError("is no memo of this release of krun")
        if hashlib.sha256(body).hexdigest() != words[2]:
            raise ValueError("is damaged (its checksum does not fit)")
        return msgspec.json.decode(body, type=Known)


def _netns() -> int:
    try:
        return Path("/proc/self/ns/net").stat().st_ino
    except OSError:
        return 0
