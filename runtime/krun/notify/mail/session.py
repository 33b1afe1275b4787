"""What the SMTP client (`krun.notify.mail.smtp`) is told, remembers and wants done: plain data."""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from krun.notify.mail.replies import Reader

_NEVER = re.compile(r"[\x00-\x20\x7f<>]")


class Envelope(msgspec.Struct, frozen=True):
    """A letter for the server: ``data`` with any line ends, not dot-stuffed. ``international``: some address is beyond ASCII, so only
    a server with SMTPUTF8 (RFC 6531) can take it. Raises ValueError where a word would end its command early, and without recipients or
    with one that stands there twice.
    """

    helo: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    international: bool = False

    def __post_init__(self) -> None:
        for word in (self.helo, self.sender, *self.recipients):
            if not word or _NEVER.search(word):
                raise ValueError(f"{word!r} cannot stand in an SMTP command")
        if not self.recipients:
            raise ValueError("a letter to nobody")
        if len(set(self.recipients)) != len(self.recipients):
            raise ValueError("a recipient stands there twice")


class Phase(Enum):
    """What is awaited: the connection, or the reply to what."""

    CONNECTING = "the connection"
    GREETING = "the greeting"
    EHLO = "the reply to EHLO"
    HELO = "the reply to HELO"
    MAIL = "the reply to MAIL"
    RCPT = "the reply to RCPT"
    DATA = "the reply to DATA"
    BODY = "the reply to the letter"
    QUIT = "the reply to QUIT"
    OVER = "nothing"


class Refusal(msgspec.Struct, frozen=True):
    """A recipient that was not served, and why, in words."""

    recipient: str
    why: str


class Outcome(msgspec.Struct, frozen=True):
    """How it ended; each recipient is in exactly one of the three. ``delivered``: the server answers for it from here. ``refused``: it
    never will. ``later``: worth another attempt. ``broken``: why the server cannot be used at all at this moment, else empty.
    """

    delivered: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    later: tuple[Refusal, ...] = ()
    broken: str = ""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """All that the client remembers. ``asked``: index of the recipient whose reply is awaited; ``accepted``, ``refused``, ``later``: those
    before it. ``deadline``: microseconds on the caller's clock; None: nothing is awaited.
    """

    phase: Phase = Phase.CONNECTING
    deadline: int | None = None
    reader: Reader = Reader()
    extensions: frozenset[str] = frozenset()
    asked: int = 0
    accepted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    later: tuple[Refusal, ...] = ()


class Event(msgspec.Struct, frozen=True):
    """Something that happened."""


class Connected(Event, frozen=True):
    """The connection stands."""


class Received(Event, frozen=True):
    """Octets from the server."""

    data: bytes


class Closed(Event, frozen=True):
    """The connection ended, or never came to be; ``why`` in words."""

    why: str


class Tick(Event, frozen=True):
    """Time passed: for the deadline."""


class Action(msgspec.Struct, frozen=True):
    """Something to do."""


class Send(Action, frozen=True):
    """Octets for the server."""

    data: bytes


class Finished(Action, frozen=True):
    """The outcome; comes exactly once."""

    outcome: Outcome


class HangUp(Action, frozen=True):
    """Close the connection: the last action of all."""


Actions = tuple[Action, ...]
