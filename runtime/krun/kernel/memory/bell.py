"""Something that an event loop can wait on while a queue in memory is not empty."""

from __future__ import annotations

import os


class Bell:
    """An eventfd(2) that is made when its number is first asked for: simulations never do."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._ringing = False

    def fileno(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.eventfd(int(self._ringing), os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        return self._descriptor

    def ring(self) -> None:
        """Readable from now on."""
        if not self._ringing:
            self._ringing = True
            if self._descriptor >= 0:
                os.eventfd_write(self._descriptor, 1)

    def silence(self) -> None:
        """No longer readable."""
        if self._ringing:
            self._ringing = False
            if self._descriptor >= 0:
                os.eventfd_read(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
