"""A limit on what one reload may take away: ``--max-delete 10%`` or ``--max-delete 5``.

Counted are the objects that the running configuration has and the new one has not, as if this director were master of everything and
every server up: so neither the backup role nor a failed check hides a loss.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kir.model import Config, Service
from kir.plan.addresses import desired_addresses
from kir.plan.routes import desired_routes
from kir.plan.rules import desired_rules

_LIMIT = re.compile(r"([0-9]{1,9})(%?)")
NAMED = 10
"""How many objects of a kind an error names; the report has all."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most`` objects in all, or, where ``percent``, at most that share of each kind."""

    most: int
    percent: bool

    def __str__(self) -> str:
        return f"{self.most} %" if self.percent else str(self.most)


@dataclass(frozen=True, slots=True)
class Kind:
    """Objects of one kind: ``deleted`` by identity, of ``there`` that run."""

    word: str
    plural: str
    deleted: tuple[str, ...]
    there: int

    def __str__(self) -> str:
        share = f" ({100 * len(self.deleted) / self.there:.3g} %)" if self.there else ""
        return f"{len(self.deleted)} of {self.there} {self.word if self.there == 1 else self.plural}{share}"


def parse_limit(text: str) -> Limit:
    """``5`` or ``10%``. Raises ValueError with words for the user."""
    match = _LIMIT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"`{text}` is no limit: give a number of objects (5) or a share of each kind (10%)")
    most, percent = int(match[1]), bool(match[2])
    if percent and most > 100:
        raise ValueError(f"`{text}` is more than everything: give 0% to 100%")
    return Limit(most, percent)


def deletions(old: Config, new: Config) -> list[Kind]:
    """What ``new`` takes away, by kind."""
    return [
        _kind("service", "services", _services(old), _services(new)),
        _kind("real server", "real servers", _servers(old), _servers(new)),
        _kind("VIP", "VIPs", _named(desired_addresses(old)), _named(desired_addresses(new))),
        _kind("route", "routes", _named(desired_routes(old)), _named(desired_routes(new))),
        _kind(
            "rule",
            "rules",
            {key: rule.identity for key, rule in desired_rules(old).items()},
            desired_rules(new),
        ),
    ]


def judge(kinds: Iterable[Kind], limit: Limit) -> str:
    """Why this is too much, with counts and names; empty where it is not."""
    kinds = list(kinds)
    if limit.percent:
        over = [kind for kind in kinds if len(kind.deleted) * 100 > limit.most * kind.there]
    else:
        over = [kind for kind in kinds if kind.deleted]
        if sum(len(kind.deleted) for kind in over) <= limit.most:
            over = []
    if not over:
        return ""
    counts = ", ".join(map(str, over))
    return f"it deletes {counts}, and the limit is {limit}: {'; '.join(_names(kind) for kind in over)}"


def as_json(kinds: Iterable[Kind]) -> dict[str, dict[str, Any]]:
    """For the state document and ``--json``: plural of the kind → ``{"there": n, "deleted": [identity, …]}``."""
    return {kind.plural: {"there": kind.there, "deleted": list(kind.deleted)} for kind in kinds}


def _names(kind: Kind) -> str:
    more = len(kind.deleted) - NAMED
    return ", ".join(kind.deleted[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _kind(word: str, plural: str, old: Mapping[Any, str], new: Collection[Any]) -> Kind:
    gone = tuple(name for key, name in old.items() if key not in new)
    return Kind(word, plural, gone, len(old))


def _named(keys: Iterable[Any]) -> dict[Any, str]:
    return {key: str(key) for key in keys}


def _services(config: Config) -> dict[Service, str]:
    return {service: service.identity for virtual in config.virtual_servers for service in virtual.services}


def _servers(config: Config) -> dict[tuple[Service, str], str]:
    return {
        (service, real.identity): f"{service.identity} -> {real.identity}"
        for virtual in config.virtual_servers
        for service in virtual.services
        for real in virtual.real_servers
    }
