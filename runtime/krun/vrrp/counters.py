"""What is counted for each virtual router. The names are those of keepalived's JSON statistics, plus our own at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(slots=True)
class Counters:
    """Counters of one instance since its start; all of them only rise.

    Drops are counted where they are decided, one counter a kind. ``auth_ext_*`` belong to an extension that is not spoken here;
    they stay 0 so that dashboards find them. Ours: ``checksum_err``, ``version_err``, ``unicast_err`` (multicast where unicast
    is expected or the reverse, an unknown peer, a TTL outside the peer's bounds), ``owner_ignored``, ``vips_lost`` (a VIP was
    removed by somebody else), ``routes_lost`` (the same of routes and rules), ``send_err``.
    """

    advert_rcvd: int = 0
    advert_sent: int = 0
    become_master: int = 0
    release_master: int = 0
    packet_len_err: int = 0
    advert_interval_err: int = 0
    ip_ttl_err: int = 0
    invalid_type_rcvd: int = 0
    addr_list_err: int = 0
    invalid_authtype: int = 0
    authtype_mismatch: int = 0
    auth_failure: int = 0
    auth_ext_missing: int = 0
    auth_ext_malformed: int = 0
    auth_ext_unknown_key: int = 0
    auth_ext_invalid_hmac: int = 0
    auth_ext_stale: int = 0
    auth_ext_replay: int = 0
    pri_zero_rcvd: int = 0
    pri_zero_sent: int = 0
    checksum_err: int = 0
    version_err: int = 0
    unicast_err: int = 0
    owner_ignored: int = 0
    vips_lost: int = 0
    routes_lost: int = 0
    send_err: int = 0

    def count(self, name: str) -> None:
        """Add one to the counter ``name``."""
        setattr(self, name, getattr(self, name) + 1)

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


NAMES = frozenset(field.name for field in fields(Counters))
