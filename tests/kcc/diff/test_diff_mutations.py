"""Plans from the examples to changed forms of them: they lead to the new state, over real configurations too."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from kcc.compile import compile_input, options_for
from kir.canonical import canonical
from kir.diff import diff
from kir.model import Config
from kir.plan.addresses import desired_addresses
from kir.plan.ipvs import desired_table
from kir.plan.links import desired_links
from kir.plan.plan import plan
from kir.plan.routes import desired_routes
from kir.plan.rules import desired_rules
from support.grown_configs import consistent, mutated
from support.plan_kernel import Kernel, PlanKernel

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.conf"))


def compiled(path: Path) -> Config:
    lowered = compile_input(str(path), options_for("krun")).lowered
    assert lowered is not None
    return consistent(canonical(lowered.config))


def state(config: Config) -> PlanKernel:
    return PlanKernel(
        desired_table(config),
        desired_addresses(config),
        desired_routes(config),
        desired_rules(config),
        desired_links(config),
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_changed_examples(path: Path) -> None:
    config = compiled(path)
    changed = 0
    for seed in range(60):
        new = mutated(config, Random(seed), 1 + seed % 7)
        p = plan(config, new)
        writes = [o for o in p.operations if isinstance(o, Kernel)]
        assert state(config).run(writes).differences(state(new)) == []
        assert bool(diff(config, new)) == (config != new)
        changed += bool(p.changes)
    assert changed > 10


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_from_nothing_and_to_nothing(path: Path) -> None:
    """A first start, and an ordinary stop."""
    config, nothing = compiled(path), Config()
    for old, new in ((nothing, config), (config, nothing)):
        writes = [o for o in plan(old, new).operations if isinstance(o, Kernel)]
        assert state(old).run(writes).differences(state(new)) == []
