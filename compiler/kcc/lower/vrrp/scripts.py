"""``vrrp_script``: checks whose result moves a priority or a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kcc.lower.scope import wrote
from kcc.lower.scripts import account
from kir.model import VrrpScript

if TYPE_CHECKING:
    from kcc.language.parsed import Node, ScriptValue
    from kcc.lower.scope import Scope
    from kcc.syntax.tree import Statement


class ScriptEntry(msgspec.Struct, eq=False):
    """A defined script with the weight that its users take over, and whether anyone uses it."""

    script: VrrpScript
    node: Node
    weight: int
    reverse: bool
    used: list[Statement] = msgspec.field(default_factory=list)


def lower_script(node: Node, scope: Scope) -> ScriptEntry | None:
    """One ``vrrp_script`` block, None where keepalived removes it."""
    name: str = node.head[0]
    command: ScriptValue | None = node.get("script")
    if command is None or not (command.argv or command.open_file):
        if not wrote(node, "script"):
            scope.say(
                "KC0607",
                f"`vrrp_script {name}` has no `script`",
                node,
                consequence="keepalived removes it, and every `track_script` line that names it",
                help='add `script "COMMAND"`',
            )
        return None
    interval = node.get("interval", 1_000_000)
    timeout = node.get("timeout", 0) or interval
    weight, reverse = _weight(node.get("weight"))
    user = node.get("user") or command.account
    made = VrrpScript(
        name=name,
        argv=() if command.open_file else command.argv,
        open_file=command.open_file,
        account=account(user, scope),
        interval_us=interval,
        timeout_us=timeout,
        rise=node.get("rise", 1),
        fall=node.get("fall", 1),
        init_fail=node.get("init_fail", False),
    )
    scope.nodes[f"vrrp_script/{name}"] = node
    return ScriptEntry(made, node, weight, reverse)


def _weight(value: Any) -> tuple[int, bool]:
    """``weight W [reverse]``: the number alone, or with the word (or its meaning) behind it."""
    if value is None:
        return 0, False
    if isinstance(value, int):
        return value, False
    number, reverse = (*value, None)[:2]
    return number, reverse in (True, "reverse")


def judge_use(entries: dict[str, ScriptEntry], scope: Scope) -> None:
    """Scripts that nobody tracks: keepalived drops them at start."""
    for name, entry in entries.items():
        if not entry.used and name not in scope.misplaced:
            scope.say(
                "KC0606",
                f"`vrrp_script {name}` is never used",
                entry.node,
                consequence="keepalived removes it at start: the check never runs, and nothing fails over because of it",
                help=f"add `track_script {{ {name} }}` to the instance (below this block), or remove it",
            )
