"""A recording of a VRRP process run again: the same inputs to a director of this release, beside what was decided then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from kir.model import Config
from krun.record import decisions
from krun.record.file import LoadedPart, Section
from krun.record.masks import NoMasks
from krun.record.moments import Decision, Moment, ReplayError
from krun.record.ring import OUTPUT
from krun.vrrp import snapshot
from krun.vrrp.director import Director
from krun.vrrp.effects import Effect
from krun.vrrp.recent import ACCEPTED
from krun.vrrp.recorded import INPUTS, RELOADED, apply

_NO_MASKS = NoMasks()


def replay(section: Section) -> Iterator[Moment]:
    """All of ``section``, in order. Raises `ReplayError`, and for a broken file whatever that leads to."""
    player = _Player(section)
    for part in section.parts:
        yield from player.part(part)


class _Player:
    def __init__(self, section: Section) -> None:
        self._section = section
        self._configs: dict[int, Config] = {}
        self._director: Director | None = None
        self._astray = False
        self._steady: dict[str, tuple[Any, ...]] = {}

    def _config(self, number: int) -> Config:
        known = self._configs.get(number)
        if known is None:
            known = self._configs[number] = self._section.config(number)
        return known

    def part(self, part: LoadedPart) -> Iterator[Moment]:
        if self._director is None or self._astray:
            # Where a decision differed, everything after it may: the next part begins with what was really so.
            self._director = Director(self._config(part.config))
            if part.state != b"null":
                snapshot.restore(self._director, msgspec.json.decode(part.state, type=snapshot.Saved))
            self._astray = False
            self._steady.clear()
        inputs: dict[int, tuple[str, Sequence[Any]]] = {}
        waiting: tuple[int, int] | None = None
        then: list[Decision] = []
        for at, place in part.steps:
            entry = part.entries[place]
            if entry[0] == OUTPUT:
                then.append(entry[1])
                continue
            if waiting is not None:
                yield self._moment(*waiting, inputs, part, then)
            waiting, then = (at, place), []
        if waiting is not None:
            yield self._moment(*waiting, inputs, part, then)

    def _moment(
        self,
        at: int,
        place: int,
        inputs: dict[int, tuple[str, Sequence[Any]]],
        part: LoadedPart,
        then: list[Decision],
    ) -> Moment:
        told = inputs.get(place)
        if told is None:
            told = inputs[place] = self._input(part.entries[place])
        kind, what = told
        director = self._director
        assert director is not None
        effects = apply(director, kind, what, at)
        decided = [decisions.vrrp(type(e).__name__, decisions.plain(e), _NO_MASKS) for e in effects]
        moment = Moment(at, "vrrp", kind, "", "", what, decided, then)
        _describe(moment, director, effects)
        if kind == "reload":
            moment.text = f"reload to {self._section.configs[part.entries[place][1]][0][:19]}…"
        if kind in ("receive", "tick", "advertise"):
            key = (kind, moment.text, [d for d in decided if d["do"] != "Transmit"], _farewell(decided))
            before = self._steady.get(f"{kind} {moment.subject}")
            moment.steady = not moment.said and (kind in ("tick", "advertise") or before == key)
            self._steady[f"{kind} {moment.subject}"] = key
        elif kind in ("addresses_done", "routing_done"):
            moment.steady = not what[0]
        elif kind in ("known", "begin", "put_back", "routing_seen"):
            moment.steady = not decided
        if moment.differs:
            self._astray = True
            moment.steady = False
        return moment

    def _input(self, entry: list[Any]) -> tuple[str, Sequence[Any]]:
        kind, *what = entry
        if kind not in INPUTS:
            raise ReplayError(
                f"an input {kind!r}, which this release does not know: use the krunctl of the release that recorded it"
            )
        if kind == "reload":
            rest = msgspec.convert(what[1:], RELOADED)
            return kind, (self._config(what[0]), *rest)
        return kind, msgspec.convert(what, INPUTS[kind])


def _farewell(decided: list[Decision]) -> bool:
    return any(d.get("farewell") for d in decided)


# -- words


def _describe(moment: Moment, director: Director, effects: list[Effect]) -> None:
    kind, what = moment.kind, moment.what
    about: set[str] = set()
    if kind == "receive":
        moment.subject, moment.text = _advert(director, what)
    elif kind in ("tick", "advertise"):
        moment.text = "timer"
    elif kind == "link":
        moment.subject = what[0]
        moment.text = (
            "interface is gone" if what[1] is None else f"interface is {'up' if what[1] else 'down'}"
        )
    elif kind == "source":
        moment.subject, moment.text = what[0], f"adverts leave from {what[1] or 'nowhere'}"
    elif kind == "socket":
        moment.subject, moment.text = str(what[0]), f"socket: {what[1] or 'works again'}"
    elif kind == "script_ended":
        moment.subject, moment.text = what[0], f"script {'succeeded' if what[1] else 'failed'}"
    elif kind == "start":
        moment.text = f"starts{_heritage(what[1])}"
    elif kind == "reload":
        moment.text = "reload"
    elif kind in ("addresses_done", "routing_done"):
        refused = "; ".join(f"{operation.target}: {words}" for operation, words in what[0])
        moment.text = f"the kernel refused {refused}" if refused else "the kernel has it"
    elif kind == "address_gone":
        moment.subject, moment.text = str(what[0]), "address is gone"
    else:
        moment.text = _TEXTS.get(kind, kind)
    for decision in moment.decided:
        words, subject = words_of(decision)
        if subject:
            about.add(subject)
        if words:
            moment.said.append(words)
    if moment.subject:
        about.add(moment.subject)
    if kind in ("link", "socket", "address_gone"):
        device = what[0] if kind == "link" else what[0].device
        about |= {i.name for i in director.instances.values() if i.config.interface == device}
    if kind in ("tick", "advertise") and len(about) == 1:
        (moment.subject,) = about
    moment.about = frozenset(about)


_TEXTS = {
    "known": "what is known of the surroundings",
    "begin": "what an earlier process left is looked at",
    "renamed": "interfaces have other names",
    "routing_seen": "routes and rules are looked at",
    "put_back": "addresses are looked at",
    "stop": "stop",
}


def _heritage(said: Any) -> str:
    if said is None or not (said.masters or said.trackers):
        return ""
    return f", after a process that was master of {', '.join(said.masters) or 'nothing'}"


def _advert(director: Director, what: Sequence[Any]) -> tuple[str, str]:
    at, pdu, source, _destination, _ttl = what
    vrid = pdu[1] if len(pdu) > 1 else -1
    instance = director.intake.routes.get(at, {}).get(vrid)
    if instance is None:
        return str(at), f"advert from {source} for VRID {vrid}, which is not here"
    priority = pdu[2] if len(pdu) > 2 else "?"
    verdict, why = instance.recent.latest
    said = f"advert from {source}, priority {priority}"
    return instance.name, said if verdict == ACCEPTED and not why else f"{said}: {_verdict(verdict)}{why}"


def _verdict(verdict: str) -> str:
    return "" if verdict == ACCEPTED else f"dropped ({verdict}): "


def words_of(decision: Decision) -> tuple[str, str]:
    """A decision in words, empty where it says nothing to a reader, and what it is about."""
    do = decision["do"]
    if do == "Say":
        return f"({decision['subject']}) {decision['text']}", decision["subject"]
    if do == "Transmit":
        return (f"({decision['instance']}) sends priority 0" if decision["farewell"] else ""), decision[
            "instance"
        ]
    if do in ("ChangeAddresses", "ChangeRouting"):
        return ", ".join(_operation(o) for o in decision["operations"]), ""
    if do == "AnnounceAddresses":
        targets = decision["targets"]
        some = ", ".join(address for _, address in targets[:3]) + (" …" if len(targets) > 3 else "")
        return f"({decision['instance']}) announces {some}, {decision['rounds']} times", decision["instance"]
    if do == "TellOutside":
        return f"({decision['name']}) scripts hear {decision['word']}", decision["name"]
    return "", decision.get("key") or ""


def _operation(operation: dict[str, Any]) -> str:
    thing = operation.get("address") or operation.get("route") or operation.get("rule") or {}
    if "address" in operation:
        name = f"{thing.get('address')}/{thing.get('prefix')} dev {thing.get('device')}"
    else:
        name = str(thing.get("destination") or thing.get("priority") or "")
    return f"{operation['op']} {name}"
