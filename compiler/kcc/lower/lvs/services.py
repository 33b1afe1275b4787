"""Which IPVS services a virtual server stands for: its own address, a firewall mark, or those of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kcc.diagnostics.model import Severity
from kcc.lower.scope import before
from kcc.lower.vrrp.identity import family_name, family_of
from kir.model import Service

if TYPE_CHECKING:
    from kcc.language.parsed import Field, GroupLine, Node
    from kcc.lower.lvs.draft import PoolDraft
    from kcc.lower.scope import Scope

RANGE_MAX = 65_536
"""Addresses in one line of a group. Each becomes a service in the kernel; a /64 would be a mistake, not a wish."""

GROUP_MAX = 262_144


def settle_services(draft: PoolDraft, groups: dict[str, Node]) -> bool:
    """Family, protocol and services. False: keepalived drops the virtual server."""
    head = draft.head
    if head.group is not None:
        return _group(draft, groups)
    if head.fwmark is not None:
        _fwmark_family(draft)
        if draft.protocol is not None:
            _no_protocol(draft)
            draft.protocol = None
        draft.services = (Service(family=_family(draft.family), fwmark=head.fwmark),)
        return True
    assert head.address is not None
    draft.family = family_of(head.address)
    said = draft.node.fields.get("ip_family")
    if said is not None and said.value != draft.family:
        _family_contradicts(draft, said, "its address")
    draft.port = head.port
    _need_protocol(draft)
    draft.services = (
        Service(
            family=_family(draft.family),
            protocol=_protocol(draft.protocol),
            address=head.address,
            port=head.port,
        ),
    )
    return True


def _need_protocol(draft: PoolDraft) -> None:
    if draft.protocol is None:
        draft.scope.say(
            "KC0705",
            f"{draft.text} has no `protocol`",
            draft.node,
            consequence="keepalived balances UDP: TCP connections to the service are not answered",
            help="add `protocol TCP` (or UDP, SCTP)",
        )
        draft.protocol = "udp"


def _no_protocol(draft: PoolDraft) -> None:
    draft.scope.say(
        "KC0708",
        f"{draft.text} is known by its mark: `protocol` has no effect",
        draft.at("protocol"),
        consequence="keepalived ignores it: the service takes every packet that carries the mark",
        help="remove the line; match the protocol where the mark is set",
    )


def _fwmark_family(draft: PoolDraft) -> None:
    """Said, or that of the servers: a tunnelled server may be of either, so those count only where they agree."""
    said = draft.node.fields.get("ip_family")
    servers = draft.node.children("real_server")
    if said is not None and (not servers or before(said.statement, servers[0].statement)):
        draft.family = said.value
        return
    _family_of_servers(draft)
    if said is not None and said.value != draft.family:
        _family_contradicts(draft, said, "the servers above")


def _family_contradicts(draft: PoolDraft, said: Field, what: str) -> None:
    draft.scope.say(
        "KC0316",
        f"{draft.text}: `ip_family {said.value}` contradicts {what}",
        said,
        consequence=f"keepalived ignores it: the service is {family_name(draft.family)}",
        help="remove the line, or write it above the real servers",
        severity=Severity.ERROR,
    )


def _family_of_servers(draft: PoolDraft) -> None:
    families = []
    for node in draft.node.children("real_server"):
        family = family_of(server_head(node)[0])
        own = node.get("lvs_method")
        method = own.method if own is not None else draft.method.method
        if method != "TUN":
            draft.family = family
            return
        families.append(family)
    draft.family = "inet6" if families and set(families) == {"inet6"} else "inet"


def server_head(node: Node) -> tuple[str, int]:
    """Address and port (0: not given) of a ``real_server``."""
    head = node.head[0]
    if type(head) is tuple:
        return head[0], head[1]
    return head, node.head[1] if len(node.head) > 1 else 0


def _group(draft: PoolDraft, groups: dict[str, Node]) -> bool:
    name = draft.head.group or ""
    node = groups.get(name)
    drop = "keepalived drops the virtual server: nothing is balanced"
    if node is None:
        from difflib import get_close_matches

        close = get_close_matches(name, list(groups), 1)
        draft.scope.say(
            "KC0703",
            f"there is no `virtual_server_group {name}`",
            draft.node,
            consequence=drop,
            help=f"did you mean `{close[0]}`?"
            if close
            else f"define `virtual_server_group {name} {{ ADDRESS PORT … }}`",
            also=((groups[close[0]], "the similar name is defined here"),) if close else (),
        )
        return False
    lines: list[Field] = node.lines
    families = {value.family for value in (line.value for line in lines) if value.family is not None}
    marks_only = all(line.value.fwmark is not None for line in lines)
    if len(families) == 1 and draft.get("ip_family") is None:
        draft.family = next(iter(families))
    else:
        _fwmark_family(draft)
    mixed = len(families) > 1
    tunnelled = draft.method.method == "TUN"
    if (mixed and not tunnelled) or (families and draft.family not in families):
        draft.scope.say(
            "KC0704",
            f"{draft.text}: the group holds {_families(families)}, the virtual server is {family_name(draft.family)}",
            draft.node,
            consequence=drop,
            help="use a group for each family",
            also=((node, "the group is defined here"),),
        )
        return False
    if marks_only:
        if draft.protocol is not None:
            _no_protocol(draft)
            draft.protocol = None
    else:
        _need_protocol(draft)
    draft.services = _expand(draft, lines)
    ports = {service.port for service in draft.services if service.address is not None}
    draft.port = ports.pop() if len(ports) == 1 else 0
    return bool(draft.services)


def _families(families: set[str]) -> str:
    return " and ".join(family_name(family) for family in sorted(families))


def _expand(draft: PoolDraft, lines: list[Field]) -> tuple[Service, ...]:
    """One service an address of a range; a mark without a family takes the virtual server's."""
    import ipaddress

    found: list[Service] = []
    for line in lines:
        value: GroupLine = line.value
        if value.fwmark is not None:
            found.append(Service(family=_family(value.family or draft.family), fwmark=value.fwmark))
            continue
        assert value.first is not None
        first = ipaddress.ip_address(value.first)
        count = (
            1
            if value.last in (None, value.first)
            else int(ipaddress.ip_address(value.last or "")) - int(first) + 1
        )
        if count > RANGE_MAX or len(found) + count > GROUP_MAX:
            draft.scope.say(
                "KC0721",
                f"the range {value.first} to {value.last} holds {count} addresses (at most {RANGE_MAX})",
                line.statement,
                consequence="each address would be a service of its own in the kernel; the line is left out",
                help="use a `fwmark` for a whole network, and set the mark in the firewall",
            )
            continue
        family = _family("inet6" if first.version == 6 else "inet")
        protocol = _protocol(draft.protocol)
        for offset in range(count):
            address = value.first if not offset else str(first + offset)
            found.append(Service(family=family, protocol=protocol, address=address, port=value.port))
    return tuple(found)


def read_groups(root: Node, scope: Scope) -> dict[str, Node]:
    """The usable groups by name."""
    groups: dict[str, Node] = {}
    for node in root.children("virtual_server_group"):
        if not node.head or node.head[0] in groups:
            continue
        name = node.head[0]
        if not node.lines:
            scope.say(
                "KC0704",
                f"`virtual_server_group {name}` has no usable line",
                node,
                consequence="keepalived removes it, and every virtual server that names it",
                help="add lines `ADDRESS PORT` or `fwmark N`",
            )
            continue
        families = {line.value.family for line in node.lines if line.value.fwmark is None}
        loose = [line for line in node.lines if line.value.fwmark is not None and line.value.family is None]
        if len(families) > 1 and loose:
            scope.say(
                "KC0704",
                f"`virtual_server_group {name}` holds both families, and a mark that is of neither",
                loose[0].statement,
                consequence="keepalived removes it, and every virtual server that names it",
                help="write `fwmark N inet` or `fwmark N inet6`, or use a group for each family",
            )
            continue
        groups[name] = node
    return groups


def _family(text: str) -> Literal["inet", "inet6"]:
    return "inet6" if text == "inet6" else "inet"


def _protocol(text: str | None) -> Literal["tcp", "udp", "sctp"] | None:
    return "tcp" if text == "tcp" else "udp" if text == "udp" else "sctp" if text == "sctp" else None
