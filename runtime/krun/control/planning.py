"""``krunctl plan``: what a reload would do to the director that runs, as things stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from kir.again import Outline, load_path, pick
from kir.codec import Document, IrError
from kir.model import Config
from kir.plan.document import plan_object
from kir.plan.plan import Plan, plan
from krun.control import overlays
from krun.control.client import ask
from krun.control.framing import Message
from krun.control.observe import sight
from krun.control.overlays import Overlay
from krun.parent.boot import boot_id, boottime_us


class Refused(Exception):  # noqa: N818 - an answer, no mistake of the program
    """No plan; the text says why."""


@dataclass(frozen=True, slots=True)
class Side:
    """One end of a plan."""

    file: str
    digest: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, between what, and what of the director could not be looked at. ``overlays`` and ``drains``: those of the director, as its
    state document has them; the plan leaves both as they are.
    """

    old: Side
    new: Side
    plan: Plan
    unseen: tuple[str, ...]
    overlays: tuple[dict[str, Any], ...] = ()
    drains: tuple[dict[str, Any], ...] = ()


def make(socket: Path, request: Message) -> Planned:
    """Ask the krun at ``socket`` whether its processes would take the IR that ``request`` names, and plan the step.

    Raises `Refused`, `krun.control.client.NoDaemonError`.
    """
    answer = ask(socket, {**request, "op": "plan"}, 120.0)
    if not answer.get("ok"):
        raise Refused(str(answer.get("error", "no reason given")))
    told = ask(socket, {"op": "status", "for": "plan"}, 10.0)
    if not told.get("ok"):
        raise Refused(f"no state to plan from: {told.get('error')}")
    running, report = answer["running"], answer["reload"]
    old, new = _configs(answer, told["state"])
    seen = sight(told["state"], old, new, _hand(running["overlays"]))
    return Planned(
        Side(running["path"], running["digest"]),
        Side(report["path"], report["digest"]),
        plan(old, new, seen.observed, drain_us=int(running.get("drain_us") or 0)),
        tuple(seen.unseen),
        tuple(told["state"].get("overlays", ())),
        tuple(told["state"].get("drains", ())),
    )


def _configs(answer: Message, state: Mapping[str, Any]) -> tuple[Config, Config]:
    """What runs and what shall run: as krun told them, without secrets, to somebody who may not read the files; else from these."""
    running, report, blind = answer["running"], answer["reload"], answer.get("blind")
    if blind is not None:
        try:
            return msgspec.convert(blind["old"], Config), msgspec.convert(blind["new"], Config)
        except msgspec.ValidationError as error:
            raise Refused(
                f"krun's configuration is none that this krunctl understands ({error}): is it another release?"
            ) from None
    if running["kept"] is None:
        raise Refused(
            "krun could not store what it runs, so there is nothing to compare with; `krunctl status` says why"
        )
    try:
        old, new = _documents(Path(running["kept"]), Path(report["path"]), answer, state)
    except IrError as error:
        raise Refused(str(error)) from None
    if (old.digest, new.digest) != (running["digest"], report["digest"]):
        raise Refused("a reload came in between, or the file changed under our hands; try again")
    return old.config, new.config


def _documents(
    kept: Path, path: Path, answer: Message, state: Mapping[str, Any]
) -> tuple[Document, Document]:
    """What runs and what is planned: of the virtual servers those that differ, or of which the director has something to say.

    All others are up, in the kernel, and stay as they are: there is nothing to plan. Where the checker process, or a krun of another
    release, does not say which these are, all are read. Raises `kir.codec.IrError`.
    """
    differ, drift = answer.get("differ"), state.get("extra", {}).get("check", {}).get("drift")
    processes = {process["name"]: process["answered"] for process in state["processes"]}
    if differ is None or (drift is None and "check" in processes):
        return load_path(kept), load_path(path)
    names = {*differ, *(drift or ()), *(virtual["name"] for virtual in state["virtual_servers"])}
    old, new = pick(kept, names), pick(path, names)
    asked = _newly_asked(old.config, new.config)
    if not asked:
        return old, new

    def shares(outline: Outline) -> bool:
        """A check that is new here may be known there (`krun.check.succession`)."""
        return any((real.address, real.port) in asked for real in outline.real_servers)

    return pick(kept, names, shares), pick(path, names, shares)


def _newly_asked(old: Config, new: Config) -> set[tuple[str, int]]:
    """The real servers with a check that they did not have, by address and port."""
    before = {
        (virtual.name, real.address, real.port): real.checkers
        for virtual in old.virtual_servers
        for real in virtual.real_servers
    }
    return {
        (real.address, real.port)
        for virtual in new.virtual_servers
        for real in virtual.real_servers
        if real.checkers
        and (was := before.get((virtual.name, real.address, real.port), ())) is not real.checkers
        and any(checker not in was for checker in real.checkers)
    }


def _hand(plain: list[dict[str, Any]]) -> list[Overlay]:
    """The overlays that count now."""
    try:
        found = overlays.decode(plain)
    except ValueError as error:
        raise Refused(f"krun has overlays that this krunctl does not understand: {error}") from None
    now, boot = boottime_us(), boot_id()
    return [overlay for overlay in found if overlays.left_us(overlay, now, boot)]


def as_json(planned: Planned) -> dict[str, Any]:
    """The object of ``--format json``: that of ``kcc diff --format json``, and ``unseen``."""
    old, new = ({"file": side.file, "digest": side.digest} for side in (planned.old, planned.new))
    return {
        **plan_object(old, new, planned.plan),
        "unseen": list(planned.unseen),
        "overlays": list(planned.overlays),
        "drains": list(planned.drains),
    }
