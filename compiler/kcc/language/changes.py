"""Arguments that mean something else since a release of keepalived.

Facts, from comparing the program's readers of 2.2.7, the oldest release that a file can be checked for, with those of 2.4.3 and with what
is in its repository since; the release is the first tag with the new reading. What can be judged from one line is judged in
``kcc.language.release``. One change is not of an argument: before 2.2.8, behind a line that ended a block early by its error, the rest of
the block was read into the block of that kind before it.
"""

from __future__ import annotations

from functools import cache

import msgspec

UNRELEASED = "after 2.4.3"
"""In keepalived's repository, and in no release up to 2.4.3."""


class Change(msgspec.Struct, frozen=True):
    """What an argument means since ``release``, and ``was``: what it meant in the releases before it."""

    release: str
    now: str
    was: str


def order(release: str) -> tuple[int, ...]:
    """A key that puts releases in their order: ``2.0.9``, ``2.0.10``, ``2.4.3``, ``after 2.4.3``; ``0.4.9a`` is like ``0.4.9``."""
    numbers = tuple(int(part.rstrip("a")) for part in release.removeprefix("after ").split("."))
    return (*numbers, 1) if release.startswith("after ") else numbers


def older(target: str, release: str) -> bool:
    """Whether ``target`` is a keepalived before ``release``."""
    return target.startswith("keepalived-") and order(target.removeprefix("keepalived-")) < order(release)


def changes(path: str) -> tuple[Change, ...]:
    """What happened to the arguments of the keyword at ``path`` since 2.2.7, oldest first."""
    found = [change for paths, change in CHANGES if path in expanded(paths)]
    return tuple(sorted(found, key=lambda change: order(change.release)))


def alternatives(path: str) -> list[str]:
    """``a > b|c > d`` as ``a > b > d`` and ``a > c > d``."""
    found = [""]
    for part in path.split(" > "):
        found = [f"{above} > {name}" if above else name for above in found for name in part.split("|")]
    return found


@cache
def expanded(paths: str) -> frozenset[str]:
    """The paths that the first part of an entry of `CHANGES` stands for."""
    return frozenset(path for line in paths.split(",") for path in alternatives(line.strip()))


_NOTIFY = "notify|notify_master|notify_backup|notify_fault|notify_stop"
_COMMANDS = (
    f"vrrp_instance > {_NOTIFY}|notify_deleted|notify_master_rx_lower_pri, vrrp_sync_group > {_NOTIFY}, "
    "virtual_server > quorum_up|quorum_down, virtual_server > real_server > notify_up|notify_down, "
    "global_defs > startup_script|shutdown_script|notify_fifo_script|vrrp_notify_fifo_script|lvs_notify_fifo_script"
)
_ACCOUNTS = (
    f"{_COMMANDS}, global_defs > script_user|notify_fifo|vrrp_notify_fifo|lvs_notify_fifo, vrrp_script > user, "
    "virtual_server > real_server > MISC_CHECK > user"
)

# Paths with alternatives, separated by commas, and what happened to their arguments.
CHANGES: tuple[tuple[str, Change], ...] = (
    (
        "global_defs > umask",
        Change(
            "2.2.8",
            "`IRWXU`, `IRWXG` and `IRWXO` stand for three bits each",
            "unknown mode bits, the line is ignored",
        ),
    ),
    (
        "virtual_server > virtualhost|snmp_name, virtual_server > real_server > virtualhost|snmp_name, "
        "virtual_server > real_server > SMTP_CHECK > helo_name, "
        "virtual_server > real_server > HTTP_GET|SSL_GET > url > regex",
        Change(
            "2.2.8",
            "a second one is a configuration error, and counts",
            "a second one counts, without a word",
        ),
    ),
    (
        "track_file|vrrp_track_file > file",
        Change(
            "2.2.8", "the directory must exist, on a file system that tells of changes", "any path is taken"
        ),
    ),
    (
        "static_routes, vrrp_instance > virtual_routes",
        Change(
            "2.2.8",
            "an rtt, rttvar or rto_min out of range is a configuration error, and cut to the range",
            "cut to the range with a line in the log",
        ),
    ),
    (
        "global_defs > vrrp_strict|vrrp_skip_check_adv_addr",
        Change(
            "2.3.0",
            "takes true or false",
            "a flag: what follows is not looked at, `false` switches it on too",
        ),
    ),
    (
        "vrrp_instance > use_vmac",
        Change(
            "2.3.0",
            "`name IFNAME`, `group GROUP`, `netlink_notify_msg`, in any number",
            "the first two words only: an interface name, a MAC address",
        ),
    ),
    (
        "vrrp_instance > use_ipvlan",
        Change(
            "2.3.0",
            "`name IFNAME`, `group GROUP`",
            "the words `name` and `group` are taken for the interface name",
        ),
    ),
    (
        "global_defs > vrrp_ipsets",
        Change(
            "2.3.0", "a sixth name, of the set for neighbour discovery", "not looked at behind the fifth name"
        ),
    ),
    (
        "global_defs > notification_email_from",
        Change("2.3.0", "words behind the address are a configuration error", "they are not looked at"),
    ),
    (
        "global_defs > vrrp_ipsets|vrrp_iptables|nftables|nftables_ipvs",
        Change("2.3.2", "an empty name is refused, and a name given twice", "taken as they are"),
    ),
    (
        "vrrp_script > interval|timeout",
        Change("2.3.2", "seconds with up to three decimals", "whole seconds; anything else is refused"),
    ),
    (
        "vrrp_instance > virtual_routes",
        Change(
            "2.3.2", "a route without an interface is tracked too", "it is not, with a configuration error"
        ),
    ),
    (
        "garp_group > garp_interval|gna_interval",
        Change("2.3.2", "up to 4294.967295 seconds", "up to 2147.483647 seconds"),
    ),
    (
        f"{_COMMANDS}, vrrp_script > script, virtual_server > real_server > MISC_CHECK > misc_path",
        Change("2.3.2", "quotes and escapes are undone once", "escapes are undone twice"),
    ),
    (
        "vrrp_instance > virtual_ipaddress|virtual_ipaddress_excluded|unicast_peer",
        Change("2.3.3", "an address given twice is a configuration error, and left out", "it is taken twice"),
    ),
    (
        "virtual_server > real_server > UDP_CHECK > payload|require_reply",
        Change("2.3.3", "any octets", "refused where the last octet is ff"),
    ),
    (
        "global_defs > vrrp_startup_delay",
        Change("2.4.0", "a shorter delay after a longer one does not count", "the last one counts"),
    ),
    (
        "vrrp_instance > auth_hmac > mode",
        Change("2.4.2", "`receive-only` too", "`enforce` or `permissive`"),
    ),
    (
        _ACCOUNTS,
        Change(
            UNRELEASED,
            "`:GROUP`, or `:` alone, asks for the supplementary groups of the user",
            "the name of a group that hardly exists: the script is dropped",
        ),
    ),
    (
        "virtual_server > real_server > PING_CHECK > bindto|bind_if, virtual_server > real_server > UDP_CHECK > bind_if",
        Change(UNRELEASED, "the check is sent from there", "read, and of no effect"),
    ),
)
