"""What the outside was last told of each subject, and how often it was told something: kept over the death of the process by promises.

A subject is what scripts and pipes hear of: an instance, a sync group, a virtual server, a real server of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

PREFIX = "told "
"""Of the promises."""


class Keeper(Protocol):
    """What is needed of `krun.parent.promises.PromiseWriter`."""

    def promise(self, key: str, value: bytes) -> None: ...

    def withdraw(self, key: str) -> None: ...


class Told:
    """``promises``: what a predecessor had promised."""

    def __init__(self, keeper: Keeper, promises: Mapping[str, bytes]) -> None:
        self._keeper = keeper
        self._last: dict[str, tuple[int, str]] = {}
        self._inherited: dict[str, str] = {}
        for key, value in promises.items():
            if key.startswith(PREFIX):
                number, _, word = value.decode("utf-8", "replace").partition(" ")
                if number.isascii() and number.isdigit():
                    subject = key.removeprefix(PREFIX)
                    self._last[subject] = (int(number), word)
                    self._inherited[subject] = word

    def number(self, subject: str) -> int:
        """The number of the next news of ``subject``, from 1 on."""
        number = self._last.get(subject, (0, ""))[0] + 1
        self._last[subject] = (number, self._last.get(subject, (0, ""))[1])
        return number

    def last(self, subject: str) -> str:
        """The last word; empty where there was none."""
        return self._last.get(subject, (0, ""))[1]

    def again(self, subject: str, word: str) -> bool:
        """Whether ``word`` is the first of this process, and what its predecessor had told already."""
        return self._inherited.pop(subject, None) == word

    def tell(self, subject: str, number: int, word: str) -> None:
        """The outside is certain to hear ``word``, though this process should die."""
        if number >= self._last.get(subject, (0, ""))[0]:
            self._last[subject] = (number, word)
        self._keeper.promise(PREFIX + subject, f"{number} {word}".encode())

    def forget(self, subject: str) -> None:
        """The subject is gone."""
        self._inherited.pop(subject, None)
        if self._last.pop(subject, None) is not None:
            self._keeper.withdraw(PREFIX + subject)
