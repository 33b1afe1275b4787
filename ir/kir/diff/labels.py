"""Wire labels: which changes peers see, and which make adverts of the old and the new configuration refuse each other.

``local``: no peer sees it. ``compatible``: peers may differ for a while. ``breaking``: while one director has the old and another the
new configuration, at least one drops what the other sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kir.diff.change import LOCAL, Label
from kir.diff.wire import CHECKS, advertised
from kir.model import BfdInstance, VrrpInstance

OLD_LISTS = "keepalived 2.2.7 to 2.3.0 drop adverts with other addresses in any version, later ones log them"

COMPATIBLE: dict[str, str] = {
    "interface": "adverts leave from another interface: peers must be on its link",
    "advert_int_us": "version 3 peers learn the interval of the master (RFC 9568 section 6.1)",
    "priority": "peers compare it with their own",
    "peers": "adverts go to other peers: one that is taken out and still runs becomes master",
    "source": "adverts come from another address, which decides between equal priorities",
    "hmac": "peers with the old configuration take its adverts, and it takes theirs",
    "unicast_ttl": "peers with a `min_ttl` above it drop its adverts",
    "v3_checksum_as_v2": "peers with the old configuration take its adverts, and it takes theirs",
    "old_unicast_checksum": "peers find out which checksum it means",
    "vmac": "the addresses get another MAC address: peers and switches learn it from gratuitous ARP",
    "ipvlan": "the addresses move to another interface: neighbours learn it from gratuitous ARP",
    "vmac_addresses": "some addresses get another MAC address: neighbours learn it from gratuitous ARP",
    "xmit_base": "adverts come from the other MAC address of the link",
    "lower_prio_no_advert": "it answers adverts of lower priority otherwise",
    "higher_prio_send_advert": "it answers adverts of higher priority otherwise",
}
"""Fields of an instance that peers see and can live with."""

BOTH = "each drops what the other sends: "
THEIRS = "peers with the old configuration drop its adverts: "
OURS = "it drops adverts of peers with the old configuration: "


def labels(old: Any, new: Any) -> Mapping[str, Label]:
    """The labels of the fields in which two objects differ; what is not there has the label of the whole."""
    if isinstance(old, VrrpInstance) and isinstance(new, VrrpInstance):
        return _instance(old, new)
    if isinstance(old, BfdInstance) and isinstance(new, BfdInstance):
        return _bfd(old, new)
    return {}


def presence(value: Any, come: bool) -> Label:
    """The label of an object that is new, or gone."""
    if isinstance(value, VrrpInstance):
        if come:
            return "compatible", f"peers of VRID {value.vrid} hear one more router"
        return "compatible", f"peers of VRID {value.vrid} hear priority 0, then nothing"
    if isinstance(value, BfdInstance):
        return (
            "compatible",
            "the neighbour sees a new session" if come else "the neighbour sees its session end",
        )
    return LOCAL


def _instance(old: VrrpInstance, new: VrrpInstance) -> dict[str, Label]:
    found: dict[str, Label] = {}
    for field in VrrpInstance.__struct_fields__:
        if getattr(old, field) != getattr(new, field):
            label = breaking(field, old, new) or _tolerated(field, old, new)
            if label is not None:
                found[field] = label
    return found


def breaking(field: str, old: VrrpInstance, new: VrrpInstance) -> Label | None:
    """The label of a field whose change makes one side drop what the other sends; None where it does not."""
    if field == "source" and new.unicast and old.unicast:
        return "breaking", "peers send to the old address; those with `check_unicast_src` drop its adverts"
    check = CHECKS.get(field)
    if check is None:
        return None
    theirs, ours = check(old, new), check(new, old)
    if theirs is not None and ours is not None:
        return "breaking", BOTH + theirs
    if theirs is not None:
        return "breaking", THEIRS + theirs
    if ours is not None:
        return "breaking", OURS + ours
    return None


def _tolerated(field: str, old: VrrpInstance, new: VrrpInstance) -> Label | None:
    if field == "vips":
        if advertised(old) != advertised(new):
            return "compatible", f"the address lists of adverts differ for a while: {OLD_LISTS}"
        if new.family == "inet6" and [v.address for v in old.vips[:1]] != [v.address for v in new.vips[:1]]:
            return "compatible", "routers of other makes read the first address as the link-local one"
        return None
    if field == "group" and (old.unicast or new.unicast):
        return None
    why = COMPATIBLE.get(field)
    return ("compatible", why) if why is not None else None


_SESSION = {
    "neighbor": "the new neighbour needs a session with this director",
    "family": "the neighbour needs a session over the other family",
    "source": "the neighbour expects packets from the old address",
    "multihop": "sessions of one hop and of several use other ports (RFC 5881 section 4, RFC 5883 section 5)",
}
_AGREED = {
    "min_rx_us": "both ends agree on the intervals (RFC 5880 section 6.8.2)",
    "min_tx_us": "both ends agree on the intervals (RFC 5880 section 6.8.2)",
    "idle_tx_us": "both ends agree on the intervals (RFC 5880 section 6.8.2)",
    "multiplier": "the neighbour learns it (RFC 5880 section 6.8.4)",
    "ttl": "a neighbour that allows fewer hops drops its packets",
    "passive": "one of both ends must begin",
}


def _bfd(old: BfdInstance, new: BfdInstance) -> dict[str, Label]:
    found: dict[str, Label] = {}
    for field in BfdInstance.__struct_fields__:
        if getattr(old, field) != getattr(new, field):
            if field in _SESSION:
                found[field] = ("breaking", _SESSION[field])
            elif field in _AGREED:
                found[field] = ("compatible", _AGREED[field])
    return found
