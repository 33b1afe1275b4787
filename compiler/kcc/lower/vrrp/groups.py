"""``vrrp_sync_group``: instances that change state together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kcc.lower.scripts import notify
from kcc.lower.vrrp.tracking import Watcher, interfaces, scripts, watched
from kir.model import SyncGroup, TrackedBfd, TrackedFile, TrackedProcess, VrrpInstance

if TYPE_CHECKING:
    from kcc.language.parsed import Field, Node
    from kcc.lower.scope import Scope
    from kcc.lower.vrrp.scripts import ScriptEntry


class GroupEntry(msgspec.Struct, eq=False):
    """A sync group whose members are settled: instance name → the word that names it."""

    name: str
    node: Node
    members: dict[str, Field] = msgspec.field(default_factory=dict)

    @property
    def tracking_weight(self) -> bool:
        return bool(self.node.get("sync_group_tracking_weight", False))


def settle_members(groups: list[Node], instances: dict[str, Node], scope: Scope) -> dict[str, GroupEntry]:
    """Which instance belongs to which group: the first group that names it keeps it."""
    entries: dict[str, GroupEntry] = {}
    taken: dict[str, tuple[str, Field]] = {}
    for node in groups:
        name: str = node.head[0]
        if name in entries:
            continue
        entry = GroupEntry(name, node)
        named = False
        for line in node.all_lines("group"):
            words = (line.value,) if isinstance(line.value, str) else tuple(line.value)
            for index, member in enumerate(words):
                named = True
                _settle(entry, member, line, index, instances, taken, scope)
        if not named:
            scope.say(
                "KC0530",
                f"`vrrp_sync_group {name}` has no members",
                node,
                consequence="keepalived removes the group: nothing fails over together",
                help="add `group { INSTANCE … }`",
            )
        elif entry.members:  # else why none of them can be used has been said
            entries[name] = entry
    return entries


def _settle(
    entry: GroupEntry,
    member: str,
    line: Field,
    index: int,
    instances: dict[str, Node],
    taken: dict[str, tuple[str, Field]],
    scope: Scope,
) -> None:
    words = line.statement.words
    at = line.statement.word_span(index) if index < len(words) else line.span()
    if member not in instances:
        from difflib import get_close_matches

        close = get_close_matches(member, list(instances), 1)
        scope.say(
            "KC0531",
            f"sync group `{entry.name}`: there is no `vrrp_instance {member}`",
            at,
            consequence="keepalived ignores the member: it does not fail over together with the others",
            help=f"did you mean `{close[0]}`?"
            if close
            else f"define `vrrp_instance {member} {{ … }}` or remove the name",
            also=((instances[close[0]], "the similar name is defined here"),) if close else (),
        )
        return
    if member in taken:
        group, first = taken[member]
        where = (
            "already named in this group"
            if group == entry.name
            else f"already a member of sync group `{group}`"
        )
        scope.say(
            "KC0532",
            f"sync group `{entry.name}`: `{member}` is {where}",
            at,
            consequence="keepalived keeps the first membership and ignores this one",
            help="an instance can follow one group only; remove one of the two",
            also=((first.statement, "the first membership"),),
        )
        return
    taken[member] = (entry.name, line)
    entry.members[member] = line


def lower_group(
    entry: GroupEntry,
    scope: Scope,
    known: dict[str, ScriptEntry],
    all_scripts: dict[str, Node],
    instances: dict[str, VrrpInstance],
) -> SyncGroup | None:
    """The group; members that are not among ``instances`` could not be made. None where that is all of them."""
    members = tuple(name for name in entry.members if name in instances)
    node, path = entry.node, f"vrrp_sync_group/{entry.name}"
    scope.nodes[path] = node
    for name in members:
        scope.nodes[f"{path}/member/{name}"] = entry.members[name].statement
    owner = next((name for name in members if instances[name].owner), None)
    watcher = Watcher("vrrp_sync_group", entry.name, node, owner_member=owner)
    made = SyncGroup(
        name=entry.name,
        members=members,
        track_interfaces=interfaces(watcher, scope),
        track_scripts=scripts(watcher, scope, known, all_scripts),
        track_files=watched(watcher, scope, TrackedFile),
        track_processes=watched(watcher, scope, TrackedProcess),
        track_bfds=watched(watcher, scope, TrackedBfd),
        tracking_weight=entry.tracking_weight,
        notify=notify(node, scope),
        notify_priority_changes=node.get("notify_priority_changes", scope.defaults.notify_priority_changes),
        smtp_alert=node.get("smtp_alert", scope.defaults.vrrp_alert()),
    )
    return made if members else None
