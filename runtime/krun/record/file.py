"""The file of ``krunctl record``: JSON lines, gzip around them. Written once, read anywhere, by anybody that it is given to.

::

    {"krun_record": 1, "release": "0.1.0", "saved_at": 1780000000.5, "secrets": "masked", "host": {…}, "ir": {"path": …, "digest": …}}
    {"process": {"name": "vrrp", "pid": 4711, "offset_s": 1779990000.1}}
    {"ring": {"limit": 200000, "lost": 0, "messages": 1200}}
    {"config": {"number": 0, "digest": "sha256:…", "document": {…}}}
    {"servers": {"number": 0, "list": [{…}, …]}}
    {"part": {"config": 0, "state": {…} or null}}
    {"entries": [["tick"], ["!", "Transmit", {…}], …]}
    {"steps": {"at": 1000000, "after": [0, 12, …], "what": [0, 1, …]}}
    {"events": [{…}, …]}
    {"end": 9}

A process has its ring, and of each part of it the configuration (once; its virtual servers in lines of their own), the state at its beginning, the entries, and the steps: when
which entry happened, the first time in microseconds of CLOCK_MONOTONIC, the others counted from the one before. ``offset_s`` takes that
clock to seconds since the epoch. An entry is an input with what came with it, or ``!`` and a decision. ``events`` are the log lines of
all processes. The last line counts the lines before it, so that half a file is known for what it is.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from kir import onestep
from kir.model import Config, VirtualServer
from krun.record.dump import Piece

VERSION = 1
"""Raised when a reader of before would misunderstand the file."""

MAX_FILE = 256 * 1024 * 1024
MAX_TEXT = 1024 * 1024 * 1024
"""Octets of a file, and of what is in it: more is refused before it fills the memory."""


class RecordError(Exception):
    """A file that is no recording, or a broken one. The text says what, where and why."""


class Header(msgspec.Struct, kw_only=True):
    """The first line. ``secrets``: ``masked`` or ``real``. ``crash``: the error that ended the process which wrote it."""

    krun_record: int
    release: str
    saved_at: float
    secrets: str = "masked"
    host: dict[str, Any] = {}
    ir: dict[str, Any] = {}
    crash: str = ""


class ProcessLine(msgspec.Struct, kw_only=True):
    name: str
    pid: int
    offset_s: float


class RingLine(msgspec.Struct, kw_only=True):
    limit: int
    lost: int
    messages: int


class ConfigLine(msgspec.Struct, kw_only=True):
    number: int
    digest: str
    document: msgspec.Raw


class ServersLine(msgspec.Struct, kw_only=True):
    number: int
    list: msgspec.Raw


class PartLine(msgspec.Struct, kw_only=True):
    config: int
    state: msgspec.Raw


class StepsLine(msgspec.Struct, kw_only=True):
    at: int
    after: list[int]
    what: list[int]


class Line(msgspec.Struct, kw_only=True):
    """A line after the first: one of these."""

    process: ProcessLine | None = None
    ring: RingLine | None = None
    config: ConfigLine | None = None
    servers: ServersLine | None = None
    part: PartLine | None = None
    entries: list[list[Any]] | None = None
    steps: StepsLine | None = None
    events: list[dict[str, Any]] | None = None
    end: int | None = None


@dataclass(slots=True)
class LoadedPart:
    """``config``: its number. ``state``: JSON of the state at the beginning, ``null`` at birth. ``steps``: time and entry."""

    config: int
    state: bytes
    entries: list[list[Any]] = field(default_factory=list)
    steps: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """What one process remembered. ``configs``: by number, digest and JSON; ``servers``: by number, JSON lists of their virtual servers."""

    name: str
    pid: int
    offset_s: float
    ring: RingLine = field(default_factory=lambda: RingLine(limit=0, lost=0, messages=0))
    configs: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    servers: dict[int, list[bytes]] = field(default_factory=dict)
    parts: list[LoadedPart] = field(default_factory=list)

    def config(self, number: int) -> Config:
        """A configuration. Raises KeyError, `msgspec.MsgspecError`."""
        base = msgspec.json.decode(self.configs[number][1], type=Config)
        lists = (msgspec.json.decode(text, type=_Virtuals) for text in self.servers.get(number, ()))
        return msgspec.structs.replace(base, virtual_servers=tuple(v for some in lists for v in some))


_Virtuals = list[VirtualServer]


@dataclass(slots=True)
class Recording:
    """A whole file. ``whole`` False: its end is missing."""

    header: Header
    sections: list[Section] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    whole: bool = False


def write(target: Path, header: Header, lines: Iterable[Piece]) -> int:
    """Write a recording in one step, readable by its owner alone; returns its size in octets. Raises OSError."""
    buffer = io.BytesIO()
    count = 1
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6, mtime=0) as packed:
        packed.write(msgspec.json.encode(header) + b"\n")
        for line in lines:
            packed.write(msgspec.json.encode(line) + b"\n")
            count += 1
        packed.write(msgspec.json.encode({"end": count}) + b"\n")
    onestep.write(target, buffer.getvalue())
    return len(buffer.getvalue())


def read(source: Path) -> Recording:
    """Read a file. Raises `RecordError`."""
    try:
        with source.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise RecordError(f"{source}: {error.strerror or error}") from None
    if len(data) > MAX_FILE:
        raise RecordError(f"{source}: more than {MAX_FILE >> 20} MB: no recording is that large")
    try:
        return loads(data)
    except RecordError as error:
        raise RecordError(f"{source}: {error}") from None


def loads(data: bytes) -> Recording:
    """Read a recording from octets. Raises `RecordError`, and nothing else."""
    lines = _lines(data)
    try:
        header = msgspec.json.decode(next(lines), type=Header)
    except StopIteration:
        raise RecordError("it is empty") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(
            f"no recording of krun: its first line is not what `krunctl record` writes ({error})"
        ) from None
    if header.krun_record != VERSION:
        raise RecordError(
            f"format {header.krun_record}, written by krun {header.release[:40]}; this release reads format {VERSION}: use that one's krunctl"
        )
    recording = Recording(header)
    number = 1
    for text in lines:
        number += 1
        try:
            line = msgspec.json.decode(text, type=Line)
            _take(recording, line, number)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise RecordError(f"line {number}: {error}") from None
        if recording.whole:
            break
    return recording


def _lines(data: bytes) -> Iterator[bytes]:
    if data[:2] != b"\x1f\x8b":
        yield from (line for line in data.split(b"\n") if line)
        return
    inflate = zlib.decompressobj(wbits=31)
    rest = b""
    total = 0
    feed = data
    while feed:
        try:
            text = inflate.decompress(feed, 1 << 20)
        except zlib.error as error:
            raise RecordError(f"its compression is damaged: {error}") from None
        total += len(text)
        if total > MAX_TEXT:
            raise RecordError(f"more than {MAX_TEXT >> 20} MB when unpacked: no recording is that large")
        *done, rest = (rest + text).split(b"\n")
        yield from (line for line in done if line)
        feed = inflate.unconsumed_tail
        if not text and not feed:
            break
    # What a damaged end leaves of a line is no line.


def _take(recording: Recording, line: Line, number: int) -> None:
    if line.process is not None:
        said = line.process
        recording.sections.append(Section(said.name, said.pid, said.offset_s))
        return
    if line.end is not None:
        if line.end != number - 1:
            raise ValueError(f"the end counts {line.end} lines, here are {number - 1}: something is missing")
        recording.whole = True
        return
    if line.events is not None:
        recording.events += line.events
        return
    if not recording.sections:
        raise ValueError("it belongs to no process")
    section = recording.sections[-1]
    if line.ring is not None:
        section.ring = line.ring
    elif line.config is not None:
        section.configs[line.config.number] = (line.config.digest, bytes(line.config.document))
    elif line.servers is not None:
        section.servers.setdefault(line.servers.number, []).append(bytes(line.servers.list))
    elif line.part is not None:
        if line.part.config not in section.configs:
            raise ValueError(f"part of configuration {line.part.config}, which is not there")
        section.parts.append(LoadedPart(line.part.config, bytes(line.part.state)))
    elif not section.parts:
        raise ValueError("it belongs to no part")
    elif line.entries is not None:
        section.parts[-1].entries += line.entries
    elif line.steps is not None:
        _steps(section.parts[-1], line.steps)


def _steps(part: LoadedPart, said: StepsLine) -> None:
    if len(said.after) != len(said.what):
        raise ValueError(f"{len(said.after)} times for {len(said.what)} steps")
    now = said.at
    for after, what in zip(said.after, said.what, strict=True):
        now += after
        if not 0 <= what < len(part.entries):
            raise ValueError(f"step {what}, where there are {len(part.entries)} entries")
        part.steps.append((now, what))
