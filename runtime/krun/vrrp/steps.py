"""What follows from what inside a director: an event for one instance, the actions of its machine, its sync group, and who is woken when.

The events come from `krun.vrrp.director`; what is wanted done goes to `krun.vrrp.outbox`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable

from kir.model import Config
from krun.vrrp import events
from krun.vrrp.alarms import Alarms
from krun.vrrp.effects import Effect, Remember, Rewire
from krun.vrrp.endpoint import Endpoint
from krun.vrrp.instance import Instance
from krun.vrrp.intake import Intake
from krun.vrrp.machine import Role, step
from krun.vrrp.outbox import Outbox
from krun.vrrp.promises import role_promise
from krun.vrrp.state import State
from krun.vrrp.surroundings import Surroundings
from krun.vrrp.sync import Group, common_role, may_become_master


def _nothing(*_: object) -> None:
    """Nobody listens."""


class Steps(Surroundings):
    """``adverts``: when whose next advert is due; ``alarms``: when anything else is. ``between`` is called by `breathe`; ``advert_left``
    hears how late each advert of `krun.vrrp.director.Director.advertise` is, in microseconds.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.started = False
        self.outbox = Outbox()
        self.ledger = self.outbox.ledger
        self.routing = self.outbox.routing
        self.adverts = Alarms(lambda instance: instance.advert_at)
        self.alarms = Alarms(lambda instance: instance.wake)
        self.intake = Intake(self.outbox.say)
        self.intake.log_unknown_vrids = config.global_defs.log_unknown_vrids
        self.between: Callable[[], None] = _nothing
        self.advert_left: Callable[[int, Instance], None] = _nothing

    # -- time

    def breathe(self) -> None:
        """Between two pieces of long work: a chance for the shell to `advertise`."""
        self.between()

    def arm(self, instance: Instance) -> None:
        """See that the instance is woken in time."""
        self.alarms.arm(instance)
        if instance.state.role is Role.MASTER:
            self.adverts.arm(instance)

    def disarm(self, instance: Instance) -> None:
        """It wakes no more."""
        self.alarms.forget(instance)
        self.adverts.forget(instance)

    # -- one instance

    @property
    def has_pipes(self) -> bool:
        """Whether there is a pipe for what happens here."""
        settings = self.config.global_defs
        return settings.notify_fifo is not None or settings.vrrp_notify_fifo is not None

    # -- inside

    def feed(self, instance: Instance, event: events.Event, now: int) -> None:
        before = instance.state
        after, actions = step(instance.settings, before, event, now)
        if after is before and not actions:
            return
        instance.state = after
        if before.role is not after.role or before.master != after.master:
            instance.said.clear()
        for action in actions:
            if type(action) is events.Log and before.role is not after.role and action.once is None:
                self._say_state(instance, before.role, after, action)
            else:
                self._act(instance, action, now)
        self.arm(instance)
        if before.role is not after.role:
            self._role_changed(instance, before.role, now)

    def _say_state(self, instance: Instance, before: Role, after: State, said: events.Log) -> None:
        # Whoever was master still remembers itself as the one that it followed.
        others = after.master if after.master != after.source else None
        self.say(
            said.level,
            instance.name,
            said.text,
            "vrrp.state",
            before=before.name,
            state=after.role.name,
            priority=after.speaks,
            master=after.source if after.role is Role.MASTER else others,
        )

    def _act(self, instance: Instance, action: events.Action, now: int) -> None:
        kind = type(action)
        if kind is events.SendAdvert:
            self.outbox.transmit(instance, action.priority)  # type: ignore[attr-defined]
            return
        match action:
            case events.AddVips():
                self.outbox.take_all(instance)
            case events.RemoveVips():
                self.outbox.release_all(instance)
            case events.Announce(rounds=rounds, targets=targets):
                held = tuple((a.device, a.address) for a in instance.addresses)
                if targets is not None:
                    some = frozenset(targets)
                    held = tuple(target for target in held if target in some)
                self.outbox.announce(instance, held, rounds)
            case events.AnnounceSource():
                if instance.state.source is not None:
                    self.outbox.announce(instance, ((instance.config.interface, instance.state.source),), 1)
            case events.DropAnnouncements():
                self.outbox.forget_announcements(instance.name)
            case events.Notify(word=word):
                config = instance.config
                if (
                    word == "MASTER_RX_LOWER_PRI"
                    and config.notify.master_rx_lower_pri is None
                    and not self.has_pipes
                ):
                    return
                self.outbox.tell("INSTANCE", config.name, word, instance.state.speaks, config.notify)
            case events.Count(name=name):
                instance.counters.count(name)
            case events.Log(level=level, text=text, once=once):
                if once is None:
                    self.say(level, instance.name, text)
                else:
                    self.intake.once(instance, level, text, once)
            case events.WantMaster():
                self._wants_master(instance, now)
            case events.LowerHeard():
                group = self.group_with(instance)
                for mate in self.members(group) if group is not None else ():
                    if mate is not instance:
                        self.feed(mate, events.AnnounceAgain(), now)

    def route(self) -> None:
        routes: dict[Endpoint, dict[int, Instance]] = {}
        for instance in self.instances.values():
            at = instance.endpoint
            known = instance.config.interface in self.links and instance.name not in self.broken
            if at is not None and known:
                routes.setdefault(at, {})[instance.config.vrid] = instance
        if routes.keys() != self.intake.routes.keys():
            self.outbox.emit(Rewire())
        self.intake.routes = routes

    # -- tracking and groups

    def reconsider(self, instances: Iterable[Instance], now: int, always: Collection[str] = ()) -> None:
        """Tracked objects changed: who has another priority, who falls, who may come back.

        ``always``: names of instances whose group changed, which are looked at in any case.
        """
        if not self.started:
            return
        touched: dict[str, Instance] = {}
        for instance in tuple(instances):
            verdict = self.judge(instance)
            if verdict != instance.verdict or instance.name in always:
                instance.verdict = verdict
                touched[instance.name] = instance
                group = self.group_with(instance)
                for mate in self.members(group) if group is not None else ():
                    touched[mate.name] = mate
            self.breathe()
        if touched:
            self.route()
        groups: dict[str, Group] = {}
        for instance in touched.values():
            verdict, state = instance.verdict, instance.state
            if verdict.priority != state.priority:
                self.feed(instance, events.PriorityChanged(verdict.priority), now)
                if instance.config.notify_priority_changes and self.has_pipes:
                    word = f"{'MASTER' if instance.state.role is Role.MASTER else 'BACKUP'}_PRIORITY"
                    config = instance.config
                    self.outbox.tell("INSTANCE", config.name, word, instance.state.speaks, config.notify)
            faults = verdict.faults | self.group_faults(instance)
            if faults != state.faults or verdict.pending != state.pending:
                self.feed(instance, events.FaultsChanged(faults, verdict.pending), now)
            if instance.config.sync_group in self.groups:
                groups[instance.config.sync_group] = self.groups[instance.config.sync_group]
            self.breathe()
        for group in groups.values():
            self.settle(group)

    def _wants_master(self, instance: Instance, now: int) -> None:
        group = self.group_with(instance)
        members = self.members(group) if group is not None else [instance]
        if group is not None:
            states = {member.name: member.state for member in members}
            if not may_become_master(group, instance.name, states):
                return
            previous, group.role = group.role, Role.MASTER
        for member in members:
            self.feed(member, events.GroupCommand("MASTER"), now)
        if group is not None and previous is not Role.MASTER:
            self.say(logging.INFO, group.name, "sync group enters MASTER state", "vrrp.group", state="MASTER")
            self.tell_group(group, "MASTER")

    def _role_changed(self, instance: Instance, before: Role, now: int) -> None:
        role, config = instance.state.role, instance.config
        if role is Role.STOPPED:
            self.outbox.emit(Remember(config.name, None))
        elif role is Role.MASTER or before is Role.MASTER:
            self.outbox.emit(Remember(config.name, role_promise(config, role.name, instance.state.since)))
        group = self.group_with(instance)
        if group is not None and before is Role.MASTER and role is Role.BACKUP and group.role is Role.MASTER:
            group.role = Role.BACKUP
            for member in self.members(group):
                self.feed(member, events.GroupCommand("BACKUP"), now)
            self.say(logging.INFO, group.name, "sync group enters BACKUP state", "vrrp.group", state="BACKUP")
            self.tell_group(group, "BACKUP")

    def settle(self, group: Group) -> None:
        """The group's role as its members stand, told if it is another one."""
        role = common_role([member.state for member in self.members(group)])
        if role is not group.role:
            group.role = role
            self.say(
                logging.INFO,
                group.name,
                f"sync group enters {role.name} state",
                "vrrp.group",
                state=role.name,
            )
            self.tell_group(group, role.name)

    def tell_group(self, group: Group, word: str) -> None:
        self.outbox.tell("GROUP", group.name, word, 0, group.config.notify)

    # -- what is wanted done

    def take(self) -> list[Effect]:
        """All effects since the last call."""
        return self.outbox.take()

    def emit(self, effect: Effect) -> None:
        """One more effect."""
        self.outbox.emit(effect)

    def say(self, level: int, subject: str, text: str, kind: str = "vrrp", **data: str | int | None) -> None:
        """A line for the log, and an event of that ``kind``."""
        self.outbox.say(level, subject, text, kind, **data)

    def hold_back(self) -> None:
        """From here to `release_addresses` all address changes are one transaction."""
        self.outbox.hold_back()

    def release_addresses(self) -> None:
        """The transaction is complete."""
        self.outbox.release_addresses()
