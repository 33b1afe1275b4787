"""Commands and the accounts that they run as.

``COMMAND [USER [GROUP]]``: keepalived splits the raw line again, here with both kinds of quotes; the first word is the
command with its parameters, which is split once more with quotes and escapes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcc.language.arguments.base import REFUSED, Arg, Reader
from kcc.language.parsed import AccountValue, ScriptValue

_LETTERS = {"a": "\a", "b": "\b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_OCTAL = "01234567"
_HEX = "0123456789abcdefABCDEF"
_STATES = frozenset(("master", "backup", "fault", "stop", "up", "down"))


def split_quoted(text: str) -> tuple[list[tuple[str, int, int]], bool]:
    """Split at blanks; both quote kinds group, adjacent pieces join, a backslash keeps itself and the next character.

    Gives the words with their offsets and whether all quotes were closed.
    """
    return _split(text, lambda text, at: (text[at - 1 : at + 1], at + 1))


def split_escaped(text: str) -> tuple[list[str], bool]:
    """Split a command into its arguments: both quote kinds group and vanish, escapes are undone.

    Escapes: ``\\a \\b \\E \\f \\n \\r \\t \\v``, ``\\NNN`` octal, ``\\xHH``, ``\\cX`` control, ``\\C`` is C itself.
    """
    words, closed = _split(text, _escape)
    return [word for word, _start, _end in words], closed


def _split(
    text: str, escape: Callable[[str, int], tuple[str, int]]
) -> tuple[list[tuple[str, int, int]], bool]:
    """The words of ``text`` with their offsets, and whether all quotes were closed.

    ``escape``: what stands for the escape whose character is ``text[at]`` (behind the backslash), and where reading goes on.
    """
    words: list[tuple[str, int, int]] = []
    at, end = 0, len(text)
    closed = True
    while at < end:
        if text[at] in " \t":
            at += 1
            continue
        start = at
        piece: list[str] = []
        quote = ""
        while at < end:
            char = text[at]
            if char == "\\" and at + 1 < end:
                value, at = escape(text, at + 1)
                piece.append(value)
                continue
            if quote:
                if char == quote:
                    quote = ""
                else:
                    piece.append(char)
            elif char in "\"'":
                quote = char
            elif char in " \t":
                break
            else:
                piece.append(char)
            at += 1
        closed = closed and not quote
        words.append(("".join(piece), start, at))
    return words, closed


def _escape(text: str, at: int) -> tuple[str, int]:
    """The character that the escape at ``text[at]`` (behind the backslash) stands for, and where reading goes on."""
    char = text[at]
    if char in _OCTAL:
        end = at + 1
        while end < min(at + 3, len(text)) and text[end] in _OCTAL:
            end += 1
        return chr(int(text[at:end], 8) & 0xFF), end
    if char == "x" and text[at + 1 : at + 2] and text[at + 1] in _HEX:
        end = at + 2
        while end < min(at + 3, len(text)) and text[end] in _HEX:
            end += 1
        return chr(int(text[at + 1 : end], 16)), end
    if char == "c" and at + 1 < len(text):
        return chr(ord(text[at + 1]) & 0x1F), at + 2
    return _LETTERS.get(char, char), at + 1


def parse_account(words: list[str]) -> AccountValue | None:
    """``USER [GROUP|:GROUP|:]``; None where there are no words."""
    if not words:
        return None
    user = words[0]
    group = words[1] if len(words) > 1 else None
    supplementary = False
    if group is not None and group.startswith(":"):
        supplementary = True
        group = group[1:] or None
    return AccountValue(user=user, group=group, supplementary=supplementary)


class ScriptArg(Arg):
    """A SCRIPT. ``account`` False: only the command, the user has a keyword of its own."""

    __slots__ = ("account", "may_open")

    def __init__(self, *, account: bool = True, may_open: bool = False) -> None:
        super().__init__("COMMAND [USER [GROUP]]" if account else "COMMAND")
        self.account = account
        self.may_open = may_open

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("a command")
        statement = reader.statement
        first = reader.words[reader.at].start
        base = statement.words[0].start
        raw = statement.raw[first - base :]
        pieces, closed = split_quoted(raw)
        argv, inner_closed = split_escaped(pieces[0][0]) if pieces else ([], True)
        reader.at = len(reader.words)
        if not closed or not inner_closed:
            return reader.wrong(
                "KC0307",
                "a quote in the command is not closed",
                at=1,
                label="this command",
                help="close the quote; keepalived takes both `'` and `\"` as quotes here",
            )
        if not argv or not argv[0]:
            return reader.wrong("KC0301", f"`{reader.name}` needs a command", at=1, label="empty")
        extra = [piece[0] for piece in pieces[1:]]
        self._judge_extra(reader, pieces, extra)
        open_file = None
        if self.may_open and argv[0].startswith("<"):
            open_file = argv[0][1:]
        account = parse_account(extra[:2]) if self.account else None
        return ScriptValue(argv=tuple(argv), account=account, open_file=open_file)

    def _judge_extra(self, reader: Reader, pieces: list[tuple[str, int, int]], extra: list[str]) -> None:
        """Words behind the command are a user and a group, and not the parameters that most people mean."""
        from kcc.diagnostics.model import Severity

        if not extra:
            return
        allowed = 2 if self.account else 0
        start = reader.words[1].start
        as_user = self.account and (
            extra[0].lower() in _STATES or extra[0].startswith(("-", "/", ".")) or len(extra) > allowed
        )
        if not as_user and len(extra) <= allowed:
            return
        place = reader.statement.line.span(start + pieces[1][1], start + pieces[-1][2])
        whole = " ".join(piece[0] for piece in pieces)
        if self.account:
            reader.wrong(
                "KC0315",
                f"keepalived takes `{extra[0]}` as the user to run the command as",
                label="not parameters of the command",
                consequence=f"there is hardly a user `{extra[0]}`: keepalived drops the script and nothing is run",
                help=f'put the command and its parameters in quotes: `{reader.name} "{whole}"`',
                severity=Severity.WARNING,
                span=place,
            )
        else:
            reader.wrong(
                "KC0209",
                f"keepalived ignores `{' '.join(extra)}` here",
                label="not part of the command",
                consequence=f"`{pieces[0][0]}` is run without parameters",
                help=f'put the command and its parameters in quotes: `{reader.name} "{whole}"`',
                severity=Severity.WARNING,
                span=place,
            )


class AccountArg(Arg):
    """``USER [GROUP|:GROUP|:]``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("USER [GROUP|:GROUP|:]")

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("a user")
        words = [reader.take()]
        if reader.more():
            words.append(reader.take())
        if not words[0]:
            return reader.wrong("KC0307", "a user cannot be empty", at=reader.at - len(words))
        return parse_account(words)


class FifoArg(Arg):
    """``PATH [USER [GROUP]]``; the value is ``(path, account or None)``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("PATH [USER [GROUP]]")

    def read(self, reader: Reader) -> Any:
        if not reader.more():
            return reader.missing("a path")
        path = reader.take()
        if not path:
            return reader.wrong("KC0307", "a path cannot be empty")
        if not reader.more():
            return path, None
        account = ACCOUNT.read(reader)
        return REFUSED if account is REFUSED else (path, account)


SCRIPT = ScriptArg()
COMMAND = ScriptArg(account=False)
TRACK_COMMAND = ScriptArg(account=False, may_open=True)
ACCOUNT = AccountArg()
FIFO = FifoArg()
