"""Reading the next IR: as `kir.codec` reads it, with what did not change taken from the last one."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import assume, given

from kir import again, codec
from kir.codec import IrError
from kir.model import Config
from support.grown_configs import Grower, pairs


def _fits(config: Config) -> bool:
    """Whether the grower kept to the model's types here."""
    try:
        return msgspec.convert(msgspec.to_builtins(config), Config) is not None
    except msgspec.ValidationError:
        return False


@given(pairs())
def test_it_reads_what_the_codec_reads(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[Config, Config]
) -> None:
    assume(all(map(_fits, pair)))
    folder = tmp_path_factory.mktemp("again")
    last = None
    for number, config in enumerate((*pair, pair[0])):
        path = folder / f"{number}.json"
        codec.write(codec.document(config), path)
        read = again.load_path(path, last)
        plain = codec.load_path(path)
        assert (read.config, read.digest, read.features) == (plain.config, plain.digest, plain.features)
        before = {} if last is None else {server.name: server for server in last.config.virtual_servers}
        assert all(v is before[v.name] for v in read.config.virtual_servers if before.get(v.name) == v)
        last = read


@given(pairs())
def test_what_is_not_as_this_release_writes_it_is_explained_by_the_codec(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[Config, Config]
) -> None:
    assume(_fits(pair[0]))
    path = tmp_path_factory.mktemp("again") / "ir.json"
    raw = msgspec.json.decode(codec.dumps(codec.document(pair[0])))
    for damage in (
        {"digest": "sha256:0"},
        {"kir": "9.0"},
        {"features": ["magic"]},
        {"config": {}},
        {"more": 1},
    ):
        path.write_bytes(msgspec.json.encode(raw | damage))
        with pytest.raises(IrError) as plain:
            codec.load_path(path)
        with pytest.raises(IrError) as told:
            again.load_path(path)
        assert str(told.value) == str(plain.value)


def _document(servers: int) -> codec.Document:
    grower, made = Grower(Random(4)), {}
    while len(made) < servers:
        server = grower.server()
        made[server.name] = server
    places = {f"virtual_server/{name}": ("edge.conf", 1, 1) for name in made}
    return codec.document(Config(virtual_servers=tuple(made.values())), codec.origins_of(places))


def test_origins_are_left_out_and_a_virtual_server_is_made_but_once(tmp_path: Path) -> None:
    doc, path = _document(6), tmp_path / "ir.json"
    codec.write(doc, path)
    assert codec.load_path(path).origins.places
    first = again.load_path(path)
    assert first.origins == codec.Origins() and len(first.pieces) == 6
    second = again.load_path(path, first)
    assert all(
        a is b for a, b in zip(first.config.virtual_servers, second.config.virtual_servers, strict=True)
    )


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_cuts_fall_anywhere_between_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    doc, path = _document(4), tmp_path / "ir.json"
    codec.write(doc, path)
    monkeypatch.setattr(again, "BLOCK", block)
    read = again.load_path(path)
    assert read.config == doc.config and len(read.pieces) == 4


def test_what_is_too_large_to_cut_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doc, path = _document(4), tmp_path / "ir.json"
    codec.write(doc, path)
    monkeypatch.setattr(again, "LARGEST_PIECE", 100)
    monkeypatch.setattr(again, "BLOCK", 50)
    read = again.load_path(path)
    assert read.config == doc.config and not read.pieces


@pytest.mark.parametrize("at", [10, 200, 1000, 5000, -40, -3, -2])
def test_a_document_that_is_cut_off_is_explained(tmp_path: Path, at: int) -> None:
    path = tmp_path / "ir.json"
    path.write_bytes(codec.dumps(_document(3))[:at])
    with pytest.raises(IrError, match="cut off or damaged"):
        again.load_path(path)
