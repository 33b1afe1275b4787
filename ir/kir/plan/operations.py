"""Operations: the steps of a plan. An operation is one write to the kernel, or one order to a protocol machine.

The same objects are printed by ``kcc diff`` and carried out by ``krun``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Literal

import msgspec

from kir.link_state import LinkKey, LinkParams
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


Phase = Literal["now", "after_drain"]
Connections = Literal["kept", "cut", "after_drain"]


class Operation(msgspec.Struct, frozen=True, kw_only=True, tag_field="op"):
    """What all operations have. ``reason`` says in a few words why the impact is what it is; ``seconds`` how long, at most.

    ``phase``: when it is due, ``after_drain`` once the servers that lost their weight before have no connections left, or the
    time for that is over. ``sysctls``: the settings of the kernel that decide what happens to connections (ipvs-sysctl.rst).
    """

    impact: Impact = Impact.NONE
    reason: str = ""
    seconds: float | None = None
    phase: Phase = "now"
    sysctls: tuple[str, ...] = ()

    @property
    def op(self) -> str:
        """The name in the JSON contract: ``ipvs.add_dest``."""
        return str(self.__struct_config__.tag)

    @property
    def target(self) -> str:
        raise NotImplementedError

    @property
    def connections(self) -> Connections | None:
        """What becomes of established connections to the target: of this operation's own doing. None: it has none."""
        return None

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

    @property
    def connections(self) -> Connections:
        return "kept"

    def detail(self) -> dict[str, Any]:
        return changed(self.old, self.params)


class DelService(IpvsOperation, frozen=True, kw_only=True, tag="ipvs.del_service"):
    """Removes the service and, with it, all its servers: the kernel does that in the same write."""

    dests: int = 0

    @property
    def connections(self) -> Connections | None:
        if not self.dests:
            return None
        return "after_drain" if self.phase == "after_drain" else "cut"

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

    @property
    def connections(self) -> Connections:
        return "kept"

    def detail(self) -> dict[str, Any]:
        return changed(self.old, self.params)


class DelDest(DestOperation, frozen=True, kw_only=True, tag="ipvs.del_dest"):
    @property
    def connections(self) -> Connections:
        return "after_drain" if self.phase == "after_drain" else "cut"


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
    @property
    def connections(self) -> Connections:
        return "cut"


class LinkOperation(Operation, frozen=True, kw_only=True):
    """A write to an interface that an instance has of its own: a macvlan (VMAC) or an ipvlan."""

    key: LinkKey
    params: LinkParams

    @property
    def target(self) -> str:
        return str(self.key)

    def detail(self) -> dict[str, Any]:
        return {"kind": self.key.kind, **plain(self.params)}


class AddLink(LinkOperation, frozen=True, kw_only=True, tag="link.add"):
    pass


class EditLink(LinkOperation, frozen=True, kw_only=True, tag="link.edit"):
    """Change an interface in place: its MAC address or its group (RTM_NEWLINK)."""

    fields: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {**super().detail(), "fields": list(self.fields)}


class DelLink(LinkOperation, frozen=True, kw_only=True, tag="link.del"):
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
    """An order about a tracked object. ``tracker_kind`` is its keyword: ``vrrp_script``, ``track_file``, ``vrrp_track_process``."""

    tracker: str
    tracker_kind: str = "vrrp_script"

    @property
    def target(self) -> str:
        return f"{self.tracker_kind} {self.tracker}"


class TrackerStart(TrackerOperation, frozen=True, kw_only=True, tag="tracker.start"):
    pass


class TrackerStop(TrackerOperation, frozen=True, kw_only=True, tag="tracker.stop"):
    pass


class TrackerUpdate(TrackerOperation, frozen=True, kw_only=True, tag="tracker.update"):
    fields: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields)}


class BfdOperation(Operation, frozen=True, kw_only=True):
    """An order to the BFD process about one session."""

    session: str

    @property
    def target(self) -> str:
        return self.session


class BfdStart(BfdOperation, frozen=True, kw_only=True, tag="bfd.start"):
    pass


class BfdStop(BfdOperation, frozen=True, kw_only=True, tag="bfd.stop"):
    pass


class BfdUpdate(BfdOperation, frozen=True, kw_only=True, tag="bfd.update"):
    """Timers change under a running session: a poll sequence tells the neighbour (RFC 5880 section 6.5)."""

    fields: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields)}


class BfdRestart(BfdOperation, frozen=True, kw_only=True, tag="bfd.restart"):
    """The session is another one to the neighbour: it starts anew from Down."""

    fields: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields)}


class DaemonOperation(Operation, frozen=True, kw_only=True):
    """An order to the daemon itself. ``fields`` are those of `kir.model.Global` and its parts that differ."""

    fields: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return "director"

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields)}


class DaemonUpdate(DaemonOperation, frozen=True, kw_only=True, tag="daemon.update"):
    """What the daemon takes while it runs. ``later``: those of ``fields`` that count from the next start on. ``replaces``: the processes
    that a successor takes over from.
    """

    later: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    def detail(self) -> dict[str, Any]:
        return {"fields": list(self.fields), "later": list(self.later), "replaces": list(self.replaces)}


class DaemonRestart(DaemonOperation, frozen=True, kw_only=True, tag="daemon.restart"):
    """What cannot change under a running daemon: it must be stopped and started, and a reload is refused. ``keywords``: of ``fields``."""

    keywords: tuple[str, ...] = ()


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """``value`` as plain JSON."""
    result: dict[str, Any] = msgspec.to_builtins(value)
    return result


def changed(old: msgspec.Struct, new: msgspec.Struct) -> dict[str, Any]:
    """What differs between two structs of one type: field → ``{"old": …, "new": …}``."""
    before, after = plain(old), plain(new)
    return {k: {"old": before[k], "new": after[k]} for k in after if before[k] != after[k]}
