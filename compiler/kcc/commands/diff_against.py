"""``kcc check --against OLD``: what a configuration would change, beside what is wrong with it; and whether that is more than allowed."""

from __future__ import annotations

from typing import Any, TextIO

from kcc.commands.diff import meaning
from kcc.compile import Compiled, compile_input
from kcc.diagnostics.model import Span
from kcc.lower.lowered import Lowered
from kcc.source.options import Options
from kir.codec import Document
from kir.plan.operations import (
    AddressOperation,
    BfdOperation,
    CheckerOperation,
    DestOperation,
    Impact,
    IpvsOperation,
    LinkOperation,
    Operation,
    TrackerOperation,
    VrrpOperation,
)
from kir.plan.plan import Plan, plan

SHOWN = 4
"""Further operations of one object that a finding names."""


class Against:
    """The comparison of one input with what runs now."""

    def __init__(self, old: Compiled, new: Compiled) -> None:
        self.sides = old, new
        self.docs: tuple[Document, Document] = meaning(old), meaning(new)
        self.plan: Plan = plan(self.docs[0].config, self.docs[1].config)

    def judge(self, allowed: str) -> None:
        """Report, to the findings of the new side, each object that is hit harder than the impact called ``allowed``; those that it does
        not have any more are one finding a kind of operation.
        """
        limit, new = Impact[allowed.upper()], self.sides[1]
        assert new.lowered is not None
        hit: dict[tuple[str, str], list[Operation]] = {}
        for o in self.plan.operations:
            if o.impact > limit:
                path = _path(o, new.lowered)
                hit.setdefault((path, "" if path else o.op), []).append(o)
        for (path, _), operations in hit.items():
            first = max(operations, key=lambda o: o.impact)
            rest = [o for o in operations if o is not first]
            more = "; ".join(f"{o.op} {o.target}" for o in rest[:SHOWN])
            more += f" and {len(rest) - SHOWN:,} more" if len(rest) > SHOWN else ""
            new.findings.report(
                "KC1301",
                f"this change means {_noun(first.impact)}: {first.op} {first.target}",
                _span(path, new),
                label=first.impact.word,
                consequence=first.reason + (f" (and: {more})" if more else ""),
                help=f"see `kcc diff`; if it is meant, allow it: `--max-impact {first.impact.word}`",
                related=new.lowered.via(path) if path else (),
            )

    def print(self, stream: TextIO) -> None:
        """The plan as text."""
        from kcc.commands.diff_text import print_plan

        print_plan(*self.docs, self.plan, stream)

    def object(self) -> dict[str, Any]:
        """The plan as `kcc diff --format json` has it."""
        from kcc.commands.diff import as_json

        return as_json(self.sides, self.docs, self.plan)

    def summary(self) -> str:
        """The plan in one line."""
        from kcc.commands.diff_words import worst
        from kcc.diagnostics.render.text import plural

        if not self.plan.changes:
            return f"no changes against {self.sides[0].name}"
        hit = worst(self.plan)
        return (
            f"against {self.sides[0].name}: {plural(len(self.plan.operations), 'operation')}, impact {self.plan.impact.word}"
            + (f" ({hit})" if hit else "")
            + f", wire {self.plan.wire}"
        )


def against(name: str, new: Compiled, options: Options) -> Against | Compiled:
    """The comparison of ``new`` with the input called ``name``; or that input, where it cannot be compared."""
    old = compile_input(name, options)
    if old.lowered is None or new.lowered is None:
        return old
    return Against(old, new)


def _noun(impact: Impact) -> str:
    return {
        Impact.OUTAGE: "an outage",
        Impact.FAILOVER: "a failover",
        Impact.DEGRADED: "a degraded service",
        Impact.HITLESS: "a change without loss",
    }.get(impact, impact.word)


def _path(operation: Operation, lowered: Lowered) -> str:
    """The IR path of the object that an operation is about; empty where the new configuration does not have it."""
    config = lowered.config
    path = ""
    if isinstance(operation, IpvsOperation):
        server = next((v for v in config.virtual_servers if operation.service in v.services), None)
        if server is not None:
            path = f"virtual_server/{server.name}"
            if isinstance(operation, DestOperation) and lowered.said(f"{path}/real_server/{operation.dest}"):
                path += f"/real_server/{operation.dest}"
    elif isinstance(operation, VrrpOperation):
        path = f"vrrp_instance/{operation.instance}"
    elif isinstance(operation, LinkOperation):
        path = f"vrrp_instance/{operation.params.instance}"
    elif isinstance(operation, TrackerOperation):
        path = f"{operation.tracker_kind}/{operation.tracker}"
    elif isinstance(operation, BfdOperation):
        path = f"bfd_instance/{operation.session}"
    elif isinstance(operation, CheckerOperation):
        path = f"virtual_server/{operation.virtual_server}"
    elif isinstance(operation, AddressOperation):
        holder = next(
            (i for i in config.vrrp_instances if operation.address in (*i.vips, *i.excluded_vips)), None
        )
        path = f"vrrp_instance/{holder.name}" if holder is not None else ""
    return path if path and lowered.said(path) else ""


def _span(path: str, new: Compiled) -> Span:
    assert new.lowered is not None
    return new.lowered.span(path) if path else Span(new.name, 0)
