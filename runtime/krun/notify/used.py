"""Which programs a configuration names, each once with who names it: what the script process looks at before they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kir.model import Account, Config, MiscCheck, Notify, Script

Used = tuple[str, str, Account]
"""Who names it, the program, as whom it runs."""

_NOTIFY = ("master", "backup", "fault", "stop", "deleted", "any", "master_rx_lower_pri")


def by_vrrp(config: Config) -> list[Used]:
    """What the VRRP process runs: track scripts and notify scripts."""
    return _once(_of_vrrp(config))


def by_check(config: Config) -> list[Used]:
    """What the checker process runs: MISC_CHECKs and notify scripts."""
    return _once(_of_check(config))


def _of_vrrp(config: Config) -> Iterator[Used]:
    for track in config.vrrp_scripts:
        if track.argv:
            yield f"vrrp_script {track.name}: it counts as failed", track.argv[0], track.account
    for kind, things in (
        ("vrrp_instance", config.vrrp_instances),
        ("vrrp_sync_group", config.vrrp_sync_groups),
    ):
        for thing in things:
            yield from _of_notify(f"{kind} {thing.name}", thing.notify)


def _of_notify(owner: str, notify: Notify) -> Iterator[Used]:
    for name in _NOTIFY:
        yield from _of_script(f"{owner} notify{'' if name == 'any' else f'_{name}'}", getattr(notify, name))


def _of_check(config: Config) -> Iterator[Used]:
    for virtual in config.virtual_servers:
        yield from _of_script(f"{virtual.name} quorum_up", virtual.quorum_up)
        yield from _of_script(f"{virtual.name} quorum_down", virtual.quorum_down)
        for server in virtual.real_servers:
            if server.notify_up is not None:
                yield from _of_script(f"{virtual.name} -> {server.identity} notify_up", server.notify_up)
            if server.notify_down is not None:
                yield from _of_script(f"{virtual.name} -> {server.identity} notify_down", server.notify_down)
            for check in server.checkers:
                if isinstance(check, MiscCheck) and check.argv:
                    owner = f"MISC_CHECK of {virtual.name} -> {server.identity}: it always fails"
                    yield owner, check.argv[0], check.account


def _of_script(owner: str, script: Script | None) -> Iterator[Used]:
    if script is not None and script.argv:
        yield owner, script.argv[0], script.account


def _once(used: Iterable[Used]) -> list[Used]:
    owners: dict[tuple[str, Account], tuple[str, int]] = {}
    for owner, program, account in used:
        first, count = owners.get((program, account), (owner, 0))
        owners[program, account] = (first, count + 1)
    return [
        (first if count == 1 else f"{first}; named {count} times", program, account)
        for (program, account), (first, count) in owners.items()
    ]
