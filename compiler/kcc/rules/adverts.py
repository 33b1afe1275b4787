"""Rules about who may send adverts in a director's name."""

from __future__ import annotations

from kcc.rules.rule import Case
from kir import features

WITH_HMAC = ("keepalived-2.4.3",)
"""Releases that have ``auth_hmac``."""


def forgeable_unicast(case: Case) -> None:
    """Unicast adverts without ``auth_hmac``: routers forward them, so whoever reaches a director can claim to be the master.

    Multicast adverts must arrive with TTL 255, so their sender is on the link (RFC 9568 section 9); unicast has no such bound, and
    the password of version 2 goes over the wire as it is. Said once, and only to those who can have it.
    """
    if case.target not in WITH_HMAC and not (case.target == "krun" and "vrrp.hmac" in features.RUN):
        return
    open_ = [
        i
        for i in case.config.vrrp_instances
        if i.unicast
        and i.peers
        and i.hmac is None
        and not case.lowered.said(f"vrrp_instance/{i.name}", "hmac")  # why it was dropped has been said
    ]
    if not open_:
        return
    first = open_[0]
    more = f" and {len(open_) - 1} more" if len(open_) > 1 else ""
    case.say(
        "KC0527",
        f"the unicast adverts of `{first.name}`{more} are not authenticated",
        f"vrrp_instance/{first.name}",
        consequence="whoever can send to this director with a peer's address can make it give up its addresses",
        help="add `auth_hmac { key 1 … active_key 1 }` on all directors, or let a firewall accept protocol 112 from the peers only",
    )
