"""Which virtual router it is: family, version, interface, source and destination of its adverts, state and priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Severity
from kcc.lower.scope import before, wrote
from kcc.syntax.tree import Block

if TYPE_CHECKING:
    from kcc.lower.vrrp.draft import Draft
    from kcc.syntax.tree import Statement

_NAMES = {"inet": "IPv4", "inet6": "IPv6"}


def family_of(address: str) -> str:
    """``inet`` or ``inet6`` of canonical address text."""
    return "inet6" if ":" in address else "inet"


def family_name(family: str) -> str:
    return _NAMES[family]


_FIXES_FAMILY = ("native_ipv6", "mcast_src_ip", "unicast_src_ip", "mcast_dst_ip", "use_ipvlan")


def settle_family(draft: Draft) -> None:
    """The first address in the text fixes the family: a virtual one, a peer, the source or the group."""
    node = draft.node
    named = [name for name in _FIXES_FAMILY if name in node.fields]
    if "use_ipvlan" in named and node.fields["use_ipvlan"].value.address is None:
        named.remove("use_ipvlan")
    vips = node.all_lines("virtual_ipaddress")
    if not named and vips:
        peers = node.all_lines("unicast_peer")
        first = vips[0] if not peers or before(vips[0].statement, peers[0].statement) else peers[0]
        draft.family, draft.family_at = family_of(first.value.address), first.statement
        return
    lists = [node.all_lines("unicast_peer"), vips]
    found = [(line.statement, family_of(line.value.address)) for lines in lists for line in lines[:1]]
    for name in named:
        said = node.fields[name]
        address = said.value.address if name == "use_ipvlan" else said.value
        found.append((_first(draft, name), "inet6" if name == "native_ipv6" else family_of(address)))
    first_said: Statement | None = None
    for statement, family in found:
        if first_said is None or before(statement, first_said):
            first_said, draft.family = statement, family
    draft.family_at = first_said
    if "native_ipv6" in named and draft.family == "inet" and first_said is not None:
        draft.say(
            "KC0505",
            f"`{draft.name}` has IPv4 addresses above `native_ipv6`",
            node.fields["native_ipv6"],
            consequence="keepalived ignores `native_ipv6`: the instance stays IPv4",
            help="remove the line: the addresses tell the family",
            also=((first_said, "this makes it IPv4"),),
        )


def _first(draft: Draft, name: str) -> Statement:
    """Where ``name`` stands first; its field is of the last one."""
    said = draft.node.fields[name].statement
    block = draft.node.statement
    body = block.body if isinstance(block, Block) else []
    return next((statement for statement in body if statement.keyword == name), said)


def _surely_before(first: Statement, second: Statement) -> bool:
    """Whether ``first`` stands before ``second`` in the same file."""
    return first.line.file == second.line.file and before(first, second)


def settle_version(draft: Draft) -> None:
    """IPv6 is version 3 unless something else is said; IPv4 takes ``vrrp_version``."""
    said = draft.get("version")
    draft.strict = draft.get("strict_mode", draft.scope.defaults.strict)
    if draft.family == "inet6":
        draft.version = said or 3
        at = draft.family_at
        if draft.version == 2 and at is not None and _surely_before(at, _first(draft, "version")):
            draft.say(
                "KC0504",
                f"`{draft.name}` is an IPv6 router already where it says `version 2`",
                draft.at("version"),
                consequence="keepalived ignores `version 2`; a peer that stays at version 2 refuses its adverts",
                help="remove `version 2`",
                also=((at, "this makes it IPv6"),),
            )
            draft.version = 3
        elif draft.version == 2 and draft.strict:
            draft.say(
                "KC0504",
                f"`{draft.name}`: version 2 does not exist for IPv6",
                draft.at("version"),
                consequence="in strict mode keepalived uses version 3; a peer that stays at version 2 refuses its adverts",
                help="write `version 3`, or leave the line out",
                also=draft.strictly(),
            )
            draft.version = 3
        elif draft.version == 2:
            draft.say(
                "KC0504",
                f"`{draft.name}`: version 2 does not exist for IPv6",
                draft.at("version"),
                consequence="keepalived sends adverts that no RFC describes: only a keepalived with the same line takes them, "
                "any other router of this id is master beside it",
                help="write `version 3`, or leave the line out, on all directors at once",
                severity=Severity.WARNING,
            )
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
    _track_source(draft)
    if draft.interface == "lo" and not _loopback(draft):
        return False
    multicast = draft.scope.defaults.group6 if draft.family == "inet6" else draft.scope.defaults.group4
    draft.multicast = multicast
    said = node.fields.get("mcast_dst_ip")
    if said is not None:
        if draft.peers:
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


def _track_source(draft: Draft) -> None:
    if draft.source is not None or wrote(draft.node, "unicast_src_ip", "mcast_src_ip"):
        return
    said = draft.node.fields.get("track_src_ip")
    if said is not None:
        draft.say(
            "KC0517",
            f"`{draft.name}` has no source address in the text: `track_src_ip` has no effect",
            said,
            consequence="keepalived ignores it without a word: the instance stays master when the address of the interface goes",
            help="add `unicast_src_ip ADDRESS` or `mcast_src_ip ADDRESS`, or remove the line",
        )


def _loopback(draft: Draft) -> bool:
    """Whether something is left to run: VRRP needs neighbours, and the loopback interface has none."""
    usable = draft.unicast and draft.source is not None
    draft.say(
        "KC0502",
        f"`{draft.name}` cannot run on the loopback interface",
        draft.at("interface"),
        consequence="keepalived ignores the line; adverts leave wherever the routing table sends them"
        if usable
        else f"keepalived ignores the line and refuses to start; nobody here will hold {draft.vip_text()}",
        help="write the interface that the other directors are reached by; "
        "addresses that belong on the loopback take `dev lo` in `virtual_ipaddress`",
    )
    draft.interface = ""
    return usable


def _source(draft: Draft) -> str | None:
    """The configured source address of adverts, the last one where there are two; one of the other family is ignored."""
    source = None
    for name, said in draft.node.fields.items():
        if name not in ("unicast_src_ip", "mcast_src_ip"):
            continue
        if family_of(said.value) == draft.family:
            source = str(said.value)
            continue
        draft.say(
            "KC0525",
            f"`{draft.name}` is an {family_name(draft.family)} router: {said.value} cannot be its source address",
            said,
            consequence=f"keepalived ignores `{name}`; adverts leave with the interface's own address",
            help=f"write an {family_name(draft.family)} address of this director, or remove the line",
        )
    return source


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
