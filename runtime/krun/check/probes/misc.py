"""MISC_CHECK: a script's exit status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kir.model import MiscCheck
from krun.check.outcome import GOOD, Outcome, bad, unable
from krun.check.probes.base import Done
from krun.check.probes.tcp import seconds
from krun.notify.client import ScriptResult, ScriptRun


class ScriptRunner(Protocol):
    """What a probe needs of `krun.notify.client.ScriptClient`."""

    def run(
        self,
        spec: ScriptRun,
        done: Callable[[ScriptResult], None] | None = None,
        *,
        taken: Callable[[], None] | None = None,
    ) -> int: ...

    def cancel(self, token: int) -> None: ...

    def line(self, channel: str, text: str) -> None: ...


class MiscProbe:
    """Run the script, judge how it ended."""

    __slots__ = ("_check", "_done", "_label", "_runner", "_token")

    def __init__(self, runner: ScriptRunner, check: MiscCheck, label: str, done: Done) -> None:
        self._runner = runner
        self._check = check
        self._label = label
        self._done: Done | None = done
        self._token: int | None = None

    def start(self) -> None:
        check = self._check
        spec = ScriptRun(
            argv=check.argv,
            account=check.account,
            timeout_us=check.timeout_us or check.timing.delay_loop_us,
            label=self._label,
            facts=(("KRUN_KIND", "CHECK"), ("KRUN_NAME", self._label)),
        )
        self._token = self._runner.run(spec, self._ended)

    def cancel(self) -> None:
        self._done = None
        if self._token is not None:
            self._runner.cancel(self._token)
            self._token = None

    def _ended(self, result: ScriptResult) -> None:
        done, self._done = self._done, None
        self._token = None
        if done is not None:
            done(judge(self._check, result))


def judge(check: MiscCheck, result: ScriptResult) -> Outcome:
    """What the end of the script means (keepalived.conf(5), ``misc_dynamic``)."""
    if result.status == "exited":
        if result.code == 0:
            return GOOD
        if check.dynamic and 2 <= result.code <= 255:
            return Outcome("good", weight=result.code - 2)
        return bad(f"exit status {result.code}{_said(result.output)}")
    if result.status == "signaled":
        return bad(f"ended by signal {result.code}{_said(result.output)}")
    if result.status == "timeout":
        return bad(f"not finished within {seconds(check.timeout_us or check.timing.delay_loop_us)}, killed")
    if result.status == "refused":
        return bad(f"the script was not started: {result.output or 'refused'}")
    return unable("the script process went away; nobody knows how the script ended")


def _said(output: str) -> str:
    """The last line of what the script printed, for the log."""
    lines = output.strip().splitlines()
    return f" ({lines[-1][:120]})" if lines else ""
