"""The whole meaning of a configuration."""

from __future__ import annotations

from kir.model.address import Address
from kir.model.base import Model
from kir.model.bfd import BfdInstance
from kir.model.checkers import TlsClient
from kir.model.global_ import Global
from kir.model.interfaces import GarpGroup, InterfaceDelay, Linkbeat
from kir.model.lvs import VirtualServer
from kir.model.route import Route, Rule
from kir.model.track import TrackFile, TrackGroup, TrackProcess, VrrpScript
from kir.model.vrrp import SyncGroup, VrrpInstance


class Config(Model, frozen=True):
    """What the director shall do. Lists whose order means nothing are sorted by identity (`kir.codec.canonical`)."""

    global_defs: Global = Global()
    vrrp_scripts: tuple[VrrpScript, ...] = ()
    vrrp_instances: tuple[VrrpInstance, ...] = ()
    vrrp_sync_groups: tuple[SyncGroup, ...] = ()
    linkbeat_interfaces: tuple[Linkbeat, ...] = ()
    interface_delays: tuple[InterfaceDelay, ...] = ()
    garp_groups: tuple[GarpGroup, ...] = ()
    track_groups: tuple[TrackGroup, ...] = ()
    static_addresses: tuple[Address, ...] = ()
    static_routes: tuple[Route, ...] = ()
    static_rules: tuple[Rule, ...] = ()
    bfd_instances: tuple[BfdInstance, ...] = ()
    track_files: tuple[TrackFile, ...] = ()
    track_processes: tuple[TrackProcess, ...] = ()
    tls: TlsClient | None = None
    virtual_servers: tuple[VirtualServer, ...] = ()
