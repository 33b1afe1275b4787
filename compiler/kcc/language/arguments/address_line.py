"""The lines of virtual_ipaddress, virtual_ipaddress_excluded and static_ipaddress: ``ADDR[/LEN]`` and options in any order.

The options are those of ip-address(8) with keepalived's own (keepalived.conf(5), virtual_ipaddress).
"""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.addresses import ENDS, not_an_address, nothing_behind, parse_ip, parse_prefix
from kcc.language.arguments.base import REFUSED, Arg, Reader, Refused
from kcc.language.arguments.numbers import U32_MAX, integer
from kcc.language.arguments.tables import SCOPES, table_number
from kcc.language.arguments.words import alias_help, ifname_problem
from kcc.language.parsed import AddressLine

_FLAGS = {
    "home": ("home", True),
    "-nodad": ("nodad", False),
    "mngtmpaddr": ("mngtmpaddr", True),
    "noprefixroute": ("noprefixroute", True),
    "autojoin": ("autojoin", True),
    "no_track": ("no_track", True),
}
_VALUED = ("dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft")
LABEL_MAX = 15  # linux/if.h: IFNAMSIZ - 1


class AddressArg(Arg):
    """One address line. ``static``: the options of static_ipaddress, else those of a virtual address."""

    __slots__ = ("options", "static")

    def __init__(self, *, static: bool = False) -> None:
        super().__init__(
            "IP[/LEN] [dev IFNAME] [scope SCOPE] [brd IP|+|-] [label LABEL] [peer IP] [OPTION …]"
        )
        self.static = static
        own = ("track_group",) if static else ()
        self.options = (*_VALUED, *own, *_FLAGS, *(() if static else ("use_vmac",)))

    def read(self, reader: Reader) -> Any:
        text = reader.take()
        found = parse_prefix(text)
        if found is None:
            return self._no_address(reader, text)
        address, family, prefix, bad = found
        if bad:
            full = 32 if family == "inet" else 128
            reader.wrong(
                "KC0310",
                f"the prefix length of `{text}` must be 0 to {full}",
                label=f"`/{bad}` is not",
                consequence=f"/{full} is used instead",
                help=_netmask_help(bad),
            )
        given: dict[str, Any] = {}
        while reader.more():
            if self._option(reader, reader.take(), family, prefix, given) is REFUSED:
                return REFUSED
        if "peer" in given and "broadcast" in given:
            del given["broadcast"]
            reader.wrong(
                "KC0307",
                "an address with a peer has no broadcast address",
                at=0,
                consequence="the broadcast address is dropped",
            )
        if "peer" in given and prefix is not None:
            prefix = None
            reader.wrong(
                "KC0307",
                "an address with a peer takes no prefix length",
                at=0,
                consequence="the prefix length is ignored",
            )
        return AddressLine(address=address, family=family, prefix=prefix, **given)

    def _no_address(self, reader: Reader, text: str) -> Refused:
        if text in self.options:
            return reader.wrong(
                "KC0306",
                f"a line starts with the address, not with `{text}`",
                label="no address here",
                help="write `IP/LEN dev IFNAME …`",
            )
        return not_an_address(reader, text)

    def _option(
        self, reader: Reader, word: str, family: str, prefix: int | None, given: dict[str, Any]
    ) -> Refused | None:
        flag = _FLAGS.get(word)
        if flag is not None:
            given[flag[0]] = flag[1]
            return None
        if word == "use_vmac" and not self.static:
            given["use_vmac"] = True
            return None
        if word not in self.options:
            self._unknown(reader, word)
            return None
        if not reader.more():
            return reader.missing("a value")
        value = reader.take()
        if word == "dev":
            return self._device(reader, value, given)
        if word == "track_group":
            given["track_group"] = value
            return None
        if word == "peer":
            return self._peer(reader, value, family, given)
        if word in ("broadcast", "brd"):
            return self._broadcast(reader, value, family, prefix, given)
        if word == "label":
            return self._label(reader, value, family, given)
        if word == "scope":
            return self._scope(reader, value, family, given)
        return self._lifetime(reader, value, given)

    def _unknown(self, reader: Reader, word: str) -> None:
        from kcc.language.suggest import closest

        guess = closest(word, self.options)
        help = f"did you mean `{guess}`?" if guess else None
        consequence = "the word is ignored; the address is used without it"
        if parse_ip(word.split("/")[0]):
            help = "write one address a line"
            consequence = f"`{word}` is ignored: nobody will hold this address"
        reader.wrong(
            "KC0311",
            f"`{word}` is not an option of an address",
            label="unknown",
            help=help,
            consequence=consequence,
        )

    def _device(self, reader: Reader, value: str, given: dict[str, Any]) -> Refused | None:
        if "device" in given:
            return reader.wrong("KC0307", "an address has one device", label="a second `dev`")
        problem = ifname_problem(value)
        if problem is not None:
            return reader.wrong(
                "KC0307",
                f"an interface name {problem}",
                label="no interface can have this name",
                help=alias_help(value),
            )
        given["device"] = value
        return None

    def _peer(self, reader: Reader, value: str, family: str, given: dict[str, Any]) -> Refused | None:
        found = parse_ip(value)
        if found is None or found[1] != family:
            reader.wrong(
                "KC0306",
                f"`{value}` is not an address of the same family"
                if found
                else f"`{value}` is not an IP address",
                consequence="the address is used without a peer",
            )
            return None
        given["peer"] = found[0]
        return None

    def _broadcast(
        self, reader: Reader, value: str, family: str, prefix: int | None, given: dict[str, Any]
    ) -> Refused | None:
        if family == "inet6":
            return reader.wrong("KC0307", "IPv6 has no broadcast addresses", label="remove this")
        if value in ("+", "-"):
            if (32 if prefix is None else prefix) > 30:
                return reader.wrong(
                    "KC0307",
                    f"`brd {value}` needs a prefix length of 30 or less",
                    label="no host bits to fill",
                )
            given["broadcast"] = value
            return None
        found = parse_ip(value)
        if found is None or found[1] != "inet":
            return reader.wrong(
                "KC0306", f"`{value}` is not an IPv4 address, `+` or `-`", label="not an address"
            )
        given["broadcast"] = found[0]
        return None

    def _label(self, reader: Reader, value: str, family: str, given: dict[str, Any]) -> Refused | None:
        if family == "inet6":
            reader.wrong(
                "KC0307",
                "only IPv4 addresses have labels",
                label="remove this",
                consequence="the address is used without a label",
            )
            return None
        if len(value) > LABEL_MAX:
            return reader.wrong(
                "KC0309", f"a label has at most {LABEL_MAX} characters", label=f"{len(value)}"
            )
        given["label"] = value
        return None

    def _scope(self, reader: Reader, value: str, family: str, given: dict[str, Any]) -> Refused | None:
        number = table_number(value, SCOPES, 255)
        if number is None or family == "inet6":
            message = (
                f"`{value}` is not a scope" if number is None else "the scope of an IPv6 address is its own"
            )
            reader.wrong(
                "KC0307",
                message,
                label="not used",
                consequence="the address is used without a scope",
                help="write `global`, `site`, `link`, `host`, or a number from 0 to 255",
            )
            return None
        given["scope"] = number
        return None

    def _lifetime(self, reader: Reader, value: str, given: dict[str, Any]) -> Refused | None:
        if value == "forever":
            given["preferred_lft_forever"] = True
            return None
        seconds = integer(value)
        if seconds is None or not 0 <= seconds <= U32_MAX:
            return reader.wrong(
                "KC0302", "a lifetime is a number of seconds, or `forever`", label=f"`{value}`"
            )
        given["preferred_lft_s"] = seconds
        return None


def _netmask_help(text: str) -> str | None:
    """Where a netmask stands instead of a prefix length: which length that is; where a list goes on: that it does not."""
    if (bare := text.rstrip(ENDS)) != text and bare.isdigit():
        return f"write `/{bare}`: {nothing_behind(text[len(bare)])}"
    found = parse_ip(text)
    if found is None or found[1] != "inet":
        return None
    bits = "".join(f"{int(part):08b}" for part in text.split("."))
    if "01" in bits:
        return "write a prefix length, not a netmask"
    return f"write `/{bits.count('1')}`: a prefix length, not a netmask"


VIRTUAL_ADDRESS = AddressArg()
STATIC_ADDRESS = AddressArg(static=True)
