"""Who runs next: pure, by hand and by chance."""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.strategies as st
from hypothesis import given

from krun.notify.places import Places


@dataclass(eq=False)
class Job:
    name: str
    queue: str | None = None
    topic: str | None = None
    sequence: int = 0
    notice: bool = True


def started(places: Places[Job]) -> list[Job]:
    found = []
    while (job := places.next()) is not None:
        found.append(job)
    return found


def test_states_that_are_not_true_any_more_are_left_out() -> None:
    places: Places[Job] = Places(8, 100)
    first = [Job("m", "VI_1", "state", 1), Job("any", "VI_1", "state", 1)]
    assert [places.add(job) for job in first] == [[], []]
    assert started(places) == first[:1]
    backup = Job("b", "VI_1", "state", 2)
    assert places.add(backup) == [first[1]]  # MASTER's second script has not begun, and BACKUP is what is so
    again = [Job("m", "VI_1", "state", 3), Job("any", "VI_1", "state", 3)]
    assert [places.add(job) for job in again] == [[backup], []]
    other = Job("x", "VI_1", "rx", 4)
    assert places.add(other) == []  # another topic
    places.ended(first[0])
    assert started(places) == again[:1]
    places.ended(again[0])
    assert started(places) == again[1:]
    places.ended(again[1])
    assert started(places) == [other]
    places.ended(other)
    assert (places.held, places.waiting) == (0, 0)


def test_answers_first_and_a_quarter_is_kept_for_either() -> None:
    places: Places[Job] = Places(8, 100)
    notices = [Job(f"n{n}") for n in range(10)]
    answers = [Job(f"a{n}", notice=False) for n in range(10)]
    for job in (*notices, *answers):
        places.add(job)
    assert [j.name for j in started(places)] == ["a0", "a1", "a2", "a3", "a4", "a5", "n0", "n1"]
    places.ended(answers[0])
    assert [j.name for j in started(places)] == ["a6"]
    places.ended(notices[0])
    assert [j.name for j in started(places)] == ["n2"]


def test_one_too_many_is_not_taken_but_one_that_replaces_another_is() -> None:
    places: Places[Job] = Places(2, 2)
    running, second = Job("a", "q", "state", 1), Job("b", "q", "state", 2)
    places.add(running)
    started(places)
    places.add(second)
    places.add(Job("x", "r"))
    started(places)
    places.add(Job("y", "r"))
    assert places.add(Job("z")) is None
    assert places.add(Job("c", "q", "state", 3)) == [second]


@given(
    st.integers(2, 9),
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from([None, "p", "q", "r"]), st.booleans(), st.booleans()),
            st.tuples(st.just("end"), st.integers(0, 20)),
            st.tuples(st.just("drop"), st.integers(0, 20)),
        ),
        max_size=80,
    ),
)
def test_whatever_happens(at_once: int, story: list[tuple]) -> None:
    places: Places[Job] = Places(at_once, 30)
    running: list[Job] = []
    order: dict[str, list[int]] = {}
    for n, step in enumerate(story):
        if step[0] == "add":
            places.add(Job(str(n), step[1], "state" if step[2] else None, n, step[3]))
        elif step[0] == "end" and running:
            places.ended(running.pop(step[1] % len(running)))
        elif step[0] == "drop" and places.waiting:
            waiting = [*places]
            assert places.drop(waiting[step[1] % len(waiting)])
        for job in started(places):
            running.append(job)
            if job.queue is not None:
                order.setdefault(job.queue, []).append(job.sequence)
        assert places.held == len(running) <= at_once
        assert places.waiting == len([*places]) <= 30
        queues = [job.queue for job in running if job.queue is not None]
        assert len(queues) == len(set(queues))
    while running:
        places.ended(running.pop())
        running += started(places)
    assert places.waiting == 0
    assert all(numbers == sorted(numbers) for numbers in order.values())
