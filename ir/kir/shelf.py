"""The virtual servers of a configuration as texts in a file: for a process that has to know what they are, and seldom what is in them.

A configuration of 30,000 real servers is 25 MB of objects, and 20 MB of canonical text that need not be in anybody's memory. A `Shelf`
stands where a configuration has its tuple of virtual servers: it can be counted and looked through, each server being made anew from its
text when it is looked at, and it says by hashes which of them another shelf has too.

The file has no name (memfd_create(2)) until somebody who keeps the same texts in a file of his own says where they are (`Shelf.move`).
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, cast, overload

import msgspec

from kir import features as feature_names
from kir.canonical import canonical_server, encode_canonical, server_order
from kir.model import Config, VirtualServer

WINDOW = 1 << 16
"""How many octets are read or written at once (as `kir.again.BLOCK`)."""

_decode = msgspec.json.Decoder(VirtualServer).decode


class ShelfError(ValueError):
    """The texts are not what they were: the file was changed, or is gone. The text says which."""


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a virtual server's text is, and what is known of it.

    ``mark``: a hash of the text; equal exactly for equal servers. ``order``: where it stands among others (`kir.canonical.server_order`).
    ``checkers``: how many health checks it has. ``raw``: this process's hash of the text that it was read from, which may be laid out otherwise: a cheap one,
    for whoever goes by it compares the digest of the whole.
    """

    name: str
    offset: int
    length: int
    mark: bytes
    order: tuple[Any, ...]
    features: frozenset[str]
    checkers: int
    raw: int


def mark(text: bytes) -> bytes:
    """A hash of ``text``, by which two texts are taken for the same (SHA-256, cut to 16 octets)."""
    return hashlib.sha256(text).digest()[:16]


class _File:
    """A descriptor, closed when nobody refers to it any more; never by a child of the process that opened it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._owner = os.getpid()

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)

    def __del__(self) -> None:
        if self._owner == os.getpid():  # in a child the number may be another file by now
            self.close()


class Shelf(Sequence[VirtualServer]):
    """Virtual servers in canonical order. Compares equal to a sequence of equal ones.

    Reading raises `ShelfError` where the file does not hold the texts any more.
    """

    __slots__ = ("_base", "_file", "_window", "_window_at", "places")

    def __init__(self, file: _File, places: Sequence[Place]) -> None:
        self._file = file
        self._base = 0
        self._window = b""
        self._window_at = 0
        self.places = tuple(places)

    # -- as a sequence

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[VirtualServer]:
        return map(self._server, self.places)

    @overload
    def __getitem__(self, index: int) -> VirtualServer: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[VirtualServer, ...]: ...

    def __getitem__(self, index: int | slice) -> VirtualServer | tuple[VirtualServer, ...]:
        if isinstance(index, slice):
            return tuple(map(self._server, self.places[index]))
        return self._server(self.places[index])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Shelf):
            return [(p.name, p.mark) for p in self.places] == [(p.name, p.mark) for p in other.places]
        if isinstance(other, tuple | list):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} virtual servers>"

    # -- as texts

    def text(self, place: Place) -> bytes:
        """The canonical text of a server: JSON in one line."""
        start = self._base + place.offset - self._window_at
        found = self._window[start : start + place.length] if start >= 0 else b""
        if len(found) < place.length:
            self._window_at = self._base + place.offset
            try:
                self._window = os.pread(self._file.fd, max(place.length, WINDOW), self._window_at)
            except OSError as error:
                raise ShelfError(f"kept virtual servers cannot be read: {error.strerror or error}") from None
            found = self._window[: place.length]
        if len(found) < place.length:
            raise ShelfError("the file with the kept virtual servers was cut")
        return found

    def texts(self) -> Iterator[bytes]:
        """All of them, in order."""
        yield from map(self.text, self.places)
        self._window, self._window_at = b"", 0  # a megabyte that the next one who asks gets again

    def features(self) -> set[str]:
        """What all of them need."""
        return {name for used in {p.features for p in self.places} for name in used}

    def _server(self, place: Place) -> VirtualServer:
        try:
            return _decode(self.text(place))
        except msgspec.MsgspecError as error:
            raise ShelfError(f"the file with the kept virtual servers was changed: {error}") from None

    # -- the file

    def fileno(self) -> int:
        """The descriptor that a child must not close until it has read what it needs; -1: none."""
        return self._file.fd

    def move(self, fd: int, base: int) -> None:
        """From now on the texts are read from the descriptor ``fd``, which becomes the shelf's, from the octet ``base`` on."""
        self._file, self._base = _File(fd), base
        self._window, self._window_at = b"", 0

    def close(self) -> None:
        """Nothing is read any more, by anybody with this descriptor."""
        self._file.close()


class Builder:
    """Puts virtual servers on a new shelf. ``known``: of a shelf that was made before, what need not be made again."""

    def __init__(self, known: Shelf | None = None) -> None:
        self._file = _File(os.memfd_create("krun-virtual-servers", os.MFD_CLOEXEC))
        self._known = known
        places = known.places if known is not None else ()
        self._by_raw = {place.raw: place for place in places}
        self._features = {f: f for f in {place.features for place in places}}
        self._places: list[Place] = []
        self._pending: list[bytes] = []
        self._size = self._waiting = 0

    def add(self, text: bytes) -> None:
        """A virtual server as JSON, however laid out. Raises `msgspec.MsgspecError`."""
        raw = hash(text)
        place = self._by_raw.get(raw)
        if place is None or self._known is None:
            self.put(_decode(text), raw)
        else:
            self._write(place, self._known.text(place), raw)

    def put(self, server: VirtualServer, raw: int | None = None) -> None:
        """A virtual server."""
        clean = canonical_server(server)
        text = encode_canonical(clean)
        used = frozenset(feature_names.of_server(clean))
        place = Place(
            name=clean.name,
            offset=0,
            length=len(text),
            mark=mark(text),
            order=server_order(clean),
            features=self._features.setdefault(used, used),
            checkers=sum([len(real.checkers) for real in clean.real_servers]),
            raw=0,
        )
        self._write(place, text, hash(text) if raw is None else raw)

    def done(self) -> Shelf:
        """The shelf."""
        self._flush()
        places = self._places
        if any(a.order > b.order for a, b in itertools.pairwise(places)):
            places.sort(key=lambda place: place.order)
        return Shelf(self._file, places)

    def _write(self, place: Place, text: bytes, raw: int) -> None:
        self._places.append(msgspec.structs.replace(place, offset=self._size, raw=raw))
        self._pending += (text, b",\n")
        self._size += len(text) + 2
        self._waiting += len(text) + 2
        if self._waiting >= WINDOW:
            self._flush()

    def _flush(self) -> None:
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        self._waiting = 0
        while data:
            data = data[os.write(self._file.fd, data) :]


def shelve(servers: Iterable[VirtualServer]) -> Shelf:
    """``servers`` on a shelf; one that is on a shelf already is that shelf."""
    if isinstance(servers, Shelf):
        return servers
    builder = Builder()
    for server in servers:
        builder.put(server)
    return builder.done()


def with_shelf(config: Config, shelf: Shelf) -> Config:
    """``config`` with the virtual servers of ``shelf``."""
    return msgspec.structs.replace(config, virtual_servers=cast("tuple[VirtualServer, ...]", shelf))


def whole(config: Config) -> Config:
    """``config`` with its virtual servers as objects. Raises `ShelfError`."""
    return msgspec.structs.replace(config, virtual_servers=tuple(config.virtual_servers))


def checkers(config: Config) -> int:
    """How many health checks there are."""
    servers = cast("Sequence[VirtualServer]", config.virtual_servers)
    if isinstance(servers, Shelf):
        return sum(place.checkers for place in servers.places)
    return sum(len(real.checkers) for server in servers for real in server.real_servers)
