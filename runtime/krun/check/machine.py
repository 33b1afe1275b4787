"""The machine of one checker: when it asks, what an answer means, when the server counts as down.

Pure: ``step(rules, state, event, now, rng) → (state, actions)``. Times are integer microseconds of CLOCK_MONOTONIC. The rules follow
keepalived 2.4 (keepalived.conf(5), "Health checkers"):

* The first run comes one second plus a random part of ``warmup`` after the start; then ``delay_loop`` passes after each
  completed run (MISC_CHECK: from start to start).
* ``retry`` N means that N + 1 consecutive failures take the server down. Two exceptions: until the checker has a first result,
  one failure is enough; and a server that is down is not retried, it is asked again after ``delay_loop``.
* HTTP: one url a round, in order. A url that took the server down is asked until it is good; then all urls must be good in one
  pass before the server is up again. ``fast_recovery`` leaves out the pauses between the good answers of such a pass.
* A run that could not be made (no socket, say) changes nothing and is tried again after ``delay_loop``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from kir.model import Checker, HttpCheck, MiscCheck, TcpCheck
from kir.model.checkers import Endpoint, Timing
from krun.check.outcome import Outcome, Verdict

REMEMBERED = 1024
"""So many different rules and first states are one object each; there are few in a large configuration, and more in a contrived one."""
_NOWHERE = Endpoint(address="", port=0)

FIRST_RUN_US = 1_000_000
"""Pause before the random part of the first run."""


class Rules(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the configuration says about a checker's timing. ``urls`` 0: not an HTTP check.

    ``weight`` is the configured weight of the real server: a dynamic result counts relative to it.
    """

    delay_loop_us: int
    warmup_us: int
    retry: int
    delay_before_retry_us: int
    alpha: bool
    log_all_failures: bool = False
    urls: int = 0
    fast_recovery: bool = False
    from_start: bool = False
    dynamic: bool = False
    weight: int = 1


def rules_of(checker: Checker, weight: int) -> Rules:
    """The rules of ``checker`` of a real server with the configured ``weight``: one object for all that have the same."""
    if type(checker) is TcpCheck:
        return _plain_rules(checker.timing, weight)
    return _rules_of(checker, weight)


@lru_cache(maxsize=REMEMBERED)
def _plain_rules(timing: Timing, weight: int) -> Rules:
    return _rules_of(TcpCheck(timing=timing, endpoint=_NOWHERE), weight)


def _rules_of(checker: Checker, weight: int) -> Rules:
    timing = checker.timing
    return Rules(
        delay_loop_us=timing.delay_loop_us,
        warmup_us=timing.warmup_us,
        retry=timing.retry,
        delay_before_retry_us=timing.delay_before_retry_us,
        alpha=timing.alpha,
        log_all_failures=timing.log_all_failures,
        urls=len(checker.urls) if isinstance(checker, HttpCheck) else 0,
        fast_recovery=isinstance(checker, HttpCheck) and checker.fast_recovery,
        from_start=isinstance(checker, MiscCheck),
        dynamic=isinstance(checker, MiscCheck) and checker.dynamic,
        weight=weight,
    )


class State(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that a checker remembers.

    ``up``: what it says of the server. ``ran``: there was a first result. ``failures``: failed runs in a row that did not take the
    server down. ``url``: index of the url to ask next. ``recovering``: that url took the server down and is asked until it is
    good. ``delta``: what a dynamic check adds to the configured weight. ``due_us``: when the next run is due (None while one is
    running, or not started). ``runs`` and ``failed_runs`` count since the start. ``verdict``, ``reason``, ``finished_us``: the last
    run. ``since_us``: when ``up`` last changed.
    """

    up: bool
    ran: bool = False
    failures: int = 0
    url: int = 0
    recovering: bool = False
    delta: int = 0
    running: bool = False
    suspended: bool = False
    started_us: int = 0
    due_us: int | None = None
    verdict: Verdict | None = None
    reason: str = ""
    finished_us: int = 0
    since_us: int = 0
    runs: int = 0
    failed_runs: int = 0


@dataclass(frozen=True, slots=True)
class Start:
    """The checker comes to life: plan its first run, or, where it was known before, its next one."""


@dataclass(frozen=True, slots=True)
class Due:
    """The time that `Wake` asked for has come."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The run that `Run` asked for is over."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Suspend:
    """The virtual server's address left this host (``ha_suspend``)."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The virtual server's address is on this host again."""


Event = Start | Due | Finished | Suspend | Resume


@dataclass(frozen=True, slots=True)
class Run:
    """Make one run; ``url`` is the index of the url to ask (0 for other kinds)."""

    url: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Break off the run that is under way; its result is not wanted."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Send `Due` at this time; replaces an earlier wish."""

    at_us: int


@dataclass(frozen=True, slots=True)
class Judged:
    """The checker's word on the server: it ``changed``, or it is the ``first`` one.

    ``tries``: how many runs in a row failed, for the log.
    """

    up: bool
    changed: bool
    first: bool
    reason: str
    tries: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """A dynamic check wants the server's weight to be the configured one plus ``delta``."""

    delta: int


@dataclass(frozen=True, slots=True)
class Noted:
    """Something for the log that changes nothing."""

    text: str


Action = Run | Cancel | Wake | Judged | Weighed | Noted
Step = tuple[State, tuple[Action, ...]]


@lru_cache(maxsize=REMEMBERED)
def initial(rules: Rules, up: bool | None = None) -> State:
    """A checker that was never run; ``up`` None: as the configuration says (``alpha``: down until the first success).

    One object for all that start alike.
    """
    return State(up=not rules.alpha if up is None else up, failures=rules.retry)


def step(rules: Rules, state: State, event: Event, now_us: int, rng: random.Random) -> Step:
    """What happens to a checker in ``state`` at ``event``. Never raises; an event that does not fit is ignored."""
    if isinstance(event, Finished):
        return _finished(rules, state, event.outcome, now_us) if state.running else (state, ())
    if isinstance(event, Due):
        return _due(state, now_us)
    if isinstance(event, Start):
        return _start(rules, state, now_us, rng)
    if isinstance(event, Suspend):
        return _suspend(state)
    return _resume(rules, state, now_us, rng)


def adapt(rules: Rules, state: State, now_us: int) -> Step:
    """Carry ``state`` over to changed ``rules`` (a reload): what is known stays, counts and deadlines fit the new limits."""
    failures = min(state.failures, rules.retry) if state.ran else rules.retry
    url = state.url if state.url < max(rules.urls, 1) else 0
    delta = state.delta if rules.dynamic else 0
    due = state.due_us
    if due is not None and not state.suspended:
        # A shorter delay_loop holds at once; a longer one from the next run on.
        due = min(due, now_us + max(rules.delay_loop_us, rules.delay_before_retry_us, FIRST_RUN_US))
    new = replace(state, failures=failures, url=url, delta=delta, due_us=due)
    actions: tuple[Action, ...] = ()
    if delta != state.delta:
        actions += (Weighed(delta),)
    if due is not None and due != state.due_us:
        actions += (Wake(due),)
    return new, actions


def inherit(rules: Rules, state: State, now_us: int) -> State:
    """The state of a new checker whose question another one has asked: that one's answer, counts and next run."""
    new, _ = adapt(rules, replace(state, running=False, suspended=False), now_us)
    return new


def _start(rules: Rules, state: State, now_us: int, rng: random.Random) -> Step:
    if state.suspended or state.running:
        return state, ()
    if state.due_us is not None:
        pause = max(state.due_us - now_us, 0)  # inherited from a checker that asked the same
    elif state.ran:
        # Known from a predecessor: go on within one ordinary period, spread over it.
        pause = rng.randrange(max(rules.delay_before_retry_us if state.failures else rules.delay_loop_us, 1))
    else:
        pause = FIRST_RUN_US + (rng.randrange(rules.warmup_us + 1) if rules.warmup_us else 0)
    due = now_us + pause
    return replace(state, due_us=due, since_us=state.since_us or now_us), (Wake(due),)


def _due(state: State, now_us: int) -> Step:
    if state.running or state.suspended or state.due_us is None:
        return state, ()
    return replace(state, running=True, started_us=now_us, due_us=None), (Run(state.url),)


def _suspend(state: State) -> Step:
    if state.suspended:
        return state, ()
    new = replace(state, suspended=True, running=False, due_us=None)
    return new, (Cancel(),) if state.running else ()


def _resume(rules: Rules, state: State, now_us: int, rng: random.Random) -> Step:
    if not state.suspended:
        return state, ()
    due = now_us + rng.randrange(min(rules.delay_loop_us, FIRST_RUN_US) + 1)
    return replace(state, suspended=False, due_us=due), (Wake(due),)


def _finished(rules: Rules, state: State, outcome: Outcome, now_us: int) -> Step:
    if outcome.verdict == "unable":
        due = _after(rules, state, rules.delay_loop_us, now_us)
        new = replace(
            state,
            running=False,
            due_us=due,
            verdict="unable",
            reason=outcome.reason,
            finished_us=now_us,
            runs=state.runs + 1,
        )
        return new, (Noted(f"cannot check: {outcome.reason}"), Wake(due))
    if outcome.verdict == "good":
        return _good(rules, state, outcome, now_us)
    return _bad(rules, state, outcome, now_us)


def _good(rules: Rules, state: State, outcome: Outcome, now_us: int) -> Step:
    pause, url, complete = rules.delay_loop_us, 0, True
    if rules.urls:
        if state.recovering:
            complete = False  # the culprit is good again: now all of them, from the first
        elif state.url + 1 < rules.urls:
            url, complete = state.url + 1, False
    ran, up = state.ran or complete, state.up or complete
    if rules.fast_recovery and not (ran and up):
        pause = 0
    delta = state.delta
    if rules.dynamic:
        delta = outcome.weight - rules.weight if outcome.weight is not None else 0
    due = _after(rules, state, pause, now_us)
    new = replace(
        state,
        up=up,
        ran=ran,
        failures=0 if ran else rules.retry,
        url=url,
        recovering=False,
        delta=delta,
        running=False,
        due_us=due,
        verdict="good",
        reason=outcome.reason,
        finished_us=now_us,
        since_us=state.since_us if up == state.up else now_us,
        runs=state.runs + 1,
    )
    if new.ran == state.ran and up == state.up and delta == state.delta:
        return new, (Wake(due),)
    actions: list[Action] = []
    if delta != state.delta:
        actions.append(Weighed(delta))
    if ran and (up != state.up or not state.ran):
        actions.append(Judged(True, up != state.up, not state.ran, outcome.reason, 0))
    actions.append(Wake(due))
    return new, tuple(actions)


def _bad(rules: Rules, state: State, outcome: Outcome, now_us: int) -> Step:
    open_question = state.up or not state.ran
    final = open_question and state.failures >= rules.retry
    recovering = state.recovering or bool(final and rules.urls)
    if final:
        failures, pause = 0, rules.delay_loop_us
    elif open_question:
        failures, pause = state.failures + 1, rules.delay_before_retry_us
    else:
        failures, pause = 0, rules.delay_loop_us
    if rules.urls and not (open_question and not final):
        # HTTP while down: never faster than delay_before_retry; and a pass of recovery that meets another bad url goes on there.
        pause = (
            max(rules.delay_before_retry_us, rules.delay_loop_us)
            if recovering
            else rules.delay_before_retry_us
        )
    due = _after(rules, state, pause, now_us)
    new = replace(
        state,
        up=state.up and not final,
        ran=state.ran or final,
        failures=failures,
        recovering=recovering,
        running=False,
        due_us=due,
        verdict="bad",
        reason=outcome.reason,
        finished_us=now_us,
        since_us=now_us if final and state.up else state.since_us,
        runs=state.runs + 1,
        failed_runs=state.failed_runs + 1,
    )
    actions: list[Action] = []
    if final:
        tries = state.failures + 1 if state.ran else 1
        actions.append(Judged(False, state.up, not state.ran, outcome.reason, tries))
    elif open_question and rules.log_all_failures:
        actions.append(Noted(f"failed, try {failures} of {rules.retry + 1}: {outcome.reason}"))
    actions.append(Wake(due))
    return new, tuple(actions)


def _after(rules: Rules, state: State, pause_us: int, now_us: int) -> int:
    """When the next run is due: ``pause_us`` after completion, or after the start of the last run where the kind says so."""
    if rules.from_start:
        return max(now_us, state.started_us + pause_us)
    return now_us + pause_us
