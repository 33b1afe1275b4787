"""The pool of one virtual server: which real servers are up, with which weights, and whether that is enough (the quorum).

Pure: no I/O, no clock. Each method takes one piece of news and returns what follows from it, in order. What IPVS should hold is
`kir.plan.ipvs.desired_dests` of `Pool.health`; the caller writes it once for all news of one moment, so that a sorry server is in
place in the same batch in which the last real server leaves.

The rules are keepalived's (keepalived.conf(5): ``quorum``, ``hysteresis``, ``sorry_server``, ``inhibit_on_failure``):

* A real server is up exactly when none of its checkers is down.
* The quorum is gained when the weights of the servers that are up come to ``quorum + hysteresis``, and lost when they fall below
  ``quorum - hysteresis``, or to nothing.
* A weight below 0 counts as 0, one above 2147483647 as that (ip_vs.h: weights are signed 32-bit).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kir.model import RealServer, VirtualServer
from kir.plan.ipvs import PoolHealth, ServerHealth, desired_dests
from kir.state import DestKey, DestParams

MAX_WEIGHT = 0x7FFFFFFF

_NONE_DOWN: frozenset[int] = frozenset()
_NO_DELTAS: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ServerUp:
    """A real server came up. ``initial``: it started that way."""

    server: RealServer
    initial: bool = False


@dataclass(frozen=True, slots=True)
class ServerDown:
    """A real server went down. ``confirmed``: it was taken to be down, and its first check says so too.

    ``removed``: it is up, but no longer in the configuration.
    """

    server: RealServer
    confirmed: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class WeightChanged:
    """The effective weight of a real server changed."""

    server: RealServer
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class QuorumGained:
    """The weights of the servers that are up, ``weight``, reached ``threshold``. ``initial``: the pool starts that way."""

    weight: int
    threshold: int
    initial: bool = False


@dataclass(frozen=True, slots=True)
class QuorumLost:
    """``weight`` fell below ``threshold``. ``initial``: the pool starts that way. ``removed``: there is no such pool any more."""

    weight: int
    threshold: int
    initial: bool = False
    removed: bool = False


News = ServerUp | ServerDown | WeightChanged | QuorumGained | QuorumLost


def effective(weight: int) -> int:
    """``weight`` cut to what IPVS can hold."""
    return min(max(weight, 0), MAX_WEIGHT)


class Server:
    """A real server in its pool. ``down``: positions of its checkers that are down; ``deltas``: what dynamic ones add to the weight;
    ``overlay``: the weight that an operator set by hand, which counts instead of all others; None: nobody did.
    """

    __slots__ = ("deltas", "down", "key", "overlay", "real")

    def __init__(self, real: RealServer, key: DestKey | None = None) -> None:
        self.real = real
        self.key = key if key is not None else DestKey(real.address, real.port)
        # Neither is ever changed in place: nearly all servers share these two, which a large pool would have by the thousand.
        self.down = _NONE_DOWN
        self.deltas = _NO_DELTAS
        self.overlay: int | None = None

    def anew(self, real: RealServer) -> Server:
        """A server of the same key that its checkers, and the operator, say the same of."""
        other = Server(real, self.key)
        other.down, other.deltas, other.overlay = self.down, self.deltas, self.overlay
        return other

    def say(self, position: int, up: bool) -> None:
        """The checker at ``position`` says that it is ``up``, or not."""
        if up is (position in self.down):
            self.down ^= {position}

    def weigh(self, position: int, delta: int) -> None:
        """The checker at ``position`` adds ``delta`` to the configured weight."""
        if delta != self.deltas.get(position, 0):
            rest = {p: d for p, d in self.deltas.items() if p != position}
            self.deltas = {**rest, position: delta} if delta else rest

    @property
    def up(self) -> bool:
        return not self.down

    @property
    def weight(self) -> int:
        """The effective weight."""
        if self.overlay is not None:
            return self.overlay
        if not self.deltas:
            return self.real.weight
        return effective(self.real.weight + sum(self.deltas.values()))


class Pool:
    """The real servers of ``virtual`` and its quorum. A new pool has all servers up, no weight changed, and no quorum yet.

    Tell it first what the checkers start from (`place`), then `begin`. ``servers``: those of a pool that this one takes over from, as
    far as they go on, with the new ones between them in the order of ``virtual``.
    """

    def __init__(self, virtual: VirtualServer, servers: dict[DestKey, Server] | None = None) -> None:
        self.virtual = virtual
        if servers is None:
            servers = {server.key: server for server in map(Server, virtual.real_servers)}
        self.servers = servers
        self.quorum_up = False
        self.weight = self._sum()

    # What the checkers start from.

    def place(self, key: DestKey, position: int, up: bool, delta: int = 0) -> None:
        """Set a checker's word without news: before `begin`, or in a pool that is being rebuilt."""
        server = self.servers[key]
        server.say(position, up)
        server.weigh(position, delta)

    def overrule(self, weights: Mapping[DestKey, int]) -> None:
        """Set, without news, which weights an operator set by hand, as `place` does; servers that are not named have none."""
        for key, server in self.servers.items():
            weight = weights.get(key) if weights else None
            if server.overlay != weight:
                # It may be one of the old pool too, which is to be compared with what it was.
                other = self.servers[key] = server.anew(server.real)
                other.overlay = weight

    def begin(self, quorum_up: bool | None = None, announce: bool = False) -> list[News]:
        """Start. ``quorum_up`` is what a predecessor said, None where there was none; ``announce``: tell of servers that are up."""
        self.weight = self._sum()
        news: list[News] = []
        if announce:
            news.extend(ServerUp(s.real, initial=True) for s in self.servers.values() if s.up)
        if quorum_up is not None:
            self.quorum_up = quorum_up
            news.extend(self._evaluate())
            return news
        if self._evaluate():
            news.append(QuorumGained(self.weight, self._gain_at(), initial=True))
        elif self.virtual.sorry_server is not None:
            news.append(QuorumLost(self.weight, self._gain_at(), initial=True))
        return news

    # News from the checkers.

    def judged(self, key: DestKey, position: int, up: bool, first: bool = False) -> list[News]:
        """A checker says that its server is ``up`` or not; ``first``: it never said so before."""
        server = self.servers[key]
        was_up, weight = server.up, server.weight
        server.say(position, up)
        if server.up == was_up:
            return [ServerDown(server.real, confirmed=True)] if first and not up and not was_up else []
        self.weight += weight if server.up else -weight
        change: News = ServerUp(server.real) if server.up else ServerDown(server.real)
        return [change, *self._evaluate()]

    def weighed(self, key: DestKey, position: int, delta: int) -> list[News]:
        """A dynamic checker adds ``delta`` to the configured weight; several of them add up."""
        server = self.servers[key]
        old = server.weight
        server.weigh(position, delta)
        new = server.weight
        if new == old:
            return []
        if server.up:
            self.weight += new - old
        return [WeightChanged(server.real, old, new), *self._evaluate()]

    def overruled(self, weights: Mapping[DestKey, int]) -> list[News]:
        """An operator's hand: from now on these weights count, and no other overlays. The quorum is that of the effective weights."""
        news: list[News] = []
        for key, server in self.servers.items():
            old = server.weight
            server.overlay = weights.get(key)
            if server.weight != old:
                if server.up:
                    self.weight += server.weight - old
                news.append(WeightChanged(server.real, old, server.weight))
        return [*news, *self._evaluate()] if news else news

    # Views.

    def health(self) -> PoolHealth:
        """What the plan needs to know: servers that are as configured and up are left out."""
        return PoolHealth(
            {
                key: ServerHealth(server.up, server.weight, held=server.overlay == 0)
                for key, server in self.servers.items()
                if server.down or server.deltas or server.overlay is not None
            },
            self.quorum_up,
        )

    def dests(self) -> dict[DestKey, DestParams]:
        """Which servers IPVS should hold."""
        return desired_dests(self.virtual, self.health())

    @property
    def sorry_active(self) -> bool:
        """Whether the sorry server answers instead of the real servers."""
        return self.virtual.sorry_server is not None and not self.quorum_up

    def farewell(self) -> list[News]:
        """What a stop means to those who follow this pool by scripts: every server that is up, then the quorum, goes down."""
        news: list[News] = [ServerDown(s.real, removed=True) for s in self.servers.values() if s.up]
        if self.quorum_up:
            news.append(QuorumLost(0, self._lose_at(), removed=True))
        return news

    def succeed(self, old: Pool) -> list[News]:
        """Take over from ``old`` at a reload, after `place` told what the checkers of this pool start from.

        Servers that both have keep their state without a word; servers that are gone are reported down; then the quorum is
        evaluated with the new numbers.
        """
        news: list[News] = [
            ServerDown(s.real, removed=True)
            for key, s in old.servers.items()
            if s.up and key not in self.servers
        ]
        for key, server in self.servers.items():
            before = old.servers.get(key)
            if before is None or before is server:
                continue
            if before.up != server.up:
                news.append(ServerUp(server.real) if server.up else ServerDown(server.real))
            if before.weight != server.weight:
                news.append(WeightChanged(server.real, before.weight, server.weight))
        self.quorum_up = old.quorum_up
        self.weight = self._sum()
        news.extend(self._evaluate())
        if (
            not self.quorum_up
            and not old.quorum_up
            and old.virtual.sorry_server is None
            and self.virtual.sorry_server is not None
        ):
            news.append(QuorumLost(self.weight, self._gain_at(), initial=True))
        return news

    # The quorum.

    def _sum(self) -> int:
        total = 0
        for server in self.servers.values():
            if not server.down:
                total += server.real.weight if server.overlay is None and not server.deltas else server.weight
        return total

    def _gain_at(self) -> int:
        return self.virtual.quorum + self.virtual.hysteresis

    def _lose_at(self) -> int:
        return self.virtual.quorum - self.virtual.hysteresis

    def _evaluate(self) -> list[News]:
        if not self.quorum_up:
            if self.weight >= self._gain_at():
                self.quorum_up = True
                return [QuorumGained(self.weight, self._gain_at())]
        elif self.weight == 0 or self.weight < self._lose_at():
            self.quorum_up = False
            return [QuorumLost(self.weight, self._lose_at())]
        return []


def placed(virtual: VirtualServer, words: Mapping[DestKey, Iterable[tuple[int, bool, int]]]) -> Pool:
    """A pool whose checkers start from ``words``: for each server (position, up, delta)."""
    pool = Pool(virtual)
    for key, checkers in words.items():
        for position, up, delta in checkers:
            pool.place(key, position, up, delta)
    return pool
