"""What an instance's state follows from: the adverts that it heard, how its priority comes about, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kir.model import Address, TrackedInterface, TrackedScript
from krun.vrrp import tracking
from krun.vrrp.instance import Instance
from krun.vrrp.machine import Role
from krun.vrrp.surroundings import Surroundings


def explanation(known: Surroundings, instance: Instance, now_us: int, offset: float) -> dict[str, Any]:
    """The explaining part of an instance's status, plain JSON.

    ``addresses``: all VIPs of the configuration, whoever holds them. ``adverts``: see `krun.vrrp.recent.Recent.as_list`. ``tracks``: each
    tracked object with what it ``adds`` to the priority now; None where it decides between running and FAULT instead. ``timers``: what
    fires next, soonest first.
    """
    config = instance.config
    return {
        "addresses": _addresses(config.vips, excluded=False)
        + _addresses(config.excluded_vips, excluded=True),
        "advert_int_us": config.advert_int_us,
        "down_timer_adverts": config.down_timer_adverts,
        "garp_delay_us": config.garp.delay_us,
        "preempt": not config.nopreempt,
        "owner": config.owner,
        "demoted": instance.state.demoted,
        "adverts": instance.recent.as_list(offset),
        "tracks": _tracks(known, instance),
        "timers": _timers(instance, now_us),
    }


def _addresses(addresses: Iterable[Address], *, excluded: bool) -> list[dict[str, Any]]:
    return [
        {"address": a.address, "prefix": a.prefix, "device": a.device, "excluded": excluded}
        for a in addresses
    ]


def _tracks(known: Surroundings, instance: Instance) -> list[dict[str, Any]]:
    group = known.group_with(instance)
    found: list[dict[str, Any]] = []
    for of, config in (("instance", instance.config), ("sync group", group.config if group else None)):
        if config is None:
            continue
        found += [
            _track("interface", of, thing, known.links.get(thing.name, False))
            for thing in config.track_interfaces
        ]
        for thing in config.track_scripts:
            health = known.health.get(thing.name)
            found.append(_track("script", of, thing, health.up if health is not None else None))
    return found


def _track(kind: str, of: str, thing: TrackedInterface | TrackedScript, up: bool | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": thing.name,
        "of": of,
        "state": {None: "undecided", True: "up", False: "down"}[up],
        "weight": thing.weight,
        "reverse": thing.reverse,
        "adds": tracking.contribution(thing.weight, thing.reverse, up) if thing.weight else None,
    }


def _timers(instance: Instance, now_us: int) -> list[dict[str, Any]]:
    state = instance.state
    found: list[tuple[int | None, str, str]] = [
        (instance.primary.at, "interface_delay", "its interface's new state is believed"),
    ]
    if state.role is Role.MASTER:
        found += [
            (state.deadline, "Adver_Timer", "its next advert leaves"),
            (state.garp_second_at, "garp_master_delay", "it announces its addresses a second time"),
            (state.garp_refresh_at, "garp_master_refresh", "it announces its addresses again"),
            (
                state.garp_lower_at,
                "garp_lower_prio_delay",
                "it announces its addresses, since a lower one advertised",
            ),
            (state.conflict_at, "owner conflict", "it gives way if the other owner still advertises"),
        ]
    elif state.role is Role.BACKUP:
        found += [
            (state.deadline, "Master_Down_Timer", "it becomes master unless an advert comes before"),
            (state.preempt_at, "preempt_delay", "it stops to respect adverts of a lower priority"),
        ]
    else:
        found.append((state.deadline, "timer", "it looks again"))
    return [
        {"name": name, "in_s": round(max(at - now_us, 0) / 1e6, 6), "then": then}
        for at, name, then in sorted(_armed(found))
    ]


def _armed(timers: Iterable[tuple[int | None, str, str]]) -> list[tuple[int, str, str]]:
    return [(at, name, then) for at, name, then in timers if at is not None]
