"""What is watched so that a priority, or a state, can follow it."""

from __future__ import annotations

from kir.model.base import Microseconds, Model
from kir.model.scripts import Account


class VrrpScript(Model, frozen=True):
    """A check script: run every ``interval_us``, killed after ``timeout_us``, up after ``rise`` successes, down after ``fall``.

    Either ``argv`` is run, or, where ``open_file`` is set, success means that this file can be opened for reading.
    ``init_fail``: it starts as failed instead of undecided. Identity: its name.
    """

    name: str
    argv: tuple[str, ...] = ()
    open_file: str | None = None
    account: Account = Account()
    interval_us: Microseconds = 1_000_000
    timeout_us: Microseconds = 1_000_000
    rise: int = 1
    fall: int = 1
    init_fail: bool = False

    @property
    def identity(self) -> str:
        return self.name
