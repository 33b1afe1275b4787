"""Asking all processes of a krun for what they remember, and putting it into one file."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from kir import __version__
from krun.control.client import NoDaemonError, ask
from krun.record import decisions, file
from krun.record.dump import Piece
from krun.record.masks import Masks, NoMasks, decode64, encode64
from krun.record.ring import OUTPUT

PROCESSES = ("vrrp", "check")
"""Those that have machines."""

ASK_S = 15.0


class Saver:
    """``problems``: what could not be had, in words. ``counts``: messages by process."""

    def __init__(self, run_dir: Path, *, with_secrets: bool = False) -> None:
        self._run_dir = run_dir
        self._masks = NoMasks() if with_secrets else Masks()
        self.problems: list[str] = []
        self.counts: dict[str, int] = {}

    def save(self, target: Path) -> int:
        """Write the file; returns its size in octets. Raises OSError, and `NoDaemonError` where no krun is."""
        socket = self._run_dir / "krun.sock"
        answer = ask(socket, {"op": "status"}, ASK_S)
        state: dict[str, Any] = answer.get("state") or {}
        ir = state.get("ir") or {}
        header = file.Header(
            krun_record=file.VERSION,
            release=str((state.get("parent") or {}).get("release", __version__)),
            saved_at=round(time.time(), 3),
            secrets="real" if isinstance(self._masks, NoMasks) else "masked",
            host=_host(state),
            ir={name: ir.get(name) for name in ("path", "digest", "loaded_at")},
        )
        return file.write(target, header, self._lines(socket, state))

    def _lines(self, socket: Path, state: dict[str, Any]) -> Iterator[Piece]:
        for process in state.get("processes", ()):
            if process["name"] in PROCESSES:
                try:
                    yield from self._process(process["name"], process["pid"])
                except NoDaemonError as error:
                    self.problems.append(f"the {process['name']} process: {error}")
        yield {"events": ask(socket, {"op": "events", "since": {}}, ASK_S).get("events", [])}

    def _process(self, name: str, pid: int) -> Iterator[Piece]:
        where = self._run_dir / f"{name}.sock"
        request: dict[str, Any] = {"op": "record", "begin": True}
        while True:
            answer = ask(where, request, ASK_S)
            if not answer.get("ok"):
                self.problems.append(f"the {name} process: {answer.get('error')}")
                return
            if "offset_s" in answer:
                yield {"process": {"name": name, "pid": pid, "offset_s": answer["offset_s"]}}
            for piece in answer["pieces"]:
                if "ring" in piece:
                    self.counts[name] = piece["ring"]["messages"]
                yield masked(name, piece, self._masks)
            if answer["done"]:
                return
            request = {"op": "record"}


def masked(process: str, piece: Piece, masks: Masks) -> Piece:
    """A piece (`krun.record.dump`) as it may stand in a file."""
    if "config" in piece:
        config = piece["config"]
        return {"config": {**config, "document": masks.document(config["document"])}}
    if "servers" in piece:
        return {"servers": {**piece["servers"], "list": masks.document(piece["servers"]["list"])}}
    if process != "vrrp":
        return piece if "entries" not in piece else {"entries": [_plain_entry(e) for e in piece["entries"]]}
    if "part" in piece:
        return {"part": {**piece["part"], "state": _state(piece["part"]["state"], masks)}}
    if "entries" in piece:
        return {"entries": [_entry(entry, masks) for entry in piece["entries"]]}
    return piece


def _state(state: Any, masks: Masks) -> Any:
    if state is None:
        return None
    for instance in state["instances"]:
        heard = instance["heard"]
        if heard is not None:
            family = "inet6" if ":" in heard["source"] else "inet"
            heard["pdu"] = encode64(masks.pdu(decode64(heard["pdu"]), family))
    return state


def _entry(entry: list[Any], masks: Masks) -> list[Any]:
    if entry[0] == OUTPUT:
        return [OUTPUT, decisions.vrrp(entry[1], entry[2], masks)]
    if entry[0] == "receive":
        return [*entry[:2], encode64(masks.pdu(decode64(entry[2]), entry[1][1])), *entry[3:]]
    return entry


def _plain_entry(entry: list[Any]) -> list[Any]:
    """Of a process whose decisions are plain data already."""
    return [OUTPUT, entry[2]] if entry[0] == OUTPUT else entry


def _host(state: dict[str, Any]) -> dict[str, Any]:
    """What of the host a reader of the file may want to know."""
    return {
        "name": platform.node(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "msgspec": msgspec.__version__,
        "krun_kernel": (state.get("parent") or {}).get("kernel"),
        "uid": os.getuid(),
    }


__all__ = ["Saver", "masked"]
