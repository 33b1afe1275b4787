"""Operations: the steps of a plan. An operation is one write to the kernel, or one order to a protocol machine.

The same objects are printed by ``kcc diff`` and carried out by ``krun``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from kir.model import Address, Service
from kir.state import DestKey, DestParams, ServiceParams


class Impact(IntEnum):
    """What a step does to traffic, in rising order."""

    NONE = 0
    HITLESS = 1
    DEGRADED = 2
    FAILOVER = 3
    OUTAGE = 4

    @property
    def word(self) -> str:
        return self.name.lower()


class Operation(msgspec.Struct, frozen=True, kw_only=True, tag_field="op"):
    """What all operations have. ``reason`` says in a few words why the impact is what it is; ``seconds`` how long, at most."""

    impact: Impact = Impact.NONE
    reason: str = ""
    seconds: float | None = None

    @property
    def op(self) -> str:
        """The name in the JSON contract: ``ipvs.add_dest``."""
        return str(self.__struct_config__.tag)

    @property
    def target(self) -> str:
        raise NotImplementedError

    def detail(self) -> dict[str, Any]:
        """The parameters of the step, plain JSON, without impact and target."""
        return {}


class IpvsOperation(Operation, frozen=True, kw_only=True):
    """A write to the IPVS table."""

    service: Service

    @property
    def target(self) -> str:
        return self.service.identity


class AddService(IpvsOperation, frozen=True, kw_only=True, tag="ipvs.add_service"):
    params: ServiceParams

    def detail(self) -> dict[str, Any]:
        return plain(self.params)


class EditService(IpvsOperation, frozen=True, kw_only=True, tag="ipvs.edit_service"):
    params: ServiceParams
    old: ServiceParams

    def detail(self) -> dict[str, Any]:
        return changed(self.old, self.params)


class DelService(IpvsOperation, frozen=True, kw_only=True, tag="ipvs.del_service"):
    """Removes the service and, with it, all its servers: the kernel does that in the same write."""

    dests: int = 0

    def detail(self) -> dict[str, Any]:
        return {"real_servers": self.dests}


class DestOperation(IpvsOperation, frozen=True, kw_only=True):
    dest: DestKey

    @property
    def target(self) -> str:
        return f"{self.service.identity} -> {self.dest}"


class AddDest(DestOperation, frozen=True, kw_only=True, tag="ipvs.add_dest"):
    params: DestParams

    def detail(self) -> dict[str, Any]:
        return plain(self.params)


class EditDest(DestOperation, frozen=True, kw_only=True, tag="ipvs.edit_dest"):
    params: DestParams
    old: DestParams

    def detail(self) -> dict[str, Any]:
        return changed(self.old, self.params)


class DelDest(DestOperation, frozen=True, kw_only=True, tag="ipvs.del_dest"):
    pass


class AddressOperation(Operation, frozen=True, kw_only=True):
    """A write to the addresses of the host."""

    address: Address

    @property
    def target(self) -> str:
        return self.address.identity

    def detail(self) -> dict[str, Any]:
        return {"family": self.address.family}


class AddAddress(AddressOperation, frozen=True, kw_only=True, tag="ip.add_address"):
    pass


class ReplaceAddress(AddressOperation, frozen=True, kw_only=True, tag="ip.replace_address"):
    """Change flags or lifetime of an address in place (RTM_NEWADDR with NLM_F_REPLACE)."""


class DelAddress(AddressOperation, frozen=True, kw_only=True, tag="ip.del_address"):
    pass


class VrrpOperation(Operation, frozen=True, kw_only=True):
    """An order to the VRRP process about one instance."""

    instance: str

    @property
    def target(self) -> str:
        return self.instance


class VrrpStart(VrrpOperation, frozen=True, kw_only=True, tag="vrrp.start"):
    pass


class VrrpStop(VrrpOperation, frozen=True, kw_only=True, tag="vrrp.stop"):
    pass


class VrrpUpdate(VrrpOperation, frozen=True, kw_only=True, tag="vrrp.update"):
    """Parameters change under a running machine: its state stays. ``fields`` are the names of what changed."""

    fields: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields)}


class VrrpRestart(VrrpOperation, frozen=True, kw_only=True, tag="vrrp.restart"):
    """The identity on the wire changes: the machine starts anew from BACKUP."""

    fields: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields)}


class CheckerOperation(Operation, frozen=True, kw_only=True):
    """An order to the checker process. ``checker`` is kind and position: ``TCP_CHECK 0``."""

    virtual_server: str
    real_server: str
    checker: str

    @property
    def target(self) -> str:
        return f"{self.virtual_server} -> {self.real_server} {self.checker}"


class CheckerStart(CheckerOperation, frozen=True, kw_only=True, tag="checker.start"):
    pass


class CheckerStop(CheckerOperation, frozen=True, kw_only=True, tag="checker.stop"):
    pass


class CheckerUpdate(CheckerOperation, frozen=True, kw_only=True, tag="checker.update"):
    fields: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields)}


class TrackerOperation(Operation, frozen=True, kw_only=True):
    """An order about a tracked object, a ``vrrp_script`` so far."""

    tracker: str

    @property
    def target(self) -> str:
        return self.tracker


class TrackerStart(TrackerOperation, frozen=True, kw_only=True, tag="tracker.start"):
    pass


class TrackerStop(TrackerOperation, frozen=True, kw_only=True, tag="tracker.stop"):
    pass


class TrackerUpdate(TrackerOperation, frozen=True, kw_only=True, tag="tracker.update"):
    fields: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields)}


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """``value`` as plain JSON."""
    result: dict[str, Any] = msgspec.to_builtins(value)
    return result


def changed(old: msgspec.Struct, new: msgspec.Struct) -> dict[str, Any]:
    """What differs between two structs of one type: field → ``{"old": …, "new": …}``."""
    before, after = plain(old), plain(new)
    return {k: {"old": before[k], "new": after[k]} for k in after if before[k] != after[k]}
