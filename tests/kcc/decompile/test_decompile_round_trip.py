"""IR → text → IR is the identity on the digest, for whatever a compiler can have made."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings

from kcc.commands.decompile import compile_text, differences
from kcc.compile import compile_input, options_for
from kcc.decompile import text_of
from kcc.diagnostics.model import Severity
from kir.canonical import canonical, digest
from kir.model import Config
from support.decompile_configs import compiled_configs

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted([*(ROOT / "examples").glob("*.conf"), *(ROOT / "examples" / "templated").glob("*.conf")])


@given(compiled_configs())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@example(Config())
def test_the_text_of_any_ir_means_that_ir(config: Config) -> None:
    config = canonical(config)
    text = text_of(config).encode()
    assert differences(config, text, "t.conf") == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_examples_survive_the_round_trip_and_stay_clean(path: Path) -> None:
    first = compile_input(str(path), options_for("krun", "vm"))
    assert first.lowered is not None
    config = first.document(allow_errors=True).config
    again = compile_text(text_of(config).encode(), "t.conf")
    assert again.lowered is not None
    assert digest(again.lowered.config) == digest(config)
    assert [d.message for d in again.findings.items if d.severity is Severity.ERROR] == []


def test_every_field_of_the_model_is_printed() -> None:
    """A new field of the IR needs a keyword here: print it in `kcc.decompile`, and name it to `guard`."""
    from kcc.decompile.writer import PRINTED, unprinted
    from support.ir_samples import full

    text_of(canonical(full()))
    assert len(PRINTED) > 15
    # What is carried and has no text yet: an IR that uses one of these is refused by its name.
    waiting = (Path(__file__).parent / "not_printed.txt").read_text().split()
    assert unprinted() == waiting


def test_a_field_that_is_not_printed_is_refused_by_name() -> None:
    from kcc.decompile import Unprintable
    from support.ir_samples import instance, vip

    odd = msgspec.structs.replace(vip(), track_group="G")
    with pytest.raises(Unprintable, match="`track_group` of Address"):
        text_of(Config(vrrp_instances=(instance(vips=(odd,)),)))
