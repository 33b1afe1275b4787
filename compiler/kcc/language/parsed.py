"""What the descent hands to the lowering: blocks of known kind whose values were read and checked.

A value that was refused is not here (its diagnostic is); so whoever reads a `Node` sees what the target would use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from kcc.diagnostics.model import Span
    from kcc.language.tree import Keyword
    from kcc.syntax.tree import Statement


class Field(msgspec.Struct):
    """A value and where it was said. ``value`` has the Python type that the keyword's argument type gives:

    numbers are int; decimal seconds are int microseconds; flags and booleans are bool; words, names, addresses (canonical
    text) and enumerations are str; several arguments are a tuple; the rest are the classes below. An optional argument that
    is absent gives what the keyword says then (``smtp_alert`` alone: True; ``persistence_timeout`` alone: 360).

    ``first`` is the word that the value starts with: 1 for a leaf, 0 for a line of a body, the word of a name in a list of names.
    """

    value: Any
    statement: Statement
    first: int = 1

    def span(self) -> Span:
        """The first argument, or the keyword where there is none: the place to point at when the value is judged."""
        return self.statement.word_span(self.first if len(self.statement.words) > self.first else 0)


class Again(Field):
    """A value that replaces an earlier one of its block: ``earlier``."""

    earlier: Field | None = None


def versions(field: Field | None) -> list[Field]:
    """All values of a leaf in the order of the text, the one that counts in the end last; none for None."""
    found: list[Field] = []
    while field is not None:
        found.append(field)
        field = field.earlier if isinstance(field, Again) else None
    return found[::-1]


class Node(msgspec.Struct):
    """A block: ``head`` are the values of its opening line, ``fields`` its leaves by canonical keyword name (an alias
    stands under the name that it is an alias of), ``repeated`` the leaves that accumulate, ``blocks`` its child blocks and
    block-with-lines in order, ``lines`` the entries of a block-with-lines (in lists of names each name is an entry).

    Blocks that keepalived reads as one when they stand there twice (``global_defs``, ``authentication``) are one node; a
    block that it skips (a second one of the same name, a bad address) is none.
    """

    keyword: Keyword
    statement: Statement
    head: tuple[Any, ...] = ()
    fields: dict[str, Field] = msgspec.field(default_factory=dict)
    repeated: dict[str, list[Field]] = msgspec.field(default_factory=dict)
    blocks: list[Node] = msgspec.field(default_factory=list)
    lines: list[Field] = msgspec.field(default_factory=list)

    def get(self, name: str, default: Any = None) -> Any:
        """The value of leaf ``name``, or ``default`` where it was not given."""
        found = self.fields.get(name)
        return default if found is None else found.value

    def has(self, name: str) -> bool:
        return name in self.fields

    def children(self, name: str) -> list[Node]:
        """The child blocks called ``name``, in order."""
        return [b for b in self.blocks if b.keyword.name == name]

    def all_lines(self, name: str) -> list[Field]:
        """The lines of all child blocks called ``name`` (they accumulate), in order."""
        return [line for b in self.blocks if b.keyword.name == name for line in b.lines]


class AccountValue(msgspec.Struct, frozen=True):
    """``USER [GROUP|:GROUP|:]`` (language facts: scripts)."""

    user: str | None = None
    group: str | None = None
    supplementary: bool = False


class ScriptValue(msgspec.Struct, frozen=True):
    """A SCRIPT: the command split into words with quotes and escapes undone, and as whom it runs (None: not said).

    ``open_file``: the command was ``</path``, a test that the file can be opened (vrrp_script only).
    """

    argv: tuple[str, ...]
    account: AccountValue | None = None
    open_file: str | None = None


class AddressLine(msgspec.Struct, frozen=True):
    """One line of virtual_ipaddress and its like. ``prefix`` None: not given. ``broadcast`` may be ``+`` or ``-``.

    ``nodad`` None: not said (``-nodad`` gives False: detection stays on).
    """

    address: str
    family: str
    prefix: int | None = None
    device: str | None = None
    scope: int | None = None
    broadcast: str | None = None
    label: str | None = None
    peer: str | None = None
    home: bool = False
    nodad: bool | None = None
    mngtmpaddr: bool = False
    noprefixroute: bool = False
    autojoin: bool = False
    preferred_lft_s: int | None = None
    preferred_lft_forever: bool = False
    no_track: bool = False
    track_group: str | None = None
    use_vmac: bool = False


class TrackLine(msgspec.Struct, frozen=True):
    """``NAME [weight W [reverse|noreverse]]``; None: not said on the line."""

    name: str
    weight: int | None = None
    reverse: bool | None = None


class PeerLine(msgspec.Struct, frozen=True):
    """``IP [min_ttl N] [max_ttl N]``."""

    address: str
    min_ttl: int | None = None
    max_ttl: int | None = None


class GroupLine(msgspec.Struct, frozen=True):
    """A line of virtual_server_group: addresses ``first`` to ``last`` (equal for a single one) with ``port`` (0: none), or a
    firewall mark (``fwmark`` not None) with its family where given.
    """

    first: str | None = None
    last: str | None = None
    port: int = 0
    fwmark: int | None = None
    family: str | None = None


class MethodValue(msgspec.Struct, frozen=True):
    """``lvs_method``: NAT, DR or TUN with the options of a tunnel."""

    method: str
    tunnel_type: str | None = None
    tunnel_port: int = 0
    tunnel_checksum: str | None = None


class ServerHead(msgspec.Struct, frozen=True):
    """The opening words of virtual_server: an address and port (0: none), ``fwmark N`` or ``group NAME``."""

    address: str | None = None
    port: int = 0
    fwmark: int | None = None
    group: str | None = None


class DelayLine(msgspec.Struct, frozen=True):
    """``IFNAME DOWN [UP]`` of interface_up_down_delays, in microseconds."""

    interface: str
    down_us: int
    up_us: int = 0
