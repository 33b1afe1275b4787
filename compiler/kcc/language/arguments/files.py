"""Values of track_file."""

from __future__ import annotations

from typing import Any

from kcc.language.arguments.base import Arg, Reader
from kcc.language.arguments.numbers import integer


class InitFileArg(Arg):
    """``[INT] [overwrite]``; the value is ``(number, overwrite)``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("[INT] [overwrite]", optional=True)

    def read(self, reader: Reader) -> Any:
        number, overwrite = 0, False
        while reader.more():
            word = reader.take()
            value = integer(word) if word[:1] == "-" or word[:1].isdigit() else None
            if word == "overwrite":
                overwrite = True
            elif value is not None and -(1 << 31) <= value < 1 << 31:
                number = value
                if abs(value) > 254:
                    reader.wrong(
                        "KC0303",
                        "a number beyond -254 to 254 has no further effect",
                        label="beyond the useful range",
                        consequence="kept, and `keepalived -t` fails",
                    )
            else:
                reader.wrong(
                    "KC0307",
                    f"`{reader.name}` takes a number and `overwrite`",
                    label=f"`{word}` is neither",
                    consequence="the word is ignored",
                )
        return number, overwrite


INIT_FILE = InitFileArg()
