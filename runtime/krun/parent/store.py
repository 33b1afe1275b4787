"""What must outlive this parent: a small store in the run directory, which is on tmpfs (file-hierarchy(7), /run).

Two kinds of file::

    krun.store      one line ``krun-store VERSION SHA256 LENGTH``, then that much JSON: a `Kept`
    ir-DIGEST.json  a copy of each IR that `Kept` refers to, as `kir.again.dump` writes it: any tool reads it. The parent's own picture of
                    the virtual servers is in there too, and nowhere else (`kir.shelf`)

Each is written beside its place and renamed: a reader sees the old or the new one, never half of one, whenever the writer is
killed. Nothing is synchronised to a disk: what is on tmpfs survives a process and not a boot, which is just how long it is true.
What cannot be read (damaged, foreign, of a newer krun) is set aside as ``krun.store.aside`` and the start goes on without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from kir.again import dump, load_path, servers_at
from kir.codec import Document, IrError
from kir.shelf import Shelf, ShelfError
from krun.control.state import LastReload

log = logging.getLogger("krun.parent")

VERSION = 1
"""Raised when an older krun would misunderstand the content; a field more does not raise it."""

LIMIT = 1024 * 1024
"""The most octets of a `Kept`. It holds names and numbers; an overlay has some 300."""

DOCUMENT_LIMIT = 256 * 1024 * 1024
"""The most octets of one IR that is kept. 30,000 real servers have some 11 MB."""

_MAGIC = "krun-store"
_HEAD_LIMIT = 200


class StoreError(Exception):
    """Something cannot be stored, or what is stored cannot be used. The text says what and why."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An IR that is kept: its digest, the file it came from and when that was read (seconds since the epoch), and the SHA-256 of
    the copy's octets.
    """

    digest: str
    path: str
    loaded_at: float
    sha256: str
    size: int


class Confirm(msgspec.Struct, frozen=True, kw_only=True):
    """A reload that waits for ``krunctl confirm``; at the deadline the IR before it comes back.

    ``deadline_us`` is on CLOCK_BOOTTIME (it goes on while the machine sleeps, and no clock step moves it) and means something
    only in the boot ``boot_id``. ``deadline`` is the same moment for people, in seconds since the epoch. ``within_us``: what was
    asked for.
    """

    deadline_us: int
    boot_id: str
    deadline: float
    within_us: int
    requested_by: str

    def left_us(self, now_us: int, boot: str) -> int:
        """Microseconds until the deadline; 0 when it has passed, also where the machine was booted since."""
        return max(0, self.deadline_us - now_us) if boot == self.boot_id else 0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept. Change it by `Store.update` or `Store.require` alone.

    ``argument``: the file that krun was started with. ``running``: what runs; ``previous``: what ran before, for ``undo`` and for
    a confirmation that does not come. ``overlays``: an operator's hand on real servers, plain JSON, read and written by
    `krun.control.overlays`; the store only keeps them. ``stopped``: the last krun ended in order and on purpose. ``boot_id``: the
    boot in which all this was so. ``counters``: since the store began.
    """

    argument: str = ""
    running: Reference | None = None
    previous: Reference | None = None
    confirm: Confirm | None = None
    overlays: tuple[dict[str, Any], ...] = ()
    last_reload: LastReload | None = None
    stopped: bool = False
    boot_id: str = ""
    counters: dict[str, int] = {}


class Store:
    """The store of the run directory ``folder``. ``limit`` and ``document_limit`` in octets.

    `kept` is the truth of this process. While it cannot be written `problem` says why, and nothing older stays behind: a later
    krun had better know nothing than something that is no longer so.
    """

    def __init__(self, folder: Path, *, limit: int = LIMIT, document_limit: int = DOCUMENT_LIMIT) -> None:
        self.folder = folder
        self.kept = Kept()
        self.problem = ""
        self.writes = 0
        self.failures = 0
        self._held: set[str] = set()
        self._limit = limit
        self._document_limit = document_limit

    @property
    def file(self) -> Path:
        return self.folder / "krun.store"

    @property
    def aside(self) -> Path:
        """Where a store went that could not be used."""
        return self.folder / "krun.store.aside"

    def place(self, reference: Reference) -> Path:
        """Where the copy of an IR is."""
        return self._place(reference.digest)

    # -- reading

    def open(self) -> bool:
        """Read what an earlier krun left; False where there is nothing usable, and `kept` is as new. Never raises."""
        try:
            data = _read(self.file, self._limit + _HEAD_LIMIT)
        except FileNotFoundError:
            return False
        except StoreError as error:
            self._set_aside(str(error))
            return False
        except OSError as error:
            self._set_aside(f"cannot be read: {error.strerror or error}")
            return False
        try:
            self.kept = _decode(data)
        except StoreError as error:
            self._set_aside(str(error))
            return False
        return True

    def look(self) -> Kept | None:
        """What is there, without a change to it; None: nothing. Raises `StoreError` where that cannot be used."""
        try:
            return _decode(_read(self.file, self._limit + _HEAD_LIMIT))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self.file}: {error.strerror or error}") from None
        except StoreError as error:
            raise StoreError(f"{self.file}: {error}") from None

    def get(self, reference: Reference) -> Document:
        """The IR that ``reference`` means. Raises `StoreError`."""
        path = self._place(reference.digest)
        found = hashlib.sha256()
        size = 0
        try:
            for block in _blocks(path, self._document_limit):
                found.update(block)
                size += len(block)
        except FileNotFoundError:
            raise StoreError(f"{path}: the kept IR is gone") from None
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror or error}") from None
        if size != reference.size or found.hexdigest() != reference.sha256:
            raise StoreError(f"{path}: the kept IR is damaged (its checksum does not fit)")
        try:
            return load_path(path)
        except IrError as error:
            raise StoreError(str(error)) from None

    def _set_aside(self, why: str) -> None:
        where = ""
        try:
            self.file.replace(self.aside)
            where = f"; it is set aside as {self.aside.name}"
        except OSError:
            with contextlib.suppress(OSError):
                self.file.unlink()
        log.error("%s: %s%s; krun starts with what its arguments say", self.file, why, where)

    # -- writing

    def put(self, document: Document, path: str, loaded_at: float) -> Reference:
        """Keep a copy of ``document``, which was read from ``path``. Raises `StoreError` where there is no room for it.

        The copy stays until a later `update` or `require` no longer refers to it, or until `drop`.
        """
        for known in (self.kept.running, self.kept.previous):
            if known is not None and known.digest == document.digest and self._is_there(known):
                _settle(document, self._place(known.digest), None)
                return msgspec.structs.replace(known, path=path, loaded_at=loaded_at)
        place = self._place(document.digest)
        text = hashlib.sha256()
        sizes: list[int] = []

        def blocks() -> Iterator[bytes]:
            for block in dump(document):
                text.update(block)
                sizes.append(len(block))
                if sum(sizes) > self._document_limit:
                    raise StoreError(
                        f"an IR of {sum(sizes):,} octets or more is larger than the {self._document_limit:,} that are kept over a"
                        " restart"
                    )
                yield block

        self._write(place, blocks())
        self._held.add(place.name)
        _settle(document, place, sizes[0])
        return Reference(
            digest=document.digest,
            path=path,
            loaded_at=loaded_at,
            sha256=text.hexdigest(),
            size=sum(sizes),
        )

    def drop(self, reference: Reference) -> None:
        """What `put` kept is not wanted after all."""
        self._held.discard(self._place(reference.digest).name)
        self._collect(self.kept)

    def update(self, **changes: Any) -> bool:
        """Change fields of `kept` and write it. False where that is not possible: then `problem` says why, once in the log too, and
        `retry` tries again.
        """
        self.kept = msgspec.structs.replace(self.kept, **changes)
        return self.retry()

    def require(self, **changes: Any) -> None:
        """Change fields of `kept`, or raise `StoreError` and leave everything as it was."""
        new = msgspec.structs.replace(self.kept, **changes)
        self._save(new)
        self.kept = new

    def count(self, name: str) -> dict[str, int]:
        """The counters with one more of ``name``, for `update`."""
        counters = dict(self.kept.counters)
        counters[name] = counters.get(name, 0) + 1
        return counters

    def retry(self) -> bool:
        """Write `kept` again. What cannot be written is at least not left behind in an older form."""
        try:
            self._save(self.kept)
            return True
        except StoreError:
            # On a full tmpfs the older form's own pages may be just the room that is missing.
            with contextlib.suppress(OSError):
                self.file.unlink()
        try:
            self._save(self.kept)
        except StoreError as error:
            if not self.problem:
                log.warning(
                    "%s. Until that is cured a krun that is killed forgets the way back and overlays", error
                )
            self.problem = str(error)
            return False
        return True

    def _save(self, kept: Kept) -> None:
        body = msgspec.json.encode(kept, order="deterministic")
        if len(body) > self._limit:
            raise StoreError(
                f"{self.file}: {len(body):,} octets are more than the {self._limit:,} that may be kept; remove overlays"
            )
        head = f"{_MAGIC} {VERSION} {hashlib.sha256(body).hexdigest()} {len(body)}\n".encode()
        self._write(self.file, (head, body))
        if self.problem:
            log.warning("%s is written again", self.file)
        self.problem = ""
        self.writes += 1
        self._held -= self._wanted(kept)
        self._collect(kept)

    def _write(self, place: Path, blocks: Iterable[bytes]) -> None:
        """Beside its place, then renamed. Raises `StoreError`."""
        new = place.with_name(f"{place.name}.new")
        try:
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                for block in blocks:
                    view = memoryview(block)
                    while view:
                        view = view[os.write(handle, view) :]
            finally:
                os.close(handle)
            new.replace(place)
        except (OSError, StoreError, ShelfError) as error:
            self.failures += 1
            with contextlib.suppress(OSError):
                new.unlink()
            if isinstance(error, StoreError):
                raise
            words = error.strerror if isinstance(error, OSError) else None
            raise StoreError(f"{place}: cannot be stored: {words or error}") from None

    def _collect(self, kept: Kept) -> None:
        """Remove copies that nothing refers to, and what a killed writer left."""
        wanted = self._wanted(kept) | self._held
        with contextlib.suppress(OSError):
            for pattern in ("ir-*.json", "ir-*.json.new"):
                for path in self.folder.glob(pattern):
                    if path.name not in wanted:
                        path.unlink(missing_ok=True)

    def _wanted(self, kept: Kept) -> set[str]:
        return {self._place(r.digest).name for r in (kept.running, kept.previous) if r is not None}

    def _place(self, digest: str) -> Path:
        name = "".join(c for c in digest.rpartition(":")[2] if c.isalnum())[:32]
        return self.folder / f"ir-{name}.json"

    def _is_there(self, reference: Reference) -> bool:
        try:
            return self._place(reference.digest).stat().st_size == reference.size
        except OSError:
            return False


def _settle(document: Document, place: Path, base: int | None) -> None:
    """The copy at ``place`` is where the document's virtual servers are from now on: they need no other room. ``base``: where they begin."""
    servers = cast("object", document.config.virtual_servers)
    if not isinstance(servers, Shelf) or not len(servers):
        return
    with contextlib.suppress(OSError):  # else they stay where they are
        base = servers_at(place) if base is None else base
        if base is not None:
            servers.move(os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), base)


def _read(path: Path, limit: int) -> bytes:
    """The content of a regular file of ours, see `_blocks`."""
    return b"".join(_blocks(path, limit))


def _blocks(path: Path, limit: int) -> Iterator[bytes]:
    """A regular file of ours, block by block. Raises OSError, and `StoreError` for anything that is none of ours."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        details = os.fstat(handle)
        if not stat.S_ISREG(details.st_mode) or details.st_uid != os.geteuid():
            raise StoreError(f"{path}: is no regular file of the user that krun runs as")
        if details.st_size > limit:
            raise StoreError(
                f"{path}: {details.st_size:,} octets are more than krun ever writes there ({limit:,})"
            )
        while part := os.read(handle, 1 << 20):
            yield part
    finally:
        os.close(handle)


def _decode(data: bytes) -> Kept:
    line, end, body = data[:_HEAD_LIMIT].partition(b"\n")
    body = data[len(line) + 1 :]
    words = line.decode("ascii", "replace").split()
    if not end or len(words) != 4 or words[0] != _MAGIC or not words[1].isdigit() or not words[3].isdigit():
        raise StoreError("is no store of krun")
    if int(words[1]) != VERSION:
        raise StoreError(
            f"was written by another release of krun (store version {words[1]}, this one has {VERSION})"
        )
    if len(body) != int(words[3]) or hashlib.sha256(body).hexdigest() != words[2]:
        raise StoreError("is damaged (its checksum does not fit)")
    try:
        return msgspec.json.decode(body, type=Kept)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"has content that this release does not understand: {error}") from None
