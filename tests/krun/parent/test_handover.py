"""What a child is given of a new configuration, and makes of it."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from random import Random
from typing import cast

import msgspec
import pytest
from hypothesis import assume, given

from kir.canonical import canonical, canonical_digest, raw_digest
from kir.model import Config
from kir.shelf import Shelf, ShelfError, shelve, with_shelf
from krun.parent.handover import inherited, pack, part, read, unpack
from support.grown_configs import Grower, mutated, pairs


def _fits(config: Config) -> bool:
    """Whether the grower kept to the model's types here."""
    try:
        return msgspec.convert(msgspec.to_builtins(config), Config) is not None
    except msgspec.ValidationError:
        return False


@given(pairs())
def test_a_child_has_in_the_end_what_concerns_it(pair: tuple[Config, Config]) -> None:
    assume(all(map(_fits, pair)))
    old, new = map(canonical, pair)
    for name in ("vrrp", "check", "script"):
        for has in (old, part(name, old)):
            made = unpack(pack(name, new, has), has)
            assert made == part(name, new)
            assert made == unpack(pack(name, _shelved(new), _shelved(has)), has)


def _shelved(config: Config) -> Config:
    return with_shelf(config, shelve(config.virtual_servers))


def _servers(count: int) -> Config:
    grower, made = Grower(Random(4)), {}
    while len(made) < count:
        server = grower.server()
        made[server.name] = server
    return canonical(Config(virtual_servers=tuple(made.values())))


def test_only_the_virtual_servers_that_differ_are_written() -> None:
    old = _servers(6)
    first, *rest = old.virtual_servers
    new = canonical(Config(virtual_servers=(*rest, msgspec.structs.replace(first, quorum=99))))
    assert len(pack("check", new, old)) < len(pack("check", new, Config())) / 2
    assert unpack(pack("check", new, old), old).virtual_servers == new.virtual_servers


def test_of_a_virtual_server_only_the_real_servers_that_differ_are_read_anew() -> None:
    virtual = next(v for v in _servers(9).virtual_servers if len(v.real_servers) > 2)
    one, *others = virtual.real_servers
    old = Config(virtual_servers=(virtual,))
    heavier = msgspec.structs.replace(one, weight=one.weight + 7)
    new = Config(virtual_servers=(msgspec.structs.replace(virtual, real_servers=(heavier, *others)),))
    read = unpack(pack("check", new, old), old).virtual_servers[0].real_servers
    assert read == (heavier, *others)
    assert all(a is b for a, b in zip(read[1:], others, strict=True))


def test_a_forked_child_reads_its_virtual_servers_and_closes_nothing_else(tmp_path: Path) -> None:
    config = _shelved(_servers(4))
    shelf = cast("object", config.virtual_servers)
    assert isinstance(shelf, Shelf)
    pid = os.fork()
    if not pid:
        fd = inherited(config)
        here = read(config)
        file = os.open(tmp_path, os.O_RDONLY)  # the number that was free
        del config, shelf
        gc.collect()
        os.fstat(file)
        os._exit(0 if file == fd and len(here.virtual_servers) == 4 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert list(shelf) == list(_servers(4).virtual_servers)


def test_a_shelf_whose_file_was_changed_says_so(tmp_path: Path) -> None:
    shelf = shelve(_servers(3).virtual_servers)
    path = tmp_path / "texts"
    path.write_bytes(b"x" * 100)
    shelf.move(os.open(path, os.O_RDONLY), 0)
    with pytest.raises(ShelfError, match="was cut"):
        list(shelf)
    path.write_bytes(b"x" * 1_000_000)
    with pytest.raises(ShelfError, match="was changed"):
        list(shelf)


def test_another_configuration_than_the_packer_thought_is_an_error() -> None:
    old = _servers(3)
    with pytest.raises(ValueError, match="runs another configuration"):
        unpack(pack("check", old, old), Config())
    virtual = next(v for v in old.virtual_servers if v.real_servers)
    more = Config(virtual_servers=(msgspec.structs.replace(virtual, quorum=77),))
    with pytest.raises(ValueError, match="runs another configuration"):
        unpack(pack("check", more, old), Config())
    with pytest.raises(ValueError, match="cannot be read"):
        unpack(b"\xc1", old)


@given(pairs())
def test_the_digest_in_pieces_is_that_of_the_whole(pair: tuple[Config, Config]) -> None:
    for config in (*pair, mutated(pair[0], Random(1))):
        assert canonical_digest(config) == raw_digest(config)
