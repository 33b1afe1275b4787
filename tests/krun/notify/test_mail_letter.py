"""Addresses as people write them, and letters as any mail reader reads them."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta, timezone
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from krun.notify.mail.addresses import Mailbox, mailbox, own_sender
from krun.notify.mail.letter import LINE_LIMIT, Alert, render

OPS = Mailbox("ops@example.org")


def alert(subject: str = "[lb1] Something happened", body: str = "=> it did <=") -> Alert:
    return Alert(subject, body, 1_790_000_000.5, "77.1", "lb1.example.org")


def parsed(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage) and not message.defects
    return message


class TestAddresses:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("ops@example.org", Mailbox("ops@example.org")),
            ("<ops@example.org>", Mailbox("ops@example.org")),
            ("Night shift <ops@example.org>", Mailbox("ops@example.org", "Night shift")),
            ('"Shift, night" <ops@example.org>', Mailbox("ops@example.org", "Shift, night")),
            ("Jürgen <j@müller.example>", Mailbox("j@xn--mller-kva.example", "Jürgen")),
            ("root", Mailbox("root")),
            ("a@x\r\nRCPT TO:<b@x>", Mailbox("b@x", "a@x  RCPT TO:")),
            ("jürgen@example.org", Mailbox("jürgen@example.org")),
        ],
    )
    def test_forms(self, text: str, expected: Mailbox) -> None:
        assert mailbox(text) == expected

    def test_what_only_new_servers_take(self) -> None:
        assert mailbox("jürgen@example.org").international
        assert not mailbox("Jürgen <j@müller.example>").international

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "<>",
            "a b@x",
            "a@x, b@x",
            "@x",
            "a@",
            "a\u2028b@x",
            "x" * 400 + "@y",
            "a@" + "ü" * 80,
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"`"):
            mailbox(text)

    @given(st.text(max_size=60))
    def test_whatever_is_written_no_command_and_no_header_ends_early(self, text: str) -> None:
        try:
            one = mailbox(text)
        except ValueError as error:
            assert "\n" not in str(error)
            return
        assert one.address and not set("\r\n <>") & set(one.address) and "\n" not in one.name

    def test_the_sender_where_none_is_configured(self) -> None:
        one = own_sender("host näme")
        assert mailbox(one.address) == one and one.address.endswith("@host-n-me")


class TestLetter:
    def test_headers(self) -> None:
        data = render(
            alert(),
            Mailbox("krun@example.org"),
            [OPS, Mailbox("b@example.org", "Bob")],
            timezone(timedelta(hours=2)),
        )
        head, _, body = data.decode("ascii").partition("\r\n\r\n")
        lines = head.split("\r\n")
        assert lines[0] == "Date: Mon, 21 Sep 2026 16:13:20 +0200"
        assert lines[1:3] == ["From: krun@example.org", "Subject: [lb1] Something happened"]
        assert lines[3].startswith("X-Mailer: krun ")
        assert lines[4:6] == ["To: ops@example.org,", " Bob <b@example.org>"]
        assert "Message-ID: <77.1.1790000000500@lb1.example.org>" in lines
        assert body == "=> it did <=\r\n"

    def test_beyond_ascii(self) -> None:
        sender, to = Mailbox("k@x.org", "Wächter"), Mailbox("j@x.org", "Jürgen „Nacht“ Müller")
        data = render(alert("[lb1] Störung – ☠", "=> größer <="), sender, [to])
        assert data.isascii() and max(map(len, data.split(b"\r\n"))) <= 78
        message = parsed(data)
        assert message["Subject"] == "[lb1] Störung – ☠"
        assert message["From"].addresses[0].display_name == "Wächter"
        assert message["To"].addresses[0].display_name == "Jürgen „Nacht“ Müller"
        assert message["To"].addresses[0].addr_spec == "j@x.org"
        assert message.get_content() == "=> größer <=\r\n"

    def test_nothing_in_a_subject_becomes_a_header(self) -> None:
        message = parsed(render(alert("x\r\nBcc: evil@x.org\r\n\r\nbody"), OPS, [OPS]))
        assert message["Bcc"] is None and message["Subject"].startswith("x  Bcc: evil@x.org")

    def test_a_line_that_is_too_long_goes_encoded(self) -> None:
        data = render(alert(body="x" * (LINE_LIMIT + 1)), OPS, [OPS])
        assert max(map(len, data.split(b"\r\n"))) < 100
        assert parsed(data).get_content() == "x" * (LINE_LIMIT + 1) + "\r\n"

    @given(st.text(max_size=200), st.text(max_size=300), st.text(max_size=40))
    def test_any_text_makes_a_letter_that_can_be_read(self, subject: str, body: str, name: str) -> None:
        try:
            sender = mailbox(f"{name} <a@x.org>")
        except ValueError:
            sender = OPS
        data = render(alert(subject, body), sender, [sender, OPS])
        head, _, rest = data.partition(b"\r\n\r\n")
        assert data.isascii() and b"\0" not in data
        assert b"\n" not in data.replace(b"\r\n", b"") and b"\r" not in data.replace(b"\r\n", b"")
        names = [line.split(b":")[0] for line in head.split(b"\r\n") if not line.startswith(b" ")]
        assert names == [
            b"Date", b"From", b"Subject", b"X-Mailer", b"To", b"Message-ID", b"Auto-Submitted",
            b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding",
        ]  # fmt: skip
        assert rest.endswith(b"\r\n")
        assert all(len(line) <= 998 for line in data.split(b"\r\n"))
