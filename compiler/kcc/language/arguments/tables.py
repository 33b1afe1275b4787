"""The names that iproute2 gives to numbers, as far as they are known without its files (rtnetlink(7), linux/rtnetlink.h)."""

from __future__ import annotations

from kcc.language.arguments.numbers import c_integer

SCOPES = {"global": 0, "universe": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
TABLES = {"unspec": 0, "default": 253, "main": 254, "local": 255}
PROTOCOLS = {"unspec": 0, "redirect": 1, "kernel": 2, "boot": 3, "static": 4, "ra": 9, "keepalived": 18}


def table_number(text: str, names: dict[str, int], most: int) -> int | None:
    """The number of ``text``, a name or a number in C notation; None where it is neither."""
    found = names.get(text)
    if found is not None:
        return found
    value = c_integer(text)
    return value if value is not None and 0 <= value <= most else None
