"""Did you mean: the nearest word, and what is known of words that people bring from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

INVISIBLE = "\u00a0\ufeff\u2007\u202f\u200b\u3000"
"""Characters that look like a blank, or like nothing, and are none for keepalived. They come from web pages."""

# Keywords of forks and of other programs: what to say about them. Those of old releases are in `kcc.language.history`.
FOREIGN = {
    "local_address_group": "a keyword of DPVS and other forks; keepalived has no local addresses for SNAT",
    "laddr_group_name": "a keyword of DPVS and other forks; keepalived has no local addresses for SNAT",
    "syn_proxy": "a keyword of DPVS and other forks; keepalived does not know it",
    "FTP_CHECK": "no release of keepalived has it; use MISC_CHECK or TCP_CHECK",
    "track_route_to": "not a keyword of keepalived; track the route with a `track_script`",
    "lvs_sync_daemon_inteface": "the misspelt form is gone: write `lvs_sync_daemon` in `global_defs`",
    "vrrp_strict_mode": "write `vrrp_strict` in `global_defs`, or `strict_mode` in an instance",
    "notify_": "write `notify_master`, `notify_backup` or `notify_fault`",
    "dynamic": "FILE_CHECK has no `dynamic`; `misc_dynamic` belongs in MISC_CHECK",
    "state_file_location": "the manual's name; keepalived reads `state_dump_file`",
    "stats_file_location": "the manual's name; keepalived reads `stats_dump_file`",
    "json_file_location": "the manual's name; keepalived reads `json_dump_file`",
    "include": "write the file to be read behind it: `include PATH`",
    "advert_interval": "write `advert_int`",
    "SSL_CHECK": "write `SSL_GET`",
    "HTTPS_CHECK": "write `SSL_GET`",
    "HTTPS_GET": "write `SSL_GET`",
    "HTTP_CHECK": "write `HTTP_GET`",
    "vrid": "write `virtual_router_id`",
}
_FOREIGN_VALUES = {
    ("lvs_method", "FNAT"): "`FNAT` is a method of DPVS and of forks; keepalived has `NAT`, `DR` and `TUN`",
    ("lvs_method", "FULLNAT"): "`FULLNAT` is a method of forks; keepalived has `NAT`, `DR` and `TUN`",
    ("lvs_method", "SNAT"): "`SNAT` is a method of DPVS; keepalived has `NAT`, `DR` and `TUN`",
    ("lvs_sched", "conhash"): "`conhash` is a scheduler of DPVS; the nearest in keepalived is `mh`",
    ("state", "SLAVE"): "write `BACKUP`",
    ("state", "slave"): "write `BACKUP`",
}


def foreign(word: str) -> str | None:
    """What is known of a keyword from elsewhere."""
    return FOREIGN.get(word)


def gone(word: str, block: str) -> str | None:
    """What is known of a keyword that releases before had, best of one in ``block``: until when, and what there is instead."""
    from kcc.language.history import GONE

    found = {path: entry for path, entry in GONE.items() if path.rsplit(" > ", 1)[-1] == word}
    if not found:
        return None
    best = next((path for path in found if path.split(" > ")[:-1][-1:] == [block]), next(iter(found)))
    entry = found[best]
    return f"keepalived had it until {entry.until}. {entry.remark}"


def foreign_value(keyword: str, value: str) -> str | None:
    """What is known of a value from elsewhere."""
    keyword = {"lb_kind": "lvs_method", "lb_algo": "lvs_sched"}.get(keyword, keyword)
    return _FOREIGN_VALUES.get((keyword, value))


def closest(word: str, words: Iterable[str]) -> str | None:
    """The word of ``words`` that ``word`` most likely meant, None where none is near.

    Near is: the same but for case and separators, one transposition, or a Damerau-Levenshtein distance of at most a third
    of the length. Of equally near ones the first is taken.
    """
    if not word or len(word) > 64:
        return None
    plain = _plain(word)
    best: str | None = None
    best_distance = max(1, min(3, len(word) // 3)) + 1
    for candidate in words:
        if _plain(candidate) == plain:
            return candidate
        if abs(len(candidate) - len(word)) >= best_distance:
            continue
        found = distance(word.lower(), candidate.lower(), best_distance)
        if found < best_distance:
            best, best_distance = candidate, found
    return best


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


def distance(a: str, b: str, limit: int) -> int:
    """Damerau-Levenshtein distance (optimal string alignment); ``limit`` or more is given as ``limit``."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before = before, row
        row = [i] + [0] * len(b)
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row[j] = cost
        if min(row) >= limit:
            return limit
    return min(row[-1], limit)
