"""The operator's hand in the checker process: which overlays count at this moment, and the alarm for the next that ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kir.model import Config, VirtualServer
from kir.state import DestKey
from krun.check.schedule import Alarm, Grid
from krun.control import overlays
from krun.control.overlays import Overlay
from krun.parent.boot import boot_id

log = logging.getLogger("krun.check")

LOOK_US = 5_000_000
"""How often a far deadline is looked at: the grid counts CLOCK_MONOTONIC, which stands still while the machine sleeps."""


class Hand:
    """The overlays as the parent last told of them. ``moved`` is called when one has ended; ``boottime`` is CLOCK_BOOTTIME."""

    def __init__(
        self, grid: Grid, clock: Callable[[], int], boottime: Callable[[], int], moved: Callable[[], object]
    ) -> None:
        self._grid = grid
        self._clock = clock
        self._boottime = boottime
        self._moved = moved
        self._boot = boot_id()
        self._alarm: Alarm | None = None
        self.overlays: list[Overlay] = []

    def set(self, values: Iterable[Mapping[str, Any]]) -> None:
        """The whole list, in plain form. Raises ValueError, and then everything stays."""
        self.overlays = self._unexpired(overlays.decode(values))
        self._arm()

    def weights(self, virtual: VirtualServer) -> dict[DestKey, int]:
        """What counts for ``virtual``."""
        return overlays.weights(self.overlays, virtual) if self.overlays else {}

    def reloaded(self, old: Config, new: Config) -> None:
        """Say which overlays lost their server by a reload, and which have it back."""
        if not self.overlays:
            return
        before, after = overlays.resting(self.overlays, old), overlays.resting(self.overlays, new)
        for overlay in after:
            if overlay not in before:
                log.warning(
                    "overlay on %s (%s, by %s): that server is not configured any more; the overlay rests and counts again if it comes back "
                    "before it ends",
                    overlay.target,
                    overlay.words,
                    overlay.by,
                )
        for overlay in before:
            if overlay not in after:
                log.warning(
                    "overlay on %s (%s, by %s) counts again", overlay.target, overlay.words, overlay.by
                )

    def close(self) -> None:
        """No more alarms."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _unexpired(self, found: list[Overlay]) -> list[Overlay]:
        now = self._boottime()
        return [overlay for overlay in found if overlays.left_us(overlay, now, self._boot)]

    def _arm(self) -> None:
        self.close()
        if self.overlays:
            now = self._boottime()
            left = min(overlays.left_us(overlay, now, self._boot) for overlay in self.overlays)
            self._alarm = self._grid.at(self._clock() + min(left, LOOK_US), self._look)

    def _look(self) -> None:
        self._alarm = None
        kept = self._unexpired(self.overlays)
        ended = [overlay for overlay in self.overlays if overlay not in kept]
        self.overlays = kept
        self._arm()
        for overlay in ended:
            log.debug("overlay on %s (%s, by %s) has ended", overlay.target, overlay.words, overlay.by)
        if ended:
            self._moved()
