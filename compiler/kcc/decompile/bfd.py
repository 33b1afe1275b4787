"""``bfd_instance``."""

from __future__ import annotations

from kcc.decompile.words import Unprintable, duration
from kcc.decompile.writer import Writer
from kir.model import BfdInstance

__all__ = ["print_bfd"]

_TTL = {"inet": 255, "inet6": 64}


def print_bfd(b: BfdInstance, out: Writer) -> None:
    """One session. Its weight was resolved into the lines that use it."""
    with out.section("bfd_instance", b.name):
        out.say("neighbor_ip", b.neighbor)
        out.setting("source_ip", b.source)
        for keyword, us, default in (
            ("min_rx", b.min_rx_us, 10_000),
            ("min_tx", b.min_tx_us, 10_000),
            ("idle_tx", b.idle_tx_us, 1_000_000),
        ):
            out.setting(keyword, duration(us * 1000), duration(default * 1000))  # milliseconds
        out.setting("multiplier", b.multiplier, 5)
        out.flag("passive", b.passive)
        out.setting("ttl", b.ttl, _TTL[b.family])
        out.setting("max_hops", b.max_hops, 0)
        out.flag("multihop", b.multihop)
        if not (b.vrrp or b.checker):
            raise Unprintable(f"the session {b.name} tells nobody of its state")
        out.flag("vrrp", not b.checker)
        out.flag("checker", not b.vrrp)
