"""IR → text → IR is the identity on the digest, for whatever a compiler can have made."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from kcc.commands.decompile import compile_text, differences
from kcc.compile import compile_input, options_for
from kcc.decompile import Unprintable, text_of
from kcc.diagnostics.model import Severity
from kir.canonical import canonical, digest
from kir.model import Config
from support.decompile_configs import compiled_configs
from support.decompile_samples import SAMPLES
from support.field_walk import all_fields, changed, occurrences
from support.ir_samples import instance, vip
from support.lowering_cases import compile_text as lowering

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted([*(ROOT / "examples").glob("*.conf"), *(ROOT / "examples" / "templated").glob("*.conf")])

UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""What differs is said by name: that a smaller configuration differs too would be minutes for nothing."""


@given(compiled_configs())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), phases=UNSHRUNK)
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


def sample(name: str) -> Config:
    lowered, findings = lowering(SAMPLES[name], "krun")
    assert [d.message for d in findings.items if d.severity is Severity.ERROR] == []
    return canonical(lowered.config)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_whole_language_survives_the_round_trip(name: str) -> None:
    config = sample(name)
    assert differences(config, text_of(config).encode(), "t.conf") == []


# Fields that follow from others in whatever a compiler makes, and that no keyword says.
FOLLOWS = {
    "Address.family": "the text of the address",
    "RealServer.family": "the text of the address",
    "SorryServer.family": "the text of the address",
    "Route.family": "the text of the destination",
}


def test_every_field_leaves_a_trace_in_the_text() -> None:
    """Wherever an object of the IR can stand: another value of a field gives another text, or is refused by its name.

    A new field needs a keyword in `kcc.decompile`, and a line in `support.whole_language` or `support.decompile_samples`.
    """
    silent: dict[str, bool] = {}
    for name in SAMPLES:
        config = sample(name)
        text = text_of(config)
        for shape, path in occurrences(config):
            if silent.get(shape, True):
                silent[shape] = not any(_leaves_trace(other, text) for other in changed(path))
    seen = {_field(shape) for shape in silent}
    assert all_fields() - seen == set(), "no sample says it"
    mute = {shape for shape, nothing in silent.items() if nothing}
    assert {shape for shape in mute if _field(shape) not in FOLLOWS} == set()
    assert FOLLOWS.keys() - {_field(shape) for shape in mute} == set(), "no longer silent"


def _field(shape: str) -> str:
    return shape.rpartition("/")[2]


def _leaves_trace(config: Config, text: str) -> bool:
    try:
        return text_of(config) != text
    except Unprintable:
        return True
    except (ValueError, KeyError):
        return False  # a value that the field's type allows, and that no configuration has


def test_a_place_without_a_keyword_is_refused_by_name() -> None:
    odd = msgspec.structs.replace(vip(), track_group="G")
    with pytest.raises(Unprintable, match="no keyword for `track_group`"):
        text_of(Config(vrrp_instances=(instance(vips=(odd,)),)))
