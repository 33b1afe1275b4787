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

from kir.model import RealServer, VirtualServer
from kir.plan.ipvs import PoolHealth, ServerHealth
from kir.state import DestKey

MAX_WEIGHT = 0x7FFFFFFF


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
    """``weight`` fell below ``threshold``. ``initial``: the pool starts that way."""

    weight: int
    threshold: int
    initial: bool = False


News = ServerUp | ServerDown | WeightChanged | QuorumGained | QuorumLost


def effective(weight: int) -> int:
    """``weight`` cut to what IPVS can hold."""
    return min(max(weight, 0), MAX_WEIGHT)


class Server:
    """A real server in its pool. ``down``: positions of its checkers that are down; ``deltas``: what dynamic ones add to the weight."""

    __slots__ = ("deltas", "down", "key", "real")

    def __init__(self, real: RealServer) -> None:
        self.real = real
        self.key = DestKey(real.address, real.port)
        self.down: set[int] = set()
        self.deltas: dict[int, int] = {}

    @property
    def up(self) -> bool:
        return not self.down

    @property
    def weight(self) -> int:
        """The effective weight."""
        if not self.deltas:
            return self.real.weight
        return effective(self.real.weight + sum(self.deltas.values()))


class Pool:
    """The real servers of ``virtual`` and its quorum. A new pool has all servers up, no weight changed, and no quorum yet.

    Tell it first what the checkers start from (`place`), then `begin`.
    """

    def __init__(self, virtual: VirtualServer) -> None:
        self.virtual = virtual
        self.servers: dict[DestKey, Server] = {}
        for real in virtual.real_servers:
            server = Server(real)
            self.servers[server.key] = server
        self.quorum_up = False
        self.weight = sum(server.weight for server in self.servers.values())

    # What the checkers start from.

    def place(self, key: DestKey, position: int, up: bool, delta: int = 0) -> None:
        """Set a checker's word without news: before `begin`, or in a pool that is being rebuilt."""
        server = self.servers[key]
        if up:
            server.down.discard(position)
        else:
            server.down.add(position)
        if delta:
            server.deltas[position] = delta
        else:
            server.deltas.pop(position, None)

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
        if up:
            server.down.discard(position)
        else:
            server.down.add(position)
        if server.up == was_up:
            return [ServerDown(server.real, confirmed=True)] if first and not up and not was_up else []
        self.weight += weight if server.up else -weight
        change: News = ServerUp(server.real) if server.up else ServerDown(server.real)
        return [change, *self._evaluate()]

    def weighed(self, key: DestKey, position: int, delta: int) -> list[News]:
        """A dynamic checker adds ``delta`` to the configured weight; several of them add up."""
        server = self.servers[key]
        old = server.weight
        if delta:
            server.deltas[position] = delta
        else:
            server.deltas.pop(position, None)
        new = server.weight
        if new == old:
            return []
        if server.up:
            self.weight += new - old
        return [WeightChanged(server.real, old, new), *self._evaluate()]

    # Views.

    def health(self) -> PoolHealth:
        """What the plan needs to know: servers that are as configured and up are left out."""
        return PoolHealth(
            {
                key: ServerHealth(server.up, server.weight)
                for key, server in self.servers.items()
                if server.down or server.deltas
            },
            self.quorum_up,
        )

    @property
    def sorry_active(self) -> bool:
        """Whether the sorry server answers instead of the real servers."""
        return self.virtual.sorry_server is not None and not self.quorum_up

    def farewell(self) -> list[News]:
        """What a stop means to those who follow this pool by scripts: every server that is up, then the quorum, goes down."""
        news: list[News] = [ServerDown(s.real, removed=True) for s in self.servers.values() if s.up]
        if self.quorum_up:
            news.append(QuorumLost(0, self._lose_at()))
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
            if before is None:
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
        return sum(server.weight for server in self.servers.values() if server.up)

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
