"""Hundreds of reloads with all that happens around a director: nothing grows. ``make soak`` is the same for an hour."""

from __future__ import annotations

import pytest

from support.soak import campaign


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["debug", "normal"])
def test_nothing_grows_through_hundreds_of_reloads(variant: str) -> None:
    """``debug`` looks at objects by type and at what nobody owns; ``normal`` at blocks of memory, as users run it."""
    verdict = campaign(variant, seed=1, reloads=120, warm_up=40)
    assert not verdict.complaints, "\n".join([*verdict.complaints, *verdict.table])
