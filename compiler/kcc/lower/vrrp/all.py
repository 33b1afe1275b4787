"""The whole VRRP part, in the order of the text: a script must stand before whoever tracks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.lower.vrrp.groups import lower_group, settle_members
from kcc.lower.vrrp.instance import lower_instance
from kcc.lower.vrrp.scripts import ScriptEntry, judge_use, lower_script
from kir.model import SyncGroup, VrrpInstance, VrrpScript

if TYPE_CHECKING:
    from kcc.language.parsed import Node
    from kcc.lower.scope import Scope
    from kcc.lower.vrrp.groups import GroupEntry


def lower_vrrp(
    root: Node, scope: Scope
) -> tuple[tuple[VrrpScript, ...], tuple[VrrpInstance, ...], tuple[SyncGroup, ...]]:
    """Scripts, instances and sync groups."""
    by_name = {node.head[0]: node for node in root.children("vrrp_instance") if node.head}
    all_scripts = {node.head[0]: node for node in root.children("vrrp_script") if node.head}
    groups = settle_members([n for n in root.children("vrrp_sync_group") if n.head], by_name, scope)
    member_of: dict[str, GroupEntry] = {
        member: entry for entry in groups.values() for member in entry.members
    }
    known: dict[str, ScriptEntry] = {}
    instances: dict[str, VrrpInstance] = {}
    waiting: list[tuple[GroupEntry, dict[str, ScriptEntry], int]] = []
    for position, node in enumerate(root.blocks):
        scope.at = position
        kind = node.keyword.name
        if kind == "vrrp_script" and node.head and all_scripts[node.head[0]] is node:
            entry = lower_script(node, scope)
            if entry is not None:
                known[entry.script.name] = entry
        elif kind == "vrrp_instance" and node.head and by_name[node.head[0]] is node:
            made = lower_instance(node, scope, member_of.get(node.head[0]), known, all_scripts)
            if made is not None:
                instances[made.name] = made
        elif kind == "vrrp_sync_group" and node.head and node.head[0] in groups:
            group = groups[node.head[0]]
            if group.node is node:
                waiting.append((group, dict(known), position))
    sync_groups = []
    for group, seen, position in waiting:
        scope.at = position
        sync = lower_group(group, scope, seen, all_scripts, instances)
        if sync is not None:
            sync_groups.append(sync)
    judge_use(known, scope)
    return tuple(entry.script for entry in known.values()), tuple(instances.values()), tuple(sync_groups)
