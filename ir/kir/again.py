"""Reading an IR for a runtime that reads the next one soon: without origins, and with all that did not change taken from the last one.

A document of 30,000 real servers has 55 MB, of which a reload changes a line. So it is read in blocks and never held as a whole, up to
the origins, which are the end of it; each virtual server's text is known by a hash, and one that was read before is the object that it
was made into then. What comes out is what `kir.codec.load_path` would read, but for the origins: the digest is that of the content.

The blocks are cut by the lines that `kir.codec.dumps` writes, which no text inside a string can look like. A document that is written
otherwise, or is not as it should be, is read by `kir.codec.load_path`, with all of its words for what is wrong. Of the
origins only the end is looked at: a document that was cut off is no document.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from io import RawIOBase
from pathlib import Path

import msgspec

from kir import codec
from kir import features as feature_names
from kir.canonical import canonical, canonical_digest, canonical_server, in_order
from kir.codec import Document, Envelope, Piece
from kir.model import VirtualServer
from kir.versions import CURRENT

BLOCK = 1 << 20
LARGEST_PIECE = 16 << 20
"""A virtual server with more text than this, or anything else between two cuts, is left to `kir.codec`."""

_BEGIN = b'\n  "virtual_servers": [\n'
_BETWEEN = b"\n   },\n"
_CLOSE = b"\n   }"
_END = _CLOSE + b"\n  ]"
_LAST = b"\n}\n"
_ORIGINS = b',\n "origins": '

_envelope = msgspec.json.Decoder(Envelope)
_server = msgspec.json.Decoder(VirtualServer)


class _Other(Exception):  # noqa: N818 - not wrong, only written in another way
    """The document is not one that can be cut."""


def load_path(path: str | Path, last: Document | None = None) -> Document:
    """Read the document at ``path``. ``last``: one that was read by this function before. Raises `kir.codec.IrError`."""
    found = None
    try:
        file = Path(path)
        if file.is_file():
            with file.open("rb", buffering=0) as stream:
                found = _read(stream, last.pieces if last is not None else {})
    except (_Other, EOFError, OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        pass
    return found if found is not None else codec.load_path(path)


def _read(stream: RawIOBase, known: Mapping[bytes, Piece]) -> Document | None:
    stream.seek(-len(_LAST), os.SEEK_END)
    if stream.read(len(_LAST)) != _LAST:
        raise _Other  # cut off, perhaps where nobody looks
    stream.seek(0)
    head, begun, rest = _until(stream, b"", _BEGIN)
    if not begun:
        raise _Other
    pieces: dict[bytes, Piece] = {}
    rest = _servers(stream, rest, known, pieces)
    tail, cut, _ = _until(stream, rest, _ORIGINS)
    text = head + _BEGIN + b"]" + tail + (b"}" if cut else b"")
    envelope = _envelope.decode(text)
    if envelope.kir != CURRENT or not feature_names.ALL.keys() >= set(envelope.features):
        return None
    rest_of_it = canonical(envelope.config)
    servers = in_order(server for server, _ in pieces.values())
    clean = msgspec.structs.replace(rest_of_it, virtual_servers=servers)
    if envelope.digest != canonical_digest(clean):
        return None
    return Document(
        config=clean,
        digest=envelope.digest,
        features=tuple(
            sorted({*feature_names.needed(rest_of_it), *(f for _, used in pieces.values() for f in used)})
        ),
        pieces=pieces,
    )


def _servers(
    stream: RawIOBase, rest: bytes, known: Mapping[bytes, Piece], pieces: dict[bytes, Piece]
) -> bytes:
    """Read the virtual servers into ``pieces``; returns what was read of the text after them."""
    while True:
        end = rest.find(_END)
        texts = (rest if end < 0 else rest[:end]).split(_BETWEEN)
        unfinished = texts.pop() if end < 0 else b""
        for text in texts:
            _add(text + _CLOSE, known, pieces)
        if end >= 0:
            return rest[end + len(_END) :]
        rest = unfinished + _more(stream, len(unfinished))


def _add(text: bytes, known: Mapping[bytes, Piece], pieces: dict[bytes, Piece]) -> None:
    key = hashlib.blake2b(text, digest_size=16).digest()
    piece = known.get(key)
    if piece is None:
        server = canonical_server(_server.decode(text))
        piece = (server, frozenset(feature_names.of_server(server)))
    pieces[key] = piece


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
