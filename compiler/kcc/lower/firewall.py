"""Where the filters of VRRP go: an nftables table, or iptables chains with ipsets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kir.model import Ipsets, Iptables, Nftables

if TYPE_CHECKING:
    from kcc.language.parsed import Field
    from kcc.lower.scope import Scope

DEFAULT = "keepalived"
NAME_MAX = 30
_SUFFIXES = ("", "6", "_if6", "_igmp", "_mld", "_nd")


def firewall(fields: dict[str, Field], scope: Scope) -> tuple[Nftables | None, Iptables | None]:
    """The table and the chains of the global settings; of both, keepalived takes nftables."""
    said = fields.get("nftables")
    chains = fields.get("vrrp_iptables")
    table: Nftables | None = None
    options = [
        fields[n] for n in ("nftables_priority", "nftables_ifindex", "nftables_counters") if n in fields
    ]
    if said is not None or options:
        priority = fields.get("nftables_priority")
        table = Nftables(
            table=said.value if said is not None and isinstance(said.value, str) else DEFAULT,
            priority=-1 if priority is None else priority.value,
            ifindex="nftables_ifindex" in fields,
            counters="nftables_counters" in fields,
        )
    sets = fields.get("vrrp_ipsets")
    if chains is None:
        if sets is not None:
            scope.say(
                "KC0406",
                "`vrrp_ipsets` without `vrrp_iptables`",
                sets,
                consequence="keepalived ignores it",
                help="add `vrrp_iptables`, or remove the line",
            )
        return table, None
    if said is not None:
        return table, None  # the contradiction has been said where it stands
    names: tuple[str, ...] = chains.value
    if len(names) > 1 and names[0] == names[1]:
        scope.say(
            "KC0407",
            f"`vrrp_iptables` names {names[0]} for both directions",
            chains,
            consequence="keepalived ignores it",
            help="write two chains, or one for the packets that come in",
        )
        return table, None
    return table, Iptables(
        input=names[0] if names else "INPUT",
        output=names[1] if len(names) > 1 else None if names else "OUTPUT",
        ipsets=_ipsets(sets),
    )


def _ipsets(said: Field | None) -> Ipsets | None:
    """The names of the sets: those that are left out come from the first one; none at all: no sets are used."""
    if said is None:
        return Ipsets()
    words: tuple[str, ...] = said.value
    if not words:
        return None
    names = [*words[:6]]
    names += [f"{words[0]}{suffix}"[:NAME_MAX] for suffix in _SUFFIXES[len(names) :]]
    return Ipsets(
        address=names[0],
        address6=names[1],
        address_if6=names[2],
        igmp=names[3],
        mld=names[4],
        nd=names[5],
    )
