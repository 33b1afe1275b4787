"""Checks that watch something defined elsewhere: a track file, a BFD session. It must stand above the virtual server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.lower.scope import wrote
from kcc.lower.tracked import Trackable, find
from kir.model import BfdCheck, Checker, FileCheck

if TYPE_CHECKING:
    from kcc.language.parsed import Node
    from kcc.lower.lvs.draft import ServerDraft

_GONE = (
    "keepalived drops the check: without another one nothing takes the server out of the pool, dead or not"
)


def file_check(server: ServerDraft, node: Node) -> Checker | None:
    """``FILE_CHECK``: the weight is its own, else that of the track file; so is its direction."""
    entry = _find(server, node, "track_file", "track_file", "KC0810")
    if entry is None:
        return None
    weight, reverse = node.get("weight", (entry.weight, None))
    return FileCheck(
        track_file=node.get("track_file"),
        weight=weight,
        reverse=entry.reverse if reverse is None else reverse,
    )


def bfd_check(server: ServerDraft, node: Node) -> Checker | None:
    """``BFD_CHECK``."""
    if _find(server, node, "name", "bfd_instance", "KC0811") is None:
        return None
    said = node.fields["name"]
    first = server.sessions.setdefault(said.value, said)
    if first is not said:
        server.pool.scope.say(
            "KC0602",
            f"two `BFD_CHECK` of {server.address} watch `{said.value}`",
            said,
            consequence="keepalived drops the second one",
            help="remove one of the blocks",
            also=((first, "it is watched here first"),),
        )
        return None
    return BfdCheck(bfd=node.get("name"), alpha=node.get("alpha", server.alpha))


def _find(server: ServerDraft, node: Node, leaf: str, kind: str, code: str) -> Trackable | None:
    """What the check names; reported where it names nothing that stands above."""
    scope = server.pool.scope
    said = node.fields.get(leaf)
    if said is None:
        if not wrote(node, leaf):
            scope.say(
                code,
                f"`{node.keyword.name}` of {server.address} has no `{leaf}`",
                node,
                consequence=_GONE,
                help=f"add `{leaf} NAME`, the name of a `{kind}`",
            )
        return None
    entry, wrong, help_ = find(scope, kind, said.value, "checker")
    if entry is None and wrong:
        scope.say(
            code, f"`{node.keyword.name}` of {server.address}: {wrong}", said, consequence=_GONE, help=help_
        )
    return entry
