"""The SMTP client without a socket: what it says, what it makes of what it hears."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.notify.mail import smtp
from krun.notify.mail.replies import LINES, OCTETS, GarbageError, Reader, Reply, read
from krun.notify.mail.session import (
    Closed,
    Connected,
    Envelope,
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

SECOND = 1_000_000
LETTER = b"Subject: hello\r\n\r\n.dot\r\nline\r\n"


def envelope(*recipients: str, **changes: object) -> Envelope:
    fields = {
        "helo": "lb1.example.org",
        "sender": "krun@example.org",
        "recipients": recipients or ("ops@example.org",),
        "data": LETTER,
        **changes,
    }
    return Envelope(**fields)  # type: ignore[arg-type]


class Talk:
    """A session, everything that it said, and how it ended."""

    def __init__(self, letter: Envelope | None = None, timeout_us: int = 30 * SECOND) -> None:
        self.settings = smtp.Settings(letter or envelope(), timeout_us)
        self.now = 0
        self.session: Session = smtp.begin(self.settings, 0)
        self.said: list[bytes] = []
        self.outcomes: list[Outcome] = []
        self.hung_up = False

    def feed(self, event: object) -> Talk:
        self.session, actions = smtp.step(self.settings, self.session, event, self.now)  # type: ignore[arg-type]
        for action in actions:
            assert not self.hung_up, "an action after the last"
            if isinstance(action, Send):
                self.said.append(action.data)
            elif isinstance(action, Finished):
                self.outcomes.append(action.outcome)
            else:
                assert isinstance(action, HangUp)
                self.hung_up = True
        return self

    def hear(self, *replies: str) -> Talk:
        for reply in replies:
            self.feed(Received(reply.encode() + b"\r\n"))
        return self

    @property
    def outcome(self) -> Outcome:
        assert len(self.outcomes) == 1
        return self.outcomes[0]


def talk(*replies: str, letter: Envelope | None = None) -> Talk:
    return Talk(letter).feed(Connected()).hear(*replies)


class TestDialogue:
    def test_a_letter_is_delivered(self) -> None:
        t = talk("220 hi", "250 hi", "250 ok", "250 ok", "354 go", "250 queued", "221 bye")
        assert t.said == [
            b"EHLO lb1.example.org\r\n",
            b"MAIL FROM:<krun@example.org>\r\n",
            b"RCPT TO:<ops@example.org>\r\n",
            b"DATA\r\n",
            b"Subject: hello\r\n\r\n..dot\r\nline\r\n.\r\n",
            b"QUIT\r\n",
        ]
        assert t.outcome == Outcome(delivered=("ops@example.org",))
        assert t.hung_up and t.session.phase is Phase.OVER

    def test_the_fate_is_known_before_the_leave_is_taken(self) -> None:
        t = talk("220 hi", "250 hi", "250 ok", "250 ok", "354 go", "250 queued")
        assert t.outcome.delivered and not t.hung_up
        assert t.feed(Closed("reset")).hung_up
        assert len(t.outcomes) == 1

    def test_a_server_that_says_nothing_to_quit_is_left(self) -> None:
        t = talk("220 hi", "250 hi", "250 ok", "250 ok", "354 go", "250 queued")
        t.now = smtp.QUIT_US
        assert t.feed(Tick()).hung_up and t.outcome.delivered

    def test_replies_of_many_lines(self) -> None:
        t = talk("220-hi\r\n220-there\r\n220 you", "250-hi\r\n250-SIZE 100\r\n250 8BITMIME", "250 ok")
        assert t.session.phase is Phase.RCPT
        assert t.session.extensions == {"SIZE", "8BITMIME"}

    @pytest.mark.parametrize("refusal", ["500 what", "502 no", "550 go away"])
    def test_an_old_server_gets_helo(self, refusal: str) -> None:
        t = talk("220 hi", refusal, "250 hi", "250 ok", "250 ok", "354 go", "250 queued")
        assert t.said[:2] == [b"EHLO lb1.example.org\r\n", b"HELO lb1.example.org\r\n"]
        assert t.outcome.delivered

    def test_some_recipients_are_refused_and_some_must_wait(self) -> None:
        t = talk(
            "220 hi",
            "250 hi",
            "250 ok",
            "550 no such user",
            "451 greylisted",
            "251 will forward",
            "354 go",
            "250 queued",
            letter=envelope("no@x", "later@x", "yes@x"),
        )
        assert t.outcome == Outcome(
            delivered=("yes@x",),
            refused=(Refusal("no@x", "550 no such user"),),
            later=(Refusal("later@x", "451 greylisted"),),
        )

    def test_where_nobody_is_accepted_no_letter_is_sent(self) -> None:
        t = talk("220 hi", "250 hi", "250 ok", "550 no", "550 no", letter=envelope("a@x", "b@x"))
        assert b"DATA\r\n" not in t.said and t.said[-1] == b"QUIT\r\n"
        assert [r.recipient for r in t.outcome.refused] == ["a@x", "b@x"]

    @pytest.mark.parametrize(
        ("replies", "broken"),
        [
            (["554 no service"], True),
            (["450 too busy"], True),
            (["220 hi", "450 busy"], True),
            (["220 hi", "500 no", "450 busy"], True),
            (["220 hi", "250 hi", "451 no room"], False),
            (["220 hi", "250 hi", "250 ok", "250 ok", "451 no"], False),
            (["220 hi", "250 hi", "250 ok", "250 ok", "250 what?"], False),
            (["220 hi", "250 hi", "250 ok", "250 ok", "354 go", "452 no room"], False),
        ],
    )
    def test_no_for_now(self, replies: list[str], broken: bool) -> None:
        t = talk(*replies)
        assert [r.recipient for r in t.outcome.later] == ["ops@example.org"]
        assert bool(t.outcome.broken) is broken and t.said[-1] == b"QUIT\r\n"

    @pytest.mark.parametrize(
        "replies",
        [
            ["220 hi", "500 no", "550 bad name"],
            ["220 hi", "250 hi", "550 sender refused"],
            ["220 hi", "250 hi", "250 ok", "250 ok", "554 no"],
            ["220 hi", "250 hi", "250 ok", "250 ok", "354 go", "554 this is spam"],
        ],
    )
    def test_no_for_good(self, replies: list[str]) -> None:
        t = talk(*replies)
        assert [r.recipient for r in t.outcome.refused] == ["ops@example.org"] and not t.outcome.broken
        assert replies[-1] in t.outcome.refused[0].why

    def test_421_ends_it_anywhere(self) -> None:
        t = talk("220 hi", "250 hi", "250 ok", "421 shutting down")
        assert t.hung_up and "shutting down" in t.outcome.broken and t.outcome.later


class TestTrouble:
    def test_no_connection(self) -> None:
        t = Talk().feed(Closed("Connection refused"))
        assert t.outcome.broken == "Connection refused" and t.hung_up

    @pytest.mark.parametrize("heard", [0, 1, 2, 3, 4, 5])
    def test_silence_ends_at_the_deadline_and_not_before(self, heard: int) -> None:
        t = talk(*["220 hi", "250 hi", "250 ok", "250 ok", "354 go"][:heard])
        t.now = 30 * SECOND - 1
        assert not t.feed(Tick()).outcomes
        t.now += 1
        assert "did not come within 30 s" in t.feed(Tick()).outcome.broken and t.hung_up

    def test_a_trickle_does_not_move_the_deadline(self) -> None:
        t = talk()
        for second in range(30):
            t.now = second * SECOND
            t.feed(Received(b"220-still here\r\n" if second % 2 else b""))
        t.now = 30 * SECOND
        assert t.feed(Tick()).hung_up

    def test_each_reply_has_its_own_time(self) -> None:
        t = talk()
        for reply in ("220 hi", "250 hi", "250 ok", "250 ok", "354 go", "250 done"):
            t.now += 29 * SECOND
            t.feed(Tick()).hear(reply)
        assert t.outcome.delivered

    @pytest.mark.parametrize(
        "garbage",
        [
            b"HTTP/1.1 400 Bad Request\r\n",
            b"\x16\x03\x01\x02\r\n",
            b"22\r\n",
            b"220-a\r\n250 b\r\n",
            b"x" * 20_000,
        ],
    )
    def test_garbage(self, garbage: bytes) -> None:
        t = talk().feed(Received(garbage))
        assert t.hung_up and t.outcome.later and t.outcome.broken

    def test_who_talks_before_it_is_asked_is_not_believed(self) -> None:
        t = talk().feed(Received(b"220 hi\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n"))
        assert not t.outcome.delivered and "before it is asked" in t.outcome.broken

    def test_a_connection_lost_after_the_letter_says_that_it_may_come_twice(self) -> None:
        t = talk("220 hi", "250 hi", "250 ok", "250 ok", "354 go").feed(Closed("reset"))
        assert "twice" in t.outcome.broken and t.outcome.later

    def test_addresses_beyond_ascii_need_a_server_that_knows_them(self) -> None:
        letter = envelope("jürgen@example.org", international=True)
        assert "SMTPUTF8" in talk("220 hi", "250-hi\r\n250 SIZE", letter=letter).outcome.refused[0].why
        t = talk("220 hi", "250-hi\r\n250-SMTPUTF8\r\n250 8BITMIME", letter=letter)
        assert t.said[-1] == b"MAIL FROM:<krun@example.org> BODY=8BITMIME SMTPUTF8\r\n"
        assert t.hear("250 ok").said[-1] == "RCPT TO:<jürgen@example.org>\r\n".encode()

    @pytest.mark.parametrize(
        "bad", ["a@x>\r\nRCPT TO:<b@x", "a b@x", "", "a\x00@x"], ids=["lines", "blank", "empty", "nul"]
    )
    def test_an_address_cannot_become_a_command(self, bad: str) -> None:
        with pytest.raises(ValueError, match="cannot stand"):
            envelope(bad)
        with pytest.raises(ValueError, match="cannot stand"):
            envelope(sender=bad)

    def test_envelopes_without_sense(self) -> None:
        with pytest.raises(ValueError, match="nobody"):
            Envelope("h", "a@x", (), b"")
        with pytest.raises(ValueError, match="twice"):
            envelope("a@x", "a@x")


class TestReplies:
    def test_bounds(self) -> None:
        with pytest.raises(GarbageError, match="lines"):
            read(Reader(), b"250-x\r\n" * (LINES + 1))
        reader, reply = read(Reader(), b"2" * 100)
        assert reply is None
        with pytest.raises(GarbageError, match="octets"):
            read(reader, b"5" * OCTETS)

    @given(
        st.integers(200, 559).filter(lambda n: n % 100 < 60),
        st.lists(st.text(max_size=60), min_size=1, max_size=5),
        st.data(),
    )
    def test_cut_anywhere_it_reads_the_same(self, code: int, lines: list[str], data: st.DataObject) -> None:
        texts = [re.sub(r"[\r\n]", "", line) for line in lines]
        octets = b"".join(
            f"{code}{' ' if n == len(texts) - 1 else '-'}{text}\r\n".encode() for n, text in enumerate(texts)
        )
        whole = read(Reader(), octets)
        assert whole[1] is not None and whole[1].code == code and len(whole[1].lines) == len(texts)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=6)))
        reader, got = Reader(), None
        for begin, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
            assert got is None or begin == end
            if begin != end:
                reader, got = read(reader, octets[begin:end])
        assert got == whole[1] and reader == whole[0]
        assert isinstance(got, Reply) and got.text.isprintable()


class TestStuffing:
    @given(st.binary(max_size=300))
    def test_the_server_reads_what_was_written(self, data: bytes) -> None:
        wire = smtp.stuffed(data)
        lines = wire.split(b"\r\n")
        assert lines[-2:] == [b".", b""] and b"." not in lines[:-2]
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)", wire)
        unstuffed = [line[1:] if line.startswith(b".") else line for line in lines[:-2]]
        expected = re.sub(rb"\r\n|\r|\n", b"\r\n", data)
        assert b"\r\n".join(unstuffed) == expected.removesuffix(b"\r\n")


_CHUNKS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"220 hi\r\n",
            b"250 ok\r\n",
            b"250-a\r\n",
            b"354 go\r\n",
            b"421 bye\r\n",
            b"451 no\r\n",
            b"550 no\r\n",
            b"2",
            b"\r\n",
        ]
    ),
)
_EVENTS = st.lists(
    st.one_of(
        _CHUNKS.map(Received),
        st.just(Connected()),
        st.builds(Closed, st.text(max_size=5)),
        st.just(Tick()),
        st.integers(0, 20 * SECOND),
    ),
    max_size=40,
)


@given(_EVENTS, st.lists(st.sampled_from(["a@x", "b@x", "c@x"]), min_size=1, max_size=3, unique=True))
def test_whatever_the_server_does_it_ends_once_with_everybody_accounted_for(
    events: list[object], recipients: list[str]
) -> None:
    t = Talk(envelope(*recipients))
    for event in events:
        if isinstance(event, int):
            t.now += event
        else:
            t.feed(event)
    for _ in range(3):  # time ends all: silence for a while, and then for the QUIT
        t.now += 60 * SECOND
        t.feed(Tick())
    assert t.hung_up and t.session.phase is Phase.OVER and t.session.deadline is None
    o = t.outcome
    served = [*o.delivered, *(r.recipient for r in o.refused), *(r.recipient for r in o.later)]
    assert sorted(served) == sorted(recipients)
    for line in t.said:
        assert line.endswith(b"\r\n")
    if o.delivered:
        assert smtp.stuffed(LETTER) in t.said
