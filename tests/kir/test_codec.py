"""The IR on disk: round trips, digests, refusals, versions, schema."""

from __future__ import annotations

import json
import os
import random
import stat
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kir import features
from kir.canonical import canonical, digest
from kir.codec import IrError, document, dumps, load_path, loads, origins_of, write
from kir.model import Config
from kir.schema import schema
from kir.versions import CURRENT
from support.ir_samples import PASSWORD, full, instance, real, virtual

GOLDEN = Path(__file__).parent / "golden"


def test_round_trip_keeps_everything() -> None:
    doc = document(full(), origins_of({"vrrp_instance/VI_1": ("edge.conf", 12, 1)}))
    again = loads(dumps(doc))
    assert again.config == doc.config
    assert again.digest == doc.digest
    assert again.origins.place("vrrp_instance/VI_1/priority") == ("edge.conf", 12, 1)
    assert again.origins.place("virtual_server/x") is None


def test_order_of_independent_blocks_is_no_meaning() -> None:
    config = full()
    shuffled = msgspec.structs.replace(
        config,
        vrrp_instances=config.vrrp_instances[::-1],
        virtual_servers=tuple(
            msgspec.structs.replace(v, real_servers=v.real_servers[::-1])
            for v in config.virtual_servers[::-1]
        ),
    )
    assert digest(shuffled) == digest(config)
    assert dumps(document(shuffled)) == dumps(document(config))


def test_order_of_vips_is_on_the_wire_and_has_meaning() -> None:
    config = full()
    first, second = canonical(config).vrrp_instances
    turned = msgspec.structs.replace(second, vips=second.vips[::-1])
    assert digest(msgspec.structs.replace(config, vrrp_instances=(first, turned))) != digest(config)


def test_addresses_sort_by_number() -> None:
    config = Config(virtual_servers=(virtual(*(real(f"10.0.0.{n}") for n in (10, 9, 100, 1))),))
    assert [r.address for r in canonical(config).virtual_servers[0].real_servers] == [
        "10.0.0.1",
        "10.0.0.9",
        "10.0.0.10",
        "10.0.0.100",
    ]


def test_a_secret_never_shows() -> None:
    config = full()
    assert PASSWORD not in repr(config)
    assert PASSWORD not in str(config.vrrp_instances[0].authentication)
    assert PASSWORD.encode() in dumps(document(config))


def test_written_for_its_owner_alone_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "ir.json"
    path.write_text("old")
    path.chmod(0o644)
    write(document(full()), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_path(path).config == canonical(full())
    assert os.listdir(tmp_path) == ["ir.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write(document(full()), tmp_path / "missing" / "ir.json")
    assert not os.listdir(tmp_path)


def test_golden_1_0() -> None:
    path = GOLDEN / "1.0.json"
    if os.environ.get("KCC_UPDATE_GOLDEN"):
        path.write_bytes(dumps(document(full(), origins_of({"vrrp_instance/VI_1": ("edge.conf", 12, 1)}))))
    assert load_path(path).config == canonical(full())
    assert dumps(load_path(path)) == path.read_bytes()


def test_migration_from_0_9() -> None:
    old = load_path(GOLDEN / "0.9.json")
    new = load_path(GOLDEN / "0.9-as-1.0.json")
    assert old.version == "0.9"
    assert old.config == new.config
    assert old.config.vrrp_instances[0].advert_int_us == 1_500_000
    assert old.config.vrrp_instances[0].vips[0].device == "eth0"
    assert old.features == ("check.tcp", "ipvs", "vrrp.auth_pass", "vrrp.v2")


def _with(**changes: object) -> bytes:
    raw = json.loads(dumps(document(full())))
    raw.update(changes)
    return json.dumps(raw).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"vrrp_instance VI_1 {\n}\n", "kcc build"),
        (b"[1, 2]", "not an IR"),
        (b'{"apiVersion": "v1"}', 'no `"kir"'),
        (b'{"kir": 1}', 'no `"kir"'),
        (b'{"kir": "x"}', 'no `"kir"'),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 100_000, "not"),
        (dumps(document(full()))[:-200], "cut off or damaged"),
        (_with(kir="2.0"), "newer than"),
        (_with(kir="1.7"), "newer than"),
        (_with(kir="0.1"), "not known"),
        (b'{"kir": "0.9", "config": []}', "0.9"),
        (_with(features=["vrrp.v2", "warp"]), "`warp`"),
        (_with(digest="sha256:" + "0" * 64), "digest does not fit"),
        (_with(config={"vrrp_instances": 3}), "not a valid IR"),
        (_with(extra=1), "not a valid IR"),
    ],
)
def test_refusals_say_what_and_what_to_do(data: bytes, says: str) -> None:
    with pytest.raises(IrError) as caught:
        loads(data, "ir.json")
    assert says in str(caught.value)
    assert str(caught.value).startswith("ir.json: ")


def test_an_edited_file_is_refused() -> None:
    data = dumps(document(full())).replace(b'"priority": 150', b'"priority": 151', 1)
    with pytest.raises(IrError, match="digest does not fit"):
        loads(data)


@pytest.mark.parametrize("kind", ["missing", "directory", "unreadable", "fifo"])
def test_files_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ir.json"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "unreadable":
        if os.geteuid() == 0:
            path = Path("/proc/self/mem")
        else:
            path.write_text("{}")
            path.chmod(0)
    with pytest.raises(IrError):
        load_path(path)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_document_or_a_refusal(data: bytes) -> None:
    with pytest.raises(IrError):
        loads(data)


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_damaged_documents_give_a_document_or_a_refusal(seed: int, count: int) -> None:
    rng = random.Random(seed)
    data = bytearray(dumps(document(full())))
    for _ in range(count):
        data[rng.randrange(len(data))] = rng.randrange(256)
    try:
        loads(bytes(data))
    except IrError:
        pass


def test_schema_accepts_what_is_written_and_refuses_what_is_not() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    jsonschema.Draft202012Validator.check_schema(schema())
    good = json.loads(dumps(document(full())))
    validator.validate(good)
    good["config"]["vrrp_instances"][0]["priority"] = 256
    assert not validator.is_valid(good)
    assert schema()["properties"]["kir"]["const"] == CURRENT


def test_features_have_words_and_are_found() -> None:
    needed = features.needed(full())
    assert set(needed) <= set(features.ALL)
    assert {"vrrp.v2", "vrrp.v3", "ipvs.fwmark", "check.misc", "vrrp.auth_pass"} <= set(needed)
    assert features.needed(Config(vrrp_instances=(instance(accept=False),))) == ("vrrp.no_accept", "vrrp.v2")
