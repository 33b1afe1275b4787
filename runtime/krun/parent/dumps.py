"""What krun writes down when somebody asks by a signal, and where: in the run directory, or where the configuration says."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from kir import onestep
from kir.model import Config
from krun.control import state as documents
from krun.control import statistics

log = logging.getLogger("krun.parent")

NAMES = {"state": "krun-state.json", "stats": "krun.stats", "json": "krun.json"}
"""What a dump is called where nothing else is said."""


def place(kind: str, config: Config, run_dir: Path) -> Path:
    """Where a dump goes. A path that ends with a slash names a directory, one that does not begin with one lies in the run directory.
    ``data_use_instance`` puts the names of namespace and instance behind it, as keepalived does.
    """
    files, settings = config.global_defs.files, config.global_defs
    said = {"state": files.state_dump, "stats": files.stats_dump, "json": files.json_dump}[kind]
    path = run_dir / (said or NAMES[kind])
    if said is not None and said.endswith("/"):
        path = path / NAMES[kind]
    parts = (settings.namespaces.network, settings.instance)
    if files.dumps_name_instance and any(parts):
        path = path.with_name(f"{path.name}.{'_'.join(part for part in parts if part)}".replace("/", "_"))
    return path


class Dumps:
    """``gather`` puts the state document together, ``config`` gives what runs."""

    def __init__(
        self,
        run_dir: Path,
        config: Callable[[], Config],
        gather: Callable[[Callable[[documents.State], None]], None],
    ) -> None:
        self._run_dir = run_dir
        self._config = config
        self._gather = gather

    def state(self) -> None:
        """SIGUSR1: the state document."""
        self._gather(lambda state: self._write("state", "SIGUSR1: the state", _json(state)))

    def json(self) -> None:
        """SIGRTMIN+2, keepalived's signal for its JSON: the same document, where ``json_dump_file`` says."""
        self._gather(lambda state: self._write("json", "SIGRTMIN+2: the state", _json(state)))

    def stats(self) -> None:
        """SIGUSR2: the counters, in keepalived's form."""
        self._gather(
            lambda state: self._write(
                "stats", "SIGUSR2: the statistics", statistics.text(state.vrrp).encode()
            )
        )

    def _write(self, kind: str, what: str, data: bytes) -> None:
        config = self._config()
        path = place(kind, config, self._run_dir)
        try:
            onestep.write(path, data)
            path.chmod(0o666 & ~config.global_defs.umask)
        except OSError as error:
            log.error("%s cannot be written: %s: %s", what, path, error.strerror or error)
            return
        log.info("%s are in %s" if kind == "stats" else "%s is in %s", what, path)


def _json(state: documents.State) -> bytes:
    return msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n"


def write_pid(path: Path, pid: int, umask: int) -> None:
    """The pid file of a child. One that cannot be written is no reason not to have the child."""
    try:
        onestep.write(path, f"{pid}\n".encode())
        os.chmod(path, 0o666 & ~umask)  # noqa: PTH101
    except OSError as error:
        log.warning("%s: %s", path, error.strerror or error)
