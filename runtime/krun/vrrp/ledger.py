"""Which instance holds which address, and what the kernel has of them.

An address belongs to the director: it is removed when no instance holds it any more, and an address that goes from one instance to
another is never taken off the interface.
"""

from __future__ import annotations

from collections.abc import Iterable

from kir.model import Address
from kir.plan.addresses import plan_addresses
from kir.plan.operations import AddAddress, AddressOperation, DelAddress, ReplaceAddress
from kir.state import AddressKey, AddressTable, address_key


class Ledger:
    """``have``: what is on the interfaces of what is ours. ``held``: by instance, what it wants there."""

    def __init__(self) -> None:
        self.have: AddressTable = {}
        self.held: dict[str, AddressTable] = {}
        self._wanted: dict[AddressKey, dict[str, Address]] = {}
        self._dirty: dict[AddressKey, None] = {}

    def wanted(self, key: AddressKey) -> Address | None:
        """What should be there under ``key``; None: nothing of ours."""
        holders = self._wanted.get(key)
        return next(iter(holders.values())) if holders else None

    def holders(self, key: AddressKey) -> tuple[str, ...]:
        """The instances that hold an address."""
        return tuple(self._wanted.get(key, ()))

    def take(self, instance: str, addresses: Iterable[Address]) -> None:
        """The instance wants exactly these from now on."""
        table = {address_key(address): address for address in addresses}
        self._release(instance, keep=table)
        self.held[instance] = table
        for key, address in table.items():
            self._wanted.setdefault(key, {})[instance] = address
            self._dirty[key] = None

    def release(self, instance: str, addresses: Iterable[Address] = ()) -> None:
        """The instance wants none; ``addresses`` are those that it may have left from an earlier life."""
        self._release(instance, keep={})
        self.held.pop(instance, None)
        for address in addresses:
            self._dirty[address_key(address)] = None

    def _release(self, instance: str, keep: AddressTable) -> None:
        for key in self.held.get(instance, ()):
            if key not in keep:
                holders = self._wanted.get(key, {})
                holders.pop(instance, None)
                if not holders:
                    self._wanted.pop(key, None)
                self._dirty[key] = None

    def rename(self, old: str, new: str) -> None:
        """The instance has another name; nothing else changes."""
        table = self.held.pop(old, None)
        if table is None:
            return
        self.held[new] = table
        for key in table:
            holders = self._wanted[key]
            self._wanted[key] = {new if name == old else name: value for name, value in holders.items()}

    def plan(self) -> tuple[AddressOperation, ...]:
        """The writes that bring the kernel in line with everything taken and released since the last call.

        They are booked as done; `lost` takes one back.
        """
        keys, self._dirty = self._dirty, {}
        have = {key: self.have[key] for key in keys if key in self.have}
        want = {key: wanted for key in keys if (wanted := self.wanted(key)) is not None}
        operations = tuple(plan_addresses(have, want))
        for operation in operations:
            key = address_key(operation.address)
            if isinstance(operation, AddAddress | ReplaceAddress):
                self.have[key] = operation.address
            elif isinstance(operation, DelAddress):
                self.have.pop(key, None)
        return operations

    def lost(self, key: AddressKey) -> None:
        """The address is not there (any more): removed by somebody else, or the kernel refused it."""
        self.have.pop(key, None)

    def again(self, key: AddressKey) -> None:
        """Consider the address at the next `plan`."""
        self._dirty[key] = None
