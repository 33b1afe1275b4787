"""Decisions as plain data, alike whether they were recorded or made again; without secrets, and without what is only a copy of the
configuration."""

from __future__ import annotations

from typing import Any

import msgspec

from krun.record.masks import Masks, decode64, encode64


def vrrp(kind: str, body: dict[str, Any], masks: Masks) -> dict[str, Any]:
    """An effect (`krun.vrrp.effects`) of the class ``kind``; ``body`` is its JSON."""
    if kind == "Transmit":
        family = str(body["endpoint"][1])
        datagrams = [
            {**one, "pdu": encode64(masks.pdu(decode64(one["pdu"]), family))} for one in body["datagrams"]
        ]
        return {"do": kind, **body, "datagrams": datagrams}
    if kind == "TellOutside":
        return {"do": kind, **{name: value for name, value in body.items() if name != "notify"}}
    if kind == "Remember" and body["value"] is not None:
        return {"do": kind, "key": body["key"], "value": msgspec.json.decode(decode64(body["value"]))}
    return {"do": kind, **body}


def plain(thing: Any) -> Any:
    """As JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(thing))
