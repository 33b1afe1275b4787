"""``auth_hmac``: a keyed hash over adverts, keepalived's own extension. Keys in files are named, not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kcc.lower.scope import wrote
from kir.model import Hmac, HmacKey, Secret

if TYPE_CHECKING:
    from kcc.language.parsed import Field, Node
    from kcc.lower.vrrp.draft import Draft

SECOND = 1_000_000
WINDOW_MIN_S, WINDOW_MAX_S = 5, 300


def settle_hmac(draft: Draft) -> None:
    """The extension, or none: without its active key keepalived drops it."""
    node = next(iter(draft.node.children("auth_hmac")), None)
    if node is None:
        return
    keys = _keys(draft, node)
    active = node.get("active_key")
    if active not in {key.id for key in keys}:
        if active is not None or not wrote(node, "active_key"):
            what = "has no `active_key`" if active is None else f"has no key {active}"
            draft.say(
                "KC0558",
                f"`{draft.name}`: `auth_hmac` {what}",
                node.fields.get("active_key", node),
                consequence="keepalived drops it: adverts are sent and accepted without authentication",
                help="write `active_key N`, N being the number of one of the keys",
            )
        return
    if draft.node.children("authentication"):
        draft.say(
            "KC0514",
            f"`{draft.name}`: `authentication` beside `auth_hmac`",
            draft.node.children("authentication")[0],
            consequence="keepalived drops `authentication`; a peer that still asks for it refuses the adverts",
            help="remove the `authentication` block",
        )
        draft.authentication = None
    mode: Literal["enforce", "permissive", "receive-only"] = node.get("mode", "enforce")
    if draft.strict and mode != "enforce":
        draft.say(
            "KC0518",
            f"`{draft.name}`: strict mode does not allow `mode {mode}`",
            node.fields["mode"],
            consequence="keepalived uses `enforce`: adverts without a valid hash are dropped",
            help="write `mode enforce`, or switch strict mode off",
            also=draft.strictly(),
        )
        mode = "enforce"
    replay: Literal["time", "monotonic"] = node.get("anti_replay", "time")
    window = node.get("time_window")
    if window is None:
        whole = draft.advert_int_us // SECOND
        window = min(max(3 * whole, WINDOW_MIN_S), WINDOW_MAX_S) if replay == "time" else 0
    draft.hmac = Hmac(
        keys=tuple(keys),
        active_key=active,
        time_window_us=window * SECOND,
        anti_replay=replay,
        mode=mode,
    )


def _keys(draft: Draft, node: Node) -> list[HmacKey]:
    found: dict[int, tuple[HmacKey, Field]] = {}
    for field in node.repeated.get("key", []):
        number, text = field.value
        if number in found:
            draft.say(
                "KC0559",
                f"`{draft.name}`: there are two keys {number}",
                field,
                consequence="keepalived drops the second one",
                help="give it another number",
                also=((found[number][1], "the first one"),),
            )
            continue
        if text.startswith("file:"):
            key = HmacKey(id=number, file=text[5:])
        elif text.startswith("hex:"):
            key = HmacKey(id=number, secret=Secret(secret=text[4:].lower()))
        else:
            key = HmacKey(id=number, secret=Secret(secret=text.encode("utf-8", "surrogateescape").hex()))
        found[number] = (key, field)
    return [key for key, _ in found.values()]
