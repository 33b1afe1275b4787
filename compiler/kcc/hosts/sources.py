"""Addresses of the host: where adverts come from, who is a peer, who owns a virtual address."""

from __future__ import annotations

from kcc.hosts.case import HostCase, path_of
from kcc.rules.rule import addresses


def own_address_among_peers(case: HostCase) -> None:
    """A director that lists itself as a peer sends adverts to itself (with `unicast_src_ip` written, that alone shows it)."""
    virtual = case.virtual
    for instance in case.config.vrrp_instances:
        for peer in instance.peers:
            on = case.facts.holds(peer.address)
            if on is None or peer.address in virtual or peer.address == instance.source:
                continue
            case.say(
                "KC1208",
                f"`{instance.name}` lists {peer.address} as a peer, which {case.host} has on {on} itself",
                f"{path_of(instance)}/unicast_peer/{peer.address}",
                consequence="it gets its own adverts; the other director may be the one that is missing from the list",
                help="list the other directors only",
            )


def source_elsewhere(case: HostCase) -> None:
    """`unicast_src_ip` or `mcast_src_ip` that is no address of this host: often the line of another director."""
    virtual = case.virtual
    static = {a.address for a in case.config.static_addresses}
    for instance in case.config.vrrp_instances:
        source = instance.source
        if source is None:
            continue
        on = case.facts.holds(source)
        if source in static:
            continue
        if on is None or source in virtual:
            found = case.facts.source_address(instance.interface, instance.family, virtual)
            held = (
                f"{source} is a virtual address"
                if source in virtual
                else f"{case.host} does not have {source}"
            )
            case.say(
                "KC1209",
                f"`{instance.name}`: {held}, from which its adverts shall come",
                path_of(instance),
                "source",
                consequence="the instance stays in FAULT until the address is there; this director never holds "
                f"{addresses([v.address for v in instance.vips])}",
                help=f"{instance.interface} has {found}"
                if found
                else "write an address of this host, or remove the line",
            )


def own_address_as_neighbor(case: HostCase) -> None:
    """A BFD session with this host itself: mostly the line of the other director."""
    for session in case.config.bfd_instances:
        on = case.facts.holds(session.neighbor)
        if on is None or session.neighbor in case.virtual:
            continue
        case.say(
            "KC1208",
            f"`bfd_instance {session.name}`: its neighbour {session.neighbor} is {case.host} itself, on {on}",
            f"bfd_instance/{session.name}",
            "neighbor",
            consequence="the session says nothing about the other router: what tracks it never sees a failure",
            help="write the address of the other router",
        )


def bfd_source_elsewhere(case: HostCase) -> None:
    """A BFD session whose `source_ip` is no address of this host: its socket cannot be bound."""
    later = {a.address for a in case.config.static_addresses} | case.virtual
    for session in case.config.bfd_instances:
        if session.source is None or session.source in later or case.facts.holds(session.source):
            continue
        case.say(
            "KC1209",
            f"`bfd_instance {session.name}`: {case.host} does not have {session.source}, from which its packets shall come",
            f"bfd_instance/{session.name}",
            "source",
            consequence="the session stays down until the address is there: what tracks it without a weight is in FAULT",
            help="write an address of this host, or remove the line",
        )


def owner_without_address(case: HostCase) -> None:
    """Priority 255 says that the addresses are the host's own (RFC 9568 section 5.2.4); then they are on its interface."""
    for instance in case.config.vrrp_instances:
        strange = [v.address for v in instance.vips if case.facts.holds(v.address) is None]
        if not instance.owner or not strange:
            continue
        case.say(
            "KC1210",
            f"`{instance.name}` has priority 255, but {addresses(strange)} {'is' if len(strange) == 1 else 'are'} "
            f"no address of {case.host}",
            path_of(instance),
            "priority",
            consequence="as the owner it is never moved by a check, and always takes the addresses back at once",
            help="use 254 or less; 255 is for the host whose interface has the address",
        )
