"""The whole meaning of a configuration."""

from __future__ import annotations

from kir.model.base import Model
from kir.model.global_ import Global
from kir.model.lvs import VirtualServer
from kir.model.track import VrrpScript
from kir.model.vrrp import SyncGroup, VrrpInstance


class Config(Model, frozen=True):
    """What the director shall do. Lists whose order means nothing are sorted by identity (`kir.codec.canonical`)."""

    global_defs: Global = Global()
    vrrp_scripts: tuple[VrrpScript, ...] = ()
    vrrp_instances: tuple[VrrpInstance, ...] = ()
    vrrp_sync_groups: tuple[SyncGroup, ...] = ()
    virtual_servers: tuple[VirtualServer, ...] = ()
