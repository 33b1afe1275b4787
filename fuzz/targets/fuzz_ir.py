"""The IR loader: any bytes give a document or an `IrError`, and what was loaded is written and loaded again unchanged."""

from __future__ import annotations

from kir.codec import IrError, dumps, loads


def one_input(data: bytes) -> None:
    try:
        doc = loads(data, "fuzz")
    except IrError as e:
        if not str(e).startswith("fuzz: "):
            raise AssertionError(f"a refusal without a name: {e}") from e
        return
    again = loads(dumps(doc), "fuzz")
    if again.digest != doc.digest or again.config != doc.config:
        raise AssertionError("what was written is not what was read")
