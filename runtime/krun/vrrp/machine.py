"""The state machine of one virtual router: ``step(settings, state, event, now) → (state, actions)``.

Pure: no clock, no socket, no log. `TRANSITIONS` is the whole of it, a row for each pair of role and event, with the section of
RFC 9568 (version 3; RFC 3768 has the same structure in its section 6.4) that it comes from. What is keepalived's own says so.
An event that has no row for a role does not matter there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from krun.vrrp import backup, master
from krun.vrrp.events import (
    Action,
    AddressesLost,
    AdvertDue,
    AdvertReceived,
    Announce,
    AnnounceAgain,
    AnnounceSource,
    ConfigChanged,
    Count,
    DropAnnouncements,
    Event,
    FaultsChanged,
    GroupCommand,
    Log,
    Notify,
    PriorityChanged,
    RemoveVips,
    SendAdvert,
    Shutdown,
    Slept,
    SourceChanged,
    Start,
    Tick,
)
from krun.vrrp.moves import become_master, down_us, entering, leave
from krun.vrrp.packet import pack_address
from krun.vrrp.state import Actions, Role, Settings, State, replace
from krun.vrrp.timers import OWNER_PRIORITY, skew_us


def _start(settings: Settings, state: State, event: Start, now: int) -> tuple[State, Actions]:
    config = settings.config
    state = replace(
        state,
        priority=event.priority,
        source=event.source,
        packed=pack_address(event.source) if event.source else b"",
        faults=event.faults,
        pending=event.pending,
        interval_us=config.advert_int_us,
        not_before=event.not_before,
        since=now,
    )
    if event.resume_since is not None and not event.faults:
        state, actions = become_master(settings, state, now)
        # The predecessor's addresses and announcements still stand: one round is enough, and nobody is notified twice.
        kept = tuple(a for a in actions if not isinstance(a, Announce | Notify | Count | Log))
        said = Log(logging.INFO, "Going on as MASTER where the previous process ended")
        again = replace(state, since=event.resume_since, garp_second_at=None)
        return again, (*kept, Announce(1), said)
    if event.faults or event.pending:
        state = replace(state, role=Role.FAULT, deadline=None)
        if not event.faults:
            return state, (RemoveVips(),)
        return state, (RemoveVips(), entering("FAULT", event.faults), Notify("FAULT"))
    at = max(now, event.not_before)
    if event.owner_at_once:
        # RFC 9568 section 6.4.1: an owner goes to Active at once. Its VIPs may stay where they are.
        return replace(state, role=Role.BACKUP, wanted=True, deadline=at), ()
    if config.initial_state == "MASTER":
        # keepalived: who is meant to be master waits one interval only, so that an advert of another can still be heard.
        wait = config.advert_int_us + skew_us(config.version, OWNER_PRIORITY, config.advert_int_us)
    else:
        wait = down_us(settings, state)
    state = replace(state, role=Role.BACKUP, deadline=at + wait)
    return state, (RemoveVips(), entering("BACKUP"), Notify("BACKUP"))


def _shutdown(settings: Settings, state: State, event: Shutdown, now: int) -> tuple[State, Actions]:
    """RFC 9568 sections 6.4.2 and 6.4.3: a master says so with priority 0."""
    actions: list[Action] = []
    was = state.role
    if was is Role.MASTER:
        actions += [SendAdvert(0), DropAnnouncements(), RemoveVips(), Count("release_master")]
    if event.deleted:
        if was is not Role.FAULT or settings.config.notify_deleted:
            actions.append(Notify("DELETED" if settings.config.notify_deleted else "FAULT"))
        actions.append(Log(logging.INFO, "Removed by the new configuration"))
    else:
        actions.append(Notify("STOP"))
    return replace(state, role=Role.STOPPED, deadline=None, wanted=False, since=now), tuple(actions)


def _priority(settings: Settings, state: State, event: PriorityChanged, now: int) -> tuple[State, Actions]:
    """A master stays master; the next election decides."""
    return replace(state, priority=event.priority), (backup.priority_log(state, event),)


def _source(settings: Settings, state: State, event: SourceChanged, now: int) -> tuple[State, Actions]:
    packed = pack_address(event.source) if event.source else b""
    master = event.source if state.role is Role.MASTER else state.master
    return replace(state, source=event.source, packed=packed, master=master), ()


def _fault(settings: Settings, state: State, event: FaultsChanged, now: int) -> tuple[State, Actions]:
    """keepalived: no RFC knows FAULT; to the peers it is a shutdown."""
    state = replace(state, faults=event.faults, pending=event.pending)
    if not event.faults:
        return state, ()
    said = entering("FAULT", event.faults)
    if state.role is Role.MASTER:
        state, actions = leave(state, now, Role.FAULT, None, said)
        return state, (SendAdvert(0), *actions)
    state = replace(
        state, role=Role.FAULT, deadline=None, wanted=False, since=now, preempt_at=None, master=None
    )
    return state, (said, Notify("FAULT"))


def _recover(settings: Settings, state: State, event: FaultsChanged, now: int) -> tuple[State, Actions]:
    config = settings.config
    was_real = bool(state.faults)
    state = replace(state, faults=event.faults, pending=event.pending)
    if event.faults:
        if was_real:
            return state, ()
        return state, (entering("FAULT", event.faults), Notify("FAULT"))
    if event.pending:
        return state, ()
    state = replace(
        state,
        role=Role.BACKUP,
        interval_us=config.advert_int_us,
        since=now,
        master=None,
        master_priority=0,
        demoted=False,
    )
    at = max(now, state.not_before)
    owner = state.priority == OWNER_PRIORITY and config.initial_state == "MASTER"
    state = replace(state, deadline=at if owner else at + down_us(settings, state))
    actions: tuple[Action, ...] = (entering("BACKUP"), Notify("BACKUP"))
    if config.unicast:
        actions = (AnnounceSource(), *actions)
    return state, actions


def _fault_config(settings: Settings, state: State, event: ConfigChanged, now: int) -> tuple[State, Actions]:
    return replace(state, interval_us=settings.config.advert_int_us), ()


def step(settings: Settings, state: State, event: Event, now: int) -> tuple[State, Actions]:
    """One event. Never raises for an event that can come from outside."""
    handler = _TABLE.get((state.role, type(event)))
    if handler is None:
        return state, ()
    return handler(settings, state, event, now)


__all__ = ["TRANSITIONS", "Actions", "Role", "Row", "Settings", "State", "step"]


class Row(msgspec.Struct, frozen=True):
    """A transition: in ``role``, on ``event``, ``handler`` decides. ``section``: of RFC 9568, or whose idea it is."""

    role: Role
    event: type[Event]
    handler: Callable[..., tuple[State, Actions]]
    section: str


TRANSITIONS: tuple[Row, ...] = (
    Row(Role.INIT, Start, _start, "6.4.1"),
    Row(Role.BACKUP, Tick, backup.tick, "6.4.2: Active_Down_Timer fires"),
    Row(Role.BACKUP, AdvertReceived, backup.advert, "6.4.2: an ADVERTISEMENT is received"),
    Row(Role.BACKUP, Slept, backup.slept, "our own: a pause of the machine"),
    Row(Role.BACKUP, Shutdown, _shutdown, "6.4.2: a Shutdown event"),
    Row(Role.BACKUP, PriorityChanged, backup.priority, "keepalived: tracking"),
    Row(Role.BACKUP, FaultsChanged, _fault, "keepalived: FAULT"),
    Row(Role.BACKUP, SourceChanged, _source, "6.4.2: the primary address is the sender's"),
    Row(Role.BACKUP, GroupCommand, backup.group_command, "keepalived: sync groups"),
    Row(Role.BACKUP, ConfigChanged, backup.config_changed, "keepalived: reload"),
    Row(Role.MASTER, Tick, master.tick, "6.4.3: Adver_Timer fires"),
    Row(Role.MASTER, AdvertDue, master.advert_due, "6.4.3: Adver_Timer fires"),
    Row(Role.MASTER, Slept, master.slept, "our own: a pause of the machine"),
    Row(Role.MASTER, AdvertReceived, master.advert, "6.4.3: an ADVERTISEMENT is received"),
    Row(Role.MASTER, Shutdown, _shutdown, "6.4.3: a Shutdown event"),
    Row(Role.MASTER, PriorityChanged, _priority, "keepalived: tracking"),
    Row(Role.MASTER, FaultsChanged, _fault, "keepalived: FAULT"),
    Row(Role.MASTER, SourceChanged, _source, "6.4.3: the primary address is the sender's"),
    Row(Role.MASTER, GroupCommand, master.group_command, "keepalived: sync groups"),
    Row(Role.MASTER, AnnounceAgain, master.announce_again, "keepalived: sync groups"),
    Row(Role.MASTER, AddressesLost, master.addresses_lost, "keepalived: VIPs removed by others"),
    Row(Role.MASTER, ConfigChanged, master.config_changed, "keepalived: reload"),
    Row(Role.FAULT, FaultsChanged, _recover, "keepalived: FAULT"),
    Row(Role.FAULT, PriorityChanged, _priority, "keepalived: tracking"),
    Row(Role.FAULT, SourceChanged, _source, "keepalived: FAULT"),
    Row(Role.FAULT, ConfigChanged, _fault_config, "keepalived: reload"),
    Row(Role.FAULT, Shutdown, _shutdown, "keepalived: FAULT"),
)
"""Every transition. A pair that is not here is an event without meaning in that role: it is ignored."""

_TABLE = {(row.role, row.event): row.handler for row in TRANSITIONS}
