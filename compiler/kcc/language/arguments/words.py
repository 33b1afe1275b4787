"""Words: names, enumerations, booleans, paths, interface names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.language.arguments.base import Arg, Optional, Reader, WordArg

if TYPE_CHECKING:
    from kcc.diagnostics.model import Fix

_TRUE = frozenset(("true", "on", "yes"))
_FALSE = frozenset(("false", "off", "no"))
IFNAME_MAX = 15  # linux/if.h: IFNAMSIZ - 1


class BoolArg(WordArg):
    """``true on yes`` or ``false off no``, lower case only."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("BOOL", "`true` or `false`")

    def word(self, reader: Reader, text: str) -> Any:
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        help = "write `true` or `false` (also `on`, `yes`, `off`, `no`), in lower case"
        lower = text.lower()
        fix = None
        if lower in _TRUE or lower in _FALSE:
            help = f"write `{lower}`: only lower case is understood"
            fix = respelt(reader, lower)
        elif text in ("0", "1"):
            help = f"write `{'true' if text == '1' else 'false'}`"
        return reader.wrong(
            "KC0305",
            f"`{reader.name}` is either true or false",
            label=f"`{text}` is neither",
            help=help,
            fix=fix,
        )


def respelt(reader: Reader, word: str) -> Fix:
    """The fix of a word that is wrong by upper and lower case only: what was meant is sure."""
    from kcc.diagnostics.model import Edit, Fix

    return Fix(f"write `{word}`", (Edit(reader.span(), word),), safe=True)


class EnumArg(WordArg):
    """One of the listed words. ``any_case``: compared without regard to case; the value is the listed spelling.

    ``instead``: what a word that is not listed is taken as, if not as nothing. ``also`` maps further spellings.
    """

    __slots__ = ("also", "any_case", "choices", "instead", "table")

    def __init__(
        self,
        *choices: str,
        any_case: bool = False,
        instead: str | None = None,
        also: dict[str, str] | None = None,
    ) -> None:
        super().__init__("|".join(choices), f"one of {listing(choices)}")
        self.choices = choices
        self.any_case = any_case
        self.instead = instead
        self.also = also or {}
        self.table = {choice.lower() if any_case else choice: choice for choice in choices} | self.also

    def word(self, reader: Reader, text: str) -> Any:
        found = self.table.get(text.lower() if self.any_case else text)
        if found is not None:
            return found
        from kcc.language.suggest import closest, foreign_value

        help = foreign_value(reader.name, text)
        fix = None
        if help is None:
            guess = closest(text, self.choices)
            help = f"did you mean `{guess}`?" if guess else f"write one of {listing(self.choices)}"
            if guess and guess.lower() == text.lower():
                help = f"write `{guess}`: case matters here"
                fix = respelt(reader, guess)
        consequence = None if self.instead is None else f"taken as `{self.instead}`"
        refused = reader.wrong(
            "KC0304",
            f"`{reader.name}` must be {listing(self.choices, 'or')}",
            label=f"`{text}` is not known",
            consequence=consequence,
            help=help,
            fix=fix,
        )
        return refused if self.instead is None else self.instead


class StringArg(WordArg):
    """One word or one quoted text. ``most`` characters at most: with ``cut`` a longer one is cut, else refused."""

    __slots__ = ("cut", "most")

    def __init__(
        self, what: str = "a word", most: int = 0, *, cut: bool = False, grammar: str = "STRING"
    ) -> None:
        super().__init__(grammar if not most else f"{grammar}(max {most})", what)
        self.most = most
        self.cut = cut

    def word(self, reader: Reader, text: str) -> Any:
        if self.most and len(text) * 4 > self.most and len(octets(text)) > self.most:
            if self.cut:
                kept = octets(text)[: self.most].decode("utf-8", "surrogateescape")
                reader.shortened = True
                reader.wrong(
                    "KC0309",
                    f"`{reader.name}` holds at most {self.most} characters",
                    label=f"{len(octets(text))} characters",
                    consequence=f"only the first {self.most} characters are used",
                )
                return kept
            return reader.wrong(
                "KC0309",
                f"`{reader.name}` holds at most {self.most} characters",
                label=f"{len(octets(text))} characters",
            )
        return text


class SecretArg(StringArg):
    """A password: its text stands in no message."""

    __slots__ = ()


class DomainArg(StringArg):
    """A domain name; ``.`` is the root. No label may be empty (RFC 1035 section 2.3.1)."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("a domain name", grammar="DOMAIN")

    def word(self, reader: Reader, text: str) -> Any:
        if text == "." or (text and not text.startswith(".") and ".." not in text):
            if text[1:2] != "." or reader.target == "krun":
                return text
            return reader.wrong(
                "KC0307",
                f"keepalived takes no domain name whose first label has one character, as `{text}`",
                label="taken for an empty label",
                consequence="ignored; the question is about the root",
                help="ask for another name; krun takes this one",
            )
        return reader.wrong(
            "KC0307",
            f"`{text}` is not a domain name",
            label="an empty label",
            consequence="ignored; the question is about the root",
        )


class PathArg(StringArg):
    """A file or directory name."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("a path", grammar="PATH")


class IfnameArg(WordArg):
    """A network interface name: 1 to 15 characters, without ``/`` and blanks (linux: dev_valid_name)."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("IFNAME", "the name of an interface")

    def word(self, reader: Reader, text: str) -> Any:
        if (problem := ifname_problem(text)) is None:
            return text
        return reader.wrong(
            "KC0309" if len(text) > IFNAME_MAX else "KC0307",
            f"an interface name {problem}",
            label="no interface can have this name",
            help=alias_help(text),
        )


def alias_help(text: str) -> str | None:
    """What to do about the name of an alias (``eth0:1``), which has been a label of an address since Linux 2.2."""
    link, colon, number = text.partition(":")
    if not colon or not number.isalnum() or ifname_problem(link) is not None:
        return None
    return f"write `{link}`; `{text}` is no interface but a label: `label {text}` behind the address"


def ifname_problem(text: str) -> str | None:
    """Why ``text`` cannot be the name of an interface, None where it can."""
    if not text:
        return "cannot be empty"
    if len(text) > IFNAME_MAX:
        return f"has at most {IFNAME_MAX} characters"
    if text in (".", "..") or "/" in text or ":" in text or any(c.isspace() for c in text):
        return "cannot hold `/`, `:` or blanks, or be `.` or `..`"
    return None


class RestArg(Arg):
    """All remaining words, kept as they are. ``least`` of them must be there."""

    __slots__ = ("least",)

    def __init__(self, grammar: str, least: int = 0) -> None:
        super().__init__(grammar, optional=least == 0)
        self.least = least

    def read(self, reader: Reader) -> Any:
        if len(reader.words) - reader.at < self.least:
            return reader.missing(self.grammar)
        return tuple(reader.rest())


class NamesArg(Arg):
    """A line of names: every word is an entry of its own, of type ``item``."""

    __slots__ = ("item",)

    def __init__(self, item: WordArg) -> None:
        super().__init__(f"{item.grammar} …")
        self.item = item

    def read(self, reader: Reader) -> Any:
        """The next word's value."""
        return self.item.word(reader, reader.take())


def octets(text: str) -> bytes:
    """The octets that stood in the file."""
    return text.encode("utf-8", "surrogateescape")


def listing(words: tuple[str, ...], link: str = "or") -> str:
    """```a`, `b` or `c```; a long list is cut."""
    if len(words) > 16:
        words = (*words[:16], "…")
    quoted = [word if word == "…" else f"`{word}`" for word in words]
    if len(quoted) == 1:
        return quoted[0]
    return ", ".join(quoted[:-1]) + f" {link} {quoted[-1]}"


BOOL = BoolArg()
MAYBE_BOOL = Optional(BOOL, True)
IFNAME = IfnameArg()
PATH = PathArg()
NAME = StringArg("a name", grammar="NAME")
STRING = StringArg()
NAMES = NamesArg(NAME)
IFNAMES = NamesArg(IFNAME)
