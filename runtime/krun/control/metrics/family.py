"""Families of samples, and how they are written (Prometheus' text exposition format, version 0.0.4)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SPECIAL = re.compile(r'[\\\n"]')
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclass(slots=True)
class Family:
    """Samples of one name. ``labels``: the names, in order; a sample has a value for each. A counter's name ends in ``_total``."""

    name: str
    kind: Literal["gauge", "counter"]
    text: str
    labels: tuple[str, ...] = ()
    samples: dict[tuple[str, ...], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert _NAME.fullmatch(self.name), self.name
        assert all(_LABEL.fullmatch(label) for label in self.labels), self.labels
        assert (self.kind == "counter") == self.name.endswith("_total"), self.name

    def add(self, value: object, *labels: object) -> None:
        """One sample. A ``value`` that is no number is none; of two with the same labels the last one counts."""
        if isinstance(value, bool | int | float):
            assert len(labels) == len(self.labels), (self.name, labels)
            self.samples[tuple(map(str, labels))] = float(value)

    def lines(self) -> Iterator[str]:
        """The family as text; nothing where it has no sample."""
        if not self.samples:
            return
        yield f"# HELP {self.name} {self.text.translate(_HELP_ESCAPES)}\n"
        yield f"# TYPE {self.name} {self.kind}\n"
        inner = ",".join(f'{label}="%s"' for label in self.labels)
        form = f"{self.name}{{{inner}}} %s\n" if inner else f"{self.name} %s\n"
        for values, value in self.samples.items():
            # Of 30,000 servers hardly one has a name to escape.
            if any(map(_SPECIAL.search, values)):
                values = tuple(text.translate(_ESCAPES) for text in values)
            yield form % (*values, number(value))


@dataclass(slots=True)
class Histogram:
    """Histograms of one name, in seconds. ``bounds``: the upper bounds of the buckets, without the infinite one."""

    name: str
    text: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...]
    samples: dict[tuple[str, ...], tuple[list[int], float]] = field(default_factory=dict)

    def add(self, counts: list[int], total: float, *labels: object) -> None:
        """``counts``: how many in each bucket (not cumulative), the infinite one last; ``total``: the sum of all."""
        assert len(counts) == len(self.bounds) + 1 and len(labels) == len(self.labels), (self.name, labels)
        self.samples[tuple(map(str, labels))] = (counts, total)

    def lines(self) -> Iterator[str]:
        """The family as text; nothing where it has no sample."""
        if not self.samples:
            return
        yield f"# HELP {self.name} {self.text.translate(_HELP_ESCAPES)}\n"
        yield f"# TYPE {self.name} histogram\n"
        for values, (counts, total) in self.samples.items():
            own = ",".join(
                f'{label}="{value.translate(_ESCAPES)}"'
                for label, value in zip(self.labels, values, strict=True)
            )
            seen = 0
            for bound, count in zip((*self.bounds, math.inf), counts, strict=True):
                seen += count
                yield f'{self.name}_bucket{{{own},le="{number(bound)}"}} {seen}\n'
            yield f"{self.name}_sum{{{own}}} {number(total)}\n"
            yield f"{self.name}_count{{{own}}} {seen}\n"


def number(value: float) -> str:
    """A sample's value: whole numbers without a point."""
    if float(value).is_integer():
        return str(int(value))
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def text(families: Iterable[Family | Histogram]) -> str:
    """All of them."""
    return "".join(line for family in families for line in family.lines())
