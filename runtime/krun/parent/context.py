"""What a child process is born with."""

from __future__ import annotations

import mmap
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kir.model import Config
from krun.parent.promises import PromiseWriter


@dataclass(slots=True)
class ChildContext:
    """Made by the parent before the fork, read by the child after it.

    ``name``: ``vrrp``, ``check`` or ``script``. ``config`` and ``digest``: the IR to run. ``kernel``: ``linux`` or ``memory``.
    ``run_dir``: where sockets live. ``listener``: the child's own listening unix socket (hello, status, reload come in here).
    ``channel``: a SOCK_SEQPACKET pair's end to the parent: the child says there that it is ready, and sees the parent die.
    ``alive``: shared memory; the child's loop writes its clock there for the parent's watchdog.
    ``region``: a descriptor of the memory that holds promises (`krun.parent.promises`). The child's shell makes ``keeper`` of it, and
    reads ``promises``: what the predecessor had promised to the outside, by key (an instance's name, say), ``renewed`` when each was
    last renewed, and ``promised_at_us`` when it was last alive (both CLOCK_MONOTONIC); empty at the first start, and again when the
    child has started.
    ``restarts``: how often this child was restarted. ``drain_us``: how long servers that go may keep their connections; a reload sets its
    own. ``overlays``: an operator's hand on real servers (`krun.control.overlays`), plain. ``audit_us``: how often to look at the
    kernel's IPVS table. ``ipvs_namespace``: a descriptor of the network namespace that this table is in, -1: that of the process. ``max_scripts``: how many scripts run at once. ``record``: how many
    messages are remembered (`krun.record.ring`), 0: none.
    """

    name: str
    config: Config
    digest: str
    kernel: str
    run_dir: Path
    listener: socket.socket
    channel: socket.socket
    alive: mmap.mmap
    region: int = -1
    keeper: PromiseWriter | None = None
    promises: Mapping[str, bytes] = field(default_factory=dict)
    renewed: Mapping[str, int] = field(default_factory=dict)
    promised_at_us: int = 0
    restarts: int = 0
    drain_us: int = 0
    overlays: tuple[dict[str, Any], ...] = ()
    audit_us: int = 10_000_000
    ipvs_namespace: int = -1
    max_scripts: int = 64
    record: int = 0
