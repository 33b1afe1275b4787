"""Every command that a configuration runs: which file, as whom, and where in the IR it is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kir.diff import LISTS
from kir.model import Account, Config, MiscCheck, Model, Script, VrrpScript


@dataclass(frozen=True, slots=True)
class Command:
    """``file``: the first word of the command. ``owner`` and ``field``: path of the object that names it, and its field.

    ``kind``: the keyword that it stands for (``vrrp_script``, ``MISC_CHECK``), else the field's last word (``master`` of a notify).
    """

    file: str
    account: Account
    owner: str
    field: str
    kind: str


def commands(config: Config) -> Iterator[Command]:
    """All of them, in the order of the model."""
    return _walk(config, "", "")


def _walk(value: Model, path: str, field: str) -> Iterator[Command]:
    if isinstance(value, Script):
        if value.argv:
            yield Command(value.argv[0], value.account, path, field, field.rpartition("/")[2])
        return
    if isinstance(value, (VrrpScript, MiscCheck)):
        if value.argv:
            kind = "vrrp_script" if isinstance(value, VrrpScript) else "MISC_CHECK"
            yield Command(value.argv[0], value.account, path, "argv", kind)
        return
    for name in value.__struct_fields__:
        inner: Any = getattr(value, name)
        if isinstance(inner, Model):
            if not path and name == "global_defs":
                yield from _walk(inner, "global_defs", "")
            else:
                yield from _walk(inner, path, f"{field}/{name}" if field else name)
        elif isinstance(inner, tuple) and inner and isinstance(inner[0], Model):
            shape = LISTS.get((type(value), name))
            if shape is None:
                continue
            for n, item in enumerate(inner):
                where = f"{shape.word}/{shape.identity(item, n)}"
                yield from _walk(item, f"{path}/{where}" if path else where, "")
