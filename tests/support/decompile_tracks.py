"""Hypothesis strategies for what is followed, and for the lists of an instance or a group that follow it."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from kir.model import (
    BfdInstance,
    TrackedBfd,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedScript,
    TrackFile,
    TrackProcess,
    VrrpScript,
)
from support.decompile_words import accounts, address, argvs, words

MS = 1000


class Tracks(msgspec.Struct):
    """All that a configuration defines for others to follow."""

    scripts: tuple[VrrpScript, ...] = ()
    files: tuple[TrackFile, ...] = ()
    processes: tuple[TrackProcess, ...] = ()
    bfds: tuple[BfdInstance, ...] = ()


@st.composite
def vrrp_scripts(draw: st.DrawFn, name: str) -> VrrpScript:
    file = draw(st.none() | st.sampled_from(["/run/ok", "/run/a b"]))
    return VrrpScript(
        name=name,
        argv=() if file else draw(argvs),
        open_file=file,
        account=draw(accounts),
        interval_us=draw(st.integers(1, 4_294_000)) * MS,
        timeout_us=draw(st.integers(1, 4_294_000)) * MS,
        rise=draw(st.integers(1, 5)),
        fall=draw(st.integers(1, 5)),
        init_fail=draw(st.booleans()),
    )


@st.composite
def track_files(draw: st.DrawFn, name: str) -> TrackFile:
    value = draw(st.none() | st.integers(-254, 254))
    return TrackFile(
        name=name,
        path=draw(words),
        init_value=value,
        overwrite=value is not None and draw(st.booleans()),
    )


@st.composite
def track_processes(draw: st.DrawFn, name: str) -> TrackProcess:
    parameters = tuple(draw(st.lists(words, max_size=3)))
    kinds: list[Any] = ["exact", "initial", "partial", *([] if parameters else ["none"])]
    quorum, most = draw(
        st.just((0, 0))
        | st.tuples(st.integers(1, 65535), st.none())
        | st.tuples(st.integers(1, 9), st.integers(9, 65535))
    )
    delays = st.just(0) | st.integers(1, 3_600_000_000)
    return TrackProcess(
        name=name,
        process=draw(words),
        parameters=parameters,
        match=draw(st.sampled_from(kinds)),
        full_command=draw(st.booleans()),
        quorum=quorum,
        quorum_max=most,
        terminate_delay_us=draw(delays),
        fork_delay_us=draw(delays),
    )


@st.composite
def bfd_instances(draw: st.DrawFn, name: str, neighbor: str) -> BfdInstance:
    family: Any = "inet6" if ":" in neighbor else "inet"
    ttl = draw(st.just(255) | st.integers(1, 255))
    vrrp = draw(st.booleans())
    return BfdInstance(
        name=name,
        neighbor=neighbor,
        family=family,
        source=draw(st.none() | address(family)),
        min_rx_us=draw(st.integers(MS, 4_294_967_000)),
        min_tx_us=draw(st.integers(MS, 4_294_967_000)),
        idle_tx_us=draw(st.integers(1000 * MS, 4_294_967_000)),
        multiplier=draw(st.integers(1, 255)),
        passive=draw(st.booleans()),
        ttl=ttl,
        max_hops=draw(st.integers(-1 if ttl == 255 else 0, min(ttl, 254))),
        multihop=draw(st.booleans()),
        vrrp=vrrp,
        checker=not vrrp or draw(st.booleans()),
    )


@st.composite
def tracks(draw: st.DrawFn) -> Tracks:
    names = st.lists(words, max_size=2, unique=True)
    neighbors = draw(st.permutations(["10.0.0.250", "2001:db8::250"]))
    return Tracks(
        scripts=tuple([draw(vrrp_scripts(n)) for n in draw(names)]),
        files=tuple([draw(track_files(n)) for n in draw(names)]),
        processes=tuple([draw(track_processes(n)) for n in draw(names)]),
        bfds=tuple([draw(bfd_instances(n, at)) for n, at in zip(draw(names), neighbors, strict=False)]),
    )


def _some(kind: Any, names: list[str], weight: st.SearchStrategy[int]) -> st.SearchStrategy[tuple[Any, ...]]:
    if not names:
        return st.just(())
    one = st.builds(kind, name=st.sampled_from(names), weight=weight, reverse=st.booleans())
    return st.lists(one, max_size=2, unique_by=lambda t: t.name).map(tuple)


@st.composite
def followed(draw: st.DrawFn, known: Tracks, weights: bool, *, process_weights: bool) -> dict[str, Any]:
    """The five lists. ``process_weights``: those of processes may be used where others may not."""
    none = st.just(0)
    weight = st.integers(-253, 253) if weights else none
    wide = st.integers(-254, 254)
    return {
        "track_interfaces": draw(_some(TrackedInterface, ["eth5", "bond0.7"], weight)),
        "track_scripts": draw(_some(TrackedScript, [s.name for s in known.scripts], weight)),
        "track_files": draw(_some(TrackedFile, [f.name for f in known.files], wide if weights else none)),
        "track_processes": draw(
            _some(TrackedProcess, [p.name for p in known.processes], wide if process_weights else none)
        ),
        "track_bfds": draw(_some(TrackedBfd, [b.name for b in known.bfds if b.vrrp], weight)),
    }
