"""Putting the state document together from what the children say, without waiting for one that says nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from krun.control import state as documents
from krun.control.client import Reply
from krun.control.events import Ring, after
from krun.control.framing import Message
from krun.control.server import Answer
from krun.parent import scheduling
from krun.parent.boot import boot_id, boottime_us
from krun.parent.children import START_ORDER
from krun.parent.crew import Crew
from krun.parent.reloads import Reloads
from krun.parent.slot import Slot
from krun.parent.store import Store


def gather(
    slots: Sequence[Slot],
    state: documents.State,
    timeout: float,
    done: Callable[[documents.State], None],
    purpose: object = None,
) -> None:
    """Ask all children for their part of ``state``; ``done`` gets it when the last one answered or had its ``timeout`` seconds.

    ``purpose``: ``plan`` for what a plan has to know, which leaves out virtual servers of which there is nothing to say.
    """
    waiting = {slot.name for slot in slots}
    if not waiting:
        done(state)
        return

    def on_reply(slot: Slot, pss_kb: int | None) -> Reply:
        def said(message: Message | None, why: str) -> None:
            answered = message is not None and bool(message.get("ok"))
            state.processes.append(_process(slot, message, _problem(slot, message, why), pss_kb))
            own = (message or {}).get("unfulfilled") or ()
            state.alarms += [f"{slot.name} process: {words}" for words in (*slot.unfulfilled, *own)]
            if answered and message is not None:
                documents.take(state, slot.name, message.get("status") or {})
            waiting.discard(slot.name)
            if not waiting:
                state.processes.sort(key=lambda process: _order(process.name))
                done(state)

        return said

    for slot in slots:
        # A child with a capability that the parent has given up must say it itself (ptrace(2), access mode checking).
        pss_kb = documents.pss_kb(slot.pid) if slot.pid else None
        request = {"op": "status", "for": purpose, "memory": pss_kb is None}
        slot.conversation.ask(request, timeout, on_reply(slot, pss_kb))


def collect(slots: Sequence[Slot], ring: Ring, since: object, timeout: float, answer: Answer) -> None:
    """Answer with the events of all processes after those that ``since`` has; one that says nothing for ``timeout`` seconds is left
    out, and asked again the next time.
    """
    events: list[Any] = list(after(ring, since))
    waiting = {slot.name for slot in slots}

    def finish() -> None:
        if not waiting:
            answer({"ok": True, "events": events})

    def on_reply(name: str) -> Reply:
        def said(message: Message | None, _why: str) -> None:
            events.extend((message or {}).get("events", ()))
            waiting.discard(name)
            finish()

        return said

    if not waiting:
        finish()
    for slot in slots:
        slot.conversation.ask({"op": "events", "since": since}, timeout, on_reply(slot.name))


def _problem(slot: Slot, message: Message | None, why: str) -> str | None:
    problems = [slot.problem] if slot.problem else []
    if message is None:
        problems.append(f"no status: {why}")
    elif not message.get("ok"):
        problems.append(f"no status: {message.get('error')}")
    return "; ".join(problems) or None


def _process(
    slot: Slot, message: Message | None, problem: str | None, pss_kb: int | None
) -> documents.Process:
    answered = message is not None and bool(message.get("ok"))
    digest = message.get("digest") if message is not None else None
    hello = slot.last_hello_s
    return documents.Process(
        name=slot.name,
        pid=slot.pid,
        state=slot.state,
        restarts=slot.restarts,
        since=round(slot.since, 3),
        answered=answered,
        problem=problem,
        digest=str(digest) if digest else None,
        hello_age_s=None if hello is None else round(hello, 3),
        pss_kb=pss_kb if pss_kb is not None else (message or {}).get("pss_kb"),
        loop=documents.loop_of(message),
        scheduling=_scheduling(slot.pid),
        log=(message or {}).get("log") or {},
        reasons=dict(slot.reasons),
    )


def _promised(slot: Slot) -> documents.Promised | None:
    kept = slot.promises
    if kept is None or kept.fd < 0:
        return None
    head = kept.head
    age = boottime_us() - head.alive_boottime_us
    return documents.Promised(
        name=slot.name,
        file=None if kept.file is None else str(kept.file),
        problem=kept.problem or None,
        octets=head.end,
        lost=head.lost,
        age_s=round(age / 1e6, 3) if head.alive_us else None,
        inherited_age_s=None if kept.taken_over_us is None else round(kept.taken_over_us / 1e6, 3),
        void=kept.void or None,
    )


def _scheduling(pid: int) -> documents.Scheduling | None:
    found = scheduling.seen(pid) if pid else None
    return None if found is None else documents.Scheduling(**asdict(found))


def _order(name: str) -> int:
    return START_ORDER.index(name) if name in START_ORDER else len(START_ORDER)


def running(reloads: Reloads) -> documents.Ir:
    """What runs."""
    return documents.Ir(
        path=str(reloads.path),
        digest=reloads.document.digest,
        version=reloads.document.version,
        loaded_at=round(reloads.loaded_at, 3),
        source=reloads.source,
        kept=reloads.kept_copy,
    )


def remembered(state: documents.State, reloads: Reloads, store: Store, crew: Crew) -> None:
    """Put into ``state`` what the parent itself knows of reloads, the way back, and whatever somebody has to look at."""
    kept = store.kept
    state.last_reload = reloads.last
    if kept.confirm is not None and kept.previous is not None:
        state.confirm = documents.Waiting(
            deadline=kept.confirm.deadline,
            left_s=round(kept.confirm.left_us(boottime_us(), boot_id()) / 1e6, 3),
            within_s=kept.confirm.within_us / 1e6,
            requested_by=kept.confirm.requested_by,
            back_to=kept.previous.digest,
            back_to_path=kept.previous.path,
        )
    if kept.previous is not None:
        state.undo = documents.Before(
            digest=kept.previous.digest, path=kept.previous.path, loaded_at=kept.previous.loaded_at
        )
    state.store = documents.Stored(
        file=str(store.file),
        problem=store.problem or None,
        writes=store.writes,
        failures=store.failures,
        overlays=len(kept.overlays),
    )
    state.promises = [said for slot in crew.slots.values() if (said := _promised(slot)) is not None]
    state.counters = {**kept.counters, "restarts": crew.restarts}
    if store.problem:
        state.alarms.append(f"a krun that is killed now forgets the way back and overlays: {store.problem}")
    for said in state.promises:
        if said.lost:
            state.alarms.append(
                f"{said.lost} promises of the {said.name} process had no room, and are not kept over its death"
            )
    if reloads.alarm:
        state.alarms.append(reloads.alarm)
