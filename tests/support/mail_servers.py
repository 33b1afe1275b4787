"""Mail servers for tests: a real one (aiosmtpd), and some that no administrator would want."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Old(SMTP):
    """One that knows no EHLO."""

    async def smtp_EHLO(self, _hostname: str) -> None:  # aiosmtpd finds it by this name
        await self.push("502 what?")


class Inbox:
    """What a server took: envelopes as aiosmtpd has them. ``refuse``: replies to RCPT by address; ``data``: replies to the letter, one
    after the other, 250 when they are used up.
    """

    def __init__(self) -> None:
        self.envelopes: list[Any] = []
        self.helos: list[str] = []
        self.refuse: dict[str, str] = {}
        self.data: list[str] = []
        self.sessions = 0

    async def handle_RCPT(  # aiosmtpd finds it by this name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        reply = self.data.pop(0) if self.data else "250 taken"
        if reply.startswith("250"):
            self.helos.append(session.host_name)
            self.envelopes.append(envelope)
        return reply

    # No properties here: aiosmtpd looks at every attribute of its handler for each connection.

    def letters(self) -> list[EmailMessage]:
        found = [email.message_from_bytes(e.content, policy=email.policy.default) for e in self.envelopes]
        return [letter for letter in found if isinstance(letter, EmailMessage)]

    def subjects(self) -> list[str]:
        return [str(letter["Subject"]) for letter in self.letters()]


@contextlib.asynccontextmanager
async def real(inbox: Inbox, port: int = 0, kind: type[SMTP] = SMTP) -> AsyncIterator[int]:
    """A real server on the loopback, on the loop that runs; its port."""

    def factory() -> SMTP:
        inbox.sessions += 1
        return kind(inbox, hostname="mx.example.org", enable_SMTPUTF8=True)

    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def odd(script: Script, port: int = 0) -> AsyncIterator[int]:
    """A server that does what ``script`` does with each connection; its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def beside(inbox: Inbox) -> Iterator[int]:
    """A real server for other processes, on a loop in a thread of its own; its port."""
    started: queue.Queue[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def main() -> None:
        end = asyncio.Event()
        async with real(inbox) as port:
            started.put((port, asyncio.get_running_loop(), end))
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    port, loop, end = started.get(timeout=30)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
