"""What a process remembers, in pieces that are small enough to be answered between two turns of its loop.

A piece is plain data for JSON, one of the lines that `krun.record.file` describes; it still holds every secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from krun.record.ring import OUTPUT, Part, Ring

ENTRIES = 250
STEPS = 20_000
"""How much is in a piece: a millisecond or two of encoding."""

Piece = dict[str, Any]


def pieces(ring: Ring) -> Iterator[Piece]:
    """All that ``ring`` holds now; it may go on growing meanwhile."""
    parts = [(part, len(part.table), len(part.whats)) for part in ring.parts]
    yield {"ring": {"limit": ring.limit, "lost": ring.lost, "messages": ring.messages}}
    numbers: dict[int, int] = {}
    for part, entries, steps in parts:
        config, digest, state = part.begin
        yield from _config(config, digest, numbers)
        yield {"part": {"config": numbers[id(config)], "state": state}}
        for entry in part.table[:entries]:
            if entry[0] == "reload":
                yield from _config(entry[1][0], entry[1][1], numbers)
        for start in range(0, entries, ENTRIES):
            yield {"entries": [_entry(e, numbers) for e in part.table[start : min(start + ENTRIES, entries)]]}
        yield from _steps(part, steps)


def _config(config: Any, digest: str, numbers: dict[int, int]) -> Iterator[Piece]:
    if id(config) not in numbers:
        number = numbers[id(config)] = len(numbers)
        base = msgspec.structs.replace(config, virtual_servers=())
        yield {"config": {"number": number, "digest": digest, "document": base}}
        some: list[Any] = []
        weight = 0
        for virtual in config.virtual_servers:
            some.append(virtual)
            weight += 1 + len(virtual.real_servers)
            if weight >= ENTRIES:
                yield {"servers": {"number": number, "list": some}}
                some, weight = [], 0
        if some:
            yield {"servers": {"number": number, "list": some}}


def _entry(entry: tuple[Any, ...], numbers: dict[int, int]) -> list[Any]:
    if entry[0] == "reload":
        return ["reload", numbers[id(entry[1][0])], *entry[2:]]
    if entry[0] == OUTPUT:
        return [OUTPUT, type(entry[1]).__name__, entry[1]]
    return list(entry)


def _steps(part: Part, steps: int) -> Iterator[Piece]:
    for start in range(0, steps, STEPS):
        times = part.times[start : min(start + STEPS, steps)].tolist()
        before = [times[0], *times[:-1]]
        yield {
            "steps": {
                "at": times[0],
                "after": [now - then for now, then in zip(times, before, strict=True)],
                "what": part.whats[start : start + len(times)].tolist(),
            }
        }
