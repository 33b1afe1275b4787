"""Files that a configuration names and that are no commands (those are in `kir.commands`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import dirname

from kir.model import Config


@dataclass(frozen=True, slots=True)
class NamedFile:
    """``path`` must be there before the configuration is loaded; ``owner`` and ``field`` say where it is named.

    ``kind``: ``track_file`` (``path`` is the folder that the file is in), ``hmac_key``, ``tls``. ``secret``: nobody but its owner
    should be able to read it.
    """

    path: str
    owner: str
    field: str
    kind: str
    secret: bool = False


def named_files(config: Config) -> Iterator[NamedFile]:
    """All of them, in the order of the model."""
    for instance in config.vrrp_instances:
        for key in instance.hmac.keys if instance.hmac is not None else ():
            if key.file is not None:
                yield NamedFile(key.file, f"vrrp_instance/{instance.name}", "hmac", "hmac_key", secret=True)
    for file in config.track_files:
        if file.path.startswith("/"):
            yield NamedFile(dirname(file.path), f"track_file/{file.name}", "path", "track_file")
    if config.tls is not None:
        for field in ("ca", "certificate", "key"):
            path: str | None = getattr(config.tls, field)
            if path is not None:
                yield NamedFile(path, "SSL", field, "tls", secret=field == "key")
