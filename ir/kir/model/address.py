"""An IP address that a director puts on an interface."""

from __future__ import annotations

from kir.model.base import U32, Model


class Address(Model, frozen=True):
    """A VIP or a static address, as rtnetlink takes it (rtnetlink(7), linux/if_addr.h).

    ``address`` is canonical text, ``prefix`` its length, ``device`` the interface: the three are its identity.
    ``scope`` is an rt_scope number. ``broadcast`` and ``peer`` are addresses. ``preferred_lft_s`` None means forever.
    ``nodad`` skips duplicate address detection (IPv6). ``track`` False (``no_track``): its deletion by others does not matter.
    ``use_vmac``: it is put on a VMAC of its interface.
    """

    address: str
    prefix: int
    device: str
    family: str  # "inet" | "inet6"
    scope: int = 0
    broadcast: str | None = None
    label: str | None = None
    peer: str | None = None
    home: bool = False
    nodad: bool = False
    mngtmpaddr: bool = False
    noprefixroute: bool = False
    autojoin: bool = False
    preferred_lft_s: U32 | None = None
    track: bool = True
    track_group: str | None = None
    use_vmac: bool = False

    @property
    def identity(self) -> str:
        return f"{self.address}/{self.prefix} dev {self.device}"
