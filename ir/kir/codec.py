"""The IR on disk: one JSON document with version, features, digest, configuration and origins.

::

    {"kir": "1.0", "features": ["ipvs", "vrrp.v2"], "digest": "sha256:…", "config": {…},
     "origins": {"files": ["edge.conf"], "places": {"vrrp_instance/VI_1": [0, 12, 1]}, "losses": []}}

``origins`` is outside the digest: it says where each object came from (file index, line, column) and what a build with errors
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from kir import features as feature_names
from kir import onestep
from kir.canonical import canonical, canonical_digest, raw_digest
from kir.model import Config
from kir.versions import CURRENT, NotAnIrError, TooNewError, migrate

MAX_BYTES = 1 << 30
"""A document larger than this is refused before it is read."""


class IrError(Exception):
    """An IR that cannot be used. The text says what, why, and what to do."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the text said and the IR does not: made only by a build that was told to allow errors."""

    code: str
    message: str
    file: str
    line: int
    column: int


class Origins(msgspec.Struct, kw_only=True):
    """Where objects came from: IR path → (index into ``files``, line, column)."""

    files: list[str] = []
    places: dict[str, tuple[int, int, int]] = {}
    losses: list[Loss] = []

    def place(self, path: str) -> tuple[str, int, int] | None:
        """File, line and column of the object or field at ``path``, or of the nearest object around it."""
        while path:
            found = self.places.get(path)
            if found is not None:
                return self.files[found[0]], found[1], found[2]
            path = path.rpartition("/")[0]
        return None


class Envelope(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The document as JSON has it."""

    kir: str
    features: list[str]
    digest: str
    config: Config
    origins: Origins = msgspec.field(default_factory=Origins)


class Document(msgspec.Struct):
    """A loaded IR. ``version`` is the one that the file had; ``digest`` that of ``config`` in today's model."""

    config: Config
    digest: str
    version: str = CURRENT
    features: tuple[str, ...] = ()
    origins: Origins = msgspec.field(default_factory=Origins)


def document(config: Config, origins: Origins | None = None) -> Document:
    """``config`` made canonical, with its digest and the features that it needs."""
    clean = canonical(config)
    return Document(
        config=clean,
        digest=canonical_digest(clean),
        features=feature_names.needed(clean),
        origins=origins if origins is not None else Origins(),
    )


def origins_of(places: Mapping[str, tuple[str, int, int]], losses: Iterable[Loss] = ()) -> Origins:
    """The origins section from IR path → (file, line, column)."""
    index: dict[str, int] = {}
    for file, _, _ in places.values():
        index.setdefault(file, len(index))
    return Origins(
        files=list(index),
        places={path: (index[f], line, column) for path, (f, line, column) in sorted(places.items())},
        losses=list(losses),
    )


def dumps(doc: Document) -> bytes:
    """The document as it is written: indented, in a fixed order, with a newline at the end."""
    envelope = Envelope(
        kir=CURRENT,
        features=list(doc.features),
        digest=doc.digest,
        config=doc.config,
        origins=doc.origins,
    )
    return msgspec.json.format(msgspec.json.encode(envelope, order="deterministic"), indent=1) + b"\n"


def write(doc: Document, path: str | Path) -> None:
    """Write the document in one step, readable by its owner alone: it may hold secrets.

    Raises OSError. A reader never sees half a file: it is written beside the target and renamed.
    """
    onestep.write(Path(path), dumps(doc))


def loads(data: bytes, name: str = "<ir>") -> Document:
    """Read a document. Raises `IrError` for anything that is not a usable IR."""
    found = _read_current(data)
    if found is not None:
        return found
    raw = _decode(data, name)
    try:
        raw, version = migrate(raw)
    except NotAnIrError as e:
        raise IrError(f"{name}: {e}. Make one with `kcc build FILE -o ir.json`.") from None
    except TooNewError as e:
        raise IrError(
            f"{name}: {e}. Build it again with this release's kcc, or upgrade the reader."
        ) from None
    # Of the content as it was written: a document of an earlier release lacks the fields that came later.
    written = raw_digest(raw.get("config"))
    try:
        envelope = msgspec.convert(raw, Envelope)
    except msgspec.ValidationError as e:
        raise IrError(
            f"{name}: not a valid IR of version {CURRENT}: {e}. Build it again with `kcc build`; `kcc schema` prints "
            "what is allowed."
        ) from None
    unknown = [f for f in envelope.features if f not in feature_names.ALL]
    if unknown:
        raise IrError(
            f"{name}: needs {_names(unknown)}, which this release does not know. Upgrade the reader."
        )
    clean = canonical(envelope.config)
    actual = canonical_digest(clean)
    if version == CURRENT and envelope.digest not in (actual, written):
        raise IrError(
            f"{name}: the digest does not fit the content (it says {envelope.digest[:23]}…, the content has "
            f"{actual[:23]}…): the file was edited or damaged. Change the configuration and build it again with `kcc build`."
        )
    return Document(
        config=clean,
        digest=actual,
        version=version,
        features=feature_names.needed(clean),
        origins=envelope.origins,
    )


_decode_whole = msgspec.json.Decoder(Envelope).decode


def _read_current(data: bytes) -> Document | None:
    """The document where it is what this release writes, straight into the model: a third of the time and memory of the way that
    can migrate, and explain. None for everything else.
    """
    try:
        envelope = _decode_whole(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if envelope.kir != CURRENT or not feature_names.ALL.keys() >= set(envelope.features):
        return None
    clean = canonical(envelope.config)
    if envelope.digest != canonical_digest(clean):
        return None
    return Document(
        config=clean,
        digest=envelope.digest,
        features=feature_names.needed(clean),
        origins=envelope.origins,
    )


def load_path(path: str | Path, read: Callable[[bytes, str], Document] = loads) -> Document:
    """Read the document at ``path``. Raises `IrError`, whatever is wrong with file or content. ``read``: what makes it of the octets."""
    file = Path(path)
    try:
        if file.is_dir():
            raise IrError(f"{path}: is a directory; give the ir.json that `kcc build` wrote")
        if not file.is_file() and file.exists():
            raise IrError(f"{path}: not a regular file")
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise IrError(f"{path}: {size:,} bytes is more than the {MAX_BYTES:,} that an IR may have")
        data = file.read_bytes()
    except OSError as e:
        raise IrError(f"{path}: cannot be read: {e.strerror or e}") from None
    return read(data, str(path))


def _decode(data: bytes, name: str) -> dict[str, Any]:
    if not data.strip():
        raise IrError(f"{name}: the file is empty; make an IR with `kcc build FILE -o ir.json`")
    start = data.lstrip()[:1]
    if start not in (b"{", b"["):
        raise IrError(
            f"{name}: not JSON; if this is a keepalived.conf, compile it first: `kcc build {name} -o ir.json`"
        )
    try:
        raw = msgspec.json.decode(data)
    except msgspec.DecodeError as e:
        raise IrError(
            f"{name}: not complete JSON ({e}): the file is cut off or damaged. Build it again with `kcc build`."
        ) from None
    except (RecursionError, UnicodeDecodeError):
        raise IrError(f"{name}: not JSON that an IR could be") from None
    if not isinstance(raw, dict):
        raise IrError(f"{name}: JSON, but not an IR. Make one with `kcc build FILE -o ir.json`.")
    return raw


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{n}`" for n in sorted(names))
