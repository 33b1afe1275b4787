"""What is watched so that a priority, or a state, can follow it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

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


class TrackFile(Model, frozen=True):
    """A file whose number, times a weight, is added to priorities and weights. Identity: its name.

    ``init_value`` None: the file is not created; else it is created with this number, ``overwrite``: also where it exists.
    """

    name: str
    path: str
    init_value: int | None = None
    overwrite: bool = False

    @property
    def identity(self) -> str:
        return self.name


class TrackProcess(Model, frozen=True):
    """A process of which ``quorum`` to ``quorum_max`` (None: no limit) must run; both 0: none may. Identity: its name.

    ``process`` is compared with the name of the process, with ``full_command`` with its whole command line. ``match`` says how
    ``parameters`` are compared: ``none`` not at all, ``exact`` all of them, ``initial`` the first ones, ``partial`` the first
    ones, the last of which may be the beginning of a word. A change counts after ``terminate_delay_us`` (one ended) or
    ``fork_delay_us`` (one began).
    """

    name: str
    process: str
    parameters: tuple[str, ...] = ()
    match: Literal["none", "exact", "initial", "partial"] = "none"
    full_command: bool = False
    quorum: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 1
    quorum_max: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None
    terminate_delay_us: Microseconds = 0
    fork_delay_us: Microseconds = 0

    @property
    def identity(self) -> str:
        return self.name


class TrackGroup(Model, frozen=True):
    """Instances that need static addresses, routes and rules. Identity: its name.

    The members go to FAULT while the interface of one of these things is down, or one of them is lost and cannot be put back.
    """

    name: str
    members: tuple[str, ...]

    @property
    def identity(self) -> str:
        return self.name
