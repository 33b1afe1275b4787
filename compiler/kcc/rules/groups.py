"""Rules about sync groups."""

from __future__ import annotations

from kcc.rules.rule import Case


def lonely_group(case: Case) -> None:
    """A sync group of one instance synchronises nothing: mostly a member was forgotten or misspelt."""
    for group in case.config.vrrp_sync_groups:
        if len(group.members) == 1:
            case.say(
                "KC0533",
                f"sync group `{group.name}` has only one member, `{group.members[0]}`",
                f"vrrp_sync_group/{group.name}",
                consequence="nothing changes together with it",
                help="name the other instances in `group { … }`, or remove the group",
            )


def owners_and_others(case: Case) -> None:
    """An address owner always wants to be master; the other members cannot follow it reliably."""
    instances = {i.name: i for i in case.config.vrrp_instances}
    for group in case.config.vrrp_sync_groups:
        members = [instances[name] for name in group.members if name in instances]
        owners = [m for m in members if m.owner]
        others = [m for m in members if not m.owner]
        if owners and others:
            case.say(
                "KC0534",
                f"sync group `{group.name}` mixes an address owner (`{owners[0].name}`, priority 255) with others "
                f"(`{others[0].name}`, priority {others[0].priority})",
                f"vrrp_sync_group/{group.name}",
                consequence="the group cannot start as master at once, and its members may disagree about who is",
                help="give all members priority 255, or none",
                also=((f"vrrp_instance/{owners[0].name}", "priority", "the owner"),),
            )


def different_starts(case: Case) -> None:
    """Members that start in different states: keepalived starts them all as BACKUP."""
    instances = {i.name: i for i in case.config.vrrp_instances}
    for group in case.config.vrrp_sync_groups:
        members = [instances[name] for name in group.members if name in instances]
        masters = [m for m in members if m.initial_state == "MASTER"]
        backups = [m for m in members if m.initial_state == "BACKUP"]
        if masters and backups:
            case.say(
                "KC0535",
                f"sync group `{group.name}`: `{masters[0].name}` starts as MASTER, `{backups[0].name}` as BACKUP",
                f"vrrp_instance/{backups[0].name}",
                "initial_state",
                consequence="the group starts as BACKUP and waits for the longest of its timers",
                help="write the same `state` in all members",
                also=((f"vrrp_instance/{masters[0].name}", "initial_state", "starts as MASTER"),),
            )
