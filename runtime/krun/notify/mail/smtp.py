"""The client side of SMTP (RFC 5321) for one letter, without a socket: ``step(settings, session, event, now) → (session, actions)``.

Pure. One command at a time, a deadline for each reply; a reply that trickles in does not move it. A server that is not to be understood
is hung up on; whatever it says, the outcome comes exactly once.
"""

from __future__ import annotations

import re

import msgspec

from krun.notify.mail.replies import GarbageError, Reader, Reply, read
from krun.notify.mail.session import (
    Actions,
    Closed,
    Connected,
    Envelope,
    Event,
    Finished,
    HangUp,
    Outcome,
    Phase,
    Received,
    Refusal,
    Send,
    Session,
    Tick,
)

QUIT_US = 2_000_000
"""How long the reply to QUIT is awaited: the letter's fate is known by then."""

SHUTTING_DOWN = 421
"""The server closes the connection, whatever was asked (RFC 5321 section 3.8)."""

replace = msgspec.structs.replace


class Settings(msgspec.Struct, frozen=True):
    """What does not change: the letter, and how long each reply may take (``smtp_connect_timeout``)."""

    envelope: Envelope
    timeout_us: int


def begin(settings: Settings, now: int) -> Session:
    """A session whose connection is being opened."""
    return Session(deadline=now + settings.timeout_us)


def step(settings: Settings, session: Session, event: Event, now: int) -> tuple[Session, Actions]:
    """One event. Never raises, whatever the server says."""
    if session.phase is Phase.OVER:
        return session, ()
    if isinstance(event, Received):
        return _received(settings, session, event.data, now)
    if isinstance(event, Connected):
        if session.phase is Phase.CONNECTING:
            return replace(session, phase=Phase.GREETING, deadline=now + settings.timeout_us), ()
        return session, ()
    if isinstance(event, Closed):
        words = "" if session.phase is Phase.CONNECTING else f"while waiting for {session.phase.value}: "
        return _broken(settings, session, f"{words}{event.why or 'the connection ended'}")
    if isinstance(event, Tick) and session.deadline is not None and now >= session.deadline:
        return _broken(
            settings, session, f"{session.phase.value} did not come within {settings.timeout_us / 1e6:g} s"
        )
    return session, ()


def _received(settings: Settings, session: Session, data: bytes, now: int) -> tuple[Session, Actions]:
    if session.phase is Phase.CONNECTING:
        session = replace(session, phase=Phase.GREETING)
    try:
        reader, reply = read(session.reader, data)
    except GarbageError as error:
        return _broken(settings, session, str(error))
    if reply is None:
        return replace(session, reader=reader), ()
    if session.phase is Phase.QUIT:
        return replace(session, phase=Phase.OVER, deadline=None), (HangUp(),)
    if not reader.empty:
        # The next reply before its question: from here on it would be a guess which answer belongs to what.
        return _broken(settings, session, f"the server talks before it is asked, after `{reply.text}`")
    session = replace(session, reader=Reader(), deadline=now + settings.timeout_us)
    if reply.code == SHUTTING_DOWN:
        return _broken(settings, session, f"the server is shutting down: {reply.text}")
    return _HANDLERS[session.phase](settings, session, reply, now)


# What each reply means.


def _greeting(settings: Settings, session: Session, reply: Reply, now: int) -> tuple[Session, Actions]:
    if reply.code != 220:
        return _give_up(settings, session, reply, now, broken=True)
    return _say(session, Phase.EHLO, f"EHLO {settings.envelope.helo}")


def _ehlo(settings: Settings, session: Session, reply: Reply, now: int) -> tuple[Session, Actions]:
    if reply.code == 250:
        words = frozenset(line.split()[0].upper() for line in reply.lines[1:] if line.split())
        return _mail(settings, replace(session, extensions=words), now)
    if reply.code >= 500:
        # RFC 5321 section 3.2: a server from before 1995 knows only HELO.
        return _say(session, Phase.HELO, f"HELO {settings.envelope.helo}")
    return _give_up(settings, session, reply, now, broken=True)


def _helo(settings: Settings, session: Session, reply: Reply, now: int) -> tuple[Session, Actions]:
    if reply.code != 250:
        return _give_up(settings, session, reply, now, broken=reply.code < 500)
    return _mail(settings, session, now)


def _mail(settings: Settings, session: Session, now: int) -> tuple[Session, Actions]:
    envelope = settings.envelope
    command = f"MAIL FROM:<{envelope.sender}>"
    if envelope.international:
        if "SMTPUTF8" not in session.extensions:
            why = "an address is beyond ASCII, and this server does not know SMTPUTF8"
            return _end(settings, session, now, refused=why)
        command += " BODY=8BITMIME SMTPUTF8" if "8BITMIME" in session.extensions else " SMTPUTF8"
    return _say(session, Phase.MAIL, command)


def _mail_reply(settings: Settings, session: Session, reply: Reply, now: int) -> tuple[Session, Actions]:
    if reply.code != 250:
        return _give_up(settings, session, reply, now)
    return _next_recipient(settings, session, now)


def _next_recipient(settings: Settings, session: Session, now: int) -> tuple[Session, Actions]:
    recipients = settings.envelope.recipients
    if session.asked < len(recipients):
        return _say(session, Phase.RCPT, f"RCPT TO:<{recipients[session.asked]}>")
    if session.accepted:
        return _say(session, Phase.DATA, "DATA")
    return _end(settings, session, now)


def _rcpt(settings: Settings, session: Session, reply: Reply, now: int) -> tuple[Session, Actions]:
    recipient = settings.envelope.recipients[session.asked]
    session = replace(session, asked=session.asked + 1)
    if 250 <= reply.code <= 252:
        session = replace(session, accepted=(*session.accepted, recipient))
    elif reply.code >= 500:
        session = replace(session, refused=(*session.refused, Refusal(recipient, reply.text)))
    else:
        session = replace(session, later=(*session.later, Refusal(recipient, reply.text)))
    return _next_recipient(settings, session, now)


def _data(settings: Settings, session: Session, reply: Reply, now: int) -> tuple[Session, Actions]:
    if reply.code != 354:
        return _give_up(settings, session, reply, now)
    return replace(session, phase=Phase.BODY), (Send(stuffed(settings.envelope.data)),)


def _body(settings: Settings, session: Session, reply: Reply, now: int) -> tuple[Session, Actions]:
    if 200 <= reply.code < 300:
        return _end(settings, session, now, delivered=True)
    return _give_up(settings, session, reply, now)


_HANDLERS = {
    Phase.GREETING: _greeting,
    Phase.EHLO: _ehlo,
    Phase.HELO: _helo,
    Phase.MAIL: _mail_reply,
    Phase.RCPT: _rcpt,
    Phase.DATA: _data,
    Phase.BODY: _body,
}


def stuffed(data: bytes) -> bytes:
    """``data`` as DATA wants it (RFC 5321 section 4.5.2): CRLF and nothing else ends a line, dots doubled, the final dot."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
    if lines and not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines) + b".\r\n"


# Ends.


def _say(session: Session, phase: Phase, command: str) -> tuple[Session, Actions]:
    return replace(session, phase=phase), (Send(command.encode() + b"\r\n"),)


def _give_up(
    settings: Settings, session: Session, reply: Reply, now: int, *, broken: bool = False
) -> tuple[Session, Actions]:
    """The reply ends it for all whose fate is open: for good (5yz), or for now (4yz, and what makes no sense here)."""
    why = f"{session.phase.value.removeprefix('the reply to ')}: {reply.text}"
    if broken:
        return _end(settings, session, now, later=why, broken=why)
    if reply.code >= 500:
        return _end(settings, session, now, refused=why)
    return _end(settings, session, now, later=why)


def _end(
    settings: Settings,
    session: Session,
    now: int,
    *,
    delivered: bool = False,
    refused: str | None = None,
    later: str | None = None,
    broken: str = "",
) -> tuple[Session, Actions]:
    """The fate is known: say so, and take leave."""
    outcome = _outcome(settings, session, delivered=delivered, refused=refused, later=later, broken=broken)
    session = replace(session, phase=Phase.QUIT, deadline=now + min(QUIT_US, settings.timeout_us))
    return session, (Send(b"QUIT\r\n"), Finished(outcome))


def _broken(settings: Settings, session: Session, why: str) -> tuple[Session, Actions]:
    """No use in talking on."""
    over = replace(session, phase=Phase.OVER, deadline=None)
    if session.phase is Phase.QUIT:
        return over, (HangUp(),)
    if session.phase is Phase.BODY:
        why += "; it may have been taken, and come twice"
    return over, (Finished(_outcome(settings, session, later=why, broken=why)), HangUp())


def _outcome(
    settings: Settings,
    session: Session,
    *,
    delivered: bool = False,
    refused: str | None = None,
    later: str | None = None,
    broken: str = "",
) -> Outcome:
    """``refused`` or ``later`` is said of all recipients whose fate is open."""
    known = {refusal.recipient for refusal in (*session.refused, *session.later)}
    rest = tuple(r for r in settings.envelope.recipients if r not in known)
    return Outcome(
        delivered=rest if delivered else (),
        refused=session.refused + (() if refused is None else tuple(Refusal(r, refused) for r in rest)),
        later=session.later + (() if later is None else tuple(Refusal(r, later) for r in rest)),
        broken=broken,
    )
