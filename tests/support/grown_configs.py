"""Configurations grown from the types of the model: whatever field the IR has, it gets values here; pairs of them overlap.

Worlds are small (a few names, addresses, devices), so that two configurations share objects; `mutated` changes a few places of one.
Everything comes from a seed.
"""

from __future__ import annotations

import types
import typing
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from kir.canonical import canonical
from kir.diff.shape import LISTS, by_identity
from kir.model import (
    Address,
    Config,
    FileCheck,
    MiscCheck,
    Model,
    RealServer,
    Route,
    Rule,
    Secret,
    Service,
    SorryServer,
    TcpCheck,
    TlsClient,
    VirtualServer,
    VrrpInstance,
)
from kir.plan.ipvs import desired_table

NAMES = ("A", "B", "C")
DEVICES = ("eth0", "eth1")
TEXTS = ("x", "y")

POOLS: dict[str, tuple[Any, ...]] = {
    "interface": DEVICES,
    "device": DEVICES,
    "granularity": ("255.255.255.255", "255.255.255.0"),
    "scheduler": ("rr", "wlc"),
    "flags": ((), ("ops",), ("flag-1",)),
    "source": (None, "192.0.2.1", "192.0.2.2"),
    "group": (None, "224.0.0.18"),
    "members": (("A",), ("A", "B")),
    "interfaces": (("eth0",), ("eth0", "eth1")),
    "lvs_flush_on_stop": ("no", "all"),
    "neighbor": ("192.0.2.7", "192.0.2.8"),
}
"""Values of fields that must look like something."""

_HINTS: dict[type, dict[str, Any]] = {}


def hints(kind: type) -> dict[str, Any]:
    """The types of the fields of a model type."""
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind, include_extras=True)
    return _HINTS[kind]


class Grower:
    """Makes values of the model's types. ``full``: how likely an optional value is there."""

    def __init__(self, rng: Random, full: float = 0.3) -> None:
        self.rng = rng
        self.full = full

    def config(self) -> Config:
        """A configuration in which no two objects of a list have the same identity."""
        fields: dict[str, Any] = {}
        for name, shape in ((n, s) for (k, n), s in LISTS.items() if k is Config):
            kind = typing.get_args(hints(Config)[name])[0]
            items = [self.model(kind) for _ in range(self.rng.choice((0, 0, 1, 2, 3)))]
            if kind is VirtualServer:
                items = [self.server() for _ in range(self.rng.randrange(4))]
            fields[name] = tuple({shape.identity(v, n): v for n, v in enumerate(items)}.values())
        services = set()
        servers = []
        for server in fields["virtual_servers"]:
            if services.isdisjoint(server.services):
                services.update(server.services)
                servers.append(server)
        fields["virtual_servers"] = tuple(servers)
        fields["tls"] = self.rng.choice((None, self.model(TlsClient)))
        return canonical(
            Config(**fields, global_defs=self.model(typing.cast(Any, hints(Config)["global_defs"])))
        )

    def model(self, kind: type[Any]) -> Any:
        """An object of a model type."""
        if kind in _MAKERS:
            return _MAKERS[kind](self)
        return kind(**{f.name: self.field(kind, f) for f in msgspec.structs.fields(kind)})

    def field(self, kind: type, field: msgspec.structs.FieldInfo) -> Any:
        """A value of a field: its default as often as not."""
        has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
        if has_default and self.rng.random() > self.full:
            return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        return self.value(hints(kind)[field.name], field.name, (kind, field.name))

    def value(self, kind: Any, name: str, place: tuple[type, str] | None = None) -> Any:
        """A value of a type annotation."""
        rng = self.rng
        if name in POOLS:
            return rng.choice(POOLS[name])
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            base, *metas = typing.get_args(kind)
            low = next(
                (
                    m.ge if m.ge is not None else m.gt + 1
                    for m in metas
                    if m.ge is not None or m.gt is not None
                ),
                None,
            )
            if base is int:
                start = low if low is not None else 0
                top = next((m.le for m in metas if m.le is not None), start + 250)
                return rng.randint(start, min(top, start + 250))
            return self.value(base, name, place)
        if origin is typing.Literal:
            return rng.choice(typing.get_args(kind))
        if origin in (typing.Union, types.UnionType):
            return self.value(rng.choice(typing.get_args(kind)), name, place)
        if origin is tuple:
            inner = typing.get_args(kind)[0]
            made = [self.value(inner, "") for _ in range(rng.randrange(3))]
            shape = LISTS.get(place) if place is not None else None
            return (
                tuple({shape.identity(v, n): v for n, v in enumerate(made)}.values())
                if shape
                else tuple(made)
            )
        if kind is type(None):
            return None
        if kind is bool:
            return rng.random() < 0.5
        if kind is int:
            return rng.randrange(5)
        if kind is str:
            return rng.choice(
                NAMES
                if name in ("name", "instance", "sync_group", "track_group", "track_file", "bfd")
                else TEXTS
            )
        if isinstance(kind, type) and issubclass(kind, Secret):
            return Secret(secret=f"s3cret-{rng.randrange(3)}")
        return self.model(kind)

    def server(self) -> VirtualServer:
        """A virtual server with a name that follows from its services."""
        rng = self.rng
        services = tuple(
            {s.identity: s for s in (self.model(Service) for _ in range(rng.choice((1, 1, 2))))}.values()
        )
        name = services[0].identity if len(services) == 1 else f"group {rng.choice(NAMES)} tcp"
        made = self._fields(VirtualServer)
        reals = [self.model(RealServer) for _ in range(rng.randrange(5))]
        made |= {
            "name": name,
            "services": services,
            "quorum": rng.randint(1, 3),
            "hysteresis": 0,
            "real_servers": tuple({r.identity: r for r in reals}.values()),
            "sorry_server": rng.choice((None, self.model(SorryServer))),
        }
        return VirtualServer(**made)

    def _fields(self, kind: type) -> dict[str, Any]:
        return {
            f.name: self.field(kind, f)
            for f in msgspec.structs.fields(kind)
            if f.name not in ("services", "real_servers")
        }


def _address(g: Grower) -> Address:
    rng = g.rng
    family = rng.choice(("inet", "inet", "inet6"))
    made = g._fields(Address)
    text = f"192.0.2.{rng.randint(1, 4)}" if family == "inet" else f"2001:db8::{rng.randint(1, 3)}"
    made |= {"address": text, "family": family, "prefix": rng.choice((24, 32)) if family == "inet" else 64}
    return Address(**made)


def _service(g: Grower) -> Service:
    if g.rng.random() < 0.2:
        return Service(family="inet", fwmark=g.rng.randint(1, 2))
    return Service(
        family="inet",
        protocol=g.rng.choice(("tcp", "udp")),
        address=f"203.0.113.{g.rng.randint(1, 3)}",
        port=80,
    )


def _real(g: Grower) -> RealServer:
    made = g._fields(RealServer)
    made |= {
        "address": f"10.0.0.{g.rng.randint(1, 5)}",
        "port": 80,
        "family": "inet",
        "weight": g.rng.randrange(4),
        "upper_threshold": g.rng.choice((0, 0, 5, 9)),
        "checkers": tuple(
            g.model(g.rng.choice((TcpCheck, MiscCheck, FileCheck))) for _ in range(g.rng.choice((0, 1, 2)))
        ),
    }
    return RealServer(**made)


def _sorry(g: Grower) -> SorryServer:
    return SorryServer(
        address=f"10.0.0.{g.rng.choice((1, 9))}", port=80, family="inet", inhibit=g.rng.random() < 0.5
    )


def _route(g: Grower) -> Route:
    rng = g.rng
    inet6 = rng.random() < 0.3
    return Route(
        family="inet6" if inet6 else "inet",
        destination=rng.choice(
            ("2001:db8:1::/48", "2001:db8:2::/48") if inet6 else ("10.1.0.0/16", "10.2.0.0/16")
        ),
        device=rng.choice(DEVICES),
        source=rng.choice((None, "2001:db8::1" if inet6 else f"192.0.2.{rng.randint(1, 4)}")),
        table=rng.choice((254, 100)),
        priority=rng.choice((None, 10)),
        track=rng.random() < 0.8,
        track_group=rng.choice((None, None, "A")),
    )


def _rule(g: Grower) -> Rule:
    rng = g.rng
    return Rule(
        family="inet",
        priority=rng.choice((100, 200)),
        action=rng.choice(("table", "blackhole")),
        table=100,
        source=rng.choice((None, "10.0.0.0/8")),
        fwmark=rng.choice((None, 7)),
        track_group=rng.choice((None, "A")),
    )


def _instance(g: Grower) -> VrrpInstance:
    made = g._fields(VrrpInstance)
    rng = g.rng
    version = rng.choice((2, 3))
    made |= {
        "name": rng.choice(NAMES),
        "vrid": rng.randint(51, 53),
        "version": version,
        "family": "inet",
        "priority": rng.choice((1, 90, 100, 150, 254, 255)),
        "advert_int_us": rng.choice((1_000_000, 2_000_000)),
        "group": "224.0.0.18",
        "vips": g.value(tuple[Address, ...], "", (VrrpInstance, "vips")),
    }
    return VrrpInstance(**made)


_MAKERS: dict[type, Any] = {
    Address: _address,
    Service: _service,
    RealServer: _real,
    SorryServer: _sorry,
    Route: _route,
    Rule: _rule,
    VrrpInstance: _instance,
    VirtualServer: Grower.server,
}


def mutated(config: Config, rng: Random, times: int = 2) -> Config:
    """``config`` after a few changes somewhere in it: a field of an object, an object more or less, a new name, another order."""
    grower = Grower(rng, full=1.0)
    for _ in range(times):
        changed = _mutate(config, grower)
        try:  # objects that the change made alike would be one
            if all(
                len(by_identity(getattr(changed, n), s))
                == len({s.identity(v, i) for i, v in enumerate(getattr(changed, n))})
                for (k, n), s in LISTS.items()
                if k is Config
            ):
                desired_table(changed)
                services = [s for v in changed.virtual_servers for s in v.services]
                if len(services) == len(set(services)):
                    config = changed
        except (TypeError, ValueError):
            continue
    return canonical(consistent(config))


def consistent(config: Config) -> Config:
    """``config`` with routes that prefer only addresses which come and go with them."""
    return msgspec.structs.replace(
        config,
        static_routes=_sourced(config.static_routes, config.static_addresses),
        vrrp_instances=tuple(
            msgspec.structs.replace(i, routes=_sourced(i.routes, (*i.vips, *i.excluded_vips)))
            for i in config.vrrp_instances
        ),
    )


def _sourced(routes: tuple[Route, ...], addresses: tuple[Address, ...]) -> tuple[Route, ...]:
    own = {a.address for a in addresses}
    return tuple(r if r.source in own else msgspec.structs.replace(r, source=None) for r in routes)


def _mutate(value: Any, grower: Grower) -> Any:
    rng = grower.rng
    kind = type(value)
    names = [f for f in msgspec.structs.fields(kind) if f.name not in ("family", "services", "port")]
    field = rng.choice(names)
    inner = getattr(value, field.name)
    if isinstance(inner, Model) and not isinstance(inner, Secret) and rng.random() < 0.8:
        return msgspec.structs.replace(value, **{field.name: _mutate(inner, grower)})
    if isinstance(inner, tuple) and inner and isinstance(inner[0], Model):
        items = list(inner)
        at = rng.randrange(len(items))
        match rng.randrange(6):
            case 0:
                del items[at]
            case 1:
                rng.shuffle(items)
            case _:
                items[at] = _mutate(items[at], grower)
        shape = LISTS.get((kind, field.name))
        if shape is not None:
            items = list({shape.identity(v, n): v for n, v in enumerate(items)}.values())
        return msgspec.structs.replace(value, **{field.name: tuple(items)})
    placed = kind in (Address, Service, RealServer, SorryServer, Route, Rule)
    if kind is Config or (placed and field.name in ("address", "source", "destination", "prefix")):
        return value
    return msgspec.structs.replace(
        value, **{field.name: grower.value(hints(kind)[field.name], field.name, (kind, field.name))}
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Config, Config]:
    """Two configurations: unrelated in a small world, or the second a mutation of the first."""
    rng = Random(draw(st.integers(0, 2**40)))
    grower = Grower(rng, rng.choice((0.0, 0.15, 0.5)))
    old = consistent(grower.config())
    if rng.random() < 0.35:
        return old, consistent(grower.config())
    return old, mutated(old, rng, rng.choice((1, 2, 6)))
