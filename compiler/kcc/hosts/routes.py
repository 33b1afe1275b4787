"""Routes and rules on the host: whether their gateways can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network

from kcc.hosts.case import HostCase, path_of
from kcc.rules.rule import addresses
from kir.model import Address, Route

Network = IPv4Network | IPv6Network
Way = tuple[str, str | None, bool]
"""Gateway, interface where one is named, and whether the kernel shall believe that it is on that link."""


def all_routes(case: HostCase) -> Iterator[tuple[str, str, Route]]:
    """Path, who has it, and the route."""
    for instance in case.config.vrrp_instances:
        for route in instance.routes:
            yield f"{path_of(instance)}/virtual_routes/{route.identity}", f"`{instance.name}`", route
    for route in case.config.static_routes:
        yield f"static_routes/{route.identity}", "static_routes", route


def unreachable_gateways(case: HostCase) -> None:
    """A gateway must be a neighbour: in a subnet of its interface, or where another route of the file says so, or ``onlink``.

    The subnets that the addresses of the configuration bring along count, for they are there when the routes are set.
    """
    for path, who, route in all_routes(case):
        ways: list[Way] = [] if route.via is None else [(route.via, route.device, route.onlink)]
        ways += [(hop.via, hop.device, hop.onlink) for hop in route.nexthops if hop.via is not None]
        for via, device, onlink in ways:
            gateway = ip_address(via)
            if (
                onlink
                or gateway.is_link_local
                or (device is not None and case.facts.interface(device) is None)
            ):
                continue
            near = _near(case, device)
            if not near or any(gateway in net for net in near if net.version == gateway.version):
                continue
            on = (
                f"no subnet of {device} ({addresses([str(n) for n in near])})"
                if device
                else "no subnet of this host"
            )
            case.say(
                "KC1213",
                f"{who}: gateway {via} of the route to {route.destination} is in {on}",
                path,
                consequence="the kernel refuses the route, unless another one of this host leads to the gateway: "
                f"{route.destination} is not reached through it",
                help="check gateway and interface; `onlink` says that the gateway is on the link all the same",
            )


def _near(case: HostCase, device: str | None) -> list[Network]:
    """The subnets on ``device``, or on any interface, the configuration's own with them; empty where nothing is known."""
    config = case.config
    here = [i for i in case.facts.interfaces if device in (None, i.name)]
    if not any(i.addresses for i in here):
        return []
    texts = [f"{a.address}/{a.prefix}" for i in here for a in i.addresses]
    own: list[Address] = list(config.static_addresses)
    for instance in config.vrrp_instances:
        own += [*instance.vips, *instance.excluded_vips]
    texts += [f"{a.address}/{a.prefix}" for a in own if device in (None, a.device)]
    found: list[Network] = [ip_interface(text).network for text in texts]
    for _, _, route in all_routes(case):
        if route.via is None and not route.nexthops and device in (None, route.device):
            found.append(ip_network(route.destination, strict=False))
    return list(dict.fromkeys(found))
