"""Which instance holds which address, and what the kernel has of them."""

from __future__ import annotations

from kir.model import Address
from kir.plan.addresses import plan_addresses
from kir.plan.operations import AddAddress, AddressOperation, DelAddress, ReplaceAddress
from kir.state import AddressKey, address_key
from krun.vrrp.book import Book


class Ledger(Book[AddressKey, Address]):
    """Addresses on the interfaces."""

    def __init__(self) -> None:
        super().__init__(address_key)

    def not_done(self, operation: AddressOperation, words: str) -> bool:
        """The kernel did not do it: what was to be added is not there, what was to be deleted still is. Returns whether that is news."""
        key = address_key(operation.address)
        if isinstance(operation, DelAddress):
            self.have[key] = operation.address
            return True
        return self.refused(key, words)

    def plan(self) -> tuple[AddressOperation, ...]:
        """The writes that bring the kernel in line with everything taken and released since the last call.

        They are booked as done; `lost` takes one back.
        """
        keys = self.drain()
        have = {key: self.have[key] for key in keys if key in self.have}
        operations = tuple(plan_addresses(have, self.want_of(keys)))
        for operation in operations:
            key = address_key(operation.address)
            if isinstance(operation, AddAddress | ReplaceAddress):
                self.have[key] = operation.address
            elif isinstance(operation, DelAddress):
                self.have.pop(key, None)
        return operations
