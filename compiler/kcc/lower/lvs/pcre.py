"""What is surely wrong with a PCRE2 expression (pcre2pattern(3), pcre2_compile(3)), found without PCRE2.

This is no compiler: it knows how an expression is put together (groups, classes, quantifiers, escapes) and names the mistakes that
every release of PCRE2 refuses. Where it meets something that it does not know it has no opinion.
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["mistake"]

LONGEST = 65_536
"""Octets that are looked at; who writes more than that has another problem."""

MOST_REPEATS = 65_535
"""The largest number in a quantifier (pcre2pattern(3), "Repetition")."""

_ESCAPES = frozenset("abcdefghknoprstvwxzABCDEGHKNPQRSVWXZ")
_BRACED = frozenset("xopPgkN")
_CLASSES = frozenset(
    [
        "alpha",
        "lower",
        "upper",
        "alnum",
        "ascii",
        "blank",
        "cntrl",
        "digit",
        "graph",
        "print",
        "punct",
        "space",
        "word",
        "xdigit",
    ]
)

_QUANTIFIER = re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}")
_GROUP = re.compile(
    r"\(\?(?:[:|>=!*]|<[=!*]|(?P<name>P?<[^\W\d]\w*>|'[^\W\d]\w*')|\^?[a-zA-Z]*(?:-[a-zA-Z]*)?:)"
    r"|\(\*[a-z_]+:"
)
_WHOLE = re.compile(
    r"\(\?(?:P[=>]\w+|&\w+|R|[+-]?\d+)\)"  # back references and subroutines
    r"|\(\?\^?[a-zA-Z]*(?:-[a-zA-Z]*)?\)"  # options
    r"|\(\?C\d*\)"
)
_CALLOUT = re.compile(r"\(\?C([`'\"^%#$])((?:(?!\1).|\1\1)*)\1\)|\(\?C\{((?:[^}]|\}\})*)\}\)", re.DOTALL)
_VERB = re.compile(r"\(\*(?:[A-Z][A-Z0-9_=]*)?(?::[^)\\]*)?\)")
_POSIX = re.compile(r"\[([:.=])(\^?[a-zA-Z]*)\1\]")


class _Unknown(Exception):  # noqa: N818 - not an error: nothing can be said
    """Something that this module does not know."""


class _Wrong(Exception):  # noqa: N818 - what is wrong with the expression
    """A mistake, in words."""


def mistake(pattern: str, options: Collection[str] = ()) -> str | None:
    """What makes PCRE2 refuse ``pattern``, in words; None where nothing is certain. ``options`` as in `kir.model.Regex`."""
    if len(pattern) > LONGEST:
        return None
    try:
        _Scanner(pattern, frozenset(options)).run()
    except _Wrong as found:
        return str(found)
    except _Unknown:
        return None
    return None


class _Scanner:
    """One way through an expression. ``fresh``: nothing stands before that could be repeated."""

    def __init__(self, pattern: str, options: frozenset[str]) -> None:
        self.text = pattern
        self.options = options
        self.at = 0
        self.open: list[int] = []
        self.fresh = True
        self.repeated = False
        self.captures = 0
        self.counted = "no_auto_capture" not in options
        self.references: list[tuple[int, int]] = []

    def run(self) -> None:
        step = {"\\": self._escape, "[": self._class, "(": self._parenthesis, ")": self._close}
        while self.at < len(self.text):
            char = self.text[self.at]
            if "extended" in self.options and (char.isspace() or char == "#"):
                self._blank(char)
            elif char in step:
                step[char]()
            elif char == "|":
                self._atom(1, fresh=True)
            elif (found := _QUANTIFIER.match(self.text, self.at)) is not None:
                self._quantifier(found)
            else:
                self._atom(1)
        if self.open:
            raise _Wrong(f"the `(` at character {self.open[-1] + 1} is never closed")
        if self.counted:
            for number, at in self.references:
                if number > self.captures:
                    raise _Wrong(f"`\\{number}` at character {at + 1} refers to a group that does not exist")

    def _atom(self, size: int, fresh: bool = False) -> None:
        self.at += size
        self.fresh = fresh
        self.repeated = False

    def _blank(self, char: str) -> None:
        if char != "#":
            self.at += 1
            return
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1

    def _quantifier(self, found: re.Match[str]) -> None:
        word = found.group()
        if self.fresh:
            raise _Wrong(f"nothing stands before `{word}` at character {self.at + 1} that could be repeated")
        if self.repeated:
            if word in ("*", "+", "?"):
                raise _Wrong(f"`{word}` at character {self.at + 1} repeats what is repeated already")
            raise _Unknown
        if found[1] is not None:
            low, high = int(found[1]), int(found[3]) if found[3] else None
            if max(low, high or 0) > MOST_REPEATS:
                raise _Wrong(f"`{word}` at character {self.at + 1} repeats more than {MOST_REPEATS} times")
            if high is not None and high < low:
                raise _Wrong(f"the numbers of `{word}` at character {self.at + 1} are not in ascending order")
        self.at = found.end()
        if self.text[self.at : self.at + 1] in ("?", "+"):
            self.at += 1
        self.repeated = True

    def _close(self) -> None:
        if not self.open:
            raise _Wrong(f"the `)` at character {self.at + 1} closes nothing")
        self.open.pop()
        self._atom(1)

    def _parenthesis(self) -> None:
        text, at = self.text, self.at
        if not text.startswith(("(?", "(*"), at):
            self.captures += 1
            self._group(1)
        elif text.startswith("(?#", at):
            end = text.find(")", at)
            if end < 0:
                raise _Wrong(f"the comment `(?#` at character {at + 1} is never closed")
            self.at = end + 1  # what stands before it is still what a quantifier repeats
            self.repeated = False
        elif (found := _WHOLE.match(text, at) or _CALLOUT.match(text, at)) is not None:
            if found.group()[2] != "C" and found.group()[2:3].isalpha() and found.group() != "(?R)":
                self._options(found.group())
            self._atom(len(found.group()))
        elif text.startswith("(?(", at):
            self._condition()
        elif (found := _GROUP.match(text, at)) is not None:
            if found["name"] is not None:
                self.captures += 1
            if found.group() == "(?|":
                self.counted = False
            self._options(found.group())
            self._group(len(found.group()))
        elif (found := _VERB.match(text, at)) is not None:
            self._atom(len(found.group()))
        else:
            raise _Unknown

    def _options(self, head: str) -> None:
        """``(?x)`` and ``(?n)`` change what the rest means; then only some of it could be judged."""
        letters = re.match(r"\(\?\^?([a-zA-Z-]*)[:)]", head)
        if letters is not None and set(letters[1]) & set("xn"):
            raise _Unknown

    def _group(self, size: int) -> None:
        self.open.append(self.at)
        self._atom(size, fresh=True)

    def _condition(self) -> None:
        """``(?(condition)yes|no)``: an assertion is read as a group, anything else is a name."""
        self._group(2)
        if not self.text.startswith(("(?", "(*"), self.at):
            end = self.text.find(")", self.at)
            if end < 0:
                raise _Wrong(f"the `(` at character {self.at + 1} is never closed")
            self._atom(end + 1 - self.at, fresh=True)

    def _escape(self) -> None:
        text, at = self.text, self.at
        if at + 1 == len(text):
            raise _Wrong("a backslash at its end escapes nothing")
        char = text[at + 1]
        if char == "Q":
            self._literal()
            return
        if char == "E":
            self.at += 2  # ends nothing, and means nothing
            self.repeated = False
            return
        if char.isascii() and char.isalpha() and char not in _ESCAPES:
            if char in "uU" and "alt_bsux" in self.options:
                raise _Unknown
            raise _Wrong(f"`\\{char}` at character {at + 1} means nothing")
        if char == "c" and at + 2 == len(text):
            raise _Wrong("`\\c` at its end names no character")
        if char in "123456789" and not text[at + 2 : at + 3].isdigit():
            self.references.append((int(char), at))
        self._atom(self._escaped(at))

    def _escaped(self, at: int) -> int:
        """The length of the escape at ``at``; ``\\c`` takes a character with it, some take braces or a name."""
        char = self.text[at + 1]
        if char == "c":
            return 3
        if char in _BRACED:
            for opening, closing in (("{", "}"), ("<", ">"), ("'", "'")):
                if self.text[at + 2 : at + 3] == opening and (char in "gk" or opening == "{"):
                    end = self.text.find(closing, at + 3)
                    if end < 0:
                        raise _Unknown
                    return end + 1 - at
        return 2

    def _literal(self) -> None:
        """``\\Q…\\E``; without its end it goes to the end of the expression."""
        end = self.text.find("\\E", self.at + 2)
        stop = len(self.text) if end < 0 else end
        if stop > self.at + 2:
            self.fresh = self.repeated = False
        self.at = stop if end < 0 else end + 2

    def _class(self) -> None:
        text, start = self.text, self.at
        if text.startswith(("[[:<:]]", "[[:>:]]"), start):
            self._atom(7)
            return
        outside = _POSIX.match(text, start)
        if outside is not None:
            raise _Wrong(
                f"`{outside.group()}` at character {start + 1} may only stand inside a class: `[{outside.group()}]`"
            )
        at = start + 1
        if text.startswith("^", at):
            at += 1
        low: str | None = None  # a character that a hyphen would make the beginning of a range
        ranging = False
        first = "allow_empty_class" not in self.options
        while True:
            if at >= len(text):
                raise _Wrong(f"the `[` at character {start + 1} is never closed")
            char = text[at]
            if char == "]" and not first:
                break
            if text.startswith("\\E", at):
                at += 2
                continue
            if text.startswith("\\Q", at):
                end = text.find("\\E", at + 2)
                if end < 0:
                    raise _Wrong(f"the `[` at character {start + 1} is never closed")
                at, low, ranging, first = end + 2, None, False, first and end == at + 2
                continue
            first = False
            if char == "\\":
                if at + 1 == len(text):
                    raise _Wrong("a backslash at its end escapes nothing")
                at += self._escaped(at)
                low, ranging = None, False
            elif (posix := _POSIX.match(text, at)) is not None:
                name = posix[2].removeprefix("^")
                if posix[1] != ":":
                    raise _Wrong(f"`{posix.group()}` at character {at + 1} does not exist in PCRE2")
                if name not in _CLASSES and posix.group() not in ("[:<:]", "[:>:]"):
                    raise _Wrong(f"there is no class `{posix.group()}` (character {at + 1})")
                at, low, ranging = posix.end(), None, False
            elif char == "-" and low is not None and not ranging and text[at + 1 : at + 2] != "]":
                ranging = True
                at += 1
            else:
                if ranging and low is not None and ord(char) < ord(low):
                    raise _Wrong(f"the range `{low}-{char}` at character {at - 1} runs backwards")
                low, ranging = (None if ranging else char), False
                at += 1
        self._atom(at + 1 - start)
