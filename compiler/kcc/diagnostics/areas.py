"""The areas that codes are grouped by: the first two digits."""

from __future__ import annotations

AREAS = {
    "KC00": "input and files",
    "KC01": "lexical level, definitions, includes, replication",
    "KC02": "structure and keywords",
    "KC03": "values",
    "KC04": "global_defs and scripts",
    "KC05": "virtual routers and sync groups",
    "KC06": "tracking",
    "KC07": "virtual servers",
    "KC08": "health checks",
    "KC09": "targets and coverage",
    "KC10": "IR documents",
    "KC11": "the directors of a cluster against each other",
    "KC12": "the configuration against the facts of its host",
    "KC13": "the change against what runs now",
}


def area(code: str) -> str:
    """What ``code`` is about."""
    return AREAS.get(code[:4], "other")
