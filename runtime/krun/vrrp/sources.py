"""Where the adverts of each instance leave from."""

from __future__ import annotations

from kir.model import Config, VrrpInstance
from kir.state import AddressKey, address_key
from krun.kernel.door import AddressesAndLinks
from krun.vrrp.book import STATIC
from krun.vrrp.director import Director


def sources(rtnetlink: AddressesAndLinks, config: Config) -> dict[str, str | None]:
    """By instance: as configured, else the interface's own address; None where there is none."""
    found: dict[tuple[str, str], str | None] = {}
    here: set[str] | None = None
    chosen: dict[str, str | None] = {}
    for instance in config.vrrp_instances:
        if instance.source is None:
            key = (instance.interface, instance.family)
            if key not in found:
                found[key] = rtnetlink.source_address(*key)
            chosen[instance.name] = found[key]
            continue
        if _must_be_here(instance):
            if here is None:
                here = {key.address for key in rtnetlink.addresses()}
            if instance.source not in here:
                chosen[instance.name] = None
                continue
        chosen[instance.name] = instance.source
    return chosen


def own_addresses(config: Config) -> list[AddressKey]:
    """The VIPs: they come and go, so that nothing leaves from them."""
    return [
        address_key(address)
        for instance in config.vrrp_instances
        for address in (*instance.vips, *instance.excluded_vips)
    ]


def may_be_source(key: AddressKey, director: Director) -> bool:
    """Whether an address event may matter for where adverts leave from: not one of our own VIPs (a static address may)."""
    return director.ledger.wanted(key) is None or STATIC in director.ledger.holders(key)


def _must_be_here(config: VrrpInstance) -> bool:
    return config.track_source or config.unicast
