"""What a master does (RFC 9568 section 6.4.3)."""

from __future__ import annotations

import logging

from krun.vrrp.events import (
    Action,
    AddressesLost,
    AddVips,
    AdvertDue,
    AdvertReceived,
    Announce,
    AnnounceAgain,
    ConfigChanged,
    GroupCommand,
    Log,
    LowerHeard,
    Notify,
    SendAdvert,
    Slept,
    Tick,
)
from krun.vrrp.moves import down_us, leave, silence_us, step_back, yield_to
from krun.vrrp.state import Actions, Role, Settings, State, replace
from krun.vrrp.timers import OWNER_PRIORITY, skew_us


def advert_due(settings: Settings, state: State, event: AdvertDue, now: int) -> tuple[State, Actions]:
    """Adver_Timer. Who was silent for too long says nothing here: `tick` has the consequences."""
    due = state.deadline
    if due is None or now < due or silence_us(settings, state, now) is not None:
        return state, ()
    # the grid stays where it is: no drift, unless a whole interval was slept through
    following = due + settings.config.advert_int_us
    if following <= now:
        following = now + settings.config.advert_int_us
    return replace(state, deadline=following, spoke_at=now), (SendAdvert(state.speaks),)


def slept(settings: Settings, state: State, event: Slept, now: int) -> tuple[State, Actions]:
    """Our own: before anything else is said or heard, see whether a peer may be master by now."""
    silence = silence_us(settings, state, now, event.unseen_us)
    return (state, ()) if silence is None else step_back(settings, state, silence, now)


def tick(settings: Settings, state: State, event: Tick, now: int) -> tuple[State, Actions]:
    """Adver_Timer, and the announcements that are due."""
    garp = settings.config.garp
    actions: list[Action] = []
    if state.deadline is not None and now >= state.deadline:
        silence = silence_us(settings, state, now)
        if silence is not None:
            return step_back(settings, state, silence, now)
        state, sent = advert_due(settings, state, AdvertDue(), now)
        actions += sent
    if state.garp_second_at is not None and now >= state.garp_second_at:
        state = replace(state, garp_second_at=None)
        actions.append(Announce(garp.repeat))
    if state.garp_added and now >= state.garp_added[0][0]:
        actions += [Announce(garp.repeat, targets) for at, targets in state.garp_added if now >= at]
        state = replace(state, garp_added=tuple(late for late in state.garp_added if now < late[0]))
    if state.garp_refresh_at is not None and now >= state.garp_refresh_at:
        state = replace(state, garp_refresh_at=now + garp.refresh_us if garp.refresh_us else None)
        if garp.refresh_repeat:
            actions.append(Announce(garp.refresh_repeat))
    if state.garp_lower_at is not None and now >= state.garp_lower_at:
        state = replace(state, garp_lower_at=None)
        if garp.lower_prio_repeat:
            actions.append(Announce(garp.lower_prio_repeat))
    if state.conflict_at is not None and now >= state.conflict_at:
        demoted = state.conflict_heard
        state = replace(state, conflict_at=None, conflict_heard=False, demoted=demoted)
        if demoted:
            text = "Another router owns the address too (priority 255): lowered to 254 until it is gone"
            actions.append(Log(logging.ERROR, text))
    return state, tuple(actions)


def advert(settings: Settings, state: State, event: AdvertReceived, now: int) -> tuple[State, Actions]:
    """Another one advertises: leaving, better, the same, or lower."""
    priority = state.speaks
    if event.priority == 0:
        # another master leaves: assert ourselves, start the interval anew
        again = replace(state, deadline=now + settings.config.advert_int_us, spoke_at=now)
        return again, (SendAdvert(priority),)
    if event.priority > priority or (event.priority == priority and event.packed > state.packed):
        return yield_to(settings, state, event, now)
    if event.priority == priority and event.packed == state.packed:
        text = (
            f"{event.source} advertises with our own address and priority: two routers have the same address"
        )
        return state, (Log(logging.WARNING, text, "same"),)
    if event.priority == OWNER_PRIORITY:
        return _owners(settings, state, event, now)
    restored = replace(state, demoted=False) if state.demoted else state
    return _lower(settings, restored, event, now)


def _owners(settings: Settings, state: State, event: AdvertReceived, now: int) -> tuple[State, Actions]:
    """keepalived: of two owners (RFC 9568 section 6.4.3 has no words for it) the one with the higher address insists, and gives
    way with priority 254 where the other does not hear it."""
    if state.conflict_at is not None:
        return replace(state, conflict_heard=True), ()
    wait = max(settings.config.advert_int_us, event.interval_us) * 6 // 5
    text = f"{event.source} claims to own the address too (priority 255): configure one owner only"
    said = Log(logging.ERROR, text, "owners")
    return replace(state, conflict_at=now + wait), (said, SendAdvert(state.speaks), SendAdvert(state.speaks))


def _lower(settings: Settings, state: State, event: AdvertReceived, now: int) -> tuple[State, Actions]:
    """RFC 9568 section 6.4.3: send an advert at once, to win back bridges that learned the other's port."""
    config, garp = settings.config, settings.config.garp
    text = f"{event.source} advertises priority {event.priority}, ours is {state.speaks}: it should be backup"
    actions: list[Action] = [Log(logging.WARNING, text, "lower")]
    if not config.lower_prio_no_advert:
        actions.append(SendAdvert(state.speaks))
    # One burst for each delay, however many such adverts come: who floods us must not make us flood the segment.
    if garp.lower_prio_repeat and state.garp_lower_at is None:
        actions += [Announce(garp.lower_prio_repeat), LowerHeard()]
        if garp.lower_prio_delay_us:
            state = replace(state, garp_lower_at=now + garp.lower_prio_delay_us)
    actions.append(Notify("MASTER_RX_LOWER_PRI"))
    return state, tuple(actions)


def announce_again(settings: Settings, state: State, event: AnnounceAgain, now: int) -> tuple[State, Actions]:
    """A mate of the sync group heard a lower one: our addresses may have been learned from it too."""
    garp = settings.config.garp
    if not garp.lower_prio_repeat or state.garp_lower_at is not None:
        return state, ()
    if garp.lower_prio_delay_us:
        state = replace(state, garp_lower_at=now + garp.lower_prio_delay_us)
    return state, (Announce(garp.lower_prio_repeat),)


def addresses_lost(settings: Settings, state: State, event: AddressesLost, now: int) -> tuple[State, Actions]:
    """keepalived: say priority 0, and come back after the skew time if nobody better does."""
    skew = skew_us(settings.config.version, state.speaks, state.interval_us)
    why = Log(
        logging.ERROR,
        f"Entering BACKUP STATE: somebody keeps removing {event.address}; find out who (`ip monitor`), or set no_track",
    )
    state, actions = leave(state, now, Role.BACKUP, now + skew, why)
    return state, (SendAdvert(0), *actions)


def group_command(settings: Settings, state: State, event: GroupCommand, now: int) -> tuple[State, Actions]:
    """Another member ceased to be master: so do we, without a priority-0 advert."""
    if event.role == "MASTER":
        return state, ()
    why = Log(logging.INFO, "Entering BACKUP STATE with its sync group")
    return leave(state, now, Role.BACKUP, now + down_us(settings, state), why)


def config_changed(settings: Settings, state: State, event: ConfigChanged, now: int) -> tuple[State, Actions]:
    """Role and grid stay; a new interval is told at once, added VIPs are announced."""
    config, garp, old = settings.config, settings.config.garp, event.old
    actions: list[Action] = []
    if config.advert_int_us != old.advert_int_us:
        # A peer counts with the interval that it last heard: let it hear the new one now.
        following = now + config.advert_int_us
        state = replace(state, interval_us=config.advert_int_us, deadline=following, spoke_at=now)
        actions.append(SendAdvert(state.speaks))
    actions.append(AddVips())
    if event.added and garp.repeat:
        # keepalived announces all again. Nobody forgot the others: of thousands, each reload would be a storm.
        actions.append(Announce(garp.repeat, event.added))
        if garp.delay_us:
            again = (now + garp.delay_us, event.added)
            state = replace(state, garp_added=tuple(sorted((*state.garp_added, again))))
    if garp.refresh_us != old.garp.refresh_us:
        state = replace(state, garp_refresh_at=now + garp.refresh_us if garp.refresh_us else None)
    return state, tuple(actions)
