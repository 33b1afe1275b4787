"""What a director knows: its configuration, its instances and groups, the links and scripts around them, and what follows for each.

Nothing here changes a state or has an effect: see `krun.vrrp.director`.
"""

from __future__ import annotations

import msgspec

from kir.model import Config, SyncGroup, VrrpScript
from krun.vrrp import tracking
from krun.vrrp.endpoint import Endpoint, endpoint
from krun.vrrp.instance import Instance
from krun.vrrp.promises import Inheritance
from krun.vrrp.sync import Group


class Surroundings:
    """``links``: by device, up and running or not. ``sources``: where the adverts of an instance leave from.

    ``broken``: what keeps an instance from running at all, ``deaf``: what keeps a socket from being opened, both in words.
    ``static_problems``: why static routes and rules cannot be, in words. ``given_up``: static addresses, routes and rules that others keep taking away, by key, in words.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.instances: dict[str, Instance] = {}
        self.groups: dict[str, Group] = {group.name: Group(group) for group in config.vrrp_sync_groups}
        self.scripts: dict[str, VrrpScript] = {script.name: script for script in config.vrrp_scripts}
        self.health: dict[str, tracking.ScriptHealth] = {
            script.name: tracking.initial_health(script) for script in config.vrrp_scripts
        }
        self.links: dict[str, bool] = {}
        self.sources: dict[str, str | None] = {}
        self.broken: dict[str, str] = {}
        self.deaf: dict[Endpoint, str] = {}
        self.given_up: dict[object, str] = {}
        self.static_problems: list[str] = []
        self.follow(config)
        for index, instance in enumerate(config.vrrp_instances):
            self.instances[instance.name] = Instance(instance, index)

    def seen_link(self, device: str, up: bool | None) -> None:
        """An interface at start: up and running or not; None where it does not exist."""
        if up is None:
            self.links.pop(device, None)
        else:
            self.links[device] = up

    def seen_source(self, instance: str, source: str | None) -> None:
        """Where the adverts of an instance leave from at start."""
        self.sources[instance] = source

    def follow(self, config: Config) -> None:
        """The static things of ``config`` that instances follow by a track group."""
        self._followed = tracking.followed(config)
        self.given_up = {}
        self.static_problems = []

    def judge(self, instance: Instance) -> tracking.Verdict:
        """The priority and the faults of an instance, as everything around it stands."""
        group = self.group_with(instance)
        source = self.sources.get(instance.name)
        verdict = tracking.evaluate(
            instance.config,
            group.config if group is not None else None,
            self.links,
            self.health,
            primary_up=instance.primary.value,
            source=source,
        )
        more = [self.broken[instance.name]] if instance.name in self.broken else []
        for thing in self._followed.get(instance.name, ()):
            if thing.key in self.given_up:
                more.append(f"{thing.words} cannot be kept: others take it away")
            elif not self.links.get(thing.device, False):
                more.append(f"interface {thing.device} of {thing.words} is down")
        if self.deaf and (at := endpoint(instance.config, source)) in self.deaf:
            more.append(self.deaf[at])
        return msgspec.structs.replace(verdict, faults=verdict.faults.union(more)) if more else verdict

    def group_with(self, instance: Instance) -> Group | None:
        """The sync group of an instance; None where it has none."""
        return self.groups.get(instance.config.sync_group or "")

    def group_of(self, name: str) -> SyncGroup | None:
        """The configuration of an instance's sync group."""
        group = self.group_with(self.instances[name])
        return group.config if group is not None else None

    def members(self, group: Group) -> list[Instance]:
        """The instances of a group, in its order."""
        return [self.instances[name] for name in group.config.members if name in self.instances]

    def group_faults(self, instance: Instance) -> frozenset[str]:
        """The faults that an instance has because of other members of its group, in words."""
        group = self.group_with(instance)
        if group is None:
            return frozenset()
        faulty = [m.name for m in self.members(group) if m is not instance and m.verdict.faults]
        return frozenset(f"{name} of sync group {group.name} is in FAULT" for name in faulty)

    def resuming(self, inherited: Inheritance) -> set[str]:
        """The instances that go on as master. Of a group where one cannot, or is master no more, none does; who has never been master
        yet, because a reload has just brought it in, is on its way there and stops nobody."""
        resuming = {name for name in inherited.masters if name in self.instances}
        for group in self.groups.values():
            members = self.members(group)
            if any(m.name in inherited.others or m.verdict.faults for m in members):
                resuming.difference_update(m.name for m in members)
        return resuming


__all__ = ["Surroundings"]
