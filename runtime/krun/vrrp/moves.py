"""Becoming master and ceasing to be it: what several transitions have in common."""

from __future__ import annotations

import logging

from krun.vrrp.events import (
    Action,
    AddVips,
    AdvertReceived,
    Announce,
    Count,
    DropAnnouncements,
    Log,
    Notify,
    RemoveVips,
    SendAdvert,
)
from krun.vrrp.state import Actions, Role, Settings, State, replace
from krun.vrrp.timers import master_down_us, shortest_master_down_us


def down_us(settings: Settings, state: State) -> int:
    """Master_Down_Interval as things stand."""
    return master_down_us(settings.config, state.speaks, state.interval_us)


def silence_us(settings: Settings, state: State, now: int, unseen_us: int = 0) -> int | None:
    """For how long a master has said nothing, if that is so long that a peer may be master by now; else None.

    keepalived looks at this only with ``timer_expired_backup``, and only where ``nopreempt`` is set.
    """
    config = settings.config
    if state.spoke_at is None or (config.unicast and not config.peers):
        return None
    silence = now - state.spoke_at + unseen_us
    return silence if silence >= shortest_master_down_us(config) else None


def step_back(settings: Settings, state: State, silence: int, now: int) -> tuple[State, Actions]:
    """No longer master without a word, after too long a silence: first listen, for one Master_Down_Interval."""
    why = Log(
        logging.WARNING,
        f"Entering BACKUP STATE: silent for {silence / 1e6:.1f} s, a peer may be master by now; listening first",
    )
    return leave(state, now, Role.BACKUP, now + down_us(settings, state), why)


def entering(word: str, faults: frozenset[str] = frozenset()) -> Log:
    if faults:
        return Log(logging.WARNING, f"Entering {word} STATE: {'; '.join(sorted(faults))}")
    return Log(logging.INFO, f"Entering {word} STATE")


def follow(settings: Settings, state: State, event: AdvertReceived, now: int) -> State:
    """Take over the sender as master: interval (version 3), Master_Down_Timer."""
    interval = event.interval_us if settings.config.version == 3 else settings.config.advert_int_us
    down = master_down_us(settings.config, state.speaks, interval)
    return replace(
        state,
        wanted=False,
        interval_us=interval,
        master=event.source,
        master_priority=event.priority,
        deadline=max(now, state.not_before) + down,
    )


SLOTS = 50
"""Moments of an advert interval at which adverts leave when there are many instances: 20 ms apart at one advert a second."""


def become_master(settings: Settings, state: State, now: int) -> tuple[State, Actions]:
    """RFC 9568 section 6.4.2: advertise first, then take the addresses, then tell the neighbours."""
    config, garp = settings.config, settings.config.garp
    first = now + config.advert_int_us
    if settings.phase:
        # The first interval is shortened: sending early harms nobody, and from then on the adverts of many instances are spread
        # over the interval, on slots that several share: a wake-up costs more than an advert.
        first -= config.advert_int_us * settings.phase // 1000
        first -= first % max(1, config.advert_int_us // SLOTS)
    repeated = garp.delay_us > 0 and garp.repeat > 0
    state = replace(
        state,
        role=Role.MASTER,
        wanted=True,
        demoted=False,
        interval_us=config.advert_int_us,
        deadline=first,
        master=state.source,
        master_priority=state.priority,
        preempt_at=None,
        since=now,
        garp_second_at=now + garp.delay_us if repeated else None,
        garp_added=(),
        garp_refresh_at=now + garp.delay_us + garp.refresh_us if garp.refresh_us else None,
        garp_lower_at=None,
        conflict_at=None,
        conflict_heard=False,
        spoke_at=now,
    )
    actions: list[Action] = [
        SendAdvert(state.speaks),
        Log(logging.INFO, "Entering MASTER STATE"),
        Count("become_master"),
        AddVips(),
    ]
    if garp.repeat:
        actions.append(Announce(garp.repeat))
    actions.append(Notify("MASTER"))
    return state, tuple(actions)


def leave(state: State, now: int, role: Role, deadline: int | None, entering: Log) -> tuple[State, Actions]:
    """No longer master: VIPs off, announcements void, the state told. ``deadline`` is the next timer's."""
    state = replace(
        state,
        role=role,
        wanted=False,
        deadline=deadline,
        since=now,
        preempt_at=None,
        garp_second_at=None,
        garp_added=(),
        garp_refresh_at=None,
        garp_lower_at=None,
        conflict_at=None,
        conflict_heard=False,
    )
    return state, (entering, DropAnnouncements(), RemoveVips(), Count("release_master"), Notify(role.name))


def yield_to(settings: Settings, state: State, event: AdvertReceived, now: int) -> tuple[State, Actions]:
    """RFC 9568 section 6.4.3: a better one is there."""
    before: Actions = ()
    if settings.config.higher_prio_send_advert:
        before = (SendAdvert(state.speaks),)
    heard = follow(settings, state, event, now)
    why = Log(
        logging.INFO,
        f"Entering BACKUP STATE: {event.source} advertises priority {event.priority}, ours is {state.speaks}",
    )
    state, actions = leave(heard, now, Role.BACKUP, heard.deadline, why)
    return state, before + actions
