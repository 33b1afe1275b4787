"""Reading an IR for a runtime that reads the next one soon: without origins, its virtual servers on a shelf, those that did not change
taken from the last one.

A document of 30,000 real servers has 55 MB, of which a reload changes a line. So it is read in blocks and never held as a whole, up to
the origins, which are the end of it; each virtual server's text is known by a hash, and one that was read before is not read again
(`kir.shelf`). What comes out is what `kir.codec.load_path` would read, but for the origins: the digest is that of the content.

Two layouts are cut: that of `kir.codec.dumps`, by lines that no text inside a string can look like, and that of `dump`, a virtual server a
line. A document that is written otherwise, or is not as it should be, is read by `kir.codec.load_path`, with all of its words for
what is wrong. Of the origins only the end is looked at: a document that was cut off is no document.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator
from io import RawIOBase
from pathlib import Path
from typing import cast

import msgspec

from kir import codec
from kir import features as feature_names
from kir.canonical import canonical, canonical_digest, canonical_server, in_order
from kir.codec import Document, Envelope, IrError
from kir.model import VirtualServer
from kir.sharing import Sharing
from kir.shelf import Builder, Shelf, shelve, with_shelf
from kir.versions import CURRENT

BLOCK = 1 << 16
"""How much is read at once. What is larger than 128 kB the C library takes from the kernel anew, page by page, each time (mallopt(3))."""
LARGEST_PIECE = 16 << 20
"""A virtual server with more text than this, or anything else between two cuts, is left to `kir.codec`."""

_BEGIN = b'\n  "virtual_servers": [\n'
_CLOSE = b"\n   }"
"""What ends a virtual server, and nothing inside of one."""
_COMMA = b",\n"
_AFTER = b"\n  ]"
_LAST = b"\n}\n"
_ORIGINS = b',\n "origins": '

_LINED_BEGIN = b'"virtual_servers":[\n'
_LINED_BETWEEN = b",\n"
_LINED_LAST = b"\n]}}\n"
_OPEN = b"{\n"
"""How a document begins that is laid out as `kir.codec.dumps` does it."""

_envelope = msgspec.json.Decoder(Envelope)
_server = msgspec.json.Decoder(VirtualServer)


class _Other(Exception):  # noqa: N818 - not wrong, only written in another way
    """The document is not one that can be cut."""


def load_path(path: str | Path, last: Document | None = None) -> Document:
    """Read the document at ``path``. ``last``: one that was read by this function before. Raises `kir.codec.IrError`."""
    found = None
    known = cast("object", last.config.virtual_servers) if last is not None else None
    try:
        file = Path(path)
        if file.is_file():
            with file.open("rb", buffering=0) as stream:
                found = _read(stream, Builder(known if isinstance(known, Shelf) else None))
    except (_Other, EOFError, OSError, ValueError, msgspec.MsgspecError, RecursionError):
        pass
    return found if found is not None else shelved(codec.load_path(path))


def shelved(document: Document) -> Document:
    """``document`` with its virtual servers on a shelf, without its origins. Raises `kir.codec.IrError` where there is no room for them."""
    try:
        shelf = shelve(document.config.virtual_servers)
    except OSError as error:
        raise IrError(f"no room for the virtual servers: {error.strerror or error}") from None
    return Document(
        config=with_shelf(document.config, shelf),
        digest=document.digest,
        version=document.version,
        features=document.features,
    )


def dump(document: Document) -> Iterator[bytes]:
    """The document in blocks: canonical JSON in which each virtual server has a line, as any reader of the IR takes it. The second block is
    the first of the virtual servers.
    """
    shelf = shelve(document.config.virtual_servers)
    rest = Envelope(
        kir=CURRENT,
        features=list(document.features),
        digest=document.digest,
        config=with_shelf(document.config, shelf),
    )
    head = msgspec.structs.replace(rest, config=msgspec.structs.replace(rest.config, virtual_servers=()))
    fields = msgspec.json.decode(msgspec.json.encode(head), type=dict[str, msgspec.Raw])
    config = msgspec.json.decode(fields["config"], type=dict[str, msgspec.Raw])
    del config["virtual_servers"], fields["origins"], fields["config"]
    start = msgspec.json.encode(fields)[:-1] + b',"config":' + msgspec.json.encode(config)[:-1] + b","
    if not len(shelf):
        yield start + b'"virtual_servers":[]}}\n'
        return
    yield start + _LINED_BEGIN
    waiting: list[bytes] = []
    size = 0
    for number, text in enumerate(shelf.texts()):
        waiting += (_LINED_BETWEEN, text) if number else (text,)
        size += len(text)
        if size >= BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting) + _LINED_LAST


class Place(msgspec.Struct, frozen=True):
    """Address and port of a real server."""

    address: str
    port: int


class Outline(msgspec.Struct, frozen=True):
    """What is read of a virtual server to know whether it is wanted."""

    name: str
    real_servers: tuple[Place, ...] = ()


class _Named(msgspec.Struct, frozen=True):
    name: str


_outline = msgspec.json.Decoder(Outline)
_named = msgspec.json.Decoder(_Named)


def pick(path: str | Path, names: Container[str], also: Callable[[Outline], bool] | None = None) -> Document:
    """The document at ``path`` with those virtual servers alone that have one of ``names``, or that ``also`` says are wanted too.

    For a document that was judged before: the digest is what it says of itself, and is not compared with the content; `load_path` does
    that. Raises `kir.codec.IrError`.
    """
    found = None

    def wanted(text: bytes) -> bool:
        if also is None:
            return _named.decode(text).name in names
        outline = _outline.decode(text)
        return outline.name in names or also(outline)

    servers: list[VirtualServer] = []
    share = Sharing().virtual

    def add(text: bytes) -> None:
        if wanted(text):
            servers.append(canonical_server(share(_server.decode(text))))

    try:
        with Path(path).open("rb", buffering=0) as stream:
            envelope = _cut(stream, add)
            if envelope is not None:
                rest = canonical(envelope.config)
                config = msgspec.structs.replace(rest, virtual_servers=in_order(servers))
                found = Document(config=config, digest=envelope.digest)
    except (_Other, EOFError, OSError, ValueError, msgspec.MsgspecError, RecursionError):
        pass
    if found is not None:
        return found
    whole = codec.load_path(path)
    kept = tuple(v for v in whole.config.virtual_servers if wanted(msgspec.json.encode(v)))
    return Document(config=msgspec.structs.replace(whole.config, virtual_servers=kept), digest=whole.digest)


def servers_at(path: Path) -> int | None:
    """Where in a file that `dump` wrote the virtual servers begin; None where that is not so. Raises OSError."""
    with path.open("rb", buffering=0) as stream:
        head, found, _ = (stream.read(BLOCK) or b"").partition(_LINED_BEGIN)
    return len(head) + len(found) if found else None


def _read(stream: RawIOBase, builder: Builder) -> Document | None:
    envelope = _cut(stream, builder.add)
    if envelope is None:
        return None
    shelf = builder.done()
    rest = canonical(envelope.config)
    clean = with_shelf(rest, shelf)
    if envelope.digest != canonical_digest(clean):
        return None
    return Document(
        config=clean,
        digest=envelope.digest,
        features=tuple(sorted({*feature_names.needed(rest), *shelf.features()})),
    )


def _cut(stream: RawIOBase, add: Callable[[bytes], None]) -> Envelope | None:
    """The document without its virtual servers and origins; ``add`` is given the text of each virtual server. None where it is of another
    version, or needs features that nobody here knows.
    """
    begins = stream.read(len(_OPEN))
    pretty = begins == _OPEN
    last = _LAST if pretty else _LINED_LAST
    stream.seek(-len(last), os.SEEK_END)
    if stream.read(len(last)) != last:
        raise _Other  # cut off, perhaps where nobody looks
    stream.seek(0)
    head, begun, rest = _until(stream, b"", _BEGIN if pretty else _LINED_BEGIN)
    if not begun:
        raise _Other
    rest = (_pretty if pretty else _lined)(stream, rest, add)
    tail, cut, _ = _until(stream, rest, _ORIGINS) if pretty else (*_all(stream, rest), b"")
    text = head + (_BEGIN if pretty else _LINED_BEGIN) + b"]" + tail + (b"}" if cut else b"")
    envelope = _envelope.decode(text)
    if envelope.kir != CURRENT or not feature_names.ALL.keys() >= set(envelope.features):
        return None
    return envelope


def _pretty(stream: RawIOBase, rest: bytes, add: Callable[[bytes], None]) -> bytes:
    """Tell ``add`` of the virtual servers, of which ``rest`` is the beginning; returns what was read of the text after them."""
    while True:
        parts = rest.split(_CLOSE)
        last = len(parts) - 1
        for number, part in enumerate(parts):
            if part.startswith(_AFTER):
                return _CLOSE.join(parts[number:])[len(_AFTER) :]
            if number < last:
                add(part.removeprefix(_COMMA) + _CLOSE)
        rest = parts[last] + _more(stream, len(parts[last]))


def _lined(stream: RawIOBase, rest: bytes, add: Callable[[bytes], None]) -> bytes:
    """As `_pretty`, where each has a line."""
    while True:
        *lines, rest = rest.split(b"\n")
        for number, line in enumerate(lines):
            if line.startswith(b"]"):
                return b"\n".join([*lines[number:], rest])[1:]
            add(line.removesuffix(b","))
        rest += _more(stream, len(rest))


def _all(stream: RawIOBase, text: bytes) -> tuple[bytes, bytes]:
    """``text`` and everything that follows it, and nothing."""
    while True:
        try:
            text += _more(stream, len(text))
        except EOFError:
            return text, b""


def _until(stream: RawIOBase, text: bytes, mark: bytes) -> tuple[bytes, bytes, bytes]:
    """``text`` and what follows it, parted at ``mark``; without a mark all there is, as `bytes.partition`."""
    while mark not in text:
        try:
            text += _more(stream, len(text))
        except EOFError:
            break
    return text.partition(mark)


def _more(stream: RawIOBase, held: int) -> bytes:
    """The next block. Raises EOFError at the end, `_Other` where too much is ``held`` already."""
    if held > LARGEST_PIECE:
        raise _Other
    block = stream.read(BLOCK)
    if not block:
        raise EOFError
    return block
