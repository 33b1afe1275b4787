"""Intervals, delays and preemption of an instance, with what keepalived corrects in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Severity
from kcc.lower.scope import seconds
from kir.model import Garp

if TYPE_CHECKING:
    from kcc.lower.vrrp.draft import Draft

SECOND = 1_000_000
CENTISECOND = 10_000
V3_MAX_US = 4095 * CENTISECOND


def settle_advert_int(draft: Draft) -> None:
    """Version 2 counts whole seconds to 255 (RFC 3768 section 5.3.7), version 3 centiseconds to 40.95 s (RFC 9568, 5.2.7)."""
    said = draft.get("advert_int", SECOND)
    if draft.version == 2:
        used = min(max((said + SECOND // 2) // SECOND, 1), 255) * SECOND
        why, unit = (
            "version 2 sends whole seconds, 1 to 255",
            "write whole seconds, or `version 3` on all directors",
        )
    else:
        used = min(max((said + CENTISECOND // 2) // CENTISECOND, 1) * CENTISECOND, V3_MAX_US)
        why, unit = (
            "version 3 sends hundredths of a second, 0.01 to 40.95",
            "write a multiple of 0.01 up to 40.95",
        )
    if used != said:
        draft.say(
            "KC0513",
            f"`{draft.name}`: `advert_int` of {seconds(said)} cannot be sent ({why})",
            draft.at("advert_int"),
            consequence=f"keepalived uses {seconds(used)}: a takeover takes about {seconds(3 * used)}",
            help=unit,
        )
    draft.advert_int_us = used


def settle_preemption(draft: Draft) -> None:
    """``nopreempt`` and ``preempt_delay`` contradict an owner, a first state of MASTER, strict mode and each other."""
    draft.nopreempt = draft.get("nopreempt", False) and not (
        draft.node.has("preempt") and _later(draft, "preempt", "nopreempt")
    )
    draft.preempt_delay_us = draft.get("preempt_delay", 0)
    if draft.nopreempt and (draft.owner or draft.state == "MASTER"):
        if draft.owner and draft.node.has("priority"):
            what, fix = "priority 255", "give it a lower priority"
        elif draft.owner:
            what, fix = (
                "`state MASTER` without a priority (which is then 255)",
                "write `state BACKUP` on all directors",
            )
        else:
            what, fix = "`state MASTER`", "write `state BACKUP` on all directors"
        draft.say(
            "KC0511",
            f"`{draft.name}`: `nopreempt` does not work with {what}",
            draft.at("nopreempt"),
            consequence=f"keepalived clears it: after a restart this director takes {draft.vip_text()} back",
            help=f"{fix}, or remove `nopreempt`",
            also=((draft.at("priority") if draft.owner else draft.at("state"), "here"),)
            if draft.node.has("priority") or draft.node.has("state")
            else (),
        )
        draft.nopreempt = False
    if not draft.preempt_delay_us:
        return
    if draft.state == "MASTER":
        what, fix = "`state MASTER`", "write `state BACKUP`, or remove `preempt_delay`"
    elif draft.strict:
        what, fix = "strict mode", "switch strict mode off, or remove `preempt_delay`"
    elif draft.nopreempt:
        what, fix = "`nopreempt`", "keep one of the two"
    else:
        return
    draft.say(
        "KC0512",
        f"`{draft.name}`: `preempt_delay` does not work with {what}",
        draft.at("preempt_delay"),
        consequence="keepalived clears the delay"
        + ("" if draft.nopreempt else f": {draft.vip_text()} moves back as soon as this director is up"),
        help=fix,
    )
    draft.preempt_delay_us = 0


def _later(draft: Draft, one: str, other: str) -> bool:
    names = list(draft.node.fields)
    return names.index(one) > names.index(other)


def settle_down_timer(draft: Draft) -> None:
    """How many missed adverts make the master down; strict mode knows only three (RFC 9568 section 6.1)."""
    used = draft.get("down_timer_adverts", draft.scope.defaults.down_timer_adverts)
    if used != 3 and draft.strict:
        draft.say(
            "KC0518",
            f"`{draft.name}`: strict mode does not allow `down_timer_adverts` {used}",
            draft.at("down_timer_adverts"),
            consequence="keepalived uses 3",
            help="remove the line, or switch strict mode off",
            also=draft.strictly(),
        )
        used = 3
    draft.down_timer_adverts = used


def garp(draft: Draft) -> Garp:
    """When gratuitous ARP and unsolicited neighbour advertisements are sent."""
    get, default = draft.get, draft.scope.defaults
    lower_delay = get("garp_lower_prio_delay")
    lower_repeat = get("garp_lower_prio_repeat")
    if draft.strict:
        for name, value in (("garp_lower_prio_delay", lower_delay), ("garp_lower_prio_repeat", lower_repeat)):
            if value:
                draft.say(
                    "KC0518",
                    f"`{draft.name}`: strict mode does not allow `{name}` {value}",
                    draft.at(name),
                    consequence="keepalived uses 0: no gratuitous ARP is sent after an advert of lower priority",
                    help="remove the line, or switch strict mode off",
                    also=draft.strictly(),
                )
        delay_us, repeat = 0, 0
    else:
        inherited = default.garp_lower_prio_delay_us
        delay_us = (
            lower_delay * SECOND
            if lower_delay is not None
            else inherited
            if inherited is not None
            else default.garp_delay_us
        )
        inherited = default.garp_lower_prio_repeat
        repeat = (
            lower_repeat
            if lower_repeat is not None
            else inherited
            if inherited is not None
            else default.garp_repeat
        )
    own = (
        get("garp_master_delay"),
        get("garp_master_repeat", default.garp_repeat),
        get("garp_master_refresh"),
        get("garp_master_refresh_repeat", default.garp_refresh_repeat),
    )
    everywhere, extra = get("garp_extra_if", default.garp_extra)
    key = ("garp", *own, delay_us, repeat, everywhere, extra)
    made: Garp = draft.scope.once(
        key,
        lambda: Garp(
            delay_us=default.garp_delay_us if own[0] is None else own[0] * SECOND,
            repeat=own[1],
            refresh_us=default.garp_refresh_us if own[2] is None else own[2] * SECOND,
            refresh_repeat=own[3],
            lower_prio_delay_us=delay_us,
            lower_prio_repeat=repeat,
            arp_interval_us=default.garp_interval_us,
            na_interval_us=default.gna_interval_us,
            extra_interval_us=extra * SECOND,
            extra_all=everywhere and extra > 0,
        ),
    )
    return made


def link_delays(draft: Draft) -> tuple[int, int]:
    """The down and up delay of the instance's interface; one as long as the takeover itself makes no sense."""
    down, up = draft.scope.defaults.delays.get(draft.interface, (0, 0))
    if not down and not up:
        return 0, 0
    n, interval = draft.down_timer_adverts, draft.advert_int_us
    limit = (n - 1) * interval - interval // 256
    if n == 1 or down >= limit or up >= limit:
        draft.say(
            "KC0523",
            f"`{draft.name}`: the up and down delays of {draft.interface} reach its master-down time",
            consequence="keepalived uses no delay for this instance",
            help=f"keep both delays below {seconds(max(limit, 0))}",
            severity=Severity.WARNING,
        )
        return 0, 0
    return down, up
