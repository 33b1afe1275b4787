"""What is asked of krun about its configuration, and what is answered."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from kir.codec import Document
from krun.control import state as documents
from krun.control.deletions import Kind, Limit, as_json
from krun.control.framing import Message
from krun.control.server import Answer
from krun.parent.reload import Outcome
from krun.parent.store import Reference


@dataclass(slots=True)
class Wanted:
    """A request. ``path`` None: back to the IR before. ``dry``: only ask. ``within_us`` 0: needs no confirmation. ``returning``: nobody
    confirmed. ``drain_us``: how long servers that go may keep their connections; None: as krun was started. ``opened``: the file at
    ``path``, opened already with the rights of whoever asks; the reload closes it. ``blind``: whoever asks may not read secrets.
    """

    path: Path | None
    requested_by: str
    answer: Answer | None = None
    dry: bool = False
    within_us: int = 0
    limit: Limit | None = None
    returning: bool = False
    drain_us: int | None = None
    opened: int | None = None
    blind: bool = False


@dataclass(slots=True)
class Run:
    """One request under way."""

    wanted: Wanted
    began_ns: int
    path: str
    document: Document | None = None
    reference: Reference | None = None
    kinds: list[Kind] | None = None
    confirm_by: float | None = None
    ends_wait: bool = False


def report(run: Run, outcome: Outcome) -> documents.LastReload:
    operations = dict(sorted(outcome.operations.items()))
    result = "done" if outcome.applied else "rolled back" if outcome.rolled_back else "refused"
    if run.wanted.dry and not outcome.reason:
        result = "planned"
    return documents.LastReload(
        result=result,
        at=round(time.time(), 3),
        requested_by=run.wanted.requested_by,
        path=run.path,
        digest=None if run.document is None else run.document.digest,
        duration_us=(time.monotonic_ns() - run.began_ns) // 1000,
        operations=operations,
        total=sum(operations.values()),
        failures=_few(outcome.failures),
        reason=outcome.reason or None,
        confirm_by=run.confirm_by,
        limit=None if run.kinds is None else as_json(run.kinds),
        started=outcome.started,
        ended=outcome.ended,
    )


FAILURES = 1000
"""How many of the operations that the kernel refused are named; of more the number is."""


def _few(failures: list[str]) -> list[str]:
    if len(failures) <= FAILURES:
        return failures
    return [*failures[:FAILURES], f"and {len(failures) - FAILURES} more"]


def tell(wanted: Wanted, message: Message) -> None:
    """The answer, where somebody waits for one. It is the end of a request: what was opened for it is closed."""
    if wanted.opened is not None:
        os.close(wanted.opened)
        wanted.opened = None
    if wanted.answer is not None:
        wanted.answer(message)


def time_to_confirm(value: object) -> int:
    """A time of a request, in microseconds. Raises ValueError with words for the user."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or not 1_000_000 <= value <= 30 * 86400 * 1_000_000
    ):
        raise ValueError("the time to confirm must be from 1 s to 30 days")
    return value


def time_to_drain(value: object) -> int:
    """A time of a request, in microseconds; 0 is none. Raises ValueError with words for the user."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 7 * 86400 * 1_000_000:
        raise ValueError("the time to drain must be from 0 to 7 days")
    return value
