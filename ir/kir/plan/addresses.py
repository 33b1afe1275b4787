"""Which addresses the director should hold, and the smallest safe way there.

An address belongs to the director, not to an instance: an address that moves between instances is no operation.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from socket import inet_aton

import msgspec

from kir.model import Address, Config, VrrpInstance
from kir.plan.operations import AddAddress, AddressOperation, DelAddress, Impact, ReplaceAddress
from kir.state import AddressKey, AddressTable, address_key

IN_PLACE = {
    "inet": frozenset({"preferred_lft_s"}),
    "inet6": frozenset({"preferred_lft_s", "noprefixroute", "home", "nodad", "mngtmpaddr"}),
}
"""What RTM_NEWADDR with NLM_F_REPLACE changes, as measured (for IPv4 it takes ``noprefixroute`` and changes nothing); the rest
needs a new address."""

NOT_KERNEL = frozenset({"track", "track_group"})
"""Fields that say how krun treats an address; the kernel knows nothing of them."""


def instance_addresses(instance: VrrpInstance) -> Iterable[Address]:
    """All addresses that the master of ``instance`` holds, in the order in which they are added."""
    yield from instance.vips
    yield from instance.excluded_vips


def desired_addresses(config: Config, masters: Container[str] | None = None) -> AddressTable:
    """The static addresses, and those of the instances named in ``masters`` (None: this director is master of all)."""
    table = {address_key(a): a for a in config.static_addresses}
    for instance in config.vrrp_instances:
        if masters is None or instance.name in masters:
            table.update((address_key(a), a) for a in instance_addresses(instance))
    return table


def differing(old: Address, new: Address) -> frozenset[str]:
    """The fields that matter to the kernel and differ."""
    before, after = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    return frozenset(k for k in after if before[k] != after[k] and k not in NOT_KERNEL)


def plan_addresses(
    have: AddressTable, want: AddressTable, present: Collection[AddressKey] | None = None
) -> list[AddressOperation]:
    """The operations that turn ``have`` into ``want``: add before delete, an edit in place where the kernel has one.

    ``present``: the addresses that the kernel really holds, where that is known: what is there is not added again, what is
    not there is not deleted.
    """
    adds: list[AddressOperation] = []
    edits: list[AddressOperation] = []
    removes: list[AddressOperation] = []
    for key, address in want.items():
        old = have.get(key)
        if present is not None and key not in present:
            adds.append(_add(address))
            continue
        if old is None:
            if present is None:
                adds.append(_add(address))
            continue
        changes = differing(old, address)
        if not changes:
            continue
        if changes <= IN_PLACE[address.family]:
            edits.append(ReplaceAddress(address=address, impact=Impact.HITLESS, reason="changed in place"))
        else:
            edits.append(
                DelAddress(
                    address=old,
                    impact=Impact.FAILOVER,
                    reason=f"the kernel cannot change {', '.join(sorted(changes))} in place"
                    + _secondaries(old, want),
                )
            )
            edits.append(_add(address))
    for key, old in have.items():
        if key not in want and (present is None or key in present):
            removes.append(
                DelAddress(
                    address=old,
                    impact=Impact.OUTAGE,
                    reason="the address is gone: connections to it are cut" + _secondaries(old, want),
                )
            )
    return adds + edits + removes


def _secondaries(gone: Address, want: AddressTable) -> str:
    """Where other addresses hang on it, what becomes of them: IPv4 addresses of one subnet hang on the first of them (ip-sysctl.rst).

    krun keeps them (`krun.kernel.secondaries`); whoever does the same by hand should know.
    """
    if gone.family != "inet" or gone.prefix == 32:
        return ""
    subnet = _subnet(gone)
    for other in want.values():
        if (
            (other.device, other.prefix, other.family) == (gone.device, gone.prefix, "inet")
            and other.address != gone.address
            and _subnet(other) == subnet
        ):
            return (
                f"; {other.address} stays, which the kernel alone would drop with the first address of its subnet "
                f"unless net.ipv4.conf.{gone.device}.promote_secondaries is 1"
            )
    return ""


def _subnet(address: Address) -> int:
    """The network part of an IPv4 address, as a number."""
    return int.from_bytes(inet_aton(address.address), "big") >> (32 - address.prefix)


def _add(address: Address) -> AddAddress:
    return AddAddress(address=address, impact=Impact.HITLESS, reason="a new address")
