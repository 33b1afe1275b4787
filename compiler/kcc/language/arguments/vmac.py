"""``use_vmac`` and ``use_ipvlan``: an interface of its own for a virtual router. Bad words are ignored one by one."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from kcc.language.arguments.addresses import parse_prefix
from kcc.language.arguments.base import Arg, Reader
from kcc.language.arguments.numbers import S32_MAX
from kcc.language.arguments.tables import GROUPS, table_name
from kcc.language.arguments.words import ifname_problem

MODES = ("bridge", "private", "vepa")
_HEX = frozenset("0123456789abcdef")
_RFC = ("00:00:5e:00:01:", "00:00:5e:00:02:")  # RFC 9568 section 7.3


class VmacValue(msgspec.Struct, frozen=True):
    """What is said behind ``use_vmac``; ``mac`` has five or six octets."""

    name: str | None = None
    mac: str | None = None
    netlink_notify: bool = False
    group: int | str | None = None


class IpvlanValue(msgspec.Struct, frozen=True):
    """What is said behind ``use_ipvlan``."""

    name: str | None = None
    address: str | None = None
    prefix: int | None = None
    mode: Literal["bridge", "private", "vepa"] = "bridge"
    group: int | str | None = None


class LinkArg(Arg):
    """The words behind either keyword, in any order."""

    __slots__ = ("ipvlan",)

    def __init__(self, *, ipvlan: bool) -> None:
        own = "[IP[/LEN]] [bridge|private|vepa]" if ipvlan else "[MAC] [netlink_notify_msg]"
        super().__init__(f"[[name] IFNAME] {own} [group GROUP]", optional=True)
        self.ipvlan = ipvlan

    def read(self, reader: Reader) -> Any:
        given: dict[str, Any] = {}
        while reader.more():
            word = reader.take()
            if word in ("name", "group"):
                if not reader.more():
                    reader.missing("a value", consequence="the word is ignored")
                    break
                value = reader.take()
                self._name(reader, value, given) if word == "name" else self._group(reader, value, given)
            elif not (self._ipvlan(reader, word, given) if self.ipvlan else self._vmac(reader, word, given)):
                self._name(reader, word, given)
        return IpvlanValue(**given) if self.ipvlan else VmacValue(**given)

    def _vmac(self, reader: Reader, word: str, given: dict[str, Any]) -> bool:
        if word == "netlink_notify_msg":
            given["netlink_notify"] = True
            return True
        if ":" not in word:
            return False
        if "mac" in given:
            _twice(reader, "a MAC address", word)
            return True
        mac = mac_address(reader, word)
        if mac is not None:
            given["mac"] = mac
        return True

    def _ipvlan(self, reader: Reader, word: str, given: dict[str, Any]) -> bool:
        if word in MODES:
            if "mode" in given:
                _twice(reader, "a mode", word)
            given.setdefault("mode", word)
            return True
        found = parse_prefix(word)
        if found is None or found[3]:
            return False
        if "address" in given:
            _twice(reader, "an address", word)
            return True
        given["address"], given["prefix"] = found[0], found[2]
        return True

    def _name(self, reader: Reader, word: str, given: dict[str, Any]) -> None:
        if "name" in given:
            _twice(reader, "the name of an interface", word)
            return
        problem = ifname_problem(word)
        if problem is None:
            given["name"] = word
            return
        reader.wrong(
            "KC0307",
            f"an interface name {problem}",
            label=f"`{word}` is not used",
            consequence="the word is ignored",
        )

    def _group(self, reader: Reader, word: str, given: dict[str, Any]) -> None:
        group = table_name(word, GROUPS, S32_MAX) if word else None
        if group is None:
            reader.wrong(
                "KC0307",
                "a group is a number or a name",
                label=f"`{word}` is neither",
                consequence="the word is ignored",
            )
            return
        given["group"] = group


def mac_address(reader: Reader, word: str) -> str | None:
    """A MAC address of five or six octets, or None after saying what is wrong with it."""
    parts = word.lower().split(":")
    mac = ":".join(part.rjust(2, "0") for part in parts)
    good = len(parts) in (5, 6) and all(0 < len(p) <= 2 and set(p) <= _HEX for p in parts)
    if good and not int(parts[0], 16) & 1 and not (len(parts) == 6 and mac.startswith(_RFC)):
        return mac
    reader.wrong(
        "KC0307",
        "a MAC address here has five octets (the VRID is the sixth) or six, and is no multicast address",
        label=f"`{word}` is not usable",
        consequence="ignored; the RFC's address is used",
    )
    return None


def _twice(reader: Reader, what: str, word: str) -> None:
    reader.wrong(
        "KC0307",
        f"`{reader.name}` takes {what} once",
        label=f"`{word}` is not used",
        consequence="the word is ignored",
    )


USE_VMAC = LinkArg(ipvlan=False)
USE_IPVLAN = LinkArg(ipvlan=True)
