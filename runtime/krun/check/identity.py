"""Which checker of an old configuration a checker of a new one is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from kir.model import BfdCheck, Checker, FileCheck, HttpCheck, MiscCheck, RealServer, VirtualServer


def kind_of(checker: Checker) -> str:
    """The keyword: ``TCP_CHECK``, ``HTTP_GET``, ``SSL_GET``, ``MISC_CHECK`` …"""
    if isinstance(checker, HttpCheck):
        return "SSL_GET" if checker.tls else "HTTP_GET"
    return str(checker.__struct_config__.tag)


def label(checker: Checker, position: int) -> str:
    """Kind and position in the real server: ``TCP_CHECK 0``."""
    return f"{kind_of(checker)} {position}"


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


def match(old: Sequence[Checker], new: Iterable[Checker]) -> list[int | None]:
    """For each checker of ``new`` the index of the one in ``old`` that asks the same question; the n-th equal one for the n-th."""
    places: dict[Hashable, list[int]] = {}
    for index, checker in enumerate(old):
        places.setdefault(question(checker), []).append(index)
    found: list[int | None] = []
    for checker in new:
        left = places.get(question(checker))
        found.append(left.pop(0) if left else None)
    return found


def subject(virtual: VirtualServer, server: RealServer) -> str:
    """How logs and operations name a real server in its pool: ``tcp 10.0.0.1:80 -> 192.168.0.1:80``."""
    return f"{virtual.name} -> {server.identity}"
