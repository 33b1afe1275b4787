"""What an instance or a sync group watches: interfaces and scripts, with the weights that keepalived lets stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from kcc.lower.tracked import find
from kir.model import TrackedBfd, TrackedFile, TrackedInterface, TrackedProcess, TrackedScript

if TYPE_CHECKING:
    from kcc.language.parsed import Field, Node, TrackLine
    from kcc.lower.scope import Scope
    from kcc.lower.vrrp.draft import Draft
    from kcc.lower.vrrp.scripts import ScriptEntry


class Watcher(msgspec.Struct, eq=False):
    """Who tracks: ``kind`` and ``name`` for messages, ``path`` in the IR; ``draft`` where it is an instance, ``owner_member``
    where it is a group with an address owner."""

    kind: str
    name: str
    node: Node
    draft: Draft | None = None
    owner_member: str | None = None

    @property
    def path(self) -> str:
        return f"{self.kind}/{self.name}"

    def refuses_weight(self) -> str | None:
        """Why a weight cannot have effect here, None where it can."""
        if self.draft is None:
            if self.owner_member is None:
                return None
            return f"its member `{self.owner_member}` has priority 255, which never changes"
        if self.draft.owner:
            return "priority 255 never changes"
        if self.draft.group_node is not None and not self.draft.tracking_weight:
            return "a member of a sync group does not change its priority alone"
        return None

    @property
    def drops(self) -> bool:
        """Whether a line with a refused weight is dropped altogether; a group keeps it with weight 0."""
        return self.draft is not None

    def weight_help(self) -> str:
        if self.draft is None or self.draft.owner:
            return "give the instance a priority below 255, or remove the weight"
        return "add `sync_group_tracking_weight` to the group, or track it in the group, or remove the weight"


def interfaces(watcher: Watcher, scope: Scope) -> tuple[TrackedInterface, ...]:
    """``track_interface``."""
    found: dict[str, TrackedInterface] = {}
    draft = watcher.draft
    for line in watcher.node.all_lines("track_interface"):
        value: TrackLine = line.value
        if _twice(watcher, scope, "track_interface", line, value.name in found):
            continue
        if draft is not None and value.name == draft.interface:
            scope.say(
                "KC0603",
                f"`{watcher.name}` tracks its own interface {value.name}",
                line.statement,
                consequence="keepalived drops the line: the own interface is always watched, and without a weight",
                help="remove the line",
                also=((draft.at("interface"), "it runs on this interface"),),
            )
            continue
        weight, reverse = value.weight or 0, bool(value.reverse)
        why = watcher.refuses_weight() if weight else None
        if why is not None:
            owner = draft is None or draft.owner
            drops = draft is not None and draft.owner
            scope.say(
                "KC0605" if owner else "KC0604",
                f"`{watcher.name}`: weight {weight} of interface {value.name} has no effect: {why}",
                line.statement,
                consequence="keepalived drops the line: the interface is not watched"
                if drops
                else "keepalived uses weight 0: when it goes down, the whole group goes to FAULT",
                help=watcher.weight_help(),
            )
            if drops:
                continue
            weight = 0
        found[value.name] = TrackedInterface(name=value.name, weight=weight, reverse=reverse)
        scope.nodes[f"{watcher.path}/track_interface/{value.name}"] = line.statement
    return tuple(found.values())


def scripts(
    watcher: Watcher, scope: Scope, known: dict[str, ScriptEntry], all_names: dict[str, Node]
) -> tuple[TrackedScript, ...]:
    """``track_script``: the script must have been defined above; the weight is the line's, else the script's."""
    found: dict[str, TrackedScript] = {}
    for line in watcher.node.all_lines("track_script"):
        value: TrackLine = line.value
        if _twice(watcher, scope, "track_script", line, value.name in found):
            continue
        entry = known.get(value.name)
        if entry is None:
            _unknown(watcher, scope, line, known, all_names)
            continue
        entry.used.append(line.statement)
        weight = entry.weight if value.weight is None else value.weight
        reverse = entry.reverse if value.reverse is None else value.reverse
        why = watcher.refuses_weight() if weight else None
        if why is not None:
            scope.say(
                "KC0605" if watcher.draft is None or watcher.draft.owner else "KC0604",
                f"`{watcher.name}`: weight {weight} of script `{value.name}` has no effect: {why}",
                line.statement,
                consequence="keepalived does not track the script here: its failure changes nothing"
                if watcher.drops
                else "keepalived uses weight 0: when the script fails, the whole group goes to FAULT",
                help=watcher.weight_help(),
                also=() if value.weight is not None else ((entry.node, "the weight is given here"),),
            )
            if watcher.drops:
                continue
            weight = 0
        found[value.name] = TrackedScript(name=value.name, weight=weight, reverse=reverse)
        scope.nodes[f"{watcher.path}/track_script/{value.name}"] = line.statement
    return tuple(found.values())


_Tracked = TypeVar("_Tracked", TrackedFile, TrackedProcess, TrackedBfd)

_NAMED: dict[type, tuple[str, str]] = {
    TrackedFile: ("track_file", "track_file"),
    TrackedProcess: ("track_process", "vrrp_track_process"),
    TrackedBfd: ("track_bfd", "bfd_instance"),
}


def watched(watcher: Watcher, scope: Scope, made: type[_Tracked]) -> tuple[_Tracked, ...]:
    """``track_file``, ``track_process`` or ``track_bfd``: what is named must stand above."""
    block, kind = _NAMED[made]
    found: dict[str, _Tracked] = {}
    for line in watcher.node.all_lines(block):
        value: TrackLine = line.value
        if _twice(watcher, scope, block, line, value.name in found):
            continue
        entry, wrong, help_ = find(scope, kind, value.name, "vrrp")
        if entry is None:
            if wrong:
                scope.say(
                    "KC0614",
                    f"`{watcher.name}`: {wrong}",
                    line.statement,
                    consequence=f"keepalived drops the line: `{watcher.name}` does not follow it",
                    help=help_,
                )
            continue
        weight = entry.weight if value.weight is None else value.weight
        reverse = entry.reverse if value.reverse is None else value.reverse
        # keepalived does not look at the weights of processes in an instance.
        judged = weight and not (block == "track_process" and watcher.draft is not None)
        why = watcher.refuses_weight() if judged else None
        if why is not None:
            drops = watcher.drops and not (block == "track_file" and weight == 1)
            scope.say(
                "KC0605" if watcher.draft is None or watcher.draft.owner else "KC0604",
                f"`{watcher.name}`: weight {weight} of {kind} `{value.name}` has no effect: {why}",
                line.statement,
                consequence="keepalived does not track it here"
                if drops
                else "keepalived uses weight 0: a failure means FAULT",
                help=watcher.weight_help(),
                also=() if value.weight is not None else ((entry.node, "it is defined here"),),
            )
            if drops:
                continue
            weight = 0
        found[value.name] = made(name=value.name, weight=weight, reverse=reverse)
        scope.nodes[f"{watcher.path}/{block}/{value.name}"] = line.statement
    return tuple(found.values())


def _twice(watcher: Watcher, scope: Scope, block: str, line: Field, again: bool) -> bool:
    if not again:
        return False
    name = line.value.name
    first = scope.nodes[f"{watcher.path}/{block}/{name}"]
    scope.say(
        "KC0602",
        f"`{watcher.name}` tracks {name} twice",
        line.statement,
        consequence="keepalived drops the second line",
        help="remove one of the lines",
        also=((first, "it is tracked here first"),),
    )
    return True


def _unknown(
    watcher: Watcher, scope: Scope, line: Field, known: dict[str, ScriptEntry], all_names: dict[str, Node]
) -> None:
    name = line.value.name
    later = all_names.get(name)
    gone = f"keepalived drops the line: `{watcher.name}` does not fail over when the check fails"
    if later is not None:
        scope.misplaced.add(name)
        scope.say(
            "KC0601",
            f"`vrrp_script {name}` must stand before its use",
            line.statement,
            consequence=gone,
            help="move the `vrrp_script` block above this one",
            also=((later, "it is defined here"),),
        )
        return
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), 1)
    bare = name.rstrip(",;")
    scope.say(
        "KC0601",
        f"there is no `vrrp_script {name}`",
        line.statement,
        consequence=gone,
        help=f"write `{bare}`: one name a line, with nothing behind it"
        if bare != name and bare in all_names
        else f"did you mean `{close[0]}`?"
        if close
        else f"define `vrrp_script {name} {{ … }}` above this block",
        also=((known[close[0]].node, "the similar name is defined here"),) if close else (),
    )
