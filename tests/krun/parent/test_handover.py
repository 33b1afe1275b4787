"""What a child is given of a new configuration, and makes of it."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import assume, given

from kir.canonical import canonical, canonical_digest, raw_digest
from kir.model import Config
from krun.parent.handover import pack, part, shared, unpack
from support.grown_configs import Grower, mutated, pairs


def _fits(config: Config) -> bool:
    """Whether the grower kept to the model's types here."""
    try:
        return msgspec.convert(msgspec.to_builtins(config), Config) is not None
    except msgspec.ValidationError:
        return False


@given(pairs())
def test_a_child_has_in_the_end_what_concerns_it(pair: tuple[Config, Config]) -> None:
    old, new = pair
    assume(_fits(new))
    for name in ("vrrp", "check", "script"):
        for has in (old, part(name, old)):
            assert unpack(pack(name, shared(new, old), has), has) == part(name, new)


@given(pairs())
def test_sharing_changes_nothing_and_shares_what_is_equal(pair: tuple[Config, Config]) -> None:
    old, new = pair
    made = shared(new, old)
    assert made == new
    before = {server.name: server for server in old.virtual_servers}
    assert all(v is before[v.name] for v in made.virtual_servers if before.get(v.name) == v)


def _servers(count: int) -> Config:
    grower, made = Grower(Random(4)), {}
    while len(made) < count:
        server = grower.server()
        made[server.name] = server
    return canonical(Config(virtual_servers=tuple(made.values())))


def test_only_the_virtual_servers_that_differ_are_written() -> None:
    old = _servers(6)
    first, *rest = old.virtual_servers
    new = Config(virtual_servers=(*reversed(rest), msgspec.structs.replace(first, quorum=99)))
    assert len(pack("check", new, old)) < len(pack("check", new, Config())) / 2
    assert unpack(pack("check", new, old), old).virtual_servers == new.virtual_servers


def test_another_configuration_than_the_packer_thought_is_an_error() -> None:
    old = _servers(3)
    with pytest.raises(ValueError, match="runs another configuration"):
        unpack(pack("check", old, old), Config())
    with pytest.raises(ValueError, match="cannot be read"):
        unpack(b"\xc1", old)


@given(pairs())
def test_the_digest_in_pieces_is_that_of_the_whole(pair: tuple[Config, Config]) -> None:
    for config in (*pair, mutated(pair[0], Random(1))):
        assert canonical_digest(config) == raw_digest(config)
