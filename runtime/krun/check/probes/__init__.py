"""Probes: one run of a check each, as callback state machines on the event loop."""

from __future__ import annotations

from kir.model import Checker, HttpCheck, MiscCheck, TcpCheck
from krun.check.probes.base import Done, Environment, Probe
from krun.check.probes.http import HttpProbe
from krun.check.probes.misc import MiscProbe, ScriptRunner
from krun.check.probes.tcp import TcpProbe

__all__ = ["Done", "Environment", "Probe", "ScriptRunner", "make_probe"]


def make_probe(
    environment: Environment, scripts: ScriptRunner, checker: Checker, url: int, label: str, done: Done
) -> Probe:
    """The probe for one run of ``checker``; ``url`` is the index of the url to ask, ``label`` what logs call it."""
    if isinstance(checker, TcpCheck):
        return TcpProbe(environment, checker.endpoint, done)
    if isinstance(checker, HttpCheck):
        return HttpProbe(environment, checker, url, done)
    if isinstance(checker, MiscCheck):
        return MiscProbe(scripts, checker, label, done)
    raise TypeError(f"no probe for {type(checker).__name__}: its feature is refused before a check is made")
