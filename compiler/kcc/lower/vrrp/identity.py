"""Which virtual router it is: family, version, interface, source and destination of its adverts, state and priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.lower.scope import before, wrote

if TYPE_CHECKING:
    from kcc.language.parsed import Field
    from kcc.lower.vrrp.draft import Draft

_NAMES = {"inet": "IPv4", "inet6": "IPv6"}


def family_of(address: str) -> str:
    """``inet`` or ``inet6`` of canonical address text."""
    return "inet6" if ":" in address else "inet"


def family_name(family: str) -> str:
    return _NAMES[family]


def settle_family(draft: Draft) -> None:
    """The first address of ``virtual_ipaddress``, or a source or group address in front of it, fixes the family."""
    node = draft.node
    vips = node.all_lines("virtual_ipaddress")
    first: Field | None = vips[0] if vips else None
    family = first.value.family if first is not None else None
    for name in ("native_ipv6", "mcast_src_ip", "unicast_src_ip", "mcast_dst_ip"):
        said = node.fields.get(name)
        if said is None or (first is not None and not before(said.statement, first.statement)):
            continue
        family = "inet6" if name == "native_ipv6" else family_of(said.value)
        first = said
    if family is None:
        peers = node.all_lines("unicast_peer")
        family = family_of(peers[0].value.address) if peers else "inet"
    draft.family = family


def settle_version(draft: Draft) -> None:
    """IPv6 is version 3 unless something else is said; IPv4 takes ``vrrp_version``."""
    said = draft.get("version")
    draft.strict = draft.get("strict_mode", draft.scope.defaults.strict)
    if draft.family == "inet6":
        draft.version = said or 3
        if draft.version == 2 and draft.strict:
            draft.say(
                "KC0504",
                f"`{draft.name}`: version 2 does not exist for IPv6",
                draft.at("version"),
                consequence="in strict mode keepalived uses version 3; a peer that stays at version 2 refuses its adverts",
                help="write `version 3`, or leave the line out",
                also=draft.strictly(),
            )
            draft.version = 3
    else:
        draft.version = said or draft.scope.defaults.version


def settle_state(draft: Draft) -> None:
    """Priority and first state complete each other; in strict mode only the address owner starts as MASTER."""
    state = draft.get("state")
    draft.priority = draft.get("priority", 255 if state == "MASTER" else 100)
    draft.state = state or ("MASTER" if draft.owner else "BACKUP")
    if draft.strict and (draft.state == "MASTER") != draft.owner:
        follows = "MASTER" if draft.owner else "BACKUP"
        draft.say(
            "KC0510",
            f"`{draft.name}`: in strict mode `state {draft.state}` contradicts priority {draft.priority}",
            draft.at("state", "priority"),
            consequence=f"keepalived starts it as {follows}: only the address owner (priority 255) starts as MASTER",
            help=f"write `state {follows}`"
            + ("" if draft.owner else ", or give the address owner `priority 255`"),
            also=draft.strictly(),
        )
        draft.state = follows


def settle_link(draft: Draft) -> bool:
    """Interface, source and destination. False: keepalived refuses to start with this instance."""
    node = draft.node
    draft.interface = draft.get("interface", "")
    draft.source = _source(draft)
    multicast = draft.scope.defaults.group6 if draft.family == "inet6" else draft.scope.defaults.group4
    draft.multicast = multicast
    said = node.fields.get("mcast_dst_ip")
    if said is not None:
        if draft.unicast:
            draft.say(
                "KC0517",
                f"`{draft.name}` has unicast peers: `mcast_dst_ip` has no effect",
                said,
                consequence="keepalived ignores it; adverts go to the peers only",
                help="remove `mcast_dst_ip`, or remove `unicast_peer`",
            )
        elif family_of(said.value) != draft.family:
            draft.say(
                "KC0525",
                f"`{draft.name}` is an {family_name(draft.family)} router: {said.value} is of the other family",
                said,
                consequence=f"keepalived ignores `mcast_dst_ip`; adverts go to {multicast}",
                help=f"use an {family_name(draft.family)} multicast group",
            )
        else:
            draft.multicast = said.value
    if draft.interface or (draft.unicast and node.has("vrf")):
        return True
    return _without_interface(draft)


def _source(draft: Draft) -> str | None:
    """The configured source address of adverts; one of the other family is ignored."""
    for name in ("unicast_src_ip", "mcast_src_ip"):
        said = draft.node.fields.get(name)
        if said is None:
            continue
        if family_of(said.value) == draft.family:
            return str(said.value)
        draft.say(
            "KC0525",
            f"`{draft.name}` is an {family_name(draft.family)} router: {said.value} cannot be its source address",
            said,
            consequence=f"keepalived ignores `{name}`; adverts leave with the interface's own address",
            help=f"write an {family_name(draft.family)} address of this director, or remove the line",
        )
    return None


def _without_interface(draft: Draft) -> bool:
    import ipaddress

    start = "keepalived refuses to start"
    if wrote(draft.node, "interface"):
        return False
    if not draft.unicast:
        draft.say(
            "KC0502",
            f"`{draft.name}` has no `interface`",
            consequence=f"{start}; no instance of this file runs, and nobody here will hold {draft.vip_text()}",
            help="add `interface NAME`: the link on which its adverts are sent",
        )
        return False
    if draft.source is None:
        draft.say(
            "KC0502",
            f"`{draft.name}` has neither `interface` nor `unicast_src_ip`",
            consequence=f"{start}: adverts would have no source address",
            help="add `interface NAME`, or the address that adverts leave from as `unicast_src_ip`",
        )
        return False
    if draft.family == "inet6" and ipaddress.ip_address(draft.source).is_link_local:
        draft.say(
            "KC0502",
            f"`{draft.name}`: a link-local source address needs an `interface`",
            draft.at("unicast_src_ip"),
            consequence=f"{start}: {draft.source} exists on every link",
            help="add `interface NAME`",
        )
        return False
    if draft.scope.target == "krun":
        draft.say(
            "KC0502",
            f"`{draft.name}` has no `interface`: krun needs one",
            consequence="krun cannot run this instance",
            help="add `interface NAME`: the link that holds the address of `unicast_src_ip`",
        )
        return False
    return True
