"""What differs between two configurations: typed changes by identity, never by text or order.

============  ====================================================================================
``shape``     the lists of the model, and what tells their items apart
``match``     which object goes on as which: provable renames, and the names that follow from them
``wire``      whether one director takes the adverts of another
``labels``    which changes peers see
``change``    one difference
``compare``   all of them
============  ====================================================================================
"""

from __future__ import annotations

from kir.diff.change import WIRES, Action, Change, Wire, plain, worst_wire
from kir.diff.checks import checker_identity
from kir.diff.compare import diff
from kir.diff.match import WireIdentity, all_renames, renames, wire_identity
from kir.diff.shape import LISTS
from kir.diff.wire import refusals

__all__ = [
    "LISTS",
    "WIRES",
    "Action",
    "Change",
    "Wire",
    "WireIdentity",
    "all_renames",
    "checker_identity",
    "diff",
    "plain",
    "refusals",
    "renames",
    "wire_identity",
    "worst_wire",
]
