"""The ``promote_secondaries`` of an instance: its interface keeps secondary addresses whoever deletes the primary one, while krun runs."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from kir.model import Config

log = logging.getLogger("krun.kernel")

SWITCHES = Path("/proc/sys/net/ipv4/conf")


def wanted(config: Config) -> set[str]:
    """The interfaces of instances that ask for it, and those of their addresses."""
    return {
        device
        for instance in config.vrrp_instances
        if instance.promote_secondaries and instance.family == "inet"
        for device in (instance.interface, *(a.device for a in (*instance.vips, *instance.excluded_vips)))
    }


class Promotion:
    """``switches``: where the kernel has its settings. What was changed is put back when it is not wanted any more; a process that is
    killed leaves it at 1, as keepalived does.
    """

    def __init__(self, switches: Path = SWITCHES) -> None:
        self._switches = switches
        self.devices: frozenset[str] = frozenset()
        self._changed: set[str] = set()
        self._failed: dict[str, str] = {}

    def follow(self, devices: Collection[str]) -> None:
        """These interfaces and no others. Call it again when one comes back: a new one has the setting of ``default``."""
        self.devices = frozenset(devices)
        for device in self._changed - self.devices:
            self._changed.discard(device)
            self._set(device, "0")
        for device in devices:
            switch = self._switches / device / "promote_secondaries"
            try:
                if switch.read_text().strip() == "0":
                    switch.write_text("1")
                    self._changed.add(device)
            except FileNotFoundError:
                continue  # the interface is not there yet
            except OSError as error:
                words = error.strerror or str(error)
                if self._failed.get(device) != words:
                    log.warning("promote_secondaries of %s cannot be set: %s", device, words)
                self._failed[device] = words
            else:
                self._failed.pop(device, None)

    def problems(self) -> list[str]:
        """What could not be done."""
        return [
            f"promote_secondaries of {device} cannot be set: {words}"
            for device, words in self._failed.items()
        ]

    def close(self) -> None:
        """Put back what was changed."""
        for device in self._changed:
            self._set(device, "0")
        self._changed.clear()

    def _set(self, device: str, value: str) -> None:
        try:
            (self._switches / device / "promote_secondaries").write_text(value)
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("promote_secondaries of %s cannot be set to %s: %s", device, value, error.strerror)
