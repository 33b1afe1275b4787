"""``kcc diff --cluster``: two directories of directors, the plan of each director, and the order in which they must change."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kcc.commands.diff import meaning, reading, refused, uncompared
from kcc.commands.diff_rollout import Names, routers
from kcc.commands.diff_words import within
from kcc.compile import Compiled, compile_input, warn
from kcc.diagnostics.render.text import clean
from kcc.source.options import Options
from kir.codec import Document, document
from kir.diff import WIRES, Wire
from kir.model import Config, VrrpInstance
from kir.plan.operations import Impact
from kir.plan.plan import Observed, Plan, plan
from kir.plan.rollout import Clash, Rollout, Router, rollout

SUFFIXES = (".conf", ".json")

STRICT = frozenset({"keepalived-2.2.7"})
"""Targets that drop adverts with other addresses in any version."""


@dataclass(frozen=True, slots=True)
class Change:
    """One director: its inputs, None where it is new or gone; the plan, and of which instances it counts as master."""

    name: str
    inputs: tuple[Compiled | None, Compiled | None]
    docs: tuple[Document, Document]
    plan: Plan
    master_of: tuple[str, ...]
    backup_of: tuple[str, ...]

    @property
    def role(self) -> str:
        words = [
            f"{word} of {', '.join(clean(n) for n in names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
            for word, names in (("master", self.master_of), ("backup", self.backup_of))
            if names
        ]
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Cluster:
    """All directors and their common rollout; the directors of ``rollout`` are indices of ``changes``."""

    changes: tuple[Change, ...]
    rollout: Rollout

    @property
    def impact(self) -> Impact:
        return max((c.plan.impact for c in self.changes), default=Impact.NONE)

    @property
    def wire(self) -> Wire:
        return max((c.plan.wire for c in self.changes), key=WIRES.index, default="local")

    @property
    def changing(self) -> tuple[int, ...]:
        return tuple(n for n, c in enumerate(self.changes) if c.plan.changes)


class UnfitError(Exception):
    """The directories cannot be compared; the text says why and what to do."""


def run_cluster(args: argparse.Namespace, options: Options) -> int:
    """The command."""
    try:
        files = directors(args.old), directors(args.new)
    except UnfitError as e:
        warn(f"kcc diff: {e}")
        return 2
    names = sorted(files[0].keys() | files[1].keys())
    inputs: list[tuple[Compiled | None, Compiled | None]] = []
    for name in names:
        old, new = (
            compile_input(str(side[name]), reading(options, name)) if name in side else None for side in files
        )
        inputs.append((old, new))
    if refused([c for pair in inputs for c in pair if c is not None], args.allow_errors):
        return 2
    cluster = compare(names, inputs, args.drain, args.target)
    if args.format == "json":
        print(json.dumps(cluster_object(cluster), indent=1))
    elif args.format == "markdown":
        from kcc.commands.diff_cluster_text import markdown

        sys.stdout.write(markdown(cluster))
    else:
        from kcc.commands.diff_cluster_text import print_cluster

        print_cluster(cluster, sys.stdout)
    everything = [c for pair in inputs for c in pair if c is not None]
    if args.format != "json" and (unseen := uncompared(everything)):
        warn(f"not compared, for the IR does not carry them yet: {', '.join(unseen)}")
    return 1 if cluster.changing else 0


def directors(folder: str) -> dict[str, Path]:
    """The files of a directory by the names of the directors: ``lb1.conf`` is ``lb1``. Raises `UnfitError`."""
    try:
        found = sorted(
            p for p in Path(folder).iterdir() if p.suffix in SUFFIXES and not p.name.startswith(".")
        )
    except OSError as e:
        what = "is no directory" if isinstance(e, NotADirectoryError) else (e.strerror or str(e)).lower()
        raise UnfitError(
            f"{folder}: {what}; --cluster compares two directories with a file for each director"
        ) from None
    files: dict[str, Path] = {}
    for path in found:
        if path.stem in files:
            raise UnfitError(
                f"{folder}: director {path.stem} has two files, {files[path.stem].name} and {path.name}"
            )
        files[path.stem] = path
    if not files:
        raise UnfitError(f"{folder} holds no director: a file NAME.conf or NAME.json for each is looked for")
    return files


def compare(
    names: Sequence[str],
    inputs: Sequence[tuple[Compiled | None, Compiled | None]],
    drain_us: int,
    target: str,
) -> Cluster:
    """The plans of all directors, each with the role that it has by its old priorities, and the order."""
    docs = [(_document(old), _document(new)) for old, new in inputs]
    old, new = [d[0].config for d in docs], [d[1].config for d in docs]
    in_old, in_new = (_matched(names, [pair[side] for pair in inputs]) for side in (0, 1))
    roles = [_roles(n, config, in_old, old) for n, config in enumerate(old)]
    changes = []
    for n, name in enumerate(names):
        master_of, backup_of = roles[n]
        seen = Observed(masters=frozenset(master_of))
        changes.append(
            Change(name, inputs[n], docs[n], plan(old[n], new[n], seen, drain_us), master_of, backup_of)
        )
    changing = [n for n, c in enumerate(changes) if c.plan.changes]
    together: list[Router] = routers(old, new, in_old, in_new)
    return Cluster(tuple(changes), rollout(together, changing, strict_lists=target in STRICT))


def _document(found: Compiled | None) -> Document:
    return document(Config()) if found is None else meaning(found)


def _matched(names: Sequence[str], sides: Sequence[Compiled | None]) -> Names:
    """Which instances of the directors are one virtual router, as `kcc check --cluster` finds it."""
    from kcc.cluster.director import Director
    from kcc.cluster.routers import match

    there = [(n, s) for n, s in enumerate(sides) if s is not None and s.lowered is not None]
    found = match([Director(names[n], s.lowered, s.findings) for n, s in there if s.lowered is not None])
    return [{there[d][0]: instance.name for d, instance in router} for router in found]


def _roles(
    director: int, config: Config, matched: Names, configs: Sequence[Config]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of which instances a director counts as master (nobody has a higher priority), and of which as backup."""
    masters: list[str] = []
    backups: list[str] = []
    known: list[Mapping[str, VrrpInstance]] = [{i.name: i for i in c.vrrp_instances} for c in configs]
    for group in matched:
        name = group.get(director)
        if name is None:
            continue
        highest = max(known[d][n].priority for d, n in group.items())
        (masters if known[director][name].priority == highest else backups).append(name)
    return tuple(masters), tuple(backups)


def steps(cluster: Cluster) -> list[str]:
    """The rollout in words: a line for each thing to know."""
    found, changes = cluster.rollout, cluster.changes
    changing = cluster.changing
    if not changing:
        return ["nothing to do: no director changes"]
    lasting = [f"afterwards: {_clash(c, cluster)}" for c in found.lasting]
    if len(changing) == 1:
        return [f"{changes[changing[0]].name} alone changes", *lasting]
    if found.order is None:
        return [
            f"no order is safe: change {_and([changes[d].name for d in changing])} together, {within(found.together_us)}",
            *(f"meanwhile: {_clash(c, cluster)}" for c in found.clashes),
            *(f"or otherwise: {hint}" for hint in found.hints),
            *lasting,
        ]
    turn = ", then ".join(f"{changes[d].name}{_role(changes[d])}" for d in found.order)
    if found.free:
        return [f"{turn}; any other order is safe too", *lasting]
    return [
        turn,
        "in this order no advert is missed: what the plans say of refused adverts does not happen",
        *(f"not otherwise: {_clash(c, cluster)}" for c in found.clashes),
        *lasting,
    ]


def _role(change: Change) -> str:
    return f" ({change.role})" if change.role else ""


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _clash(clash: Clash, cluster: Cluster) -> str:
    second, master = cluster.changes[clash.second].name, cluster.changes[clash.master].name
    return clean(f"`{clash.name}`: {second} drops the adverts of {master} and is master too ({clash.why})")


def cluster_object(cluster: Cluster) -> dict[str, object]:
    """The object of ``--format json``."""
    found = cluster.rollout
    directors = []
    for change in cluster.changes:
        sides: list[dict[str, object] | None] = [
            None if c is None else {"file": c.name, "digest": d.digest}
            for c, d in zip(change.inputs, change.docs, strict=True)
        ]
        body = _plan_object(sides, change)
        directors.append(
            {
                "name": change.name,
                "master_of": list(change.master_of),
                "backup_of": list(change.backup_of),
                **body,
            }
        )
    names = [c.name for c in cluster.changes]
    return {
        "version": 1,
        "cluster": True,
        "impact": cluster.impact.word,
        "wire": cluster.wire,
        "directors": directors,
        "rollout": {
            "order": None if found.order is None else [names[d] for d in found.order],
            "any_order": found.free,
            "together_us": found.together_us,
            "clashes": [_clash_object(c, names) for c in found.clashes],
            "lasting": [_clash_object(c, names) for c in found.lasting],
            "hints": list(found.hints),
            "text": steps(cluster),
        },
    }


def _clash_object(clash: Clash, names: Sequence[str]) -> dict[str, object]:
    return {
        "master": names[clash.master],
        "second": names[clash.second],
        "instance": clash.name,
        "fields": list(clash.fields),
        "reason": clash.why,
    }


def _plan_object(sides: Sequence[dict[str, object] | None], change: Change) -> dict[str, object]:
    from kir.plan.document import plan_object

    body = plan_object(sides[0], sides[1], change.plan)
    del body["version"]
    return body
