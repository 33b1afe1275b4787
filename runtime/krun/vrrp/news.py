"""What the kernel says of interfaces and addresses, and what that means for a director."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from kir.state import AddressKey
from krun.kernel.door import AddressChanged, AddressesAndLinks, KernelEvent, LinkChanged, Resynchronised
from krun.loop.clock import now_us
from krun.vrrp.carrier import Carrier
from krun.vrrp.director import Director
from krun.vrrp.sources import may_be_source, sources


class KernelNews:
    """``done`` is called when the director was told, ``breathe`` between two pieces of work. ``closed``: nothing matters any more."""

    def __init__(
        self,
        director: Director,
        rtnetlink: AddressesAndLinks,
        carrier: Carrier,
        loop: asyncio.AbstractEventLoop,
        done: Callable[[], None],
        breathe: Callable[[], None],
    ) -> None:
        self._director = director
        self._rtnetlink = rtnetlink
        self._carrier = carrier
        self._loop = loop
        self._done = done
        self._breathe = breathe
        self._events: list[KernelEvent] = []
        self._due = False
        self.closed = False

    def heard(self, event: KernelEvent) -> None:
        """One event; what comes in at once is acted on at once."""
        self._breathe()
        self._events.append(event)
        if not self._due:
            self._due = True
            self._loop.call_soon(self._act)

    def _act(self) -> None:
        """Everything that came in at once: links first, since an interface that goes down takes addresses with it."""
        self._due = False
        events, self._events = self._events, []
        if self.closed:
            return
        director = self._director
        resync = any(isinstance(event, Resynchronised) for event in events)
        renamed = _renamed(events)
        held = dict(director.ledger.have) if renamed else {}
        devices: set[str] = set()
        gone: list[AddressKey] = []
        for event in events:
            self._breathe()
            if isinstance(event, LinkChanged):
                link = event.link
                devices.add(link.name)
                self._carrier.run(director.link(link.name, None if event.gone else link.up, now_us()))
            elif isinstance(event, AddressChanged):
                self._carrier.added.discard(event.key)
                if event.key in director.ledger.have:
                    if event.gone:
                        gone.append(event.key)
                elif may_be_source(event.key, director):
                    devices.add(event.key.device)
        if resync:
            self._carrier.added.clear()
            links = self._rtnetlink.links()
            for name in director.links.keys() - links.keys():
                self._carrier.run(director.link(name, None, now_us()))
            for name, link in links.items():
                if director.links.get(name) != link.up:
                    self._carrier.run(director.link(name, link.up, now_us()))
        present = self._rtnetlink.addresses()
        if renamed:
            self._carrier.run(director.renamed(renamed, held, present))
        if devices or resync:
            for name, source in sources(self._rtnetlink, director.config).items():
                self._carrier.run(director.source(name, source, now_us()))
        for key in gone:
            # What we removed and added again ourselves is there by now.
            if key not in present and key in director.ledger.have:
                self._carrier.run(director.address_gone(key, now_us()))
        if resync or devices:
            # What we have just written is there, though the kernel's word of it has not been read yet.
            written = self._carrier.added & director.ledger.have.keys()
            self._carrier.run(director.put_back({*present, *written}, now_us()))
        touched = devices | {key.device for key in gone}
        if resync or (touched and director.routing.depends_on(touched)):
            self._carrier.look_again(blame=False)
        self._done()

    def disturbed(self) -> None:
        """Somebody was seen at work on routes or rules. Links first: what a link took along is nobody's fault."""
        if self.closed:
            return
        self._rtnetlink.read_events(self._breathe)
        self._act()
        self._carrier.look_again(blame=True)
        self._done()


def _renamed(events: Iterable[KernelEvent]) -> dict[str, str]:
    """Old → new name of interfaces that have another one now."""
    links = [event for event in events if isinstance(event, LinkChanged)]
    gone = {event.link.index: event.link.name for event in links if event.gone}
    there = {event.link.index: event.link.name for event in links if not event.gone}
    return {name: there[index] for index, name in gone.items() if there.get(index, name) != name}
