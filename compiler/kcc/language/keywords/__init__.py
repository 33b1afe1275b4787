"""The declarations of all keywords, from the root down."""

from __future__ import annotations

from kcc.language.keywords.global_defs import GLOBAL_DEFS
from kcc.language.keywords.processes import ROOT_SETTINGS
from kcc.language.keywords.tracking import (
    BFD_INSTANCE,
    TRACK_FILE,
    VRRP_SCRIPT,
    VRRP_TRACK_FILE,
    VRRP_TRACK_PROCESS,
)
from kcc.language.keywords.virtual_server import SSL, VIRTUAL_SERVER, VIRTUAL_SERVER_GROUP
from kcc.language.keywords.vrrp_groups import GARP_GROUP, INTERFACES, STATIC, TRACK_GROUP, VRRP_SYNC_GROUP
from kcc.language.keywords.vrrp_instance import VRRP_INSTANCE
from kcc.language.tree import RUN, Keyword, Kind

ROOT = Keyword(
    "",
    Kind.BLOCK,
    coverage=RUN,
    doc="The whole configuration.",
    children=(
        *ROOT_SETTINGS,
        GLOBAL_DEFS,
        TRACK_GROUP,
        *STATIC,
        VRRP_SYNC_GROUP,
        GARP_GROUP,
        VRRP_INSTANCE,
        VRRP_SCRIPT,
        VRRP_TRACK_PROCESS,
        *INTERFACES,
        SSL,
        VIRTUAL_SERVER_GROUP,
        VIRTUAL_SERVER,
        BFD_INSTANCE,
        TRACK_FILE,
        VRRP_TRACK_FILE,
    ),
)


def walk(keyword: Keyword = ROOT, path: str = "") -> list[tuple[str, Keyword]]:
    """Every keyword below ``keyword`` with its path (``vrrp_instance > priority``), outer before inner."""
    found = []
    for child in keyword.children:
        below = f"{path} > {child.name}" if path else child.name
        found.append((below, child))
        found += walk(child, below)
    return found


def _names(keyword: Keyword, found: set[str]) -> set[str]:
    for child in keyword.children:
        if child.kind is not Kind.LEAF:
            found.add(child.name)
            _names(child, found)
    return found


# The names of all keywords that open a body somewhere; some are leaves elsewhere (`track_file`).
BLOCK_KEYWORDS: frozenset[str] = frozenset(_names(ROOT, set()))
