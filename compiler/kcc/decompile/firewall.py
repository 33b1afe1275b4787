"""Where the filters of VRRP go: an nftables table, or iptables chains with ipsets."""

from __future__ import annotations

from kcc.decompile.words import Unprintable
from kcc.decompile.writer import Writer
from kir.model import Global, Ipsets, Iptables, Nftables

__all__ = ["print_firewall"]


def print_firewall(g: Global, out: Writer) -> None:
    """Both, where the IR has both: then the table is not named, for its name would win over the chains."""
    if g.nftables is not None:
        _nftables(g.nftables, named=g.iptables is None, out=out)
    if g.iptables is not None:
        _iptables(g.iptables, out)


def _nftables(n: Nftables, *, named: bool, out: Writer) -> None:
    if named:
        out.say("nftables", *([] if n.table == "keepalived" else [n.table]))
    elif n.table != "keepalived":
        raise Unprintable(f"of the table {n.table} and iptables chains keepalived takes the table")
    out.setting("nftables_priority", n.priority, -1 if named else None)
    out.flag("nftables_ifindex", n.ifindex)
    out.flag("nftables_counters", n.counters)


def _iptables(t: Iptables, out: Writer) -> None:
    if t.input == t.output:
        raise Unprintable(f"the iptables chain {t.input} cannot be for both directions")
    chains = [t.input] if t.output is None else [t.input, t.output]
    out.say("vrrp_iptables", *([] if chains == ["INPUT", "OUTPUT"] else chains))
    if t.ipsets is None:
        out.raw("vrrp_ipsets")
    elif t.ipsets != Ipsets():
        s = t.ipsets
        out.say("vrrp_ipsets", s.address, s.address6, s.address_if6, s.igmp, s.mld, s.nd)
