"""What can be tracked beside scripts and interfaces: files, processes and BFD sessions, and the way to find one by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kcc.language.parsed import versions
from kcc.lower.scope import wrote
from kir.model import BfdInstance, TrackFile, TrackProcess

if TYPE_CHECKING:
    from kcc.language.parsed import Node
    from kcc.lower.scope import Scope

KIND_OF = {
    "track_file": "track_file",
    "vrrp_track_file": "track_file",
    "vrrp_track_process": "vrrp_track_process",
    "bfd_instance": "bfd_instance",
}
MOST_NUMBER = 254


class Trackable(msgspec.Struct):
    """A definition, the root block that it is (``position``), and the weight that its users take over.

    ``item`` None: keepalived removes it, and why has been said.
    """

    node: Node
    position: int
    item: TrackFile | TrackProcess | BfdInstance | None
    weight: int = 0
    reverse: bool = False


def read_tracked(root: Node, scope: Scope) -> None:
    """All definitions, into ``scope.tracked``."""
    neighbors: dict[str, Node] = {}
    for position, node in enumerate(root.blocks):
        kind = KIND_OF.get(node.keyword.name)
        if kind is None or not node.head:
            continue
        name: str = node.head[0]
        if (kind, name) in scope.tracked:
            continue
        item: TrackFile | TrackProcess | BfdInstance | None
        if kind == "track_file":
            item = _file(name, node, scope)
        elif kind == "vrrp_track_process":
            item = _process(name, node, scope)
        else:
            from kcc.lower.bfd import lower_bfd

            item = lower_bfd(name, node, scope, neighbors)
        weight, reverse = node.get("weight", (1 if kind == "track_file" else 0, False))
        scope.tracked[kind, name] = Trackable(node, position, item, weight, bool(reverse))
        if item is not None:
            scope.nodes[f"{kind}/{name}"] = node


def made(scope: Scope, kind: str) -> tuple[Any, ...]:
    """The objects of the IR of one kind, in the order of the text."""
    return tuple(t.item for (k, _), t in scope.tracked.items() if k == kind and t.item is not None)


def find(scope: Scope, kind: str, name: str, follower: str = "") -> tuple[Trackable | None, str, str]:
    """The definition that stands above, or None with what is wrong and what to do about it.

    ``follower``: the process, ``vrrp`` or ``checker``, that is to follow a BFD session.
    """
    entry = scope.tracked.get((kind, name))
    if entry is not None and entry.position < scope.at:
        other = {"vrrp": "checker", "checker": "vrrp"}.get(follower, "")
        if kind == "bfd_instance" and entry.node.has(other) and not entry.node.has(follower):
            return (
                None,
                f"`bfd_instance {name}` says `{other}`: no other process follows it",
                f"add `{follower}` to it, or remove `{other}`",
            )
        if entry.item is None:
            return None, "", ""
        return entry, "", ""
    if entry is not None:
        return None, f"`{kind} {name}` must stand before its use", f"move the `{kind}` block above this one"
    from difflib import get_close_matches

    close = get_close_matches(name, [n for k, n in scope.tracked if k == kind], 1)
    help_ = f"did you mean `{close[0]}`?" if close else f"define `{kind} {name} {{ … }}` above this block"
    return None, f"there is no `{kind} {name}`", help_


def _file(name: str, node: Node, scope: Scope) -> TrackFile | None:
    path = node.get("file")
    if not path:
        if not wrote(node, "file"):
            scope.say(
                "KC0611",
                f"`{node.keyword.name} {name}` has no `file`",
                node,
                consequence="keepalived removes it, and everything that tracks it",
                help="add `file PATH`",
            )
        return None
    init = node.get("init_file")
    value, overwrite = (None, False) if init is None else init
    return TrackFile(name=name, path=path, init_value=value, overwrite=overwrite)


def _process(name: str, node: Node, scope: Scope) -> TrackProcess | None:
    words = node.get("process")
    if not words:
        if not wrote(node, "process"):
            scope.say(
                "KC0612",
                f"`vrrp_track_process {name}` has no `process`",
                node,
                consequence="keepalived removes it, and everything that tracks it",
                help="add `process NAME`",
            )
        return None
    parameters = tuple(words[1:])
    said = node.get("param_match")
    match: Literal["none", "exact", "initial", "partial"] = "exact" if parameters or said else "none"
    if said == "initial" or said == "partial":
        match = said
    quorum, most = _quorums(name, node, scope)
    both = node.get("delay", 0)
    return TrackProcess(
        name=name,
        process=words[0],
        parameters=parameters,
        match=match,
        full_command=node.get("full_command", False),
        quorum=quorum,
        quorum_max=most,
        terminate_delay_us=_delay(node, "terminate_delay", both),
        fork_delay_us=_delay(node, "fork_delay", both),
    )


def _delay(node: Node, name: str, both: int) -> int:
    """``delay`` sets both delays where it stands: the later line counts."""
    fields = node.fields
    if name not in fields:
        return both
    names = list(fields)
    if "delay" in fields and names.index("delay") > names.index(name):
        return both
    own: int = fields[name].value
    return own


def _quorums(name: str, node: Node, scope: Scope) -> tuple[int, int | None]:
    """``quorum`` and ``quorum_max``, line by line: one that contradicts what was said above it is ignored."""
    said = [*versions(node.fields.get("quorum")), *versions(node.fields.get("quorum_max"))]
    said.sort(key=lambda field: field.statement.line.number)
    quorum: int = 1
    most: int | None = None
    for field in said:
        keyword, value = field.statement.keyword, field.value
        if keyword == "quorum":
            if most is None or value <= most:
                quorum = value
                continue
            low, high = value, most
        else:
            if value >= quorum or (value == 0 and quorum <= 1):
                most = value
                quorum = min(max(quorum, 1), value)
                continue
            low, high = quorum, value
        scope.say(
            "KC0613",
            f"`vrrp_track_process {name}`: quorum {low} is above quorum_max {high}",
            field,
            consequence=f"keepalived ignores this `{keyword}`",
            help="write a quorum_max that is not below the quorum",
        )
    return quorum, most
