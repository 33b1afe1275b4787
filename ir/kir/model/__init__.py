"""The typed model of the IR. Import names from here."""

from kir.model.address import Address
from kir.model.base import MASK, Model, Secret
from kir.model.checkers import Checker, Endpoint, HttpCheck, MiscCheck, StatusRange, TcpCheck, Timing, Url
from kir.model.config import Config
from kir.model.global_ import Fifo, Global, LvsTimeouts, SmtpServer
from kir.model.lvs import (
    Forwarding,
    Persistence,
    RealServer,
    Service,
    SorryServer,
    VirtualServer,
    endpoint_text,
)
from kir.model.scripts import Account, Notify, Script
from kir.model.track import VrrpScript
from kir.model.vrrp import (
    Authentication,
    Garp,
    Peer,
    SyncGroup,
    TrackedInterface,
    TrackedScript,
    VrrpInstance,
)

__all__ = [
    "MASK",
    "Account",
    "Address",
    "Authentication",
    "Checker",
    "Config",
    "Endpoint",
    "Fifo",
    "Forwarding",
    "Garp",
    "Global",
    "HttpCheck",
    "LvsTimeouts",
    "MiscCheck",
    "Model",
    "Notify",
    "Peer",
    "Persistence",
    "RealServer",
    "Script",
    "Secret",
    "Service",
    "SmtpServer",
    "SorryServer",
    "StatusRange",
    "SyncGroup",
    "TcpCheck",
    "Timing",
    "TrackedInterface",
    "TrackedScript",
    "Url",
    "VirtualServer",
    "VrrpInstance",
    "VrrpScript",
    "endpoint_text",
]
