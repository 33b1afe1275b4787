"""Which health check of a real server goes on as which: by what is asked, whatever its place in the list."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from kir.model import BfdCheck, Checker, FileCheck, HttpCheck, MiscCheck


def kind_of(checker: Checker) -> str:
    """The keyword: ``TCP_CHECK``, ``HTTP_GET``, ``SSL_GET``, ``MISC_CHECK`` …"""
    if isinstance(checker, HttpCheck):
        return "SSL_GET" if checker.tls else "HTTP_GET"
    return str(checker.__struct_config__.tag)


def checker_identity(item: Checker, position: int) -> str:
    """Kind and position: ``TCP_CHECK 0``; an HTTP check over TLS is an ``SSL_GET``."""
    return f"{kind_of(item)} {position}"


def question(checker: Checker) -> Hashable:
    """What is asked, of whom and from where, without how often and how patiently: equal questions share their answers."""
    if isinstance(checker, MiscCheck):
        return ("MISC_CHECK", checker.argv, checker.account)
    if isinstance(checker, (FileCheck, BfdCheck)):
        return (kind_of(checker), checker)
    end = checker.endpoint
    path = (end.address, end.port, end.bind_address, end.bind_port, end.bind_interface, end.fwmark)
    if isinstance(checker, HttpCheck):
        return (kind_of(checker), path, checker.urls, checker.protocol)
    return (kind_of(checker), path)


def match(old: Sequence[Checker], new: Sequence[Checker]) -> list[int | None]:
    """For each checker of ``new`` the index of the one in ``old`` that goes on as it: an equal one, else one that asks the same question;
    the n-th for the n-th.
    """
    found: list[int | None] = [None] * len(new)
    taken: set[int] = set()
    for alike in (_itself, question):
        places: dict[Hashable, list[int]] = {}
        for index, checker in enumerate(old):
            if index not in taken:
                places.setdefault(alike(checker), []).append(index)
        for number, checker in enumerate(new):
            if found[number] is None and (left := places.get(alike(checker))):
                found[number] = left.pop(0)
        taken.update(index for index in found if index is not None)
    return found


def _itself(checker: Checker) -> Hashable:
    return checker


def paired(old: Sequence[Checker], new: Sequence[Checker]) -> tuple[dict[str, Checker], dict[str, Checker]]:
    """Both sides, each in its order, by the same names: kind and position in ``new`` (``TCP_CHECK 0``).

    A pair asks the same question; what is left over on both sides is paired by its kind, in order: that one asks something else from
    now on. What has no pair in ``new`` keeps the name that it has in ``old``, with ``(before)`` where another has that name now.
    """
    after = {checker_identity(checker, n): checker for n, checker in enumerate(new)}
    names: dict[int, str] = {}
    origins = dict(zip(after, match(old, new), strict=True))
    taken = {index for index in origins.values() if index is not None}
    spare: dict[str, list[int]] = {}
    for index, checker in enumerate(old):
        if index not in taken:
            spare.setdefault(kind_of(checker), []).append(index)
    for name, origin in origins.items():
        left = spare.get(kind_of(after[name]), [])
        goes_on = left.pop(0) if origin is None and left else origin
        if goes_on is not None:
            names[goes_on] = name
    for place in (n for left in spare.values() for n in left):
        name = checker_identity(old[place], place)
        names[place] = f"{name} (before)" if name in after else name
    return {names[n]: checker for n, checker in enumerate(old)}, after
