"""What the configuration asks for and this process does not do: said at start, never dropped in silence."""

from __future__ import annotations

from kir.model import Config, SyncGroup, VrrpInstance


def warnings(config: Config) -> list[str]:
    """One sentence for each kind of thing."""
    settings = config.global_defs
    found: list[str] = []
    closed = [i.name for i in config.vrrp_instances if not i.accept and not i.owner]
    if closed:
        found.append(
            f"no_accept of {_names(closed)} is not enforced: packets to the VIPs are accepted; block them with nftables"
        )
    all_of_them: list[VrrpInstance | SyncGroup] = [*config.vrrp_instances, *config.vrrp_sync_groups]
    noisy = [o.name for o in all_of_them if o.notify_priority_changes]
    if noisy and settings.notify_fifo is None and settings.vrrp_notify_fifo is None:
        found.append(
            f"notify_priority_changes of {_names(noisy)} does nothing without a notify_fifo or vrrp_notify_fifo"
        )
    return found


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
