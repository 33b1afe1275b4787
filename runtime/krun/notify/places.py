"""Who runs next: at most so many scripts at once, those of one subject one after the other. Pure: nothing is started here.

Two lanes wait for places. *Answers* are scripts whose result somebody waits for (track scripts, checks); *notices* are those that
tell of a change. Answers go first, for a failover may hang on them; but neither lane may fill more than three quarters of
the places, so that scripts of the one kind that hang leave room for the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

KEPT = 4
"""One place in so many is kept for either lane."""


class Job(Protocol):
    """What waits. ``queue``: jobs of one queue run one after the other; None: of none. ``topic`` and ``sequence``: where a later one
    says all that an earlier one of the same topic would (the state that holds now), the earlier need not run. ``notice``: its lane.
    """

    @property
    def queue(self) -> str | None: ...

    @property
    def topic(self) -> str | None: ...

    @property
    def sequence(self) -> int: ...

    @property
    def notice(self) -> bool: ...


J = TypeVar("J", bound=Job)


class Places(Generic[J]):
    """``at_once``: how many run at a time; ``most``: how many wait."""

    def __init__(self, at_once: int, most: int) -> None:
        self.at_once = at_once
        self.most = most
        self.waiting = 0
        self._share = max(1, at_once - max(1, at_once // KEPT)) if at_once > 1 else 1
        self._held = {False: 0, True: 0}
        self._lanes: dict[bool, deque[J]] = {False: deque(), True: deque()}
        self._queues: dict[str, deque[J]] = {}
        """By name, who waits behind the one that runs, or that is in its lane."""
        self._heads: dict[str, J] = {}

    @property
    def held(self) -> int:
        """How many run."""
        return self._held[False] + self._held[True]

    def __iter__(self) -> Iterator[J]:
        """Those that wait."""
        for lane in self._lanes.values():
            yield from lane
        for queue in self._queues.values():
            yield from queue

    def head(self, queue: str) -> J | None:
        """The job of a queue that runs, or that is the next to run."""
        return self._heads.get(queue)

    def add(self, job: J) -> list[J] | None:
        """One more that waits; returns those that need not run any more, or None where there is no room."""
        stale = self._stale(job)
        if self.waiting - len(stale) >= self.most:
            return None
        for old in stale:
            self.drop(old)
        self.waiting += 1
        if job.queue is not None and job.queue in self._heads:
            self._queues.setdefault(job.queue, deque()).append(job)
        else:
            self._ready(job)
        return stale

    def occupy(self, job: J) -> None:
        """A job runs already, whatever there is room for."""
        self._held[job.notice] += 1
        if job.queue is not None and job.queue not in self._heads:
            self._heads[job.queue] = job

    def next(self) -> J | None:
        """The job to start now, which has a place from here on."""
        for notice in (False, True):
            lane = self._lanes[notice]
            if lane and self.held < self.at_once and (self._held[notice] < self._share or self.at_once == 1):
                self._held[notice] += 1
                self.waiting -= 1
                return lane.popleft()
        return None

    def ended(self, job: J) -> None:
        """A job gives its place back; the next of its queue may run."""
        self._held[job.notice] -= 1
        self._leave(job)

    def drop(self, job: J) -> bool:
        """Take back a job that waits; whether it did."""
        lane = self._lanes[job.notice]
        if job in lane:
            lane.remove(job)
            self.waiting -= 1
            self._leave(job)
            return True
        queue = self._queues.get(job.queue) if job.queue is not None else None
        if queue is None or job not in queue:
            return False
        queue.remove(job)
        self.waiting -= 1
        return True

    def clear(self) -> list[J]:
        """Take back all that wait."""
        dropped = [*self]
        for job in dropped:
            self.drop(job)
        return dropped

    def _stale(self, job: J) -> list[J]:
        if job.queue is None or job.topic is None:
            return []
        waiting = [*self._queues.get(job.queue, ())]
        head = self._heads.get(job.queue)
        if head is not None and head in self._lanes[head.notice]:
            waiting.append(head)
        return [old for old in waiting if old.topic == job.topic and old.sequence < job.sequence]

    def _ready(self, job: J) -> None:
        if job.queue is not None:
            self._heads[job.queue] = job
        self._lanes[job.notice].append(job)

    def _leave(self, job: J) -> None:
        """A job is done with its queue."""
        if job.queue is None or self._heads.get(job.queue) is not job:
            return
        del self._heads[job.queue]
        queue = self._queues.get(job.queue)
        if queue:
            self._ready(queue.popleft())
        if not queue:
            self._queues.pop(job.queue, None)
