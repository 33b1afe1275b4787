"""Commands that the director runs: notify scripts, track scripts, check scripts."""

from __future__ import annotations

from kir.model.base import Model


class Account(Model, frozen=True):
    """As whom a command runs.

    ``user`` None: the daemon's default (user ``keepalived_script`` where it exists, else its own). ``group`` None: the user's
    primary group. ``supplementary``: take the user's supplementary groups too.
    """

    user: str | None = None
    group: str | None = None
    supplementary: bool = False


class Script(Model, frozen=True):
    """A command: ``argv`` is split, unquoted and never goes through a shell. ``argv[0]`` is a path."""

    argv: tuple[str, ...]
    account: Account = Account()


class Notify(Model, frozen=True):
    """Scripts run at a change of state. ``any`` is the generic one: it gets type, name, state and priority appended."""

    master: Script | None = None
    backup: Script | None = None
    fault: Script | None = None
    stop: Script | None = None
    deleted: Script | None = None
    any: Script | None = None
    master_rx_lower_pri: Script | None = None
