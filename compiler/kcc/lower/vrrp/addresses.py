"""The addresses of an instance: in the adverts (``virtual_ipaddress``) and beside them (``virtual_ipaddress_excluded``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kcc.diagnostics.model import Severity
from kcc.lower.scope import wrote
from kcc.lower.vrrp.draft import MULTICAST_MTU
from kcc.lower.vrrp.identity import family_name
from kcc.lower.vrrp.link import on_vmac
from kir.model import Address

if TYPE_CHECKING:
    from kcc.language.parsed import AddressLine, Field
    from kcc.lower.vrrp.draft import Draft
    from kcc.syntax.tree import Statement

_LENGTH = {"inet": 32, "inet6": 128}


def settle_addresses(draft: Draft) -> None:
    """Both lists, without what keepalived drops: other families, repetitions, addresses without an interface."""
    seen: dict[str, Statement] = {}
    for line in draft.node.all_lines("virtual_ipaddress"):
        value: AddressLine = line.value
        if value.family != draft.family:
            draft.say(
                "KC0505",
                f"`{draft.name}` is an {family_name(draft.family)} router: {value.address} cannot be among its addresses",
                line.statement,
                consequence=f"keepalived drops it; no director will hold {value.address}",
                help="move it to `virtual_ipaddress_excluded`, or to an instance of its own",
            )
            continue
        made = _address(draft, line, seen)
        if made is not None:
            draft.vips.append(made)
            draft.scope.nodes[f"{draft.path}/virtual_ipaddress/{made.identity}"] = line.statement
    for line in draft.node.all_lines("virtual_ipaddress_excluded"):
        made = _address(draft, line, seen)
        if made is not None:
            draft.excluded.append(made)
            draft.scope.nodes[f"{draft.path}/virtual_ipaddress_excluded/{made.identity}"] = line.statement
    _first(draft)
    _fit(draft)


def _first(draft: Draft) -> None:
    """An IPv6 router is known to the hosts by its link-local address, so that one comes first (RFC 9568 section 5.2.9)."""
    if draft.family != "inet6" or draft.unicast or not draft.vips or _link_local(draft.vips[0]):
        return
    first = draft.vips[0]
    place = f"{draft.path}/virtual_ipaddress/"
    local = next((vip for vip in draft.vips if _link_local(vip)), None)
    draft.say(
        "KC0562",
        f"`{draft.name}`: {first.address} comes first, and is no link-local address",
        draft.scope.nodes[place + first.identity],
        consequence="keepalived sends the adverts all the same, and `keepalived -t` fails"
        if draft.strict
        else "hosts that use the router as a gateway keep the link-local address of the old master after a failover"
        if local is None
        else "keepalived says so in its log; a router of another make may refuse the adverts",
        help="add a link-local address (fe80::…) above it, the same on all directors"
        if local is None
        else f"move {local.address} to the top",
        also=()
        if local is None
        else ((draft.scope.nodes[place + local.identity], "the link-local address"),),
        severity=Severity.ERROR if draft.strict else None,
    )


def _link_local(address: Address) -> bool:
    """fe80::/10 (RFC 4291 section 2.5.6)."""
    return address.address[:3] in ("fe8", "fe9", "fea", "feb") and address.family == "inet6"


def _address(draft: Draft, line: Field, seen: dict[str, Statement]) -> Address | None:
    value: AddressLine = line.value
    if value.address in seen:
        draft.say(
            "KC0506",
            f"`{draft.name}`: {value.address} is given twice",
            line.statement,
            consequence="keepalived drops the second one, with its own prefix, device and options",
            help="remove one of the lines",
            also=((seen[value.address], "it is given here first"),),
            severity=draft.scope.since("2.3.3"),
        )
        return None
    device = value.device or draft.interface
    if not device:
        if not draft.unicast:
            return None  # the missing interface of the instance has been reported
        draft.say(
            "KC0521",
            f"`{draft.name}`: {value.address} has no interface",
            line.statement,
            consequence=f"keepalived drops it; no director will hold {value.address}",
            help="add `dev INTERFACE` to the line, or `interface` to the instance",
        )
        return None
    seen[value.address] = line.statement
    made = make_address(value, device)
    why = on_vmac(draft, device, value.family) if value.use_vmac else None
    if why is None:
        return made
    draft.say(
        "KC0556",
        f"`{draft.name}`: `use_vmac` of {value.address} is redundant",
        line.statement,
        consequence=f"keepalived ignores the word: {why}",
        help="remove the word",
    )
    return msgspec.structs.replace(made, use_vmac=False)


def make_address(value: AddressLine, device: str) -> Address:
    """The address as the kernel gets it.

    A peer address makes it point-to-point: the prefix is the peer's. IPv6 skips duplicate address detection unless
    ``-nodad``, and a /128 is added with a preferred lifetime of 0: it never becomes a source address by itself.
    """
    full = _LENGTH[value.family]
    prefix = full if value.peer is not None or value.prefix is None else value.prefix
    lifetime = value.preferred_lft_s
    if lifetime is None and value.family == "inet6" and not value.preferred_lft_forever and prefix == 128:
        lifetime = 0
    nodad = value.family == "inet6" if value.nodad is None else value.nodad
    return Address(
        address=value.address,
        prefix=prefix,
        device=device,
        family=value.family,
        scope=value.scope or 0,
        broadcast=_broadcast(value, prefix),
        label=value.label,
        peer=value.peer,
        home=value.home,
        nodad=nodad,
        mngtmpaddr=value.mngtmpaddr,
        noprefixroute=value.noprefixroute,
        autojoin=value.autojoin,
        preferred_lft_s=lifetime,
        track=not value.no_track,
        track_group=value.track_group,
        use_vmac=value.use_vmac,
    )


def _broadcast(value: AddressLine, prefix: int) -> str | None:
    """``+``: all host bits one; ``-``: all zero (ip-address(8))."""
    if value.broadcast not in ("+", "-"):
        return value.broadcast
    import ipaddress

    network = ipaddress.ip_network((value.address, prefix), strict=False)
    return str(network.broadcast_address if value.broadcast == "+" else network.network_address)


def _fit(draft: Draft) -> None:
    """The count is one octet, and the advert one packet (RFC 9568 section 5.2.5); the rest is held without being announced."""
    if draft.family == "inet6":
        # keepalived leaves room for an authentication header (24 octets) also where there is none.
        most = (MULTICAST_MTU - 40 - 8 - 24) // 16
    else:
        most = min(255, (MULTICAST_MTU - 20 - 16) // 4)
    if len(draft.vips) <= most:
        return
    first = draft.vips[most]
    surplus = len(draft.vips) - most
    draft.say(
        "KC0509",
        f"`{draft.name}`: {len(draft.vips)} addresses do not fit into one advert (at most {most})",
        draft.scope.nodes[f"{draft.path}/virtual_ipaddress/{first.identity}"],
        consequence=f"keepalived treats the last {surplus} as `virtual_ipaddress_excluded`",
        help="keep one address in `virtual_ipaddress` and move the others to `virtual_ipaddress_excluded`",
    )
    for address in draft.vips[most:]:
        line = draft.scope.nodes.pop(f"{draft.path}/virtual_ipaddress/{address.identity}")
        draft.scope.nodes[f"{draft.path}/virtual_ipaddress_excluded/{address.identity}"] = line
    draft.excluded = draft.vips[most:] + draft.excluded
    del draft.vips[most:]


def judge_count(draft: Draft) -> None:
    """An instance without addresses: pointless, and refused by keepalived in version 3 and in strict mode."""
    silent = draft.node.fields.get("no_virtual_ipaddress")
    if silent is not None and draft.strict:
        draft.say(
            "KC0518",
            f"`{draft.name}`: strict mode does not allow `no_virtual_ipaddress`",
            silent,
            consequence="keepalived ignores it",
            help="remove the line, or switch strict mode off",
            also=draft.strictly(),
            severity=Severity.WARNING,
        )
        silent = None
    if draft.vips or silent is not None or wrote(draft.node, "virtual_ipaddress"):
        return
    help_ = "add `virtual_ipaddress { ADDRESS }`"
    if draft.version == 3 or draft.strict:
        why = "in version 3" if draft.version == 3 else "in strict mode"
        draft.say(
            "KC0508",
            f"`{draft.name}` has no virtual address",
            consequence=f"{why} keepalived refuses to start; no instance of this file runs",
            help=f"{help_}, or `no_virtual_ipaddress` where that is meant",
        )
    else:
        draft.say(
            "KC0508",
            f"`{draft.name}` has no virtual address",
            consequence="it elects a master that holds nothing",
            help=f"{help_}, or `no_virtual_ipaddress` where that is meant",
            severity=Severity.WARNING,
        )
