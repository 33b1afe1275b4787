"""From 0.9, the format of the pre-releases, to 1.0.

What changed: ``global`` became ``global_defs``; every duration in milliseconds (``…_ms``) became integer microseconds
(``…_us``); VIPs written as ``"192.0.2.1/24"`` became objects with their device, by default that of the instance; a password
became a marked secret; features and origins did not exist.
"""

from __future__ import annotations

from typing import Any


def to_1_0(raw: dict[str, Any]) -> dict[str, Any]:
    """The document in the shape of 1.0. Raises KeyError, TypeError or ValueError where it is not a 0.9 document."""
    config = _durations(dict(raw["config"]))
    if "global" in config:
        config["global_defs"] = config.pop("global")
    config["vrrp_instances"] = [_instance(dict(i)) for i in config.get("vrrp_instances", [])]
    return {"kir": "1.0", "features": [], "digest": raw["digest"], "config": config}


def _durations(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            (f"{k[:-3]}_us" if k.endswith("_ms") else k): (
                round(v * 1000) if k.endswith("_ms") else _durations(v)
            )
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [_durations(v) for v in value]
    return value


def _instance(instance: dict[str, Any]) -> dict[str, Any]:
    for name in ("vips", "excluded_vips"):
        instance[name] = [_vip(v, instance["interface"]) for v in instance.get(name, [])]
    auth = instance.get("authentication")
    if auth is not None:
        instance["authentication"] = {"type": auth["type"], "password": {"secret": auth["password"]}}
    return instance


def _vip(vip: str | dict[str, Any], device: str) -> dict[str, Any]:
    if isinstance(vip, dict):
        return {"device": device, **vip}
    address, _, prefix = vip.partition("/")
    v6 = ":" in address
    return {
        "address": address,
        "prefix": int(prefix) if prefix else (128 if v6 else 32),
        "device": device,
        "family": "inet6" if v6 else "inet",
        # Version 0.9 had no way to say it: IPv6 VIPs were always added without duplicate address detection.
        "nodad": v6,
    }
