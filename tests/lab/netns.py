"""Network namespaces, and small networks made of them.

A namespace here has no name in ``/run/netns``: it lives as long as the file descriptor that its
:class:`Namespace` holds, or a process inside it. A test run that is killed therefore leaves no
namespace behind once its processes are gone, and needs no writable ``/run`` (``unshare -Urn`` is
enough). The processes carry the identity of the run that owns them in their environment
(:mod:`lab.processes`), which also ends those that a dead run left.

The network namespace is a property of the *thread* (setns(2)): ``with namespace:`` moves the calling
thread into it, so sockets opened, files read below ``/proc/sys/net`` and processes started there
belong to it. Other threads are not affected, so many networks can be worked on side by side.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.processes import Process, sweep, wait_for

__all__ = ["Director", "Namespace", "Segment"]

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)


class Namespace:
    """A network namespace with its loopback up; a context manager that moves the calling thread into it.

    ``label`` appears in messages only. Raises :class:`OSError` where none can be made (no privilege).
    Addresses never wait for duplicate address detection, and no interface accepts router advertisements.
    """

    def __init__(self, label: str) -> None:
        sweep()
        self.label = label
        self._outside = threading.local()
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.unshare(CLONE_NEWNET), "unshare")
            try:
                self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            finally:
                _check(_libc.setns(home, CLONE_NEWNET), "setns")
        finally:
            os.close(home)
        self.inode = os.fstat(self._fd).st_ino
        with self:
            for family, name, value in (
                ("ipv6", "accept_dad", "0"),
                ("ipv6", "dad_transmits", "0"),
                ("ipv6", "accept_ra", "0"),
                ("ipv4", "rp_filter", "0"),
            ):
                for scope in ("all", "default"):
                    set_sysctl(f"net/{family}/conf/{scope}/{name}", value)
        self.ip("link set lo up")

    @property
    def path(self) -> str:
        """A path for programs that take one (``nsenter --net=PATH``), valid while this object is open."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def __repr__(self) -> str:
        return f"Namespace({self.label!r}, inode {self.inode})"

    def __enter__(self) -> Self:
        stack: list[int] = self._outside.__dict__.setdefault("stack", [])
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(self._fd, CLONE_NEWNET), f"setns {self.label}")
        except BaseException:
            os.close(home)
            raise
        stack.append(home)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        home = self._outside.stack.pop()
        try:
            _check(_libc.setns(home, CLONE_NEWNET), "setns back")
        finally:
            os.close(home)

    def run(
        self, argv: Sequence[str], *, check: bool = True, timeout: float = 30.0, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside to its end and return what it wrote; not zero raises with its stderr."""
        with self:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
            )
        if check and done.returncode != 0:
            raise RuntimeError(
                f"{self.label}: {' '.join(argv)!r} exited with {done.returncode}: {done.stderr.strip()}"
            )
        return done

    def ip(self, *commands: str) -> None:
        """Run ``ip`` commands inside, as one batch; the first that fails raises."""
        self.run(["ip", "-batch", "-"], stdin="".join(f"{command}\n" for command in commands))

    def ip_json(self, *arguments: str) -> list[dict[str, Any]]:
        """The answer of ``ip -j ARGUMENTS`` inside."""
        answer: list[dict[str, Any]] = json.loads(self.run(["ip", "-j", *arguments]).stdout or "[]")
        return answer

    def addresses(self, device: str) -> list[str]:
        """The addresses of ``device``, as ``ADDRESS/PREFIX``, in the kernel's order."""
        return [
            f"{entry['local']}/{entry['prefixlen']}"
            for link in self.ip_json("addr", "show", "dev", device)
            for entry in link.get("addr_info", ())
        ]

    def start(
        self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Process:
        """Start a program inside, as leader of its own process group, its output appended to ``log``."""
        with self:
            return Process(argv, log=log, env=env, cwd=cwd)

    def pids(self) -> list[int]:
        """Every process in this namespace, whoever started it, except threads of this test run."""
        found = []
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if os.stat(f"/proc/{entry.name}/ns/net").st_ino == self.inode:
                        found.append(int(entry.name))
        return found

    def close(self) -> None:
        """Kill what still runs inside and give the namespace back. Can be called twice."""
        if self._fd < 0:
            return
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.close(self._fd)
        self._fd = -1


def set_sysctl(name: str, value: str) -> None:
    """Write ``/proc/sys/NAME`` as the calling thread's namespace sees it."""
    Path("/proc/sys", name).write_text(value)


class Director(Namespace):
    """A namespace on a segment: one device (``eth0``), its addresses, and a private folder for run files."""

    device = "eth0"

    def __init__(self, label: str, addresses: Sequence[str], folder: Path) -> None:
        super().__init__(label)
        self.static = list(addresses)
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, address: str) -> bool:
        """True when ``address`` (no prefix length) is on the device now."""
        return address in {entry.partition("/")[0] for entry in self.addresses(self.device)}


class Segment:
    """One L2 segment: a bridge in a namespace of its own, and a director on each of its ports.

    ``addresses`` maps the directors' names to their addresses (``"192.0.2.1/24"``, ``"2001:db8::1/64"``).
    The bridge neither learns multicast groups nor delays: every frame reaches every director. The port
    of a director has the director's name. A context manager; on the way out, after a failure as well,
    every process inside is killed, the namespaces go, and so does ``folder`` if it was made here.
    """

    BRIDGE = "br0"

    def __init__(
        self,
        addresses: Mapping[str, Sequence[str]],
        *,
        label: str = "segment",
        folder: Path | None = None,
        mtu: int = 1500,
    ) -> None:
        self._temporary = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix=f"krun-lab-{os.getpid()}-")
            folder = Path(self._temporary.name)
        self.label = label
        self.folder = folder
        self.directors: dict[str, Director] = {}
        self.switch = Namespace(f"{label}/switch")
        try:
            self._build(addresses, mtu)
        except BaseException:
            self.close()
            raise

    def _build(self, addresses: Mapping[str, Sequence[str]], mtu: int) -> None:
        with self.switch:
            set_sysctl("net/ipv6/conf/default/disable_ipv6", "1")  # a switch says nothing of its own
        self.switch.ip(
            f"link add name {self.BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link set dev {self.BRIDGE} mtu {mtu} up",
        )
        for number, (name, own) in enumerate(addresses.items(), start=1):
            director = Director(f"{self.label}/{name}", own, self.folder / name)
            self.directors[name] = director
            # A fixed link-layer address makes the link-local address, and every capture, repeatable.
            self.switch.ip(
                f"link add name {name} type veth peer name {director.device}"
                f" address 02:00:5e:10:00:{number:02x} netns {director.path}",
                f"link set dev {name} master {self.BRIDGE} mtu {mtu} up",
            )
            director.ip(
                f"link set dev {director.device} mtu {mtu} up",
                *(f"addr add {address} dev {director.device} nodad" for address in own),
            )
        for director in self.directors.values():
            # IPv6 multicast sent before the link-local address is there is lost without a word.
            wait_for(
                f"the link-local address of {director.label}",
                lambda director=director: any(  # type: ignore[misc]
                    entry.startswith("fe80:") for entry in director.addresses(director.device)
                ),
                timeout=10,
            )

    def __getitem__(self, name: str) -> Director:
        return self.directors[name]

    def link_down(self, name: str) -> None:
        """Pull the cable: the director's device loses its carrier."""
        self.switch.ip(f"link set dev {name} down")

    def link_up(self, name: str) -> None:
        """Put the cable back."""
        self.switch.ip(f"link set dev {name} up")

    def close(self) -> None:
        """Kill everything inside and give everything back. Can be called twice."""
        for namespace in (*self.directors.values(), self.switch):
            namespace.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
