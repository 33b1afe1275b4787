"""What all objects of the IR have in common."""

from __future__ import annotations

from typing import Annotated

import msgspec

MASK = "********"


class Model(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    gc=False,  # trees of immutable values: no cycle can be made of them, and a large configuration has a million
):
    """An immutable piece of the IR. Every field stands in the JSON: no default is left to the reader."""


class Secret(Model, frozen=True):
    """A value that no printer may show: ``repr``, ``str`` and the diff give a mask, only the codec writes it out."""

    secret: Annotated[str, msgspec.Meta(extra_json_schema={"writeOnly": True, "x-secret": True})]

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__


# Units and ranges that stand all over the model. Durations are integer microseconds.
Microseconds = Annotated[int, msgspec.Meta(ge=0)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Octet = Annotated[int, msgspec.Meta(ge=0, le=255)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
