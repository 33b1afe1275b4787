"""Configurations that follow each other: how the guest finds them, carries one out, and knows what the table has to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kernel.world import World
from kir.codec import load_path
from kir.plan.ipvs import desired_table, plan_table
from kir.state import IpvsTable
from krun.control.client import ask
from krun.kernel.ipvs import LinuxIpvs
from lab.keepalived import Keepalived
from lab.krun import Krun

__all__ = ["control_socket", "difference", "reload", "steps", "table_reader", "wanted"]


def steps(folder: Path, suffix: str) -> list[Path]:
    """The configurations in their order; the first one is what the director starts with."""
    return sorted(folder.glob(f"[0-9]*.{suffix}"))


@contextmanager
def table_reader(world: World) -> Iterator[Callable[[], IpvsTable]]:
    """The director's table, read by netlink without a program."""
    with world.director:
        ipvs = LinuxIpvs()
    try:
        yield ipvs.dump
    finally:
        ipvs.close()


def difference(have: IpvsTable, want: IpvsTable) -> list[str]:
    """What would have to be done, in the words of a plan."""
    return [f"{step.op} {step.target}" for step in plan_table(have, want)]


def wanted(ir: Path) -> IpvsTable:
    """The table of a configuration while every check succeeds."""
    return desired_table(load_path(ir).config)


def control_socket(running: Krun) -> Path:
    """Where krun listens: two hundred starts of `krunctl` would take longer than all the rest."""
    return running.run_dir / "krun.sock"


def reload(running: Krun | Keepalived, conf: Path, ir: Path) -> None:
    """One reload, by the means of each; a refusal of krun raises with its reason."""
    if isinstance(running, Keepalived):
        running.reload(conf.read_text())
        return
    answer: dict[str, Any] = ask(control_socket(running), {"op": "reload", "path": str(ir)}, 60.0)
    assert answer["ok"] and answer["reload"]["result"] == "done", f"{ir.name}: {answer}"
    assert not answer["reload"]["failures"], f"{ir.name}: {answer['reload']['failures']}"
