"""What an instance watches, and what follows from it: its effective priority, and the faults that keep it down.

keepalived.conf(5), ``track_script`` and ``track_interface``: an object with weight 0 that is down means FAULT; with another weight
it moves the priority. An address owner (255) is moved by nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kir.model import Config, SyncGroup, TrackedInterface, TrackedScript, VrrpInstance, VrrpScript
from kir.route_state import legs, route_key, rule_key
from kir.state import address_key

LOWEST, HIGHEST = 1, 254
"""Where an effective priority ends; 0 and 255 mean something else (RFC 9568 section 5.2.4)."""


class ScriptHealth(msgspec.Struct, frozen=True):
    """The memory of a ``vrrp_script``: ``counter`` runs from 0 to rise + fall − 1 and means up from rise on.

    ``up`` None: no result yet. ``excused``: it has no result because a reload changed it, which is no reason to be down.
    """

    up: bool | None = None
    counter: int = 0
    excused: bool = False


def initial_health(script: VrrpScript, *, excused: bool = False) -> ScriptHealth:
    """Before the first run: undecided, or failed where ``init_fail`` says so."""
    if script.init_fail and not excused:
        return ScriptHealth(up=False)
    return ScriptHealth(excused=excused)


def script_ended(script: VrrpScript, health: ScriptHealth, success: bool) -> ScriptHealth:
    """One more result: ``rise`` successes in a row turn it up, ``fall`` failures in a row down; the very first decides alone."""
    top = script.rise + script.fall - 1
    if health.up is None:
        return ScriptHealth(up=success, counter=top if success else 0)
    if success:
        if health.counter < script.rise - 1:
            return ScriptHealth(up=health.up, counter=health.counter + 1)
        return ScriptHealth(up=True, counter=top)
    if health.counter > script.rise:
        return ScriptHealth(up=health.up, counter=health.counter - 1)
    return ScriptHealth(up=False, counter=0)


def rescaled(script: VrrpScript, health: ScriptHealth) -> ScriptHealth:
    """The same verdict for a script whose ``rise`` or ``fall`` changed."""
    if health.up is None:
        return health
    top = script.rise + script.fall - 1
    low, high = (script.rise, top) if health.up else (0, max(script.rise - 1, 0))
    return ScriptHealth(up=health.up, counter=min(max(health.counter, low), high))


def contribution(weight: int, reverse: bool, up: bool | None) -> int:
    """What an object adds to the priority: a positive weight while up, a negative one while down, ``reverse`` changes the sign.

    An undecided one (None) adds nothing.
    """
    counts = up is True if weight > 0 else up is False
    if not counts:
        return 0
    return -weight if reverse else weight


class Verdict(msgspec.Struct, frozen=True):
    """What tracking says of an instance: priority, reasons for FAULT, and checks without a first result."""

    priority: int
    faults: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()


def evaluate(
    config: VrrpInstance,
    group: SyncGroup | None,
    links: Mapping[str, bool],
    scripts: Mapping[str, ScriptHealth],
    *,
    primary_up: bool | None,
    source: str | None,
) -> Verdict:
    """The verdict of an instance.

    ``links``: interfaces that exist → up and running. ``primary_up``: the instance's own interface after its debounce delays,
    None where it does not exist. ``source``: where adverts leave from, None where there is no such address.
    """
    faults: set[str] = set()
    pending: set[str] = set()
    total = config.priority
    if primary_up is None:
        faults.add(f"interface {config.interface} does not exist")
    elif not primary_up and config.track_primary:
        faults.add(f"interface {config.interface} is down")
    if source is None and primary_up is not None:
        if config.source is not None:
            faults.add(f"source address {config.source} is on no interface")
        else:
            faults.add(f"interface {config.interface} has no {_family_words(config)} to send from")
    if config.fault_no_peer and config.unicast and not config.peers:
        faults.add("no unicast peer is configured")
    if config.track_primary:
        for device, of in _carriers(config).items():
            if device != config.interface and not links.get(device, False):
                faults.add(f"interface {device} of a {of} is {_down_words(links, device)}")
    for tracked in _interfaces(config, group):
        up = links.get(tracked.name, False)
        if tracked.weight:
            total += contribution(tracked.weight, tracked.reverse, up)
        elif up == tracked.reverse:
            faults.add(
                f"tracked interface {tracked.name} is {_down_words(links, tracked.name) if not up else 'up'}"
            )
    for script in _scripts(config, group):
        health = scripts.get(script.name)
        state = health.up if health is not None else None
        if script.weight:
            total += contribution(script.weight, script.reverse, state)
        elif state is None:
            if health is None or not health.excused:
                pending.add(f"script {script.name} has not run yet")
        elif state == script.reverse:
            faults.add(f"tracked script {script.name} {'fails' if not state else 'succeeds'}")
    priority = config.priority if config.owner else max(LOWEST, min(HIGHEST, total))
    return Verdict(priority, frozenset(faults), frozenset(pending))


def _carriers(config: VrrpInstance) -> dict[str, str]:
    """The interfaces that tracked VIPs, routes and rules need, with what needs them."""
    found: dict[str, str] = {vip.device: "VIP" for vip in (*config.vips, *config.excluded_vips) if vip.track}
    for route in config.routes:
        for hop in legs(route) if route.track else ():
            if hop.device is not None:
                found.setdefault(hop.device, "route")
    for rule in config.rules:
        if rule.track and rule.iif is not None:
            found.setdefault(rule.iif, "rule")
    return found


class Followed(msgspec.Struct, frozen=True):
    """A static address, route or rule of a track group: its key in the books, its interface, and what it is in words."""

    key: object
    device: str
    words: str


def followed(config: Config) -> dict[str, list[Followed]]:
    """What each instance follows by a ``track_group``: static things, whose loss puts it into FAULT."""
    things: dict[str, list[Followed]] = {}

    def add(group: str | None, key: object, device: str | None, words: str) -> None:
        if group is not None and device is not None:
            things.setdefault(group, []).append(Followed(key, device, words))

    for address in config.static_addresses:
        add(
            address.track_group,
            address_key(address),
            address.device,
            f"static address {address.address}/{address.prefix}",
        )
    for route in config.static_routes:
        device = next((hop.device for hop in legs(route) if hop.device is not None), None)
        add(route.track_group, route_key(route), device, f"static route {route.destination}")
    for rule in config.static_rules:
        add(rule.track_group, rule_key(rule), rule.iif, f"static rule {rule.priority}")
    found: dict[str, list[Followed]] = {}
    for group in config.track_groups:
        for member in group.members:
            found.setdefault(member, []).extend(things.get(group.name, ()))
    return found


def _interfaces(config: VrrpInstance, group: SyncGroup | None) -> Iterable[TrackedInterface]:
    return (*config.track_interfaces, *(group.track_interfaces if group is not None else ()))


def _scripts(config: VrrpInstance, group: SyncGroup | None) -> Iterable[TrackedScript]:
    return (*config.track_scripts, *(group.track_scripts if group is not None else ()))


def _down_words(links: Mapping[str, bool], device: str) -> str:
    return "down" if device in links else "missing"


def _family_words(config: VrrpInstance) -> str:
    return "IPv4 address" if config.family == "inet" else "link-local IPv6 address"


class Debounced(msgspec.Struct, frozen=True):
    """An interface's state that is believed only after it has lasted. ``at``: when ``target`` becomes ``value``."""

    value: bool | None
    target: bool | None = None
    at: int | None = None


def debounce(
    held: Debounced, now_up: bool | None, now: int, *, up_delay_us: int, down_delay_us: int
) -> Debounced:
    """The next state when the interface is seen as ``now_up`` (None: gone, which is believed at once)."""
    delay = up_delay_us if now_up else down_delay_us
    if now_up == held.value:
        return Debounced(held.value)
    if now_up is None or held.value is None or delay == 0:
        return Debounced(now_up)
    if held.at is not None and held.target == now_up:
        return held
    return Debounced(held.value, target=now_up, at=now + delay)


def debounce_due(held: Debounced, now: int) -> Debounced:
    """The state once time has passed."""
    if held.at is not None and now >= held.at:
        return Debounced(held.target)
    return held
