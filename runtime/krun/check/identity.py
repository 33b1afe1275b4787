"""Which checker of an old configuration a checker of a new one is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from kir.model import Checker, HttpCheck, MiscCheck, RealServer, TcpCheck, VirtualServer

KINDS: dict[type, str] = {TcpCheck: "TCP_CHECK", MiscCheck: "MISC_CHECK"}


def kind_of(checker: Checker) -> str:
    """The keyword: ``TCP_CHECK``, ``HTTP_GET``, ``SSL_GET`` or ``MISC_CHECK``."""
    if isinstance(checker, HttpCheck):
        return "SSL_GET" if checker.tls else "HTTP_GET"
    return KINDS[type(checker)]


def label(checker: Checker, position: int) -> str:
    """Kind and position in the real server: ``TCP_CHECK 0``."""
    return f"{kind_of(checker)} {position}"


def question(checker: Checker) -> Hashable:
    """What is asked, of whom and from where, without how often and how patiently: equal questions share their answers."""
    if isinstance(checker, MiscCheck):
        return ("MISC_CHECK", checker.argv, checker.account)
    end = checker.endpoint
    path = (end.address, end.port, end.bind_address, end.bind_port, end.bind_interface, end.fwmark)
    if isinstance(checker, HttpCheck):
        return (kind_of(checker), path, checker.urls, checker.protocol)
    return ("TCP_CHECK", path)


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
