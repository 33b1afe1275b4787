"""What others did to our services in the kernel, and how often it is put back.

Pure. An object is a service, or one server of it. It is put back each time that somebody deleted or edited it; more than `REPEATS` times
within `WINDOW_US` is a fight: then it is left alone, with an alarm, until the next reload. What our own checks, overlays and drains wrote
is what we believe to be there, so it is never taken for drift.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from kir.model import Forwarding, Service
from kir.plan.operations import DestOperation, IpvsOperation
from kir.state import DestKey, IpvsTable, ServiceEntry

REPEATS = 5
WINDOW_US = 10_000_000

Thing = tuple[Service, DestKey | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """``service`` (``dest`` None), or a server of it, is not as we left it: ``what`` says in which way."""

    service: Service
    dest: DestKey | None
    what: str

    @property
    def thing(self) -> Thing:
        return self.service, self.dest

    def __str__(self) -> str:
        server = "" if self.dest is None else f" -> {self.dest}"
        return f"{self.service.identity}{server} {self.what}"


def differences(believed: IpvsTable, seen: IpvsTable) -> Iterator[Difference]:
    """In which way ``seen`` is not what we ``believed``; a service that is gone is one difference, with all its servers."""
    for service, entry in believed.items():
        found = seen.get(service)
        if found is None:
            yield Difference(service, None, "was deleted")
        elif found != entry:
            yield from _inside(service, entry, found)
    for service in seen:
        if service not in believed:
            yield Difference(service, None, "was added")


def _inside(service: Service, entry: ServiceEntry, found: ServiceEntry) -> Iterator[Difference]:
    if found.params != entry.params:
        yield Difference(service, None, f"was edited: {_changes(entry.params, found.params)}")
    for dest, params in entry.dests.items():
        now = found.dests.get(dest)
        if now is None:
            yield Difference(service, dest, "was deleted")
        elif now != params:
            yield Difference(service, dest, f"was edited: {_changes(params, now)}")
    for dest, params in found.dests.items():
        if dest not in entry.dests:
            yield Difference(service, dest, f"was added with weight {params.weight}")


def _changes(old: msgspec.Struct, new: msgspec.Struct) -> str:
    pairs = ((f, getattr(old, f), getattr(new, f)) for f in old.__struct_fields__)
    return ", ".join(f"{f} {_word(a)} -> {_word(b)}" for f, a, b in pairs if a != b)


def _word(value: object) -> str:
    if isinstance(value, Forwarding):
        return " ".join(str(v) for v in msgspec.structs.astuple(value) if v)
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    return "none" if value is None else str(value)


class Repeats:
    """How often each object was put back lately, and which are left alone."""

    def __init__(self) -> None:
        self.left: dict[Thing, str] = {}
        """What is left alone → what others did to it last."""
        self.seen = 0
        """How many differences were found since the start."""
        self._times: dict[Thing, deque[int]] = {}

    def judge(self, found: Iterable[Difference], now_us: int) -> list[Difference]:
        """Count what was ``found``; returns those of it that from now on are left alone."""
        given_up: list[Difference] = []
        for difference in found:
            thing = difference.thing
            if thing in self.left or (thing[0], None) in self.left:
                continue
            self.seen += 1
            times = self._times.setdefault(thing, deque(maxlen=REPEATS))
            if len(times) == REPEATS and now_us - times[0] <= WINDOW_US:
                self.left[thing] = difference.what
                given_up.append(difference)
            times.append(now_us)
        for thing in [t for t, times in self._times.items() if now_us - times[-1] > WINDOW_US]:
            del self._times[thing]
        return given_up

    def leaves(self, operation: IpvsOperation) -> bool:
        """Whether ``operation`` touches what is left alone."""
        if not self.left:
            return False
        dest = operation.dest if isinstance(operation, DestOperation) else None
        return (operation.service, dest) in self.left or (operation.service, None) in self.left

    def forgive(self) -> bool:
        """A reload: everything is put back again. Returns whether anything was left alone."""
        some = bool(self.left)
        self.left.clear()
        self._times.clear()
        return some

    def words(self) -> list[str]:
        """What is left alone, in words."""
        return [str(Difference(service, dest, what)) for (service, dest), what in self.left.items()]
