"""Sync groups: instances that change state together (keepalived.conf(5), ``vrrp_sync_group``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kir.model import SyncGroup
from krun.vrrp.machine import Role, State


@dataclass(slots=True)
class Group:
    """A sync group and the role that all its members have."""

    config: SyncGroup
    role: Role = Role.INIT

    @property
    def name(self) -> str:
        return self.config.name


def may_become_master(group: Group, asking: str, members: Mapping[str, State]) -> bool:
    """Whether the member ``asking`` may: the group is master already, or all others want it too."""
    if group.role is Role.MASTER:
        return True
    if group.role is Role.FAULT:
        return False
    return all(
        state.role is Role.MASTER or (state.role is Role.BACKUP and state.wanted)
        for name, state in members.items()
        if name != asking
    )


def common_role(states: Sequence[State]) -> Role:
    """The role of a group as its members stand: FAULT if one is faulty, MASTER if one is master (the others may follow)."""
    if any(state.faults for state in states):
        return Role.FAULT
    if any(state.role is Role.MASTER for state in states):
        return Role.MASTER
    return Role.BACKUP
