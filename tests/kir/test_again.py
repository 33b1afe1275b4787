"""Reading the next IR: as `kir.codec` reads it, with what did not change taken from the last one."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import cast

import msgspec
import pytest
from hypothesis import assume, given

from kir import again, codec, shelf
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
        assert list(read.config.virtual_servers) == list(plain.config.virtual_servers)
        kept = folder / f"{number}.kept"
        kept.write_bytes(b"".join(again.dump(read)))
        for other in (codec.load_path(kept), again.load_path(kept), again.load_path(kept, read)):
            assert (other.config, other.digest, other.features) == (
                plain.config,
                plain.digest,
                plain.features,
            )
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


def test_origins_are_left_out_and_what_is_known_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc, path = _document(6), tmp_path / "ir.json"
    codec.write(doc, path)
    assert codec.load_path(path).origins.places
    first = again.load_path(path)
    assert first.origins == codec.Origins() and len(_shelf(first)) == 6
    monkeypatch.setattr(shelf, "_decode", None)
    second = again.load_path(path, first)
    assert second.config == first.config and second.digest == first.digest


def _shelf(document: codec.Document) -> shelf.Shelf:
    found = cast("object", document.config.virtual_servers)
    assert isinstance(found, shelf.Shelf)
    return found


def test_virtual_servers_in_another_order_are_the_same_document(tmp_path: Path) -> None:
    doc, path = _document(5), tmp_path / "ir.json"
    other = msgspec.structs.replace(doc.config, virtual_servers=doc.config.virtual_servers[::-1])
    codec.write(msgspec.structs.replace(doc, config=other), path)
    read = again.load_path(path)
    assert (read.config, read.digest) == (doc.config, doc.digest)


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_cuts_fall_anywhere_between_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    doc, path = _document(4), tmp_path / "ir.json"
    codec.write(doc, path)
    monkeypatch.setattr(again, "BLOCK", block)
    read = again.load_path(path)
    assert read.config == doc.config and len(_shelf(read)) == 4


def test_what_is_too_large_to_cut_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doc, path = _document(4), tmp_path / "ir.json"
    codec.write(doc, path)
    monkeypatch.setattr(again, "LARGEST_PIECE", 100)
    monkeypatch.setattr(again, "BLOCK", 50)
    read = again.load_path(path)
    assert read.config == doc.config and len(_shelf(read)) == 4


@pytest.mark.parametrize("at", [10, 200, 1000, 5000, -40, -3, -2])
def test_a_document_that_is_cut_off_is_explained(tmp_path: Path, at: int) -> None:
    path = tmp_path / "ir.json"
    path.write_bytes(codec.dumps(_document(3))[:at])
    with pytest.raises(IrError, match="cut off or damaged"):
        again.load_path(path)
