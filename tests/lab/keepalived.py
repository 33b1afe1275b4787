"""The real keepalived as a peer, in the foreground and by itself.

Everything that keepalived would share by default (pid files, log) is given a place of the director's
own: two of them with one ``/run`` say "daemon is already running".
"""

from __future__ import annotations

import re
import signal
from functools import cache

from lab.needs import find_tool
from lab.netns import Director
from lab.processes import wait_for

__all__ = ["Keepalived", "version"]


@cache
def version() -> str:
    """The release of the installed keepalived, as in ``2.2.7``."""
    import subprocess

    said = subprocess.run(
        [find_tool("keepalived") or "keepalived", "-v"], capture_output=True, text=True, check=False
    )
    found = re.search(r"Keepalived v(\S+)", said.stderr + said.stdout)
    return found.group(1) if found else "?"


class Keepalived:
    """keepalived with the configuration ``text`` in ``director``, started at once.

    ``only`` limits it to its ``"vrrp"`` or ``"checker"`` process. The configuration, the log and the pid
    files lie in the director's folder; a second start there appends to the same log.
    """

    kind = "keepalived"

    def __init__(self, director: Director, text: str, *, only: str | None = None) -> None:
        self.director = director
        folder = director.folder
        self.config = folder / "keepalived.conf"
        self.config.write_text(text)
        self.log = folder / "keepalived.log"
        # In the foreground -l writes to stderr, which is a file here; -G keeps syslog out of it.
        arguments = [find_tool("keepalived") or "keepalived", "-n", "-l", "-D", "-G", "-f", str(self.config)]
        for option, name in (("-p", "parent"), ("-r", "vrrp"), ("-c", "checkers"), ("-b", "bfd")):
            arguments += [option, str(folder / f"{name}.pid")]
        if only is not None:
            arguments.append({"vrrp": "-P", "checker": "-C"}[only])
        for name in ("parent", "vrrp", "checkers", "bfd"):  # a killed one leaves its files behind
            (folder / f"{name}.pid").unlink(missing_ok=True)
        self.process = director.start(arguments, log=self.log)
        self._expected = {"vrrp": ["vrrp"], "checker": ["checkers"], None: []}[only]

    def wait_running(self, timeout: float = 60.0) -> None:
        """Wait until the parent and the process that ``only`` named have written their pid files."""

        def ready() -> bool:
            if not self.process.running():
                raise AssertionError(
                    f"keepalived ended with {self.process.returncode}:\n{self.logged()[-3000:]}"
                )
            return all(
                (self.director.folder / f"{name}.pid").exists() for name in ("parent", *self._expected)
            )

        wait_for(f"keepalived in {self.director.label} to run", ready, timeout)

    def reload(self, text: str | None = None) -> None:
        """Write a new configuration, if given, and send SIGHUP."""
        if text is not None:
            self.config.write_text(text)
        self.process.send(signal.SIGHUP)

    def kill(self) -> float:
        """kill -9 of all its processes; returns the time just before."""
        return self.process.kill()

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM and wait; returns the exit status."""
        return self.process.stop(timeout)

    def logged(self) -> str:
        """Everything that it and its children have logged."""
        return self.process.output()
