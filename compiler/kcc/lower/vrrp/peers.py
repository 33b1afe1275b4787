"""Unicast: to whom adverts go instead of the multicast group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Severity
from kcc.lower.vrrp.identity import family_name, family_of
from kir.model import Peer

if TYPE_CHECKING:
    from kcc.lower.vrrp.draft import Draft
    from kcc.syntax.tree import Statement


def settle_peers(draft: Draft) -> bool:
    """The peers, and whether the instance is a unicast one. False: keepalived refuses to start with this instance."""
    node = draft.node
    lines = node.all_lines("unicast_peer")
    seen: dict[str, Statement] = {}
    draft.check_unicast_src = draft.get("check_unicast_src", draft.scope.defaults.check_unicast_src)
    draft.fault_no_peer = draft.get("unicast_fault_no_peer", False)
    for line in lines:
        peer = line.value
        if family_of(peer.address) != draft.family:
            draft.say(
                "KC0524",
                f"`{draft.name}` is an {family_name(draft.family)} router: {peer.address} cannot be its peer",
                line.statement,
                consequence="keepalived drops the peer: it gets no adverts, and will become master beside this one",
                help=f"write the peer's {family_name(draft.family)} address",
            )
            continue
        if peer.address in seen:
            draft.say(
                "KC0524",
                f"`{draft.name}`: peer {peer.address} is given twice",
                line.statement,
                consequence="keepalived ignores the second line",
                help="remove one of the lines",
                severity=draft.scope.since("2.3.3"),
                also=((seen[peer.address], "it is given here first"),),
            )
            continue
        seen[peer.address] = line.statement
        low = 0 if peer.min_ttl is None else peer.min_ttl
        high = 255 if peer.max_ttl is None else peer.max_ttl
        if peer.min_ttl is not None or peer.max_ttl is not None:
            draft.check_unicast_src = True
        if low > high:
            draft.say(
                "KC0524",
                f"`{draft.name}`: peer {peer.address} has `min_ttl` {low} above `max_ttl` {high}",
                line.statement,
                consequence="every advert of this peer is dropped: both directors will be master",
                help="swap the two numbers",
            )
        draft.peers.append(Peer(address=peer.address, min_ttl=low, max_ttl=high))
        draft.scope.nodes[f"{draft.path}/unicast_peer/{peer.address}"] = line.statement
    return _settle_mode(draft, bool(lines))


def _settle_mode(draft: Draft, listed: bool) -> bool:
    node = draft.node
    blocks = node.children("unicast_peer")
    keyword = blocks[0] if blocks else node.fields.get("unicast_src_ip")
    draft.unicast = bool(draft.peers)
    if keyword is not None and not draft.peers:
        if draft.fault_no_peer:
            draft.unicast = True
            draft.say(
                "KC0516",
                f"`{draft.name}` has no unicast peers",
                keyword,
                consequence=f"`unicast_fault_no_peer` keeps it in FAULT; this director never holds {draft.vip_text()}",
                help="list the other directors in `unicast_peer { … }`",
                severity=Severity.WARNING,
            )
        else:
            what = (
                "`unicast_peer` lists no usable peer"
                if listed or blocks
                else "`unicast_src_ip` without `unicast_peer`"
            )
            draft.say(
                "KC0516",
                f"`{draft.name}`: {what}",
                keyword,
                consequence="keepalived falls back to multicast: in networks without multicast every director is master",
                help="list the other directors in `unicast_peer { … }`, or use `mcast_src_ip` where multicast is meant",
            )
    for name in ("check_unicast_src", "old_unicast_checksum"):
        if keyword is None and name in node.fields:
            draft.say(
                "KC0516",
                f"`{draft.name}`: `{name}` without `unicast_peer`",
                node.fields[name],
                consequence="it works as a multicast instance, and `keepalived -t` fails",
                help="remove the line, or list the other directors in `unicast_peer { … }`",
                severity=Severity.WARNING,
            )
            break
    said = node.fields.get("unicast_ttl")
    if said is not None and not draft.unicast:
        draft.say(
            "KC0517",
            f"`{draft.name}` has no unicast peers: `unicast_ttl` has no effect",
            said,
            consequence="keepalived resets it; multicast adverts always leave with 255",
            help="remove the line, or add `unicast_peer { … }`",
        )
    elif draft.unicast:
        draft.ttl = said.value if said is not None else 255 if draft.family == "inet" else None
    if draft.strict and draft.unicast and node.has("interface"):
        draft.say(
            "KC0518",
            f"`{draft.name}`: strict mode does not allow unicast peers",
            keyword if keyword is not None else node,
            consequence="keepalived refuses to start on an interface that can do multicast",
            help="switch strict mode off (`strict_mode off`), or remove `unicast_peer`",
            also=draft.strictly(),
            severity=draft.scope.since("2.2.8"),
        )
    return True
