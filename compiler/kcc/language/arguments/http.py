"""Values of HTTP checks: status codes, digests, regular expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.language.arguments.base import Arg, Reader, WordArg
from kcc.language.arguments.numbers import IntArg, integer
from kcc.language.arguments.scripts import split_escaped
from kcc.language.changes import older

if TYPE_CHECKING:
    from kcc.diagnostics.model import Severity

REGEX_OPTIONS = frozenset(
    [
        "allow_empty_class",
        "alt_bsux",
        "auto_callout",
        "caseless",
        "dollar_endonly",
        "dotall",
        "dupnames",
        "extended",
        "firstline",
        "match_unset_backref",
        "multiline",
        "never_ucp",
        "never_utf",
        "no_auto_capture",
        "no_auto_possess",
        "no_dotstar_anchor",
        "no_start_optimize",
        "ucp",
        "ungreedy",
        "utf",
        "never_backslash_c",
        "alt_circumflex",
        "alt_verbnames",
        "use_offset_limit",
    ]
)
STATUS_MIN, STATUS_MAX = 100, 599


class StatusArg(Arg):
    """Any number of ``N`` or ``N-M``, 100 to 599; the value is a tuple of ``(low, high)``. Bad items are left out."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("{UINT|UINT-UINT} …")

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("a status code")
        found = []
        while reader.more():
            text = reader.take()
            low_text, dash, high_text = text.partition("-")
            low = integer(low_text)
            high = integer(high_text) if dash else low
            if low is not None and high is not None and STATUS_MIN <= low <= high <= STATUS_MAX:
                found.append((low, high))
                continue
            help = None
            if "," in text:
                help = "separate the codes by blanks"
            reader.wrong(
                "KC0303",
                f"a status code is a number or a range within {STATUS_MIN} to {STATUS_MAX}",
                label=f"`{text}` is not",
                consequence="the item is ignored",
                help=help,
            )
        return tuple(found)


class DigestArg(WordArg):
    """An MD5 digest: 32 hexadecimal digits; the value is in lower case."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("HEX(32 digits)", "the MD5 digest of the page")

    def word(self, reader: Reader, text: str) -> Any:
        lower = text.lower()
        if len(lower) == 32 and all(c in "0123456789abcdef" for c in lower):
            return lower
        return reader.wrong(
            "KC0307",
            "a digest is 32 hexadecimal digits (MD5)",
            label=f"{len(text)} characters" if len(text) != 32 else "not hexadecimal",
            consequence="ignored; the content of the page is not checked",
            help="`kcc genhash` computes it",
        )


def _logged(reader: Reader) -> Severity | None:
    """Before 2.2.8 only the log tells that an expression cannot be used."""
    from kcc.diagnostics.model import Severity

    return Severity.WARNING if older(reader.target, "2.2.8") else None


class RegexArg(Arg):
    """Exactly one regular expression after quotes and escapes."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("REGEX")

    def read(self, reader: Reader) -> Any:
        logged = _logged(reader)
        if not reader.more():
            return reader.missing("a regular expression", severity=logged)
        base = reader.words[0].start
        words, closed = split_escaped(reader.statement.raw[reader.words[reader.at].start - base :])
        reader.at = len(reader.words)
        if not closed:
            return reader.wrong("KC0307", "a quote is not closed", at=1, label="this expression")
        if len(words) != 1:
            return reader.wrong(
                "KC0307",
                "a regular expression is one word",
                at=1,
                label=f"{len(words)} words",
                help="put it in quotes",
                severity=logged,
            )
        return words[0]


class RegexOptionsArg(Arg):
    """Names of PCRE2 options; keepalived ignores unknown ones without a word."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("OPTION …")

    def read(self, reader: Reader) -> Any:
        from kcc.diagnostics.model import Severity
        from kcc.language.suggest import closest

        found = []
        while reader.more():
            word = reader.take()
            if word in REGEX_OPTIONS:
                found.append(word)
                continue
            guess = closest(word, tuple(sorted(REGEX_OPTIONS)))
            reader.wrong(
                "KC0311",
                f"`{word}` is not an option of a regular expression",
                label="unknown",
                consequence="silently ignored",
                help=f"did you mean `{guess}`?" if guess else None,
                severity=Severity.WARNING,
            )
        return tuple(found)


class StackArg(Arg):
    """``START MAXIMUM`` in octets, the start not above the maximum."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("UINT UINT")

    def read(self, reader: Reader) -> Any:
        words = reader.rest()
        numbers = [integer(word) for word in words]
        if len(words) == 2 and None not in numbers:
            start, most = int(words[0]), int(words[1])
            if 0 <= start <= most:
                return start, most
        return reader.wrong(
            "KC0307",
            "`regex_stack` takes a start and a maximum, the start not above it",
            at=1,
            label="not so",
        )


STATUS = StatusArg()
DIGEST = DigestArg()
REGEX = RegexArg()
REGEX_OPTIONS_ARG = RegexOptionsArg()
STACK = StackArg()
OFFSET = IntArg(0, 18446744073709551615)
