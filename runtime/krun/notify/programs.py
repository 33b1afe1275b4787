"""Which programs the configuration names, and which of them cannot be run: known, and said, before one is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from kir.model import Account
from krun.notify.client import ScriptRun
from krun.notify.spawn import doubtful, examine

log = logging.getLogger("krun.notify")

SHOWN = 10
"""How many programs have an alarm of their own."""

_Key = tuple[str, Account]


class Programs:
    """What is known of each program as each account. ``told`` by each process that has some; `judge` looks at them all."""

    def __init__(self) -> None:
        self._used: dict[object, dict[_Key, list[str]]] = {}
        self._problems: dict[_Key, str] = {}
        self._doubts: dict[_Key, str] = {}

    def told(self, by: object, programs: Iterable[Mapping[str, Any]]) -> None:
        """``by`` may run these, and no others."""
        used: dict[_Key, list[str]] = {}
        for one in programs:
            account = Account(
                user=one.get("user"),
                group=one.get("group"),
                supplementary=bool(one.get("supplementary")),
            )
            used.setdefault((str(one.get("program")), account), []).append(str(one.get("owner")))
        self._used[by] = used

    def forget(self, by: object) -> None:
        """A process is gone."""
        self._used.pop(by, None)
        self._settle()

    def judge(self, secure: bool) -> None:
        """Look at every program; what is wrong with one is said once."""
        self._settle()
        for key in self._keys():
            program, account = key
            self._note(key, examine(program, account, secure))
            doubt = doubtful(program, account)
            if doubt is None:
                self._doubts.pop(key, None)
            elif self._doubts.get(key) != doubt and key not in self._problems:
                self._doubts[key] = doubt
                also = "" if secure else "; enable_script_security is off, so krun runs it all the same"
                log.warning(
                    "%s (%s): others can change what it does: %s%s", program, self._owners(key), doubt, also
                )

    def refused(self, spec: ScriptRun, why: str) -> None:
        """It was to be run, and could not be."""
        key = (spec.argv[0] if spec.argv else "", spec.account)
        if key in self._keys():
            self._note(key, why)

    def worked(self, spec: ScriptRun) -> None:
        """It was started."""
        if self._problems and self._problems.pop((spec.argv[0], spec.account), None) is not None:
            log.info("%s: can be run again", spec.argv[0])

    def alarms(self) -> list[str]:
        """What somebody has to look at."""
        words = [f"{why} ({self._owners(key)})" for key, why in self._problems.items()]
        if len(words) > SHOWN:
            words = [*words[:SHOWN], f"{len(words) - SHOWN} more programs cannot be run; the log names them"]
        return words

    def _note(self, key: _Key, why: str | None) -> None:
        if why is None:
            self._problems.pop(key, None)
        elif self._problems.get(key) != why:
            self._problems[key] = why
            log.error("cannot be run: %s (%s)", why, self._owners(key))

    def _owners(self, key: _Key) -> str:
        owners = list(dict.fromkeys(o for used in self._used.values() for o in used.get(key, ())))
        shown = ", ".join(owners[:3])
        return shown if len(owners) <= 3 else f"{shown} and {len(owners) - 3} more"

    def _keys(self) -> set[_Key]:
        return {key for used in self._used.values() for key in used}

    def _settle(self) -> None:
        """What nobody names any more is no problem."""
        keys = self._keys()
        for known in (self._problems, self._doubts):
            for key in known.keys() - keys:
                del known[key]
