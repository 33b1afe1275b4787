"""Routes and rules of instances, and the static addresses, routes and rules of the director with their track groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kcc.language.changes import older
from kcc.lower.vrrp.addresses import make_address
from kir.model import Address, Route, Rule, TrackGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kcc.language.parsed import Field, Node
    from kcc.lower.scope import Scope

FIRST_PRIORITY = 16384
DEFAULT_INTERFACE = "eth0"
_RULES = ("static_rules", "virtual_rules")


Groups = dict[str, tuple[int, TrackGroup | None]]
"""Name → which root block the group is, and the group; None where it has no instance."""


class Static(msgspec.Struct):
    """What the director always has."""

    groups: tuple[TrackGroup, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()


def number_rules(root: Node, scope: Scope) -> None:
    """Give a priority to rules that say none, as keepalived does: 16384, 16383 … for each family, in the order of the text."""
    left = {"inet": FIRST_PRIORITY, "inet6": FIRST_PRIORITY}
    for block in root.blocks:
        if block.keyword.name == "static_rules":
            _number(block.lines, scope, left)
        elif block.keyword.name == "vrrp_instance":
            _number(block.all_lines("virtual_rules"), scope, left)


def _number(lines: Iterable[Field], scope: Scope, left: dict[str, int]) -> None:
    for line in lines:
        rule: Rule = line.value
        if rule.priority:
            continue
        given = left[rule.family]
        left[rule.family] -= 1
        scope.say(
            "KC0546",
            "the rule says no `preference`",
            line.statement,
            consequence=f"keepalived gives it {given}: the next rule that is added may change that",
            help=f"add `preference {given}`, or the number that is meant",
        )
        # A line that the text repeats may share its value: the numbered rule is this line's own.
        line.value = msgspec.structs.replace(rule, priority=given)


def lower_routes(
    node: Node, path: str, name: str, scope: Scope
) -> tuple[tuple[Route, ...], tuple[Rule, ...]]:
    """The routes and rules of the instance ``name``."""
    written = (_watched(line, scope) for line in node.all_lines("virtual_routes"))
    routes = _once(written, f"{path}/virtual_routes", f"`{name}`", scope)
    rules = _once(node.all_lines("virtual_rules"), f"{path}/virtual_rules", f"`{name}`", scope)
    return tuple(v for _, v in routes), tuple(v for _, v in rules)


def _watched(line: Field, scope: Scope) -> Field:
    """The line; before 2.3.2 a route that names no interface, be it one of several next hops, cannot be watched."""
    route: Route = line.value
    if not older(scope.target, "2.3.2") or not route.track or route.device is not None:
        return line
    scope.say(
        "KC0549",
        f"keepalived 2.2.7 does not watch the route to {route.destination}: it names no interface",
        line.statement,
        consequence="when somebody deletes it, it stays deleted; from 2.3.2 on it is watched",
        help="add `dev INTERFACE`, or `no_track` where that is meant",
    )
    return type(line)(msgspec.structs.replace(route, track=False), line.statement, line.first)


def lower_static(root: Node, scope: Scope) -> Static:
    """The static objects and their groups."""
    groups = _groups(root, scope)
    found = Static(tuple(group for _, group in groups.values() if group is not None))
    default = _default_interface(root)
    lines: dict[str, list[tuple[int, Field]]] = {
        "static_ipaddress": [],
        "static_routes": [],
        "static_rules": [],
    }
    for position, node in enumerate(root.blocks):
        if node.keyword.name in lines:
            lines[node.keyword.name] += [(position, line) for line in node.lines]
    addresses = [(p, _addressed(line, default, scope)) for p, line in lines["static_ipaddress"]]
    found.addresses = _tracked(addresses, "static_ipaddress", groups, scope)
    routes = [
        (p, line if line.value.track_group else _watched(line, scope)) for p, line in lines["static_routes"]
    ]
    found.routes = _tracked(routes, "static_routes", groups, scope)
    found.rules = _tracked(lines["static_rules"], "static_rules", groups, scope)
    return found


def _default_interface(root: Node) -> str | None:
    for node in root.children("global_defs"):
        said = node.get("default_interface")
        if said is not None:
            return str(said)
    return None


def _addressed(line: Field, default: str | None, scope: Scope) -> Field:
    """The line with its value as an address of the IR."""
    value = line.value
    device = value.device or default
    if device is None:
        device = DEFAULT_INTERFACE
        scope.say(
            "KC0544",
            f"the static address {value.address} has no interface",
            line.statement,
            consequence=f"it is put on {device}; where there is no {device}, keepalived does not start",
            help="add `dev INTERFACE` to the line, or `default_interface` to global_defs",
        )
    return type(line)(make_address(value, device), line.statement, line.first)


def _once(lines: Iterable[Field], path: str, of: str, scope: Scope) -> list[tuple[Field, Any]]:
    """The values with their lines; an identity that stands there twice is the same object of the kernel."""
    found: dict[str, tuple[Field, Any]] = {}
    for line in lines:
        value = line.value
        first = found.get(value.identity)
        if first is not None:
            scope.say(
                "KC0541",
                f"{of}: `{value.identity}` is given twice",
                line.statement,
                consequence="the kernel has it once: the options of one of the lines are lost",
                help="remove one of the lines",
                also=((first[0].statement, "it is given here first"),),
            )
            continue
        found[value.identity] = (line, value)
        scope.nodes[f"{path}/{value.identity}"] = line.statement
    return list(found.values())


def _tracked(lines: list[tuple[int, Field]], kind: str, groups: Groups, scope: Scope) -> tuple[Any, ...]:
    """Static objects, each in the track group that stands above it."""
    where = {id(line): position for position, line in lines}
    made = []
    for line, value in _once((line for _, line in lines), kind, f"`{kind}`", scope):
        group = value.track_group
        if group is not None and not _usable(line, value, group, groups, where[id(line)], scope):
            value = msgspec.structs.replace(value, track_group=None)
        made.append(value)
    return tuple(made)


def _usable(line: Field, value: Any, group: str, groups: Groups, position: int, scope: Scope) -> bool:
    """Whether the object can follow its group."""
    at, found = line.statement, groups.get(group)
    if not value.track:
        scope.say(
            "KC0542",
            "`track_group` and `no_track` contradict each other",
            at,
            consequence="keepalived does not watch it: when it is lost, it stays lost",
            help="remove one of the two",
        )
        return False
    if found is None or found[0] > position:
        what = (
            f"there is no `track_group {group}`"
            if found is None
            else f"`track_group {group}` must stand before its use"
        )
        scope.say(
            "KC0543",
            what,
            at,
            consequence="keepalived ignores the group: no instance goes to FAULT when this is lost",
            help="define it above this block, with the instances that need this"
            if found is None
            else "move the `track_group` block above this one",
        )
        return False
    device = value.iif if isinstance(value, Rule) else value.device
    if device is None:
        scope.say(
            "KC0545",
            "`track_group` needs an interface on its line",
            at,
            consequence="keepalived ignores the group",
            help=f"add `{'iif' if isinstance(value, Rule) else 'dev'} INTERFACE`",
        )
        return False
    return found[1] is not None  # why a group that stands above is not there has been said


def _groups(root: Node, scope: Scope) -> Groups:
    """Track groups by name, in the order of the text."""
    instances = {node.head[0] for node in root.children("vrrp_instance") if node.head}
    found: Groups = {}
    for position, node in enumerate(root.blocks):
        if node.keyword.name != "track_group" or not node.head:
            continue
        name: str = node.head[0]
        lines = node.all_lines("group")
        members: dict[str, None] = {}
        for line in lines:
            if line.value in instances:
                members[line.value] = None
                continue
            scope.say(
                "KC0548",
                f"track group `{name}`: there is no `vrrp_instance {line.value}`",
                line.span(),
                consequence="keepalived ignores the member",
                help="define the instance, or remove the name",
            )
        found.setdefault(name, (position, TrackGroup(name=name, members=tuple(members)) if members else None))
        if members:
            scope.nodes[f"track_group/{name}"] = node
        elif not lines:
            scope.say(
                "KC0547",
                f"`track_group {name}` has no members",
                node,
                consequence="keepalived removes the group, and does not watch what refers to it",
                help="add `group { INSTANCE … }`",
                severity=scope.since("2.2.8"),
            )
    return found
