"""The machine of one checker: retries, first results, urls, scripts' intervals, suspension, reload."""

from __future__ import annotations

import random
from typing import Any

import pytest
from check_world import SECOND, misc, tcp, timing
from hypothesis import given
from hypothesis import strategies as st

from kir.model import Endpoint, HttpCheck, Url
from krun.check import machine as m
from krun.check.outcome import GOOD, Outcome, bad, unable

RNG = random.Random(1)
BAD = bad("connection refused")
UNABLE = unable("cannot create a socket")
LETTERS = {"g": GOOD, "b": BAD, "u": UNABLE}


def rules(**fields: Any) -> m.Rules:
    return m.Rules(
        **{
            "delay_loop_us": 6 * SECOND,
            "warmup_us": 0,
            "retry": 2,
            "delay_before_retry_us": SECOND,
            "alpha": False,
            **fields,
        }
    )


def drive(
    r: m.Rules, outcomes: str | list[Outcome], state: m.State | None = None
) -> tuple[m.State, str, list[float]]:
    """Runs with these outcomes: the state, a letter for the verdict after each (U up, D down), and the pauses in seconds."""
    now = 0
    state, _ = m.step(r, state or m.initial(r), m.Start(), now, RNG)
    verdicts, pauses = "", []
    for item in outcomes:
        outcome = LETTERS[item] if isinstance(item, str) else item
        assert state.due_us is not None
        now = state.due_us
        state, actions = m.step(r, state, m.Due(), now, RNG)
        assert actions == (m.Run(state.url),)
        now += 100_000
        state, actions = m.step(r, state, m.Finished(outcome), now, RNG)
        wakes = [a.at_us for a in actions if isinstance(a, m.Wake)]
        assert wakes == [state.due_us]
        verdicts += "U" if state.up else "D"
        pauses.append((wakes[0] - now) / SECOND)
    return state, verdicts, pauses


@pytest.mark.parametrize(
    ("alpha", "outcomes", "verdicts"),
    [
        (False, "gbbb", "UUUD"),  # retry 2: three failures in a row
        (False, "gbbgbbgbbb", "UUUUUUUUUD"),  # a success starts the count anew
        (False, "b", "D"),  # before the first result one failure is enough
        (False, "bbbg", "DDDU"),  # down: one success is enough
        (False, "gbbbgbbb", "UUUDUUUD"),  # up again: all retries are back
        (True, "b", "D"),
        (True, "g", "U"),
        (True, "bg", "DU"),
        (False, "gbubb", "UUUUD"),  # a run that could not be made counts neither way
        (False, "uuuu", "UUUU"),
        (False, "ub", "UD"),
        (True, "uuu", "DDD"),
    ],
)
def test_what_counts_as_down(alpha: bool, outcomes: str, verdicts: str) -> None:
    assert drive(rules(alpha=alpha), outcomes)[1] == verdicts


def test_pauses() -> None:
    # good: delay_loop; failing with retries left: delay_before_retry; down: delay_loop; unable: delay_loop
    assert drive(rules(), "gbbbbgu")[2] == [6, 1, 1, 6, 6, 6, 6]


def test_first_run_is_a_second_plus_a_part_of_the_warmup() -> None:
    r = rules(warmup_us=4 * SECOND)
    dues = set()
    for seed in range(50):
        state, actions = m.step(r, m.initial(r), m.Start(), 10 * SECOND, random.Random(seed))
        assert state.due_us is not None
        assert actions == (m.Wake(state.due_us),)
        assert 11 * SECOND <= state.due_us <= 15 * SECOND
        dues.add(state.due_us)
    assert len(dues) > 40
    again, _ = m.step(r, m.initial(r), m.Start(), 10 * SECOND, random.Random(3))
    assert again.due_us in dues


def test_judged_once_with_reason_and_tries() -> None:
    r = rules()
    state, _, _ = drive(r, "gbb")
    state, _ = m.step(r, state, m.Due(), state.due_us or 0, RNG)
    state, actions = m.step(r, state, m.Finished(bad("no route to host")), 10**9, RNG)
    assert actions[0] == m.Judged(up=False, changed=True, first=False, reason="no route to host", tries=3)
    state, _ = m.step(r, state, m.Due(), state.due_us or 0, RNG)
    _, actions = m.step(r, state, m.Finished(BAD), 10**9, RNG)
    assert not [a for a in actions if isinstance(a, m.Judged)]


def test_first_word_is_reported_even_if_nothing_changes() -> None:
    for alpha, outcome, changed in (
        (True, BAD, False),
        (False, GOOD, False),
        (True, GOOD, True),
        (False, BAD, True),
    ):
        r = rules(alpha=alpha)
        state, _ = m.step(r, m.initial(r), m.Start(), 0, RNG)
        state, _ = m.step(r, state, m.Due(), SECOND, RNG)
        _, actions = m.step(r, state, m.Finished(outcome), SECOND, RNG)
        assert isinstance(actions[0], m.Judged)
        assert (actions[0].first, actions[0].changed) == (True, changed)


class TestScripts:
    def test_interval_counts_from_the_start_of_the_run(self) -> None:
        r = m.rules_of(misc(), 1)
        state, _ = m.step(r, m.initial(r), m.Start(), 0, RNG)
        state, _ = m.step(r, state, m.Due(), 10 * SECOND, RNG)
        state, _ = m.step(r, state, m.Finished(GOOD), 14 * SECOND, RNG)
        assert state.due_us == 16 * SECOND

    def test_a_slow_script_is_run_again_at_once(self) -> None:
        r = m.rules_of(misc(), 1)
        state, _ = m.step(r, m.initial(r), m.Start(), 0, RNG)
        state, _ = m.step(r, state, m.Due(), 10 * SECOND, RNG)
        state, _ = m.step(r, state, m.Finished(GOOD), 30 * SECOND, RNG)
        assert state.due_us == 30 * SECOND

    def test_dynamic_weight_is_relative_to_the_configured_one(self) -> None:
        r = m.rules_of(misc(dynamic=True), 10)
        state, _, _ = drive(r, [Outcome("good", weight=25)])
        assert state.delta == 15
        state, _, _ = drive(r, [Outcome("good", weight=0)])
        assert state.delta == -10
        state, _, _ = drive(r, [Outcome("good", weight=25), GOOD])
        assert state.delta == 0  # exit status 0: the configured weight
        state, _, _ = drive(r, [Outcome("good", weight=25), BAD])
        assert (state.up, state.delta) == (False, 15)


class TestUrls:
    def http(self, urls: int, **fields: Any) -> m.Rules:
        return rules(urls=urls, **fields)

    def test_one_url_a_round_in_order(self) -> None:
        r = self.http(3)
        state = m.initial(r)
        asked = []
        for _ in range(7):
            asked.append(state.url)
            state, _, pauses = drive(r, "g", state)
            assert pauses == [6]
        assert asked == [0, 1, 2, 0, 1, 2, 0]

    def test_known_only_after_a_whole_pass(self) -> None:
        r = self.http(3, alpha=True)
        assert drive(r, "ggg")[1] == "DDU"
        assert drive(r, "gb")[0].ran

    def test_a_failing_url_is_retried_and_keeps_its_place(self) -> None:
        r = self.http(2)
        state, verdicts, pauses = drive(r, "gggbbb")
        assert verdicts == "UUUUUD"
        assert (state.url, state.recovering) == (1, True)
        assert pauses[-3:] == [1, 1, 6]

    def test_the_culprit_first_then_all(self) -> None:
        r = self.http(3)
        state, _, _ = drive(r, "ggg" + "gbbb")
        assert (state.up, state.url) == (False, 1)
        state, verdicts, _ = drive(r, "bbgggg", state)
        assert verdicts == "DDDDDU"

    def test_one_url_needs_its_own_success_and_a_pass(self) -> None:
        assert drive(self.http(1), "gbbbgg")[1] == "UUUDDU"

    def test_fast_recovery_has_no_pauses_between_good_answers(self) -> None:
        r = self.http(3, fast_recovery=True)
        _, _, pauses = drive(r, "gggggg")
        assert pauses == [0, 0, 6, 6, 6, 6]
        _, verdicts, pauses = drive(r, "ggg" + "bbb" + "b" + "gggg")
        assert verdicts[-5:] == "DDDDU"
        assert pauses[3:] == [1, 1, 6, 6, 0, 0, 0, 6]

    def test_fast_recovery_never_hammers_a_failing_server(self) -> None:
        r = self.http(3, fast_recovery=True)
        _, _, pauses = drive(r, "ggg" + "bbb" + "g" + "bbbbb")
        assert all(p >= 1 for p in pauses[7:])

    def test_down_and_failing_waits_the_longer_pause(self) -> None:
        r = self.http(1, delay_before_retry_us=9 * SECOND)
        assert drive(r, "gbbbb")[2] == [6, 9, 9, 9, 9]


class TestSuspension:
    def test_a_run_is_broken_off_and_the_state_stays(self) -> None:
        r = rules()
        state, _, _ = drive(r, "gb")
        state, _ = m.step(r, state, m.Due(), state.due_us or 0, RNG)
        rest, actions = m.step(r, state, m.Suspend(), 10**9, RNG)
        assert actions == (m.Cancel(),)
        assert (rest.up, rest.failures, rest.due_us, rest.running) == (True, 1, None, False)
        assert m.step(r, rest, m.Due(), 10**9, RNG) == (rest, ())
        assert m.step(r, rest, m.Finished(BAD), 10**9, RNG) == (rest, ())
        assert m.step(r, rest, m.Start(), 10**9, RNG) == (rest, ())
        awake, actions = m.step(r, rest, m.Resume(), 2 * 10**9, RNG)
        assert awake.due_us is not None
        assert 0 <= awake.due_us - 2 * 10**9 <= SECOND
        assert actions == (m.Wake(awake.due_us),)


class TestReload:
    def test_what_is_known_stays_and_the_count_is_cut(self) -> None:
        state, _, _ = drive(rules(retry=5), "gbbbb")
        assert state.failures == 4
        new, _ = m.adapt(rules(retry=2), state, 0)
        assert (new.up, new.ran, new.failures) == (True, True, 2)
        _, verdicts, _ = drive(rules(retry=2), "b", new)
        assert verdicts == "D"

    def test_deadline_stays_unless_the_new_period_is_shorter(self) -> None:
        slow, quick = rules(delay_loop_us=60 * SECOND), rules(delay_loop_us=5 * SECOND)
        state, _, _ = drive(slow, "g")
        assert state.due_us is not None
        now = state.due_us - 59 * SECOND
        same, actions = m.adapt(slow, state, now)
        assert (same.due_us, actions) == (state.due_us, ())
        new, actions = m.adapt(quick, state, now)
        assert new.due_us == now + 5 * SECOND
        assert actions == (m.Wake(new.due_us),)
        longer, actions = m.adapt(rules(delay_loop_us=90 * SECOND), state, now)
        assert (longer.due_us, actions) == (state.due_us, ())

    def test_a_check_that_is_no_longer_dynamic_forgets_its_weight(self) -> None:
        state, _, _ = drive(m.rules_of(misc(dynamic=True), 10), [Outcome("good", weight=25)])
        new, actions = m.adapt(m.rules_of(misc(dynamic=False), 10), state, 0)
        assert new.delta == 0
        assert m.Weighed(0) in actions

    def test_known_checkers_go_on_within_one_period(self) -> None:
        r = rules()
        state, _, _ = drive(r, "g")
        for seed in range(20):
            new, _ = m.step(r, state, m.Start(), 10**9, random.Random(seed))
            assert new.due_us is not None
            assert 0 <= new.due_us - 10**9 < 6 * SECOND


def test_rules_come_from_the_configuration() -> None:
    check = HttpCheck(
        timing=timing(retry=3, delay_before_retry_us=3 * SECOND),
        endpoint=Endpoint(address="192.168.0.1", port=80),
        urls=(Url(path="/a"), Url(path="/b")),
        fast_recovery=True,
    )
    r = m.rules_of(check, 4)
    assert (r.urls, r.fast_recovery, r.retry, r.delay_before_retry_us, r.from_start) == (
        2,
        True,
        3,
        3 * SECOND,
        False,
    )
    assert m.rules_of(tcp(), 1).urls == 0
    assert m.rules_of(misc(), 1).from_start


OUTCOMES = st.lists(
    st.sampled_from([GOOD, GOOD, BAD, BAD, UNABLE, Outcome("good", weight=7)]), min_size=1, max_size=60
)
RULES = st.builds(
    rules,
    retry=st.integers(0, 4),
    alpha=st.booleans(),
    urls=st.integers(0, 3),
    fast_recovery=st.booleans(),
    from_start=st.booleans(),
    dynamic=st.booleans(),
    weight=st.integers(0, 10),
    log_all_failures=st.booleans(),
)


@given(RULES, OUTCOMES)
def test_down_exactly_when_an_independent_count_says_so(r: m.Rules, outcomes: list[Outcome]) -> None:
    """Against a naive model of a check without urls: the last retry + 1 known results, all bad, since the last good one."""
    r = m.msgspec.structs.replace(r, urls=0)
    state = m.initial(r)
    up, known, streak = not r.alpha, False, 0
    for outcome in outcomes:
        state, _, _ = drive(r, [outcome], state)
        if outcome.verdict == "good":
            up, known, streak = True, True, 0
        elif outcome.verdict == "bad":
            streak += 1
            if not known or not up or streak > r.retry:
                up, known, streak = False, True, 0
        assert (state.up, state.ran) == (up, known)


@given(RULES, OUTCOMES)
def test_counters_and_places_stay_in_bounds(r: m.Rules, outcomes: list[Outcome]) -> None:
    state = m.initial(r)
    for n, outcome in enumerate(outcomes, 1):
        before = state
        state, _, pauses = drive(r, [outcome], state)
        assert 0 <= state.failures <= r.retry
        assert 0 <= state.url < max(r.urls, 1)
        assert state.runs == n
        assert pauses[0] >= 0
        if outcome.verdict != "good":
            assert pauses[0] > 0 or r.from_start  # never a loop without a pause against a server that fails
        if outcome.verdict == "unable":
            assert (state.up, state.ran, state.failures, state.url) == (
                before.up,
                before.ran,
                before.failures,
                before.url,
            )
        if state.up != before.up:
            assert state.since_us == state.finished_us
        if not r.dynamic:
            assert state.delta == 0


@given(
    RULES,
    st.lists(st.sampled_from(["start", "due", "good", "bad", "unable", "suspend", "resume"]), max_size=60),
)
def test_any_order_of_events_is_survived(r: m.Rules, events: list[str]) -> None:
    made: dict[str, m.Event] = {
        "start": m.Start(),
        "due": m.Due(),
        "good": m.Finished(GOOD),
        "bad": m.Finished(BAD),
        "unable": m.Finished(UNABLE),
        "suspend": m.Suspend(),
        "resume": m.Resume(),
    }
    state, now = m.initial(r), 0
    for event in events:
        now += SECOND
        state, actions = m.step(r, state, made[event], now, RNG)
        assert state.running + (state.due_us is not None) <= 1
        assert not (state.suspended and (state.running or state.due_us is not None))
        assert sum(isinstance(a, (m.Run, m.Wake)) for a in actions) <= 1
