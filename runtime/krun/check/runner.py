"""One checker at work: its machine, its alarm, its probe."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from kir.model import Checker, MiscCheck, RealServer, VirtualServer
from kir.state import DestKey
from krun.check import machine
from krun.check.identity import label, question, subject
from krun.check.limit import LimitedLog, Slots
from krun.check.outcome import Outcome
from krun.check.probes import Environment, Probe, ScriptRunner, make_probe
from krun.check.schedule import Alarm
from krun.loop.books import Books, Entry


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a successor needs to know of a checker. ``question`` guards against a checker that has changed under the same name."""

    question: str
    state: machine.State


class Recorder(Protocol):
    """Who remembers what the machines were told and what they want (`krun.check.recorded`)."""

    def fed(self, runner: Runner, event: machine.Event, now: int) -> None: ...

    def acted(self, action: machine.Action) -> None: ...


class Listener(Protocol):
    """Who hears what the checkers find out."""

    def judged(self, runner: Runner, judged: machine.Judged) -> None: ...

    def weighed(self, runner: Runner, delta: int) -> None: ...

    def remember(self, runner: Runner) -> None:
        """Something changed that a successor should know (`Runner.promise`)."""


@dataclass(slots=True)
class Workshop:
    """What all runners share. ``make``: how a probe is made (tests put their own here)."""

    environment: Environment
    scripts: ScriptRunner
    slots: Slots
    listener: Listener
    rng: random.Random
    log: LimitedLog
    make: Callable[..., Probe] = make_probe
    recorder: Recorder | None = None


class Runner:
    """A checker of one real server of one virtual server. ``position``: its place among the server's checkers."""

    __slots__ = (
        "_alarm",
        "_holds",
        "_probe",
        "_told",
        "_workshop",
        "checker",
        "key",
        "position",
        "rules",
        "server",
        "state",
        "virtual",
    )

    def __init__(
        self,
        workshop: Workshop,
        virtual: VirtualServer,
        server: RealServer,
        position: int,
        state: machine.State | None = None,
        key: DestKey | None = None,
    ) -> None:
        self._workshop = workshop
        self.key = key if key is not None else DestKey(server.address, server.port)
        self._alarm: Alarm | None = None
        self._probe: Probe | None = None
        self._holds = False
        self._settle(virtual, server, position)
        self.state = state if state is not None else machine.initial(self.rules)

    def _settle(self, virtual: VirtualServer, server: RealServer, position: int) -> None:
        self.virtual = virtual
        self.server = server
        self.position = position
        self.checker: Checker = server.checkers[position]
        self.rules = machine.rules_of(self.checker, server.weight)
        self._told: str | None = None

    # Names.

    @property
    def label(self) -> str:
        return label(self.checker, self.position)

    @property
    def subject(self) -> str:
        """The real server in its pool, for logs."""
        return subject(self.virtual, self.server)

    @property
    def promise_key(self) -> str:
        return f"{self.virtual.name}|{self.server.identity}|{self.label}"

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        name = f"{self.subject} {self.label}"
        yield Entry("checker", name, self)
        if self._probe is not None:
            yield Entry("probe", name, self._probe)

    @property
    def told_as(self) -> str:
        """Its name in a recording: the `promise_key`, kept, since it is asked for at each run."""
        if self._told is None:
            self._told = self.promise_key
        return self._told

    # Life.

    def start(self) -> None:
        """Plan the first run."""
        self.feed(machine.Start())

    def stop(self) -> None:
        """Break off whatever is under way; the runner is of no more use."""
        self._cancel_probe()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def suspend(self, yes: bool) -> None:
        """``ha_suspend``: rest while the virtual server's address is not on this host."""
        if yes and self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self.feed(machine.Suspend() if yes else machine.Resume())

    def follow(self, virtual: VirtualServer, server: RealServer) -> None:
        """A reload that leaves the checks of this server what they were: nothing happens but that it is called what it is now.

        It lets go of the old configuration, which would stay in memory as a whole otherwise.
        """
        self.virtual = virtual
        self.server = server
        self.checker = server.checkers[self.position]
        self._told = None
        if self.rules.weight != server.weight:
            self.rules = machine.rules_of(self.checker, server.weight)

    def adapt(self, virtual: VirtualServer, server: RealServer, position: int) -> None:
        """A reload: the same question, perhaps another place, other times, another weight. What is known stays."""
        if position == self.position and self.checker == server.checkers[position]:
            self.follow(virtual, server)
            return
        self._settle(virtual, server, position)
        self._apply(*machine.adapt(self.rules, self.state, self._workshop.environment.clock()), quiet=True)

    def feed(self, event: machine.Event) -> None:
        """Give the machine an event and do what it asks for."""
        workshop = self._workshop
        now = workshop.environment.clock()
        if workshop.recorder is not None:
            workshop.recorder.fed(self, event, now)
        state, actions = machine.step(self.rules, self.state, event, now, workshop.rng)
        self._apply(state, actions)

    def _apply(self, state: machine.State, actions: tuple[machine.Action, ...], quiet: bool = False) -> None:
        old, self.state = self.state, state
        recorder = None if quiet else self._workshop.recorder
        for action in actions:
            if isinstance(action, machine.Wake):
                self._wake(action.at_us)
                continue
            if isinstance(action, machine.Run):
                self._run(action.url)
                continue
            if recorder is not None:
                recorder.acted(action)
            if isinstance(action, machine.Judged):
                self._workshop.listener.judged(self, action)
            elif isinstance(action, machine.Weighed):
                if not quiet:
                    self._workshop.listener.weighed(self, action.delta)
            elif isinstance(action, machine.Noted):
                level = logging.WARNING if state.verdict == "unable" else logging.INFO
                self._workshop.log(level, "%s: %s: %s", self.subject, self.label, action.text)
            else:
                self._cancel_probe()
        if (old.up, old.ran, old.failures, old.delta) != (state.up, state.ran, state.failures, state.delta):
            self._workshop.listener.remember(self)

    # Alarm and probe.

    def _wake(self, at_us: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._workshop.environment.grid.at(at_us, self._due)

    def _due(self) -> None:
        self._alarm = None
        self.feed(machine.Due())

    def _run(self, url: int) -> None:
        workshop = self._workshop
        self._probe = workshop.make(
            workshop.environment, workshop.scripts, self.checker, url, self._script_label(), self._done
        )
        if isinstance(self.checker, MiscCheck):
            self._probe.start()
        else:
            workshop.slots.take(self._begin)

    def _begin(self) -> None:
        """A slot is free: the slot is ours until the probe has ended."""
        self._holds = True
        if self._probe is not None:
            self._probe.start()

    def _script_label(self) -> str:
        """Only scripts are called by a name; making one for each connect would cost more than the connect's bookkeeping."""
        return f"{self.subject} {self.label}" if isinstance(self.checker, MiscCheck) else ""

    def _done(self, outcome: Outcome) -> None:
        self._probe = None
        if self._holds:
            self._holds = False
            self._workshop.slots.give()
        self.feed(machine.Finished(outcome))

    def _cancel_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is None:
            return
        probe.cancel()
        if self._holds:
            self._holds = False
            self._workshop.slots.give()
        else:
            self._workshop.slots.forget(self._begin)

    # What a successor is told.

    def promise(self) -> bytes:
        """The state for a successor, as JSON."""
        return msgspec.json.encode(Promise(question=_short(self.checker), state=self.state))

    def recall(self, value: bytes) -> bool:
        """Take over a predecessor's state; False where it is of another checker, or unreadable. Call it before `start`."""
        try:
            promise = msgspec.json.decode(value, type=Promise)
        except msgspec.MsgspecError:
            return False
        if promise.question != _short(self.checker):
            return False
        state = msgspec.structs.replace(promise.state, running=False, due_us=None, suspended=False)
        now = self._workshop.environment.clock()
        self.state, _ = machine.adapt(self.rules, state, now)
        return True


def _short(checker: Checker) -> str:
    """A digest of what the checker asks."""
    return hashlib.blake2b(repr(question(checker)).encode(), digest_size=8).hexdigest()
