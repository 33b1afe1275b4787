"""The post office of a process: takes what is to be told, keeps it while it must wait, and hands it to the mail server.

Everything happens in callbacks of the process's loop, in small steps: a letter is written (`krun.notify.mail.letter`) only when its
connection is about to be opened, and one connection is opened a turn, so a thousand instances that change state at once cost their
adverts nothing. No name is looked up here (`krun.notify.mail.lookup`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from typing import Any

from kir.model import Global
from krun.control.events import event
from krun.loop.books import Books, Entry
from krun.loop.clock import now_us
from krun.notify.mail import lookup, smtp
from krun.notify.mail.addresses import Mailbox, mailbox, own_sender, printable
from krun.notify.mail.letter import Alert, prepare, render
from krun.notify.mail.session import Envelope, Outcome, Refusal
from krun.notify.mail.transfer import Transfer
from krun.notify.mail.waiting import AT_ONCE, LIMIT, Queue, Waiting

log = logging.getLogger("krun.notify")

LAST_WORDS_S = 2.0
"""How long letters may still go out at the stop."""
FRESH_US = 300_000_000
"""How long the addresses of a named server are believed. Older ones are used while newer ones are asked for: a resolver that is down must
not keep a letter from a server that is not.
"""
ASK_AGAIN_S = 30.0
"""When a name that was not found is looked up again."""


class PostOffice:
    """Call `configure` first; before that, and where mail is not configured, `send` does nothing. ``scripts`` looks names up; without it
    only addresses can be reached. ``epoch``: seconds since the epoch. ``limit``, ``at_once``: of `krun.notify.mail.waiting.Queue`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scripts: lookup.Runs | None = None,
        *,
        clock: Callable[[], int] = now_us,
        epoch: Callable[[], float] = time.time,
        limit: int = LIMIT,
        at_once: int = AT_ONCE,
    ) -> None:
        self._loop = loop
        self._scripts = scripts
        self._clock = clock
        self._epoch = epoch
        self._host = socket.gethostname() or "localhost"
        self._settings: Global | None = None
        self._sender = Mailbox("root@localhost")
        self._recipients: tuple[Mailbox, ...] = ()
        self._numeric = False
        self._addresses: list[str] = []
        self._asked_at: int | None = None
        self._asking = False
        self._ask_timer: asyncio.TimerHandle | None = None
        self._unknown = False
        self._number = 0
        self._queue = Queue(_say, limit, at_once)
        self._transfers: set[Transfer] = set()
        self._pump_due: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._idle: asyncio.Event | None = None

    @property
    def active(self) -> bool:
        """Whether there is a server, and somebody to write to."""
        return self._settings is not None

    # What is to be told.

    def configure(self, settings: Global) -> None:
        """Follow a configuration; letters that wait go on, to those for whom they were meant, by the new server."""
        before = self._settings
        recipients: dict[str, Mailbox] = {}
        for text in settings.notification_emails:
            try:
                one = mailbox(text)
            except ValueError as error:
                log.error("notification_email: %s: gets no mail", error)
            else:
                recipients.setdefault(one.address, one)
        self._recipients = tuple(recipients.values())
        self._sender = self._configured_sender(settings)
        server = settings.smtp_server
        if server is None or not self._recipients:
            self._settings = None
            self._queue.forget("mail is not configured any more")
            return
        self._settings = settings
        prepare()
        if before is None or before.smtp_server != server:
            self._numeric = lookup.numeric(server.host)
            self._addresses = [server.host] if self._numeric else []
            self._asked_at = None
            self._unknown = False
            self._queue.hurry()  # what is known of the old server says nothing of this one
            if not self._numeric and self._scripts is not None:
                self._ask()  # now, since a letter of the last moment could not wait for it
        self._pump_soon()

    def send(self, subject: str, body: str) -> None:
        """Tell people; ``subject`` without the director's name. Returns at once, whatever the mail server does."""
        settings = self._settings
        if settings is None or self._closing:
            return
        self._number += 1
        name = settings.router_id or self._host
        alert = Alert(f"[{name}] {subject}", body, self._epoch(), f"{os.getpid()}.{self._number}", self._host)
        self._queue.add(alert, self._recipients, self._clock())
        self._pump_soon()

    def status(self) -> dict[str, Any]:
        """For the state document; ``problem`` None: nothing is in the way."""
        server = self._settings.smtp_server if self._settings is not None else None
        counts = self._queue.counts
        return {
            "server": None if server is None else _where(server.host, server.port),
            "queue": len(self._queue) + len(self._queue.under_way),
            "connections": len(self._transfers),
            "sent": counts.sent,
            "failed": counts.failed,
            "dropped": counts.dropped,
            "retries": counts.retries,
            "problem": self._queue.problem or None,
        }

    def report(self, document: dict[str, Any]) -> dict[str, Any]:
        """``document``, a process's part of the state document, with ``mail`` and, while letters cannot go, an alarm."""
        if not self.active:
            return document
        status = document["mail"] = self.status()
        if status["problem"]:
            document.setdefault("alarms", []).append(f"mail: {status['problem']}; {status['queue']} wait")
        return document

    def books(self) -> Books:
        """What it owns (`krun.loop.books`)."""
        for letter in self._queue.all():
            yield Entry("letter", letter.alert.subject, letter)
        for transfer in self._transfers:
            yield Entry("mail connection", transfer.to, transfer)

    # The end.

    async def close(self, patience_s: float = LAST_WORDS_S) -> None:
        """Send what waits, for at most ``patience_s`` seconds; what is left is counted and said."""
        self._closing = True
        if self._settings is not None and (len(self._queue) or self._queue.under_way):
            self._queue.hurry()
            self._idle = asyncio.Event()
            self._pump_soon()
            try:
                await asyncio.wait_for(self._idle.wait(), patience_s)
            except TimeoutError:
                pass
        self.abandon()

    def abandon(self) -> None:
        """Drop everything at once; said, if there was something."""
        self._closing = True
        for handle in (self._pump_due, self._timer, self._ask_timer):
            if handle is not None:
                handle.cancel()
        for transfer in self._transfers:
            transfer.abandon()
        self._transfers.clear()
        lost = len(self._queue.under_way)
        if lost:
            _say(logging.WARNING, f"{lost} mails were under way at the end")
            self._queue.counts.dropped += lost
            self._queue.under_way.clear()
        self._queue.forget("the process ends")
        self._settings = None

    # Getting it out.

    def _pump_soon(self) -> None:
        if self._pump_due is None:
            self._pump_due = self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Open at most one connection, and see when the next is due."""
        self._pump_due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._settings is None:
            return
        if self._idle is not None and not len(self._queue) and not self._queue.under_way:
            self._idle.set()
            return
        wake = self._queue.wake()
        if wake is None:
            return
        now = self._clock()
        if wake > now:
            self._timer = self._loop.call_later((wake - now) / 1e6, self._pump)
        elif self._reachable(now):
            letter = self._queue.next(now)
            if letter is not None:
                self._post(letter, self._settings)
            self._pump_soon()

    def _reachable(self, now: int) -> bool:
        """Whether there is an address to connect to; else one is looked for, which ends in `_pump_soon`."""
        assert self._settings is not None and self._settings.smtp_server is not None
        if self._numeric:
            return True
        if self._scripts is None:
            host = self._settings.smtp_server.host
            self._queue.server_failed(f"smtp_server {host}: only addresses can be used here, not names", now)
            self._pump_soon()
            return False
        if self._asked_at is None or now - self._asked_at >= FRESH_US:
            self._ask()
        return bool(self._addresses)

    def _ask(self) -> None:
        """Look the server's name up, in the background."""
        if self._ask_timer is not None:
            self._ask_timer.cancel()
            self._ask_timer = None
        server = self._settings.smtp_server if self._settings is not None else None
        if self._asking or self._numeric or self._closing or server is None or self._scripts is None:
            return
        self._asking = True
        host = server.host
        lookup.look_up(self._scripts, host, lambda found, problem: self._looked_up(host, found, problem))

    def _looked_up(self, host: str, addresses: list[str], problem: str) -> None:
        self._asking = False
        server = self._settings.smtp_server if self._settings is not None else None
        if server is None:
            return
        if server.host != host:
            self._ask()
            return
        if addresses:
            self._addresses, self._asked_at = addresses, self._clock()
            if self._unknown:
                self._unknown = False
                self._queue.server_works()
        elif not self._addresses:
            self._unknown = True
            self._queue.server_failed(problem, self._clock())
            if self._ask_timer is None:
                self._ask_timer = self._loop.call_later(ASK_AGAIN_S, self._ask)
        self._pump_soon()

    def _post(self, letter: Waiting, settings: Global) -> None:
        server = settings.smtp_server
        assert server is not None
        address = self._addresses[0]
        at = _where(address, server.port)
        try:
            envelope = Envelope(
                helo=_helo(settings.smtp_helo_name or self._host),
                sender=self._sender.address,
                recipients=tuple(one.address for one in letter.to),
                data=render(letter.alert, self._sender, letter.to),
                international=self._sender.international or any(one.international for one in letter.to),
            )
        except ValueError as error:  # a letter that cannot be written must not stop the others
            refused = tuple(Refusal(one.address, str(error)) for one in letter.to)
            self._ended(letter, address, at, Outcome(refused=refused))
            return
        self._transfers.add(
            Transfer(
                self._loop,
                address,
                server.port,
                smtp.Settings(envelope, settings.smtp_connect_timeout_us),
                lambda outcome: self._ended(letter, address, at, outcome),
                self._gone,
                self._clock,
            )
        )

    def _ended(self, letter: Waiting, address: str, at: str, outcome: Outcome) -> None:
        if outcome.broken:
            outcome = Outcome(outcome.delivered, outcome.refused, outcome.later, f"{at}: {outcome.broken}")
            if self._addresses[:1] == [address]:
                # The next attempt goes to its next address; a name with none left is looked up again.
                self._addresses = [*self._addresses[1:], address]
                if len(self._addresses) == 1:
                    self._asked_at = None
        self._queue.ended(letter, outcome, self._clock())
        self._pump_soon()

    def _gone(self, transfer: Transfer) -> None:
        self._transfers.discard(transfer)

    def _configured_sender(self, settings: Global) -> Mailbox:
        if settings.notification_email_from is not None:
            try:
                return mailbox(settings.notification_email_from)
            except ValueError as error:
                log.error("notification_email_from: %s: the sender is the user at this host", error)
        return own_sender(self._host)


def _helo(name: str) -> str:
    """A name that can stand in a command."""
    return re.sub(r"[^\x21-\x7e]|[<>]", "-", printable(name)) or "localhost"


def _where(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _say(level: int, text: str) -> None:
    log.log(level, "%s", text, extra=event("mail"))
