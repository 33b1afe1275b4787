"""What those who have something to tell need of the post office."""

from __future__ import annotations

from typing import Protocol

from kir.model import Global


class Sender(Protocol):
    """As `krun.notify.mail.post.PostOffice`."""

    def configure(self, settings: Global) -> None: ...

    def send(self, subject: str, body: str) -> None: ...
