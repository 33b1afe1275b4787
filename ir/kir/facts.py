"""Facts of a host: what is true of one director and stands in no configuration.

``krunctl facts`` writes them, ``kcc check --host`` judges by them, so that a configuration can be checked for a director on
another machine. JSON, readable, in a fixed order, without anything that changes by itself (no times, no counters): two runs on
an unchanged host give the same file, which may be kept beside the configuration. It holds no secrets.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from kir.model.base import U32, Model, Octet

VERSION = "1.1"
"""Major and minor number of this format: a reader refuses another major number, and ignores what a newer minor one adds."""

MAX_BYTES = 64 * 1024 * 1024

Mode = Annotated[str, msgspec.Meta(pattern=r"^[0-7]{4}$")]


class FactsError(Exception):
    """Not usable facts; the text says of which file, why, and what to do."""


class _Fact(Model, frozen=True, forbid_unknown_fields=False):
    """A newer minor version may say more."""


class InterfaceAddress(_Fact, frozen=True):
    """An address of an interface (rtnetlink(7), struct ifaddrmsg). ``secondary``: IFA_F_SECONDARY, IPv4 only."""

    address: str
    prefix: Octet
    family: Literal["inet", "inet6"]
    secondary: bool = False
    peer: str | None = None

    @property
    def link_local(self) -> bool:
        return self.family == "inet6" and ipaddress.ip_address(self.address).is_link_local


class Interface(_Fact, frozen=True):
    """An interface. ``kind`` is the driver of a virtual one (``vlan``, ``bond``, ``macvlan``), empty for hardware.

    ``flags`` are names of IFF_* in lower case, sorted: ``arp`` (no IFF_NOARP), ``loopback``, ``multicast``, ``running``
    (IFF_UP and IFF_RUNNING). ``mac`` is text (``00:16:3e:…``), empty where it has none. ``master`` names the interface that
    it is a port of. ``mtu`` in octets. ``hardware``: ARPHRD number (1 Ethernet, 772 loopback), None in facts of version 1.0.
    ``lower`` names the interface that a virtual one is on (``ip link``: behind the ``@``), where that is in the same namespace.
    """

    name: str
    mtu: U32
    kind: str = ""
    flags: tuple[str, ...] = ()
    mac: str = ""
    master: str | None = None
    hardware: U32 | None = None
    lower: str | None = None
    addresses: tuple[InterfaceAddress, ...] = ()


class User(_Fact, frozen=True):
    """An account (passwd(5)); ``gid`` is its primary group."""

    name: str
    uid: U32
    gid: U32


class Group(_Fact, frozen=True):
    """A group (group(5)); ``members`` have it as a supplementary one."""

    name: str
    gid: U32
    members: tuple[str, ...] = ()


class Component(_Fact, frozen=True):
    """One step on the way to a file (path_resolution(7)): ``path`` up to it, its owner and its permission bits (octal: ``0755``).

    Of a symbolic link ``target`` is what it holds; the steps that it leads through follow.
    """

    path: str
    kind: Literal["directory", "file", "link", "other"]
    uid: U32
    gid: U32
    mode: Mode
    target: str | None = None

    @property
    def bits(self) -> int:
        """The permission bits (stat.S_IMODE)."""
        return int(self.mode, 8)


class File(_Fact, frozen=True):
    """A file that the configuration names. ``exists``: the whole way could be walked to something that is there.

    ``components`` run from ``/`` to the file itself, as far as they could be examined; ``error`` says why no further.
    """

    path: str
    exists: bool
    error: str | None = None
    components: tuple[Component, ...] = ()


class Kernel(_Fact, frozen=True):
    """``release`` as uname(2) has it. ``ipvs``: the kernel has IPVS, or could load it when it was asked. ``ipv6``: it has IPv6.

    ``schedulers``: names of the IPVS schedulers that it has or could load (``wlc``); ``nftables``, ``macvlan`` and ``ipvlan``
    likewise. None: that was not found out (facts of version 1.0, or a kernel whose modules cannot be seen).
    """

    release: str
    ipvs: bool
    ipv6: bool
    schedulers: tuple[str, ...] | None = None
    nftables: bool | None = None
    macvlan: bool | None = None
    ipvlan: bool | None = None


class Facts(_Fact, frozen=True):
    """Everything that is known of a host. ``files`` holds those that were asked about; of others nothing is known."""

    facts: str
    hostname: str
    kernel: Kernel
    interfaces: tuple[Interface, ...] = ()
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    files: tuple[File, ...] = ()

    def interface(self, name: str) -> Interface | None:
        return next((i for i in self.interfaces if i.name == name), None)

    def user(self, name: str) -> User | None:
        """By name, else by number."""
        return next((u for u in self.users if u.name == name), None) or next(
            (u for u in self.users if str(u.uid) == name), None
        )

    def group(self, name: str) -> Group | None:
        """By name, else by number."""
        return next((g for g in self.groups if g.name == name), None) or next(
            (g for g in self.groups if str(g.gid) == name), None
        )

    def holds(self, address: str) -> str | None:
        """The interface that has ``address``."""
        return next((i.name for i in self.interfaces for a in i.addresses if a.address == address), None)

    def source_address(self, interface: str, family: str, but: Collection[str] = ()) -> str | None:
        """Where adverts leave from: the first IPv4 address that is no secondary one, the first link-local IPv6 one; none of ``but``."""
        found = self.interface(interface)
        if found is None:
            return None
        for a in found.addresses:
            if (
                a.family == family
                and a.address not in but
                and (a.link_local if family == "inet6" else not a.secondary)
            ):
                return a.address
        return None


def dumps(facts: Facts) -> bytes:
    """The document as it is written: indented, in a fixed order, with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(facts, order="deterministic"), indent=1) + b"\n"


def loads(data: bytes, name: str = "<facts>") -> Facts:
    """Read a document. Raises `FactsError` for anything that is not usable."""
    again = "write them again on the director with `krunctl facts > FACTS.json`"
    try:
        raw: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        raise FactsError(f"{name}: not JSON ({e}); {again}") from None
    version = raw.get("facts") if isinstance(raw, dict) else None
    if not isinstance(version, str):
        raise FactsError(f'{name}: JSON, but no host facts: it has no `"facts": "MAJOR.MINOR"`; {again}')
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise FactsError(f"{name}: host facts of version {version}, this release reads {VERSION}; {again}")
    try:
        facts = msgspec.convert(raw, Facts)
        for interface in facts.interfaces:
            for a in interface.addresses:
                ipaddress.ip_interface(f"{a.address}/{a.prefix}")
    except (msgspec.ValidationError, ValueError) as e:
        raise FactsError(f"{name}: no valid host facts: {e}; {again}") from None
    return facts


def load_path(path: str | Path) -> Facts:
    """Read the document at ``path``. Raises `FactsError`, whatever is wrong with file or content."""
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            raise FactsError(f"{path}: not a regular file; give what `krunctl facts` wrote")
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise FactsError(
                f"{path}: {size:,} bytes is more than the {MAX_BYTES:,} that host facts may have"
            )
        data = file.read_bytes()
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else e
        raise FactsError(f"{path}: cannot be read: {reason}") from None
    return loads(data, str(path))


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    body: dict[str, Any] = msgspec.json.schema(Facts)
    top = body["$defs"].pop("Facts")
    top["properties"]["facts"] = {"type": "string", "pattern": r"^1\.\d+$"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kir:facts:{VERSION}",
        **top,
        "title": f"kir host facts {VERSION}",
        "$defs": body["$defs"],
    }
