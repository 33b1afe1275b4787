"""What a backup does (RFC 9568 section 6.4.2)."""

from __future__ import annotations

import logging

from krun.vrrp.events import (
    AdvertReceived,
    ConfigChanged,
    GroupCommand,
    Log,
    PriorityChanged,
    Slept,
    Tick,
    WantMaster,
)
from krun.vrrp.moves import become_master, down_us, follow
from krun.vrrp.state import Actions, Settings, State, replace
from krun.vrrp.timers import master_down_us, skew_us


def tick(settings: Settings, state: State, event: Tick, now: int) -> tuple[State, Actions]:
    """Master_Down_Timer: nobody is master any more. A member of a sync group asks the others first."""
    if state.deadline is None or now < state.deadline:
        return state, ()
    if settings.grouped:
        return replace(state, wanted=True, deadline=now + down_us(settings, state)), (WantMaster(),)
    return become_master(settings, state, now)


def slept(settings: Settings, state: State, event: Slept, now: int) -> tuple[State, Actions]:
    """Our own: in the time asleep nobody was listened to, so it says nothing about the master: what was left of Master_Down_Timer is left."""
    if state.deadline is None:
        return state, ()
    latest = max(now, state.not_before) + down_us(settings, state)
    return replace(state, deadline=min(state.deadline + event.us - event.unseen_us, latest)), ()


def advert(settings: Settings, state: State, event: AdvertReceived, now: int) -> tuple[State, Actions]:
    """Somebody is master, leaves, or claims to be although we are better."""
    config, priority = settings.config, state.speaks
    if event.priority == 0:
        # the master leaves: the best backup is there first
        skew = skew_us(config.version, priority, state.interval_us)
        text = f"{event.source} leaves (priority 0)"
        at = max(now, state.not_before) + skew
        return replace(state, deadline=at), (Log(logging.INFO, text, "leaves"),)
    if config.nopreempt or event.priority >= priority:
        # a master to follow
        return replace(follow(settings, state, event, now), preempt_at=None), ()
    if config.preempt_delay_us:
        # keepalived: a lower one is respected for a while after it was first heard
        at = state.preempt_at if state.preempt_at is not None else now + config.preempt_delay_us
        if now < at:
            return replace(follow(settings, state, event, now), preempt_at=at), ()
    # a lower one: discard, the running timer makes us master
    text = f"{event.source} advertises priority {event.priority}, ours is {priority}: taking over"
    return state, (Log(logging.INFO, text, "lower"),)


def priority(settings: Settings, state: State, event: PriorityChanged, now: int) -> tuple[State, Actions]:
    """keepalived: the running timer is moved by what the skew changed, so that the better of two is still the first."""
    changed = replace(state, priority=event.priority)
    if state.deadline is not None:
        moved = state.deadline + down_us(settings, changed) - down_us(settings, state)
        changed = replace(changed, deadline=max(moved, now, state.not_before))
    return changed, (priority_log(state, event),)


def group_command(settings: Settings, state: State, event: GroupCommand, now: int) -> tuple[State, Actions]:
    """The sync group becomes master as a whole."""
    if event.role == "MASTER":
        return become_master(settings, state, now)
    return replace(state, wanted=False), ()


def config_changed(settings: Settings, state: State, event: ConfigChanged, now: int) -> tuple[State, Actions]:
    """The running timer is moved by what the new configuration changes of it; a learned interval stays."""
    config = settings.config
    before = master_down_us(event.old, state.speaks, state.interval_us)
    learned = config.version == 3 and state.master is not None
    changed = state if learned else replace(state, interval_us=config.advert_int_us)
    if state.deadline is not None:
        moved = state.deadline + down_us(settings, changed) - before
        changed = replace(changed, deadline=max(moved, now, state.not_before))
    if not config.preempt_delay_us:
        changed = replace(changed, preempt_at=None)
    elif changed.preempt_at is not None:
        # It counts from when the lower one was first heard, whatever its length is now.
        moved = changed.preempt_at + config.preempt_delay_us - event.old.preempt_delay_us
        changed = replace(changed, preempt_at=max(moved, now))
    return changed, ()


def priority_log(state: State, event: PriorityChanged) -> Log:
    """The line about another effective priority."""
    return Log(logging.INFO, f"Effective priority changes from {state.priority} to {event.priority}")
