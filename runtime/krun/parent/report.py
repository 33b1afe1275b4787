"""Putting the state document together from what the children say, without waiting for one that says nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from krun.control import state as documents
from krun.control.client import Reply
from krun.control.framing import Message
from krun.parent.children import START_ORDER
from krun.parent.slot import Slot


def gather(
    slots: Sequence[Slot],
    state: documents.State,
    timeout: float,
    done: Callable[[documents.State], None],
) -> None:
    """Ask all children for their part of ``state``; ``done`` gets it when the last one answered or had its ``timeout`` seconds."""
    waiting = {slot.name for slot in slots}
    if not waiting:
        done(state)
        return

    def on_reply(slot: Slot) -> Reply:
        def said(message: Message | None, why: str) -> None:
            answered = message is not None and bool(message.get("ok"))
            state.processes.append(_process(slot, answered, _problem(slot, message, why)))
            if answered and message is not None:
                documents.take(state, slot.name, message.get("status") or {})
            waiting.discard(slot.name)
            if not waiting:
                state.processes.sort(key=lambda process: _order(process.name))
                done(state)

        return said

    for slot in slots:
        slot.conversation.ask({"op": "status"}, timeout, on_reply(slot))


def _problem(slot: Slot, message: Message | None, why: str) -> str | None:
    problems = [slot.problem] if slot.problem else []
    if message is None:
        problems.append(f"no status: {why}")
    elif not message.get("ok"):
        problems.append(f"no status: {message.get('error')}")
    return "; ".join(problems) or None


def _process(slot: Slot, answered: bool, problem: str | None) -> documents.Process:
    hello = slot.last_hello_s
    return documents.Process(
        name=slot.name,
        pid=slot.pid,
        state=slot.state,
        restarts=slot.restarts,
        since=round(slot.since, 3),
        answered=answered,
        problem=problem,
        hello_age_s=None if hello is None else round(hello, 3),
        pss_kb=documents.pss_kb(slot.pid) if slot.pid else None,
    )


def _order(name: str) -> int:
    return START_ORDER.index(name) if name in START_ORDER else len(START_ORDER)
