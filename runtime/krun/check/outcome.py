"""What one run of a check found out."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["good", "bad", "unable"]


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The result of one run.

    ``good``: the server did what the check asks for. ``bad``: it did not; ``reason`` says in words what happened. ``unable``: this
    host could not even ask (no socket, bind refused, the script runner went away); that says nothing of the server.
    ``weight``: what a dynamic MISC_CHECK wants as the server's weight, None where it does not say.
    """

    verdict: Verdict
    reason: str = ""
    weight: int | None = None


GOOD = Outcome("good")


def bad(reason: str) -> Outcome:
    """The server failed; ``reason`` in a few words."""
    return Outcome("bad", reason)


def unable(reason: str) -> Outcome:
    """The check could not be made; ``reason`` in a few words."""
    return Outcome("unable", reason)
