"""Which letter goes when, and what becomes of one that was not taken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from krun.notify.mail.addresses import Mailbox
from krun.notify.mail.letter import Alert
from krun.notify.mail.session import Outcome, Refusal
from krun.notify.mail.waiting import LONGEST_PAUSE_US, PATIENCE_US, Queue, Waiting

SECOND = 1_000_000
A, B = Mailbox("a@x"), Mailbox("b@x")
DELIVERED = Outcome(delivered=("a@x",))
LATER = Outcome(later=(Refusal("a@x", "451 not now"),))
REFUSED = Outcome(refused=(Refusal("a@x", "550 no"),))
DEAD = Outcome(later=(Refusal("a@x", "refused"),), broken="Connection refused")


class World:
    def __init__(self, limit: int = 10, at_once: int = 2) -> None:
        self.lines: list[str] = []
        self.queue = Queue(lambda _level, text: self.lines.append(text), limit, at_once)

    def add(self, subject: str, now: int = 0, to: tuple[Mailbox, ...] = (A,)) -> None:
        self.queue.add(Alert(subject, "", 0.0, subject, "h"), to, now)

    def next(self, now: int) -> Waiting:
        letter = self.queue.next(now)
        assert letter is not None
        return letter


def test_in_order_and_never_more_than_so_many_at_once() -> None:
    w = World()
    for n in range(3):
        w.add(str(n))
    assert w.queue.wake() == 0
    first, second = w.next(0), w.next(0)
    assert (first.alert.subject, second.alert.subject) == ("0", "1")
    assert w.queue.next(0) is None and w.queue.wake() is None
    w.queue.ended(first, DELIVERED, 5)
    assert w.next(5).alert.subject == "2" and w.queue.counts.sent == 1


def test_the_oldest_goes_when_there_is_no_room_and_it_is_said_now_and_then() -> None:
    w = World(limit=3)
    for n in range(8):
        w.add(str(n), now=n)
    assert len(w.queue) == 3 and w.next(9).alert.subject == "5"
    assert w.queue.counts.dropped == 5 and len(w.lines) == 1
    for n in range(3):
        w.add(f"late {n}", now=20 * SECOND)
    assert w.lines[1:] == ["more than 3 mails wait: 4 of the oldest dropped"]


def test_a_letter_that_must_wait_lets_others_pass() -> None:
    w = World()
    w.add("grey")
    letter = w.next(0)
    w.queue.ended(letter, LATER, 0)
    w.add("other")
    assert w.next(0).alert.subject == "other"
    assert w.queue.next(SECOND - 1) is None and w.queue.wake() == SECOND
    assert w.next(SECOND) is letter and letter.attempts == 2 and w.queue.counts.retries == 1
    w.queue.ended(letter, LATER, SECOND)
    assert w.queue.wake() == 3 * SECOND


def test_only_those_that_must_wait_are_asked_again() -> None:
    w = World()
    w.add("two", to=(A, B))
    letter = w.next(0)
    w.queue.ended(letter, Outcome(delivered=("b@x",), later=LATER.later), 0)
    assert w.queue.counts.sent == 1 and w.next(SECOND).to == (A,)


def test_a_dead_server_makes_all_wait_longer_each_time_and_one_goes_ahead() -> None:
    w = World()
    w.add("0")
    w.add("1")
    one, two = w.next(0), w.next(0)
    w.queue.ended(one, DEAD, 0)
    w.queue.ended(two, DEAD, 1)  # was open at the same time: the same failure
    assert w.queue.wake() == SECOND and w.queue.next(SECOND - 1) is None
    pauses, now = [], SECOND
    for _ in range(9):
        letter = w.next(now)
        assert w.queue.next(now) is None  # one goes ahead to see
        w.queue.ended(letter, DEAD, now)
        wake = w.queue.wake()
        assert wake is not None
        pauses.append((wake - now) // SECOND)
        now = wake
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60, 60] and LONGEST_PAUSE_US == 60 * SECOND
    assert w.lines == ["mail waits: Connection refused; tried again"]
    w.queue.ended(w.next(now), DELIVERED, now)
    assert w.lines[-1] == "mail goes again; 1 waited" and w.queue.problem == ""
    assert w.queue.wake() == now or w.queue.next(now) is not None


def test_nothing_is_tried_for_ever() -> None:
    w = World()
    w.add("old")
    w.add("older")
    letter = w.next(0)
    w.queue.ended(letter, DEAD, PATIENCE_US)
    assert len(w.queue) == 0 and w.queue.counts.failed == 2 and w.queue.wake() is None
    w.add("grey", PATIENCE_US)
    w.queue.hurry()
    letter = w.next(PATIENCE_US)
    w.queue.ended(letter, LATER, 2 * PATIENCE_US)
    assert len(w.queue) == 0 and "given up after 1 attempts: 451 not now" in w.lines[-1]


def test_a_refusal_is_for_good_and_says_who_and_why() -> None:
    w = World()
    w.add("no")
    w.queue.ended(w.next(0), REFUSED, 0)
    assert w.lines == ["mail `no` refused for a@x: 550 no"]
    assert (len(w.queue), w.queue.counts.failed, w.queue.counts.sent) == (0, 1, 0)


_STEPS = st.lists(
    st.one_of(
        st.just("add"),
        st.just("next"),
        st.sampled_from([DELIVERED, LATER, REFUSED, DEAD]),
        st.integers(0, 100 * SECOND),
        st.just("hurry"),
    ),
    max_size=80,
)


@given(_STEPS)
def test_every_letter_is_somewhere_and_the_queue_never_sleeps_for_ever(steps: list[object]) -> None:
    w = World(limit=4)
    now = added = 0
    for step in steps:
        if step == "add":
            w.add("x", now)
            added += 1
        elif step == "next":
            wake = w.queue.wake()
            letter = w.queue.next(now)
            assert (letter is not None) == (wake is not None and wake <= now)
        elif step == "hurry":
            w.queue.hurry()
        elif isinstance(step, Outcome):
            if w.queue.under_way:
                w.queue.ended(next(iter(w.queue.under_way)), step, now)
        else:
            assert isinstance(step, int)
            now += step
        counts = w.queue.counts
        assert len(w.queue) <= 4 and len(w.queue.under_way) <= 2
        assert added == counts.sent + counts.failed + counts.dropped + len(w.queue) + len(w.queue.under_way)
        if len(w.queue) and not w.queue.under_way:
            wake = w.queue.wake()
            assert wake is not None and wake <= now + LONGEST_PAUSE_US
