"""What is logged about scripts that end: failures with their last words, whose they are, and never more than a reader can take."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

from krun.control.events import event
from krun.loop.clock import now_us
from krun.notify.client import ScriptResult, ScriptRun

log = logging.getLogger("krun.notify")

AGAIN_US = 60_000_000
"""A script that goes on failing in the same way is mentioned again after this long."""
REMEMBERED = 4096
BURST, PER_SECOND = 50, 5
LINES, CHARACTERS = 5, 600

_How = tuple[str, int]


class Reports:
    """One line for a script that begins to fail, one a minute while it goes on, and none while it succeeds."""

    def __init__(self) -> None:
        self._lines = float(BURST)
        self._then = now_us()
        self._left_out = 0
        self._failing: OrderedDict[str, tuple[_How, int, int]] = OrderedDict()
        """By name: how it failed, when that was said, and how often it did so since."""

    def ended(self, name: str, spec: ScriptRun, result: ScriptResult, *, notice: bool) -> None:
        """A script ended."""
        if result.status == "superseded":
            log.info("%s: not run, for it is not so any more: %s", name, result.output)
            return
        words = _words(spec, result)
        if words is None:
            self._failing.pop(name, None)
            if result.output.strip():
                log.debug("%s:%s", name, last_words(result.output))
            return
        if result.status == "lost":
            return
        how = (result.status, result.code)
        now = now_us()
        before = self._failing.get(name)
        if not notice and before is not None and before[0] == how and now - before[1] < AGAIN_US:
            self._failing[name] = (how, before[1], before[2] + 1)
            return
        times = f" ({before[2] + 1} times)" if before is not None and before[0] == how and before[2] else ""
        self._failing[name] = (how, now, 0)
        self._failing.move_to_end(name)
        while len(self._failing) > REMEMBERED:
            self._failing.popitem(last=False)
        level = logging.ERROR if result.status == "refused" else logging.WARNING
        self._say(level, f"{name}: {words}{times}", event("notify.failed", name, how=result.status))

    def close(self) -> None:
        """The last word of what was left out."""
        if self._left_out:
            log.warning("%d messages about scripts were left out", self._left_out)

    def _say(self, level: int, text: str, about: dict[str, Any]) -> None:
        """A line, if there were not too many: a thousand checks that fail at once must not fill the journal."""
        now = now_us()
        self._lines = min(BURST, self._lines + (now - self._then) * PER_SECOND / 1e6)
        self._then = now
        if self._lines < 1:
            self._left_out += 1
            return
        self._lines -= 1
        if self._left_out:
            log.warning(
                "%d messages about scripts were left out: more than %d a second", self._left_out, PER_SECOND
            )
            self._left_out = 0
        log.log(level, "%s", text, extra=about)


def _words(spec: ScriptRun, result: ScriptResult) -> str | None:
    """What is wrong with how it ended; None: nothing."""
    said = last_words(result.output)
    if result.status == "refused":
        return f"not run: {result.output}"
    if result.status == "timeout":
        limit = (
            "another waited for it"
            if spec.timeout_us is None
            else f"it took longer than {spec.timeout_us / 1e6:g} s"
        )
        return f"killed, {limit}{said}"
    if result.status == "signaled":
        return f"ended with signal {result.code}{said}"
    if result.status == "exited" and result.code != 0:
        return f"ended with exit status {result.code}{said}"
    return None if result.status == "exited" else ""


def last_words(output: str) -> str:
    """The last lines of what it said, on one line."""
    lines = [line.strip() for line in output.strip().splitlines()[-LINES:] if line.strip()]
    text = " | ".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)
    return f": {text[-CHARACTERS:]}" if text else ""
