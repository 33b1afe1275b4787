"""``use_vmac`` and ``use_ipvlan``: an interface of its own for a virtual router. Bad words are ignored one by one."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from kcc.language.arguments.addresses import parse_prefix
from kcc.language.arguments.base import Arg, Reader
from kcc.language.arguments.numbers import U32_MAX
from kcc.language.arguments.tables import GROUPS, table_name
from kcc.language.arguments.words import ifname_problem

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
            elif not (self._ipvlan(word, given) if self.ipvlan else self._vmac(reader, word, given)):
                self._name(reader, word, given)
        return IpvlanValue(**given) if self.ipvlan else VmacValue(**given)

    def _vmac(self, reader: Reader, word: str, given: dict[str, Any]) -> bool:
        if word == "netlink_notify_msg":
            given["netlink_notify"] = True
            return True
        if ":" not in word:
            return False
        parts = word.lower().split(":")
        mac = ":".join(part.rjust(2, "0") for part in parts)
        good = len(parts) in (5, 6) and all(0 < len(p) <= 2 and set(p) <= _HEX for p in parts)
        if not good or int(parts[0], 16) & 1 or (len(parts) == 6 and mac.startswith(_RFC)):
            reader.wrong(
                "KC0307",
                "a MAC address here has five octets (the VRID is the sixth) or six, and is no multicast address",
                label=f"`{word}` is not usable",
                consequence="ignored; the RFC's address is used",
            )
            return True
        given["mac"] = mac
        return True

    def _ipvlan(self, word: str, given: dict[str, Any]) -> bool:
        if word in ("bridge", "private", "vepa"):
            given["mode"] = word
            return True
        found = parse_prefix(word)
        if found is None or found[3]:
            return False
        given["address"], given["prefix"] = found[0], found[2]
        return True

    def _name(self, reader: Reader, word: str, given: dict[str, Any]) -> None:
        problem = "stands there twice" if "name" in given else ifname_problem(word)
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
        group = table_name(word, GROUPS, U32_MAX) if word else None
        if group is None:
            reader.wrong(
                "KC0307",
                "a group is a number or a name",
                label=f"`{word}` is neither",
                consequence="the word is ignored",
            )
            return
        given["group"] = group


USE_VMAC = LinkArg(ipvlan=False)
USE_IPVLAN = LinkArg(ipvlan=True)
