"""Virtual services that differ: after a failover clients meet another service, or none."""

from __future__ import annotations

from collections.abc import Iterator

from kcc.cluster.case import ClusterCase, Place
from kcc.lower.scope import seconds, some
from kir.model import Forwarding, Persistence, RealServer, SorryServer, VirtualServer

SHOWN = 5
"""Related places that one finding names at most."""


def _services(case: ClusterCase, d: int) -> dict[str, VirtualServer]:
    return {s.identity: v for v in case.directors[d].config.virtual_servers for s in v.services}


def _path(server: VirtualServer) -> str:
    return f"virtual_server/{server.name}"


def missing_services(case: ClusterCase) -> None:
    """A virtual service that other directors have: while this director is master, connections to it are refused."""
    if any(d.incomplete for d in case.directors):
        return
    all_ = [_services(case, d) for d in range(len(case.directors))]
    for d, mine in enumerate(all_):
        for e, theirs in enumerate(all_):
            absent = [name for name in theirs if name not in mine]
            if e == d or not absent or any(absent[0] in all_[x] for x in range(e) if x != d):
                continue
            servers = list({id(theirs[n]): theirs[n] for n in absent}.values())
            at: Place = (d, "virtual_server", None)
            if mine:
                at = (d, _path(next(iter(mine.values()))), None)
            case.say(
                "KC1120",
                f"{case.name(d)} has no {'virtual servers' if not mine else f'`{absent[0]}`' if len(absent) == 1 else _count(absent)}"
                f", but {case.name(e)} has {'it' if len(absent) == 1 and mine else 'them' if mine else len(theirs)}",
                at,
                *(((e, _path(v), None), f"only in {case.name(e)}") for v in servers[:SHOWN]),
                consequence=f"while {case.name(d)} is master, connections to {some(absent)} are refused",
                help=f"add {'it' if len(absent) == 1 else 'them'} to {case.name(d)}",
            )


def _count(absent: list[str]) -> str:
    return f"{some([f'`{name}`' for name in absent])}"


def _pairs(case: ClusterCase) -> Iterator[tuple[int, VirtualServer, int, VirtualServer]]:
    """Every virtual server with the same one of the first director that has it."""
    first: dict[str, tuple[int, VirtualServer]] = {}
    for d in range(len(case.directors)):
        done: set[int] = set()
        for name, server in _services(case, d).items():
            e, model = first.setdefault(name, (d, server))
            if e != d and id(server) not in done:
                done.add(id(server))
                yield d, server, e, model


def services_differ(case: ClusterCase) -> None:
    """The same service with other settings: it behaves differently after a failover."""
    for d, server, e, model in _pairs(case):
        for field, word, mine, its in _settings(server, model):
            if mine == its:
                continue
            case.say(
                "KC1121",
                f"`{server.name}`: {word} {mine}, but {its} in {case.name(e)}",
                (d, _path(server), field),
                ((e, _path(model), field), f"{its} in {case.name(e)}"),
                consequence=_effect(field),
                help="write the same in both files",
            )


def _settings(server: VirtualServer, model: VirtualServer) -> Iterator[tuple[str, str, str, str]]:
    for field, word, show in (
        ("scheduler", "scheduler", str),
        ("flags", "scheduler flags", _flags),
        ("persistence", "persistence", _persistence),
        ("quorum", "quorum", str),
        ("hysteresis", "hysteresis", str),
        ("sorry_server", "sorry server", _sorry),
    ):
        yield field, word, show(getattr(server, field)), show(getattr(model, field))


def _flags(flags: tuple[str, ...]) -> str:
    return ", ".join(flags) or "none"


def _persistence(found: Persistence | None) -> str:
    if found is None:
        return "off"
    engine = f", engine {found.engine}" if found.engine else ""
    single = found.granularity in ("255.255.255.255", "128")
    return seconds(found.timeout_us) + ("" if single else f", granularity {found.granularity}") + engine


def _sorry(found: SorryServer | None) -> str:
    return "none" if found is None else f"{found.identity} by {_method(found.forwarding)}"


def _method(forwarding: Forwarding) -> str:
    return f"{forwarding.method} {forwarding.tunnel_type}" if forwarding.tunnel_type else forwarding.method


def _effect(field: str) -> str:
    if field == "persistence":
        return "after a failover clients lose their server"
    if field in ("quorum", "hysteresis", "sorry_server"):
        return "with the same servers down, one director still serves and the other does not"
    return "after a failover connections are spread over the servers in another way"


def real_servers_differ(case: ClusterCase) -> None:
    """The same service with other real servers, weights or forwarding methods."""
    for d, server, e, model in _pairs(case):
        mine = {r.identity: r for r in server.real_servers}
        its = {r.identity: r for r in model.real_servers}
        for x, have, y, lack in ((e, its, d, mine), (d, mine, e, its)):
            absent = [name for name in have if name not in lack]
            if absent:
                owner, other = (server, model) if y == d else (model, server)
                case.say(
                    "KC1122",
                    f"`{owner.name}` lacks real server{'s' * (len(absent) > 1)} {some(absent)} of {case.name(x)}",
                    (y, _path(owner), None),
                    *(
                        ((x, f"{_path(other)}/real_server/{n}", None), f"only in {case.name(x)}")
                        for n in absent[:SHOWN]
                    ),
                    consequence=f"while {case.name(y)} is master "
                    f"{'it gets' if len(absent) == 1 else 'they get'} no connections, and the others carry the load",
                    help="list the same real servers in both files",
                )
        for field, word, effect in _REAL:
            differ = [n for n in mine if n in its and _shown(mine[n], field) != _shown(its[n], field)]
            if differ:
                _report(case, d, server, e, model, differ, (field, word, effect))


_REAL = (
    ("weight", "weight", "after a failover connections are shared out in another way"),
    (
        "forwarding",
        "forwarding",
        "a server that is set up for one way does not answer by the other: after a failover its connections fail",
    ),
)


def _shown(real: RealServer, field: str) -> str:
    return str(real.weight) if field == "weight" else _method(real.forwarding)


def _report(
    case: ClusterCase,
    d: int,
    server: VirtualServer,
    e: int,
    model: VirtualServer,
    differ: list[str],
    what: tuple[str, str, str],
) -> None:
    """One finding for all servers of a pool: a changed template changes each of them."""
    field, word, effect = what
    mine = {r.identity: r for r in server.real_servers}
    its = {r.identity: r for r in model.real_servers}
    first = differ[0]
    if len(differ) == 1:
        text = f"{first} of `{server.name}`: {word} {_shown(mine[first], field)}, but {_shown(its[first], field)} in {case.name(e)}"
    else:
        text = f"`{server.name}`: {some(differ)} have another {word} than in {case.name(e)}"
    places: list[tuple[Place, str]] = []
    for name in differ[:SHOWN]:
        if name != first:
            places.append(
                (
                    (d, f"{_path(server)}/real_server/{name}", field),
                    f"{_shown(mine[name], field)} in {case.name(d)}",
                )
            )
        places.append(
            (
                (e, f"{_path(model)}/real_server/{name}", field),
                f"{_shown(its[name], field)} in {case.name(e)}",
            )
        )
    case.say(
        "KC1122",
        text,
        (d, f"{_path(server)}/real_server/{first}", field),
        *places[: SHOWN + 1],
        consequence=effect,
        help="write the same in both files",
    )
