"""``ha_suspend``: which virtual servers have their address on this host."""

from __future__ import annotations

from collections.abc import Callable

from kir.model import VirtualServer
from krun.kernel.door import AddressesAndLinks, KernelEvent, LinkChanged


class AddressWatch:
    """Follows the host's addresses and calls ``changed`` after each change of them."""

    def __init__(self, rtnetlink: AddressesAndLinks, changed: Callable[[], None]) -> None:
        self._rtnetlink = rtnetlink
        self._changed = changed
        self._present = self._read()
        rtnetlink.subscribe(self._event)

    def present(self, virtual: VirtualServer) -> bool:
        """Whether an address of ``virtual`` is on this host; a mark has no address, so its services always count as present."""
        addresses = [service.address for service in virtual.services if service.address is not None]
        return not addresses or any(address in self._present for address in addresses)

    def fileno(self) -> int:
        """What to wait on, -1: nothing."""
        return self._rtnetlink.fileno()

    def read(self) -> None:
        """Take the kernel's events; `_event` hears of each."""
        self._rtnetlink.read_events()

    def _event(self, event: KernelEvent) -> None:
        if isinstance(event, LinkChanged):
            return
        now = self._read()
        if now != self._present:
            self._present = now
            self._changed()

    def _read(self) -> frozenset[str]:
        return frozenset(key.address for key in self._rtnetlink.addresses())
