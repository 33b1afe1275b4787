"""What a checker of a new configuration starts from, by what the checkers of the old one know.

Pure, and the one place for it: the checker process carries a reload out by these rules, and ``krunctl plan`` foretells it by them. Who is
who goes by the question that is asked (`krun.check.identity.question`), never by position. `krun.check.transitions` is the table of what
follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TypeVar

from kir.diff import renames
from kir.model import Checker, VirtualServer
from krun.check.identity import match, question

T = TypeVar("T")


class Origin(Enum):
    """Where a checker's first state comes from."""

    GOES_ON = "goes on"
    """The same question of the same real server in the same virtual server: state, counts and next run stay."""
    KNOWN = "known"
    """The same question was asked of that real server in another virtual server: it starts from that answer."""
    ANEW = "judged anew"
    """A question that was not asked, of a real server that was there: the server stays what it is until the first answer."""
    NEW = "new"
    """A real server that was not there: up, with ``alpha`` down."""


def origins(
    before: Sequence[Checker], after: Sequence[Checker], there: bool, elsewhere: Sequence[Checker]
) -> list[tuple[Origin, int | None]]:
    """For each checker of ``after`` its origin and, for the first two, the index in ``before`` or ``elsewhere``.

    ``before``: those of the same real server in the same virtual server. ``there``: that server was there. ``elsewhere``: those of the
    real server with the same address and port in other virtual servers.
    """
    asked = {question(checker): n for n, checker in reversed(list(enumerate(elsewhere)))} if elsewhere else {}
    found: list[tuple[Origin, int | None]] = []
    for checker, index in zip(after, match(before, after), strict=True):
        if index is not None:
            found.append((Origin.GOES_ON, index))
        elif asked and (other := asked.get(question(checker))) is not None:
            found.append((Origin.KNOWN, other))
        else:
            found.append((Origin.ANEW if there else Origin.NEW, None))
    return found


def starts_up(origin: Origin, server_was_up: bool, checker: Checker) -> bool:
    """What a checker without a state of its own says of its server until its first run."""
    return server_was_up if origin is Origin.ANEW else not checker.timing.alpha


def predecessors(
    old: Mapping[str, T], new: Iterable[VirtualServer], was: Mapping[str, VirtualServer]
) -> dict[str, T]:
    """Name in the new configuration → what of ``old`` it is: by name, or renamed where that is provable (`kir.diff.renames`).

    ``was``: the virtual servers of the old configuration by name.
    """
    after = {virtual.name: virtual for virtual in new}
    found = {name: old[name] for name in after if name in old}
    if len(found) < len(after) and len(found) < len(old):
        found |= {b: old[a] for a, b in renames(was, after) if a in old}
    return found
