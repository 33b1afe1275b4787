"""Repairs: the safe fixes of findings, put into the files that they are about."""

from kcc.fixes.repair import Change, Outcome, apply

__all__ = ["Change", "Outcome", "apply"]
