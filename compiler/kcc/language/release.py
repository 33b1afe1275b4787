"""What the keepalived release that a file is checked for lacks, and what it makes of arguments that mean something else since.

``kcc.language.history`` and ``kcc.language.changes`` know when; ``kcc.language.earlier`` holds what can be judged from one line. krun has
the whole language.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec

from kcc.diagnostics.model import Severity
from kcc.language.arguments.scripts import AccountArg, FifoArg, ScriptArg
from kcc.language.changes import UNRELEASED, order
from kcc.language.earlier import READERS, RULES, account, command
from kcc.language.history import history, newer_than
from kcc.language.keywords import walk
from kcc.targets import TARGETS

if TYPE_CHECKING:
    from kcc.diagnostics.model import Findings
    from kcc.language.arguments.base import Arg
    from kcc.language.earlier import Rule
    from kcc.language.tree import Keyword
    from kcc.syntax.tree import Statement

_PROGRAM = "keepalived-"
NEWEST = "2.4.3"
_ACCOUNTS = (ScriptArg, AccountArg, FifoArg)


class Release(msgspec.Struct, frozen=True):
    """A release that files are checked for: ``name`` is ``2.2.7`` or its like, empty for krun.

    ``lacks``: the keywords that came later, with the release they came with. ``args``: how it reads arguments that are read in
    another way since. ``rules``: what it makes of values that mean something else since.
    """

    name: str
    lacks: dict[Keyword, str]
    args: dict[Keyword, tuple[Arg, ...]]
    rules: dict[Keyword, Rule]

    def takes(self, keyword: Keyword) -> bool:
        """Whether it knows ``keyword``. What no release has yet counts as known to the newest: builds of the branch behind it are
        in use under its number.
        """
        first = self.lacks.get(keyword)
        return first is None or (first == UNRELEASED and self.name == NEWEST)


@cache
def release_of(target: str) -> Release:
    """The release that ``target`` (one of `kcc.targets.TARGETS`) names."""
    if not target.startswith(_PROGRAM):
        return Release("", {}, {}, {})
    name = target.removeprefix(_PROGRAM)
    place = order(name)
    newer = newer_than(name)
    later = {path: rule for paths, before, rule in RULES if place < order(before) for path in paths}
    readers = {path: arg for paths, before, arg in READERS if place < order(before) for path in paths}
    of_accounts = command if place < order("2.3.2") else account
    lacks: dict[Keyword, str] = {}
    args: dict[Keyword, tuple[Arg, ...]] = {}
    rules: dict[Keyword, Rule] = {}
    for path, keyword in walk():
        if path in newer:
            lacks[keyword] = newer[path]
        if path in readers:
            args[keyword] = (readers[path],)
        if path in later:
            rules[keyword] = later[path]
        elif keyword.args and isinstance(keyword.args[0], _ACCOUNTS):
            rules[keyword] = of_accounts
    return Release(name, lacks, args, rules)


@cache
def _came_with() -> dict[Keyword, str | None]:
    return {keyword: history(path).since for path, keyword in walk()}


def since(keyword: Keyword) -> str | None:
    """The first release that has ``keyword``, None where that is not established (`kcc.language.history`)."""
    return _came_with().get(keyword)


def report_lacking(keyword: Keyword, statement: Statement, release: Release, findings: Findings) -> bool:
    """Say that ``release`` does not know ``keyword``, and which does; True where it is to be passed over.

    What no release has yet is taken, with a warning.
    """
    first = release.lacks[keyword]
    taken = release.takes(keyword)
    later = next(
        (t for t in TARGETS if t.startswith(_PROGRAM) and keyword not in release_of(t).lacks), "krun"
    )
    findings.report(
        "KC0903",
        f"keepalived {release.name} does not know `{keyword.name}`",
        statement.word_span(0),
        label="in no release yet" if first == UNRELEASED else f"came with keepalived {first}",
        consequence="ignored as an unknown keyword",
        help=f"remove it, or check with `--target {later}`",
        related=statement.via(),
        severity=Severity.WARNING if taken else None,
    )
    return not taken
