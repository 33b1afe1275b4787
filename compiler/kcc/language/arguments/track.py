"""Lines that name what is tracked, peers, and interfaces with delays."""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.addresses import IP
from kcc.language.arguments.base import REFUSED, Arg, Reader
from kcc.language.arguments.numbers import DecimalArg, empty, integer
from kcc.language.arguments.words import IFNAME, IfnameArg
from kcc.language.parsed import DelayLine, PeerLine, TrackLine


class WeightArg(Arg):
    """``INT [reverse]``; the value is ``(weight, reverse)``. ``either``: ``noreverse`` is known too and reverse may be None."""

    __slots__ = ("either", "most")

    def __init__(self, most: int, *, either: bool = False) -> None:
        super().__init__(f"INT(-{most}..{most}) [reverse{'|noreverse' if either else ''}]")
        self.most = most
        self.either = either

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("a weight")
        weight = read_weight(reader, self.most)
        if weight is REFUSED:
            return REFUSED
        if not reader.more():
            return weight, (None if self.either else False)
        word = reader.take()
        if word == "reverse":
            return weight, True
        if self.either and word == "noreverse":
            return weight, False
        reader.wrong(
            "KC0311",
            f"`{word}` is not an option of `weight`",
            label="only `reverse` is known here",
            consequence=f"the word is ignored; the weight is {weight}",
        )
        return weight, (None if self.either else False)


def read_weight(reader: Reader, most: int, clamp: int = 0) -> Any:
    """The next word as a weight from ``-most`` to ``most``; one of ``±clamp`` is used as ``±most``, with an error."""
    text = reader.take()
    value = integer(text)
    if value is None and empty(reader, text):
        return 0
    if value is not None and -most <= value <= most:
        return value
    if value is not None and clamp and abs(value) == clamp:
        used = most if value > 0 else -most
        reader.wrong(
            "KC0310",
            f"a weight here is -{most} to {most}",
            label=f"used as {used}",
            consequence=f"{used} is used instead",
        )
        return used
    if value is None:
        return reader.wrong(
            "KC0302",
            f"a weight is a whole number from -{most} to {most}",
            label=f"`{text}` is not one",
        )
    return reader.wrong("KC0303", f"a weight is -{most} to {most}", label=f"{text} is out of range")


class TrackArg(Arg):
    """A line ``NAME [weight W [reverse|noreverse]]`` of track_interface, track_script and their like."""

    __slots__ = ("clamp", "ifname", "most")

    def __init__(self, what: str, most: int, *, clamp: int = 0) -> None:
        super().__init__(f"{what} [weight INT(-{most}..{most}) [reverse|noreverse]]")
        self.ifname: IfnameArg | None = IFNAME if what == "IFNAME" else None
        self.most = most
        self.clamp = clamp

    def read(self, reader: Reader) -> Any:
        name = reader.take()
        if self.ifname is not None and self.ifname.word(reader, name) is REFUSED:
            return REFUSED
        if not reader.more():
            return TrackLine(name)
        word = reader.take()
        if word != "weight":
            from kcc.language.arguments.numbers import integer as number

            value = word.removeprefix("weight").lstrip("=:")
            help = f"write `{name} weight {value}`" if number(value) is not None else "write one name a line"
            return reader.wrong(
                "KC0311", f"`{word}` is not an option here", label="`weight` is expected", help=help
            )
        if not reader.more():
            return reader.missing("a number", consequence="the line is dropped")
        weight = read_weight(reader, self.most, self.clamp)
        if weight is REFUSED:
            return REFUSED
        if not reader.more():
            return TrackLine(name, weight)
        word = reader.take()
        if word in ("reverse", "noreverse"):
            return TrackLine(name, weight, word == "reverse")
        return reader.wrong(
            "KC0311", f"`{word}` is not an option of `weight`", label="`reverse` or `noreverse` is expected"
        )


class PeerArg(Arg):
    """A line ``IP [min_ttl N] [max_ttl N]`` of unicast_peer."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("IP [min_ttl UINT(0..255)] [max_ttl UINT(0..255)]")

    def read(self, reader: Reader) -> Any:
        address = IP.read(reader)
        if address is REFUSED:
            return REFUSED
        bounds: dict[str, int] = {}
        while reader.more():
            option = reader.take()
            if option not in ("min_ttl", "max_ttl"):
                from kcc.language.arguments.addresses import parse_ip

                help = (
                    "write one peer a line"
                    if parse_ip(option)
                    else "only `min_ttl` and `max_ttl` are known here"
                )
                return reader.wrong(
                    "KC0311", f"`{option}` is not an option of a peer", label="unknown", help=help
                )
            if not reader.more():
                return reader.missing("a number")
            text = reader.take()
            value = integer(text)
            if value is None or not 0 <= value <= 255:
                return reader.wrong("KC0303", f"`{option}` must be 0 to 255", label=f"`{text}` is not")
            bounds[option] = value
        return PeerLine(address, **bounds)


class DelayArg(Arg):
    """A line ``IFNAME DOWN [UP]`` of interface_up_down_delays, in seconds."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("IFNAME DEC(0..255,6) [DEC(0..255,6)]")

    def read(self, reader: Reader) -> Any:
        name = IFNAME.read(reader)
        if name is REFUSED:
            return REFUSED
        if not reader.more():
            from kcc.diagnostics.model import Severity

            return reader.wrong(
                "KC0301",
                f"no delay is given for `{name}`",
                at=len(reader.words),
                label="missing here",
                consequence="keepalived drops the line with a word in its log",
                help=f"write `{name} SECONDS`",
                severity=Severity.WARNING,
            )
        down = _DELAY.read(reader)
        up = _DELAY.read(reader) if reader.more() and down is not REFUSED else 0
        if down is REFUSED or up is REFUSED:
            return REFUSED
        return DelayLine(name, down, up)


class LinkbeatArg(Arg):
    """A line ``IFNAME [MII|ETHTOOL|IOCTL]``; the value is ``(name, method or None)``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("IFNAME [MII|ETHTOOL|IOCTL]")

    def read(self, reader: Reader) -> Any:
        name = IFNAME.read(reader)
        if name is REFUSED or not reader.more():
            return name if name is REFUSED else (name, None)
        method = reader.take()
        if method in ("MII", "ETHTOOL", "IOCTL"):
            return name, method
        reader.wrong(
            "KC0304", "a link check is `MII`, `ETHTOOL` or `IOCTL`", label=f"`{method}` is none of them"
        )
        return name, None


_DELAY = DecimalArg("0", "255", 6)
PEER_LINE = PeerArg()
DELAY_LINE = DelayArg()
LINKBEAT_LINE = LinkbeatArg()
TRACK_INTERFACE = TrackArg("IFNAME", 253, clamp=254)
TRACK_NAME = TrackArg("NAME", 253, clamp=254)
TRACK_NAME_254 = TrackArg("NAME", 254)
