"""What a rule over a cluster gets to see, and how it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from kcc.cluster.director import Director
from kcc.cluster.routers import VirtualRouter
from kcc.diagnostics.model import Related, Severity, Span
from kir.model import VrrpInstance

Place = tuple[int, str, str | None]
"""Index of a director, IR path of an object in it, name of one of its fields."""

V = TypeVar("V", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ClusterCase:
    """The directors before the rules, and the virtual routers that they form.

    ``misnumbered``: instances (director, name) whose id was found wrong: that they stand alone follows from it.
    """

    directors: tuple[Director, ...]
    routers: list[VirtualRouter]
    target: str
    misnumbered: set[tuple[int, str]] = field(default_factory=set)

    def name(self, director: int) -> str:
        return self.directors[director].name

    def shared(self) -> Iterator[VirtualRouter]:
        """The virtual routers that more than one director takes part in."""
        return (router for router in self.routers if len(router.members) > 1)

    def span(self, place: Place) -> Span:
        director, path, field = place
        return self.directors[director].lowered.span(path, field)

    def say(
        self,
        code: str,
        message: str,
        at: Place,
        *also: tuple[Place, str],
        label: str = "",
        consequence: str,
        help: str,
        severity: Severity | None = None,
    ) -> None:
        """Report to the director of ``at``; ``also`` are second places, mostly of other directors, and what they are."""
        director = self.directors[at[0]]
        director.findings.report(
            code,
            message,
            self.span(at),
            label=label,
            consequence=consequence,
            help=help,
            related=(
                *(Related(self.span(place), text) for place, text in also),
                *director.lowered.via(at[1]),
            ),
            severity=severity,
        )


def path_of(instance: VrrpInstance) -> str:
    return f"vrrp_instance/{instance.name}"


def place(director: int, instance: VrrpInstance, field: str | None = None) -> Place:
    """The instance, or one of its fields."""
    return director, path_of(instance), field


def odd_ones(values: Mapping[int, V]) -> tuple[int, list[int]]:
    """Whom to follow, and who differs: the first director with the most common value, and all with another one."""
    counts = Counter(values.values())
    most = max(counts.values())
    leader = next(d for d, value in values.items() if counts[value] == most)
    return leader, [d for d, value in values.items() if value != values[leader]]
