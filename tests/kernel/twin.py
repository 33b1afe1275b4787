"""The real kernel and its picture in memory, side by side through many reloads.

Each step is planned (`krunctl plan`), counted on the netlink socket while it is carried out, and carried out on the memory backend by
the operations of the plan. Afterwards both hold the same, in the words of ``ipvsadm``, ``ip addr``, ``ip route`` and ``ip rule``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from kernel.guest import figure
from kernel.steps import control_socket, difference, reload, steps, wanted
from kernel.world import World
from kir.model import Route, Rule
from kir.plan.ipvs import plan_table
from kir.plan.operations import AddressOperation, IpvsOperation, Operation
from kir.plan.route_operations import RoutingOperation
from kir.state import IpvsTable
from krun.control import planning
from krun.kernel.linux import LinuxKernel
from krun.kernel.memory.kernel import MemoryKernel
from lab.krun import Krun
from lab.netlink_watch import NetlinkWatch, Write
from lab.netns import Director
from lab.processes import wait_for

__all__ = ["saved", "twin"]

PROTOCOL = 18
"""keepalived's number in rtm_protocol (rt_protos of iproute2), which krun's routes and rules have too."""

WRITERS = (IpvsOperation, AddressOperation, RoutingOperation)
"""The operations that are one netlink message each."""


def twin(program: str, folder: Path) -> None:
    """After each of many reloads the kernel holds what the memory backend says, by as many writes as the plan has operations."""
    assert program == "krun", "keepalived prints no plan"
    with World() as world:
        director = world.director
        irs = steps(folder, "json")
        running = world.run(program, irs[0].with_suffix(".conf").read_text())
        assert isinstance(running, Krun)
        with director:
            real, memory = LinuxKernel(), MemoryKernel()
            real.ipvs(), real.routing(), real.rtnetlink()
        wait_for("the virtual address", lambda: director.has("192.0.2.100"))
        wait_for("the first table", lambda: real.ipvs().dump() == wanted(irs[0]), 30, 0.1)
        adopt(director, real, memory)
        done: Counter[str] = Counter()
        with NetlinkWatch(director) as watch:
            for ir in irs[1:]:
                with director:
                    planned = planning.make(control_socket(running), {"path": str(ir)})
                assert not planned.unseen, planned.unseen
                operations = list(planned.plan.operations)
                watch.take()
                reload(running, ir.with_suffix(".conf"), ir)
                written(ir, operations, watch.take())
                apply(memory, operations)
                same(ir, director, real, memory)
                done.update(step.op for step in operations)
        figure("reloads", len(irs) - 1)
        figure("operations", sum(done.values()))
        for name, count in sorted(done.items()):
            figure(name, count)


def adopt(director: Director, real: LinuxKernel, memory: MemoryKernel) -> None:
    """Let the memory kernel begin with what the real one has."""
    host = memory.rtnetlink()
    host.set_link(director.device)
    for entry in director.ip_json("addr", "show", "dev", director.device)[0]["addr_info"]:
        host.add_address(director.device, entry["local"], entry["prefixlen"])
    for route in real.routing().routes([PROTOCOL]):
        memory.routing().add_route(route)
    memory.ipvs().apply(plan_table({}, real.ipvs().dump()))


def written(ir: Path, operations: list[Operation], writes: list[Write]) -> None:
    """As many writes on the wire as there are operations for the kernel, family by family."""
    ipvs = sum(isinstance(step, IpvsOperation) for step in operations)
    route = sum(isinstance(step, (AddressOperation, RoutingOperation)) for step in operations)
    counted = Counter(write.family for write in writes)
    told = [f"{step.op} {step.target}" for step in operations]
    assert (counted["ipvs"], counted["route"]) == (ipvs, route), (
        f"{ir.name}: planned {told}, written {[write.name for write in writes]}"
    )


def apply(memory: MemoryKernel, operations: list[Operation]) -> None:
    """The same reload on the memory backend."""
    assert memory.ipvs().apply([step for step in operations if isinstance(step, IpvsOperation)]) == []
    addresses = [step for step in operations if isinstance(step, AddressOperation)]
    assert memory.rtnetlink().apply_addresses(addresses) == []
    assert memory.routing().apply([step for step in operations if isinstance(step, RoutingOperation)]) == []


def same(ir: Path, director: Director, real: LinuxKernel, memory: MemoryKernel) -> None:
    """Both kernels hold the same, by netlink and by what the tools print."""
    table = memory.ipvs().dump()
    assert real.ipvs().dump() == table, f"{ir.name}: {difference(real.ipvs().dump(), table)}"
    assert table == wanted(ir), f"{ir.name}: {difference(table, wanted(ir))}"
    printed = sorted(line.rstrip() for line in director.run(["ipvsadm", "-Sn"]).stdout.splitlines())
    assert printed == sorted(saved(table)), ir.name
    shown = {
        (entry["local"], entry["prefixlen"], entry.get("label", director.device))
        for entry in director.ip_json("addr", "show", "dev", director.device)[0]["addr_info"]
        if entry["family"] == "inet"
    }
    held = {
        (key.address, key.prefix, address.label or director.device)
        for key, address in memory.rtnetlink().table().items()
        if key.device == director.device and address.family == "inet"
    }
    assert shown == held, f"{ir.name}: ip addr shows {sorted(shown - held)}, not {sorted(held - shown)}"
    routes = Counter(map(route_row, memory.routing().routes([PROTOCOL])))
    rows = director.ip_json("route", "show", "table", "all", "proto", str(PROTOCOL))
    seen = Counter(map(printed_route, rows))
    assert seen == routes, f"{ir.name}: ip route shows {seen - routes}, not {routes - seen}"
    rules = Counter(map(rule_row, memory.routing().rules()))
    rows = [row for row in director.ip_json("rule") if str(row.get("protocol", "")) in ("keepalived", "18")]
    seen_rules = Counter(map(printed_rule, rows))
    assert seen_rules == rules, f"{ir.name}: ip rule shows {seen_rules - rules}, not {rules - seen_rules}"


Row = tuple[Any, ...]


def route_row(route: Route) -> Row:
    hop = route.nexthops[0] if route.nexthops else route
    return (route.destination, hop.via, hop.device, route.table, route.priority or 0, route.source)


def printed_route(row: dict[str, Any]) -> Row:
    table = {"main": 254}.get(row.get("table", "main"), row.get("table"))
    return (
        row["dst"],
        row.get("gateway"),
        row.get("dev"),
        int(table),
        row.get("metric", 0),
        row.get("prefsrc"),
    )


def rule_row(rule: Rule) -> Row:
    return (rule.priority, rule.source, int(rule.table or 0))


def printed_rule(row: dict[str, Any]) -> Row:
    return (row["priority"], f"{row['src']}/{row['srclen']}", int(row["table"]))


FORWARDS = {"NAT": "-m", "DR": "-g", "TUN": "-i"}


def saved(table: IpvsTable) -> list[str]:
    """A table as ``ipvsadm -Sn`` prints it; it prints no thresholds."""
    lines = []
    for service, entry in table.items():
        if service.fwmark:
            at = f"-f {service.fwmark}"
        else:
            at = f"{'-t' if service.protocol == 'tcp' else '-u'} {service.identity.split()[-1]}"
        params = entry.params
        words = [f"-A {at} -s {params.scheduler}"]
        if params.timeout_s:
            words.append(f"-p {params.timeout_s}")
        flags = [name for name in ("flag-1", "flag-2") if name in params.flags]
        if flags:
            names = {"flag-1": f"{params.scheduler}-fallback", "flag-2": f"{params.scheduler}-port"}
            words.append("-b " + ",".join(names[flag] for flag in flags))
        lines.append(" ".join(words))
        for dest, how in entry.dests.items():
            tunnel = f" --tun-type {how.forwarding.tunnel_type}" if how.forwarding.method == "TUN" else ""
            lines.append(f"-a {at} -r {dest} {FORWARDS[how.forwarding.method]} -w {how.weight}{tunnel}")
    return lines
