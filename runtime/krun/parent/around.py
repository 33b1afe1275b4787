"""What surrounds a reload, beside the reload itself: what it may not change, what of it concerns the parent, and the files that somebody
may want to see of it (``reload_file``, ``reload_check_config``, ``config_save_dir``, ``reload_time_file``)."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from kir import onestep
from kir.codec import Document, IrError
from kir.model import Config
from kir.plan.daemon import plan_daemon
from kir.plan.operations import DaemonRestart
from krun.loop.events import EventLoop
from krun.parent.reload_time import ReloadTime

log = logging.getLogger("krun.parent")

MARKER = "krun.reload"
"""The file that exists only while krun starts or reloads, in the run directory, where no other place is said."""


class Around:
    """``adopted`` is called with what runs now, after each reload that changed something of the daemon; ``reload`` asks for one.
    ``kept``: where the store has the IR that runs.
    """

    def __init__(
        self,
        loop: EventLoop,
        run_dir: Path,
        document: Document,
        adopted: Callable[[Config], None],
        reload: Callable[[], None],
        kept: Callable[[], str | None],
    ) -> None:
        self._kept = kept
        self._run_dir = run_dir
        self._config = document.config
        self._adopted = adopted
        self._time = ReloadTime(loop, reload)
        self._marked: Path | None = None

    def start(self, document: Document) -> None:
        """krun starts with ``document``."""
        self.began()
        self._keep_copy(document)
        settings = self._config.global_defs.reload
        self._time.watch(settings.time_file, settings.repeat)

    def stop(self) -> None:
        """krun stops: no reload begins by itself any more."""
        self._time.close()
        self.ended()

    def judge(self, old: Config, new: Config) -> None:
        """Raises `IrError` where ``new`` differs in what a krun keeps for its life."""
        for order in plan_daemon(old, new):
            if isinstance(order, DaemonRestart):
                raise IrError(
                    f"{', '.join(f'`{keyword}`' for keyword in order.keywords)} cannot change while krun runs: "
                    "stop it and start it with the new IR"
                )

    def began(self) -> None:
        """A start or a reload is under way, from here until `ended`."""
        settings = self._config.global_defs.reload
        if not settings.marker:
            return
        path = self._run_dir / (settings.marker_file or MARKER)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644))
            path.chmod(0o644)
        except OSError as error:
            log.warning("reload_file %s: %s", path, error.strerror or error)
            return
        self._marked = path

    def ended(self) -> None:
        """It is over, one way or the other."""
        if self._marked is not None:
            try:
                self._marked.unlink(missing_ok=True)
            except OSError as error:
                log.warning("reload_file %s: %s", self._marked, error.strerror or error)
            self._marked = None

    def judged(self, path: str, reason: str) -> None:
        """What became of the IR that a reload was to take; ``reason`` empty: it runs. For the log of ``reload_check_config``."""
        said = self._config.global_defs.reload.check_log
        if said is None:
            return
        target = self._run_dir / said
        try:
            onestep.write(target, f"{path}: {reason}\n".encode() if reason else b"")
            target.chmod(0o666 & ~self._config.global_defs.umask)
        except OSError as error:
            log.warning("reload_check_config %s: %s", target, error.strerror or error)

    def applied(self, document: Document) -> dict[str, int]:
        """``document`` runs; returns the parent's own operations, by kind."""
        orders = plan_daemon(self._config, document.config)
        self._config = document.config
        self._keep_copy(document)
        if orders:
            settings = document.config.global_defs.reload
            self._time.watch(settings.time_file, settings.repeat)
            self._adopted(document.config)
        return {order.op: 1 for order in orders}

    def _keep_copy(self, document: Document) -> None:
        folder = self._config.global_defs.files.config_save_dir
        if folder is None:
            return
        stamp = time.strftime("%Y%m%d-%H%M%S")
        path = self._run_dir / folder / f"krun-{stamp}-{document.digest.partition(':')[2][:12]}.json"
        kept = self._kept()
        if kept is None:
            log.error(
                "config_save_dir: %s: nothing to copy, for the run directory cannot keep what runs", path
            )
            return
        try:
            onestep.write(
                path, Path(kept).read_bytes()
            )  # readable by its owner alone: it has the secrets of the configuration
        except OSError as error:
            log.error("config_save_dir: %s: %s", path, error.strerror or error)
