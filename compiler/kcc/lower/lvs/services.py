"""Which IPVS services a virtual server stands for: its own address, a firewall mark, or those of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kcc.diagnostics.model import Severity
from kcc.language.parsed import versions
from kcc.lower.scope import before
from kcc.lower.vrrp.identity import family_name, family_of
from kir.model import Service

if TYPE_CHECKING:
    from kcc.language.parsed import Field, GroupLine, Node
    from kcc.lower.lvs.draft import PoolDraft
    from kcc.lower.scope import Scope
    from kcc.syntax.tree import Statement

RANGE_MAX = 65_536
"""Addresses in one line of a group. Each becomes a service in the kernel; a /64 would be a mistake, not a wish."""

GROUP_MAX = 262_144


def settle_services(draft: PoolDraft, groups: dict[str, Node | None]) -> bool:
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


def _fwmark_family(draft: PoolDraft, of_group: str | None = None) -> Statement | None:
    """What stands first fixes it: ``ip_family``, a ``persistence_granularity`` by its form, a server that is not tunnelled.

    ``of_group``: the family of all lines of the group. The statement that fixed it, None where none did.
    """
    fields = draft.node.fields
    said = fields.get("ip_family")
    first: Statement | None = None
    server = _first_fixed(draft)
    if server is not None:
        first, draft.family = server.statement, family_of(server_head(server)[0])
    for mask in versions(fields.get("persistence_granularity")):
        if first is not None and not before(mask.statement, first):
            break
        if "." in mask.value or 1 <= int(mask.value) <= 128:
            first, draft.family = mask.statement, "inet" if "." in mask.value else "inet6"
            break
        draft.mask_first = said is None or before(mask.statement, said.statement)
    if said is not None and (first is None or before(said.statement, first)):
        first, draft.family = said.statement, said.value
    elif first is None:
        fixed = _sorry_family(draft)
        if fixed is None and of_group is not None:
            draft.family = of_group
        elif fixed is None:
            _family_of_tunnels(draft)
        else:
            first, draft.family = fields["sorry_server"].statement, fixed
    elif said is not None and said.value != draft.family:
        above = (
            "the servers" if server is not None and first is server.statement else "`persistence_granularity`"
        )
        _family_contradicts(draft, said, f"{above} above")
    return first


def _family_contradicts(draft: PoolDraft, said: Field, what: str) -> None:
    draft.scope.say(
        "KC0316",
        f"{draft.text}: `ip_family {said.value}` contradicts {what}",
        said,
        consequence=f"keepalived ignores it: the service is {family_name(draft.family)}",
        help="remove the line, or write it above the real servers",
        severity=Severity.ERROR,
    )


def _family_of_tunnels(draft: PoolDraft) -> None:
    """Nothing in the block fixed the family."""
    families = {family_of(server_head(node)[0]) for node in draft.node.children("real_server")}
    sorry = draft.node.fields.get("sorry_server")
    if sorry is not None:
        families.add(family_of(_address(sorry.value)))
    draft.family = "inet6" if families == {"inet6"} else "inet"


def _first_fixed(draft: PoolDraft) -> Node | None:
    """The first server that is not tunnelled.

    What counts is the method where the server ends: an ``lvs_method`` below it comes too late.
    """
    for node in draft.node.children("real_server"):
        own = node.fields.get("lvs_method")
        if not _tunnels(own or draft.method_above(node.statement)):
            return node
    return None


def _sorry_family(draft: PoolDraft) -> str | None:
    """The family of the sorry server where it is not tunnelled."""
    sorry = draft.node.fields.get("sorry_server")
    if sorry is None:
        return None
    own = draft.node.fields.get("sorry_server_lvs_method")
    tunnelled = _tunnels(own or draft.method_above(sorry.statement))
    return None if tunnelled else family_of(_address(sorry.value))


def _tunnels(method: Field | None) -> bool:
    return method is not None and method.value.method == "TUN"


def _address(endpoint: tuple[str, int] | str) -> str:
    return endpoint if isinstance(endpoint, str) else endpoint[0]


def server_head(node: Node) -> tuple[str, int]:
    """Address and port (0: not given) of a ``real_server``."""
    head = node.head[0]
    if type(head) is tuple:
        return head[0], head[1]
    return head, node.head[1] if len(node.head) > 1 else 0


def _group(draft: PoolDraft, groups: dict[str, Node | None]) -> bool:
    name = draft.head.group or ""
    node = groups.get(name)
    drop = "keepalived drops the virtual server: nothing is balanced"
    if node is None:
        if name in groups:
            return False  # why the group is unusable has been said where it stands
        from difflib import get_close_matches

        close = get_close_matches(name, list(groups), 1)
        similar = groups[close[0]] if close else None
        draft.scope.say(
            "KC0703",
            f"there is no `virtual_server_group {name}`",
            draft.node,
            consequence=drop,
            help=f"did you mean `{close[0]}`?"
            if close
            else f"define `virtual_server_group {name} {{ ADDRESS PORT … }}`",
            also=((similar, "the similar name is defined here"),) if similar is not None else (),
        )
        return False
    lines: list[Field] = node.lines
    families = {value.family for value in (line.value for line in lines) if value.family is not None}
    marks_only = all(line.value.fwmark is not None for line in lines)
    fixed = _fwmark_family(draft, next(iter(families)) if len(families) == 1 else None)
    mixed = len(families) > 1
    tunnelled = _first_fixed(draft) is None and _sorry_family(draft) is None
    if (mixed and not tunnelled) or (families and draft.family not in families):
        draft.scope.say(
            "KC0704",
            f"{draft.text}: the group holds {_families(families)}, the virtual server is {family_name(draft.family)}",
            draft.node,
            consequence=drop,
            help="use a group for each family",
            also=(
                (node, "the group is defined here"),
                *([] if fixed is None else [(fixed, "this says so first")]),
            ),
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


def read_groups(root: Node, scope: Scope) -> dict[str, Node | None]:
    """The groups by name; None for one that keepalived removes, which has been reported."""
    groups: dict[str, Node | None] = {}
    for node in root.children("virtual_server_group"):
        if not node.head or groups.get(node.head[0]) is not None:
            continue
        name = node.head[0]
        groups[name] = None
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
