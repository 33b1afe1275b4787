"""The published JSON Schema of the IR (2020-12)."""

from __future__ import annotations

from typing import Any

import msgspec

from kir.codec import Envelope
from kir.versions import CURRENT


def schema() -> dict[str, Any]:
    """The schema of the whole document, in the version that this release writes."""
    body: dict[str, Any] = msgspec.json.schema(Envelope)
    envelope = body["$defs"].pop("Envelope")
    envelope["properties"]["kir"] = {"type": "string", "const": CURRENT}
    envelope["properties"]["digest"] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
    envelope["required"] = ["kir", "features", "digest", "config"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kir:{CURRENT}",
        **envelope,
        "title": f"kir {CURRENT}: the intermediate representation of keepalived.conf",
        "$defs": body["$defs"],
    }
