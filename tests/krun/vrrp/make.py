"""Short ways to IR objects for the tests of this folder."""

from __future__ import annotations

from typing import Any

from kir.model import Address, Config, SyncGroup, VrrpInstance, VrrpScript


def vip(text: str, device: str = "eth0", **fields: Any) -> Address:
    """``192.0.2.10/24`` on ``device``."""
    address, _, prefix = text.partition("/")
    family = "inet6" if ":" in address else "inet"
    return Address(
        address=address,
        prefix=int(prefix or (128 if family == "inet6" else 32)),
        device=device,
        family=family,
        **fields,
    )


def router(name: str = "VI_1", *, vips: tuple[str, ...] = ("192.0.2.10/24",), **fields: Any) -> VrrpInstance:
    """An instance: version 2, VRID 51, priority 100, one second, unless ``fields`` say otherwise."""
    base: dict[str, Any] = {
        "interface": "eth0",
        "vrid": 51,
        "version": 2,
        "family": "inet",
        "initial_state": "BACKUP",
        "priority": 100,
        "advert_int_us": 1_000_000,
    }
    base.update(fields)
    return VrrpInstance(name=name, vips=tuple(vip(text) for text in vips), **base)


def config(
    *instances: VrrpInstance,
    groups: tuple[SyncGroup, ...] = (),
    scripts: tuple[VrrpScript, ...] = (),
    **rest: Any,
) -> Config:
    """A configuration of these."""
    return Config(vrrp_instances=instances, vrrp_sync_groups=groups, vrrp_scripts=scripts, **rest)
