"""The post office against mail servers: a real one, and such as refuse, sleep, die and talk nonsense."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from kir.model import Global, SmtpServer
from krun.loop.clock import now_us
from krun.notify.client import ScriptResult, ScriptRun
from krun.notify.mail import lookup, post
from krun.notify.mail.post import PostOffice
from support.mail_servers import Inbox, Old, odd, real

OPS = ("ops@example.org",)


def settings(port: int, *to: str, host: str = "127.0.0.1", **fields: Any) -> Global:
    return Global(
        **{
            "router_id": "lb1",
            "notification_emails": to or OPS,
            "notification_email_from": "krun@example.org",
            "smtp_server": SmtpServer(host=host, port=port),
            **fields,
        }
    )


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def office(**options: Any) -> PostOffice:
    return PostOffice(asyncio.get_running_loop(), **options)


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


class Clock:
    """The time, which a test may push on."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return now_us() + self.ahead


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class TestRealServer:
    def test_a_letter_arrives(self) -> None:
        async def story() -> None:
            inbox, out = Inbox(), office()
            async with real(inbox) as port:
                out.configure(
                    settings(
                        port,
                        "Night shift <ops@example.org>",
                        "boss@example.org",
                        "ops@example.org",
                        smtp_helo_name="lb1.example.org",
                    )
                )
                out.send("VRRP Instance VI_1 - Entering MASTER state", "=> .it is <=\n.\nmore")
                await until(lambda: out.status()["sent"])
                await out.close()
            (envelope,), (letter,) = inbox.envelopes, inbox.letters()
            assert inbox.helos == ["lb1.example.org"]
            assert envelope.mail_from == "krun@example.org"
            assert envelope.rcpt_tos == ["ops@example.org", "boss@example.org"]
            assert letter["Subject"] == "[lb1] VRRP Instance VI_1 - Entering MASTER state"
            assert letter["From"] == "krun@example.org"
            assert letter["To"] == "Night shift <ops@example.org>, boss@example.org"
            assert letter.get_content() == "=> .it is <=\r\n.\r\nmore\r\n"

        play(story())

    def test_beyond_ascii_in_names_subjects_and_addresses(self) -> None:
        async def story() -> None:
            inbox, out = Inbox(), office()
            async with real(inbox) as port:
                out.configure(settings(port, "Jürgen <jürgen@müller.example>", router_id="Büro"))
                out.send("Störung", "=> größer <=")
                await until(lambda: out.status()["sent"])
                await out.close()
            assert inbox.subjects() == ["[Büro] Störung"]
            assert inbox.envelopes[0].rcpt_tos == ["jürgen@xn--mller-kva.example"]

        play(story())

    def test_an_old_server_without_ehlo(self) -> None:
        async def story() -> None:
            inbox, out = Inbox(), office()
            async with real(inbox, kind=Old) as port:
                out.configure(settings(port))
                out.send("a", "b")
                await until(lambda: out.status()["sent"])
                await out.close()
            assert inbox.subjects() == ["[lb1] a"]

        play(story())

    def test_one_recipient_is_refused_for_good_and_one_for_now(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def story() -> None:
            inbox, clock = Inbox(), Clock()
            out = office(clock=clock)
            inbox.refuse = {"no@x.org": "550 who?", "later@x.org": "451 greylisted"}
            async with real(inbox) as port:
                out.configure(settings(port, "no@x.org", "later@x.org", "yes@x.org"))
                out.send("a", "b")
                await until(lambda: out.status()["sent"])
                assert out.status()["failed"] == 1 and out.status()["queue"] == 1
                inbox.refuse = {}
                clock.ahead += 2_000_000
                out.configure(settings(port, "no@x.org", "later@x.org", "yes@x.org"))  # makes it look again
                await until(lambda: out.status()["sent"] == 2)
                await out.close()
            assert [e.rcpt_tos for e in inbox.envelopes] == [["yes@x.org"], ["later@x.org"]]
            assert inbox.letters()[0]["Message-ID"] == inbox.letters()[1]["Message-ID"]

        play(story())
        assert "refused for no@x.org: 550 who?" in caplog.text and "greylisted" in caplog.text

    def test_five_hundred_at_once_go_over_few_connections_one_a_turn(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever happens at once, a turn of the loop writes one letter at most."""
        turn, written = [0], []

        async def story() -> None:
            inbox, out = Inbox(), office()
            loop = asyncio.get_running_loop()
            render = post.render

            def counted(*arguments: Any) -> bytes:
                written.append(turn[0])
                return render(*arguments)

            def tick() -> None:
                turn[0] += 1
                loop.call_soon(tick)

            monkeypatch.setattr(post, "render", counted)
            tick()
            async with real(inbox) as port:
                out.configure(settings(port))
                for n in range(500):
                    out.send(str(n), "b")
                assert not written
                most = 0
                async with asyncio.timeout(60):
                    while out.status()["sent"] < 500:
                        most = max(most, out.status()["queue"] - len(out._queue))
                        await asyncio.sleep(0)
                assert most <= 4
                await out.close()
            assert sorted(inbox.subjects()) == sorted(f"[lb1] {n}" for n in range(500))
            assert len(written) == 500 == len(set(written))

        play(story())


class TestOddServers:
    def test_a_server_that_is_not_there_yet_gets_it_later(self, caplog: pytest.LogCaptureFixture) -> None:
        async def story() -> None:
            inbox, out, port = Inbox(), office(), closed_port()
            out.configure(settings(port))
            out.send("a", "b")
            await until(lambda: out.status()["problem"])
            status = out.report({"alarms": ["other"]})
            assert status["alarms"][1] == f"mail: 127.0.0.1:{port}: Connection refused; 1 wait"
            assert status["mail"]["queue"] == 1 and status["mail"]["failed"] == 0
            async with real(inbox, port):
                await until(lambda: out.status()["sent"])
                assert out.status() | {"retries": 0} == {
                    "server": f"127.0.0.1:{port}",
                    "queue": 0,
                    "connections": out.status()["connections"],
                    "sent": 1,
                    "failed": 0,
                    "dropped": 0,
                    "retries": 0,
                    "problem": None,
                }
                await out.close()

        play(story())
        assert "Connection refused" in caplog.text

    @pytest.mark.parametrize(
        ("replies", "words"),
        [
            ([b""], "greeting: the server closed"),
            ([b"HTTP/1.1 400 Bad Request\r\n"], "not an SMTP reply"),
            ([b"\xff\xfe" * 20_000], "more than 16384 octets"),
            ([b"220 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n"], "before it is asked"),
            ([b"220 a\r\n", b"250 b\r\n", b"421 no\r\n"], "shutting down"),
            (
                [b"220 a\r\n", b"250 b\r\n", b"250 c\r\n", b"250 d\r\n", b""],
                "reply to DATA: the server closed",
            ),
        ],
        ids=["hangs up", "http", "noise", "early", "leaves", "dies"],
    )
    def test_it_survives_and_says_what_happened(self, replies: list[bytes], words: str) -> None:
        async def story() -> None:
            async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                for n, reply in enumerate(replies):
                    writer.write(reply)
                    await writer.drain()
                    if n < len(replies) - 1:
                        await reader.readline()

            out = office()
            async with odd(script) as port:
                out.configure(settings(port))
                out.send("a", "b")
                await until(lambda: out.status()["problem"])
                assert words in out.status()["problem"]
                await until(lambda: out.status()["connections"] == 0)
                assert out.status()["queue"] == 1  # it is not lost
                out.abandon()

        play(story())

    def test_a_server_that_sleeps_holds_nothing_up(self) -> None:
        async def story() -> None:
            async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                while True:
                    writer.write(b"220-wait\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)

            out = office()
            async with odd(script) as port:
                out.configure(settings(port, smtp_connect_timeout_us=400_000))
                out.send("a", "b")
                await until(lambda: out.status()["problem"])
                assert "greeting did not come within 0.4 s" in out.status()["problem"]
                out.abandon()

        play(story())

    def test_slow_octet_by_octet_is_still_a_server(self) -> None:
        async def story() -> None:
            async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                async def slowly(text: bytes) -> None:
                    for n in range(len(text)):
                        writer.write(text[n : n + 1])
                        await writer.drain()
                        await asyncio.sleep(0.001)

                await slowly(b"220-well\r\n220 come\r\n")
                for reply in (b"250-a\r\n250 b\r\n", b"250 c\r\n", b"250 d\r\n", b"354 e\r\n"):
                    await reader.readline()
                    await slowly(reply)
                await reader.readuntil(b"\r\n.\r\n")
                await slowly(b"250 taken\r\n")
                await reader.readline()

            out = office()
            async with odd(script) as port:
                out.configure(settings(port))
                out.send("a", "b")
                await until(lambda: out.status()["sent"])
                await out.close()

        play(story())


class TestQueue:
    def test_it_is_bounded(self, caplog: pytest.LogCaptureFixture) -> None:
        async def story() -> None:
            out = office(limit=10)
            out.configure(settings(closed_port()))
            for n in range(1000):
                out.send(str(n), "b")
            assert out.status()["queue"] == 10 and out.status()["dropped"] == 990
            out.abandon()

        play(story())
        assert len([r for r in caplog.records if "of the oldest dropped" in r.message]) == 1

    def test_without_a_server_or_somebody_to_write_to_nothing_happens(self) -> None:
        async def story() -> None:
            out = office()
            out.send("a", "b")
            out.configure(Global(smtp_server=SmtpServer(host="127.0.0.1")))
            out.send("a", "b")
            out.configure(settings(25, "not an address"))
            out.send("a", "b")
            assert not out.active and out.report({"x": 1}) == {"x": 1} and out.status()["queue"] == 0
            await out.close()

        play(story())

    def test_a_reload_takes_another_server_for_what_waits(self) -> None:
        async def story() -> None:
            inbox, out = Inbox(), office()
            out.configure(settings(closed_port()))
            out.send("a", "b")
            await until(lambda: out.status()["problem"])
            async with real(inbox) as port:
                out.configure(settings(port, "new@x.org"))
                await until(lambda: out.status()["sent"])
                out.send("c", "d")
                await until(lambda: out.status()["sent"] == 2)
                await out.close()
            assert [e.rcpt_tos for e in inbox.envelopes] == [["ops@example.org"], ["new@x.org"]]

        play(story())

    def test_a_reload_that_ends_mail_ends_the_queue(self, caplog: pytest.LogCaptureFixture) -> None:
        async def story() -> None:
            out = office()
            out.configure(settings(closed_port()))
            out.send("a", "b")
            await until(lambda: out.status()["problem"])
            out.configure(Global())
            assert out.status()["queue"] == 0 and out.status()["dropped"] == 1
            await out.close()

        play(story())
        assert "1 mails not sent: mail is not configured any more" in caplog.text


class TestEnd:
    def test_at_the_stop_what_waits_still_goes(self) -> None:
        async def story() -> None:
            inbox, out = Inbox(), office()
            async with real(inbox) as port:
                out.configure(settings(port))
                for n in range(20):
                    out.send(str(n), "b")
                await out.close(20.0)
            assert len(inbox.envelopes) == 20
            out.send("late", "b")
            assert out.status()["queue"] == 0

        play(story())

    def test_but_not_for_ever(self, caplog: pytest.LogCaptureFixture) -> None:
        async def story() -> None:
            async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
                await reader.read()

            out = office()
            async with odd(script) as port:
                out.configure(settings(port))
                for n in range(6):
                    out.send(str(n), "b")
                await out.close(0.2)
                assert out.status()["dropped"] == 6 and out.status()["connections"] == 0

        play(story())
        assert "under way at the end" in caplog.text and "not sent: the process ends" in caplog.text


class Resolver:
    """In place of the script process."""

    def __init__(self, *answers: ScriptResult) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, ...]] = []

    def run(self, spec: ScriptRun, done: Callable[[ScriptResult], None] | None = None) -> int:
        self.asked.append(spec.argv)
        assert done is not None
        asyncio.get_running_loop().call_soon(done, self.answers.pop(0))
        return 1


class TestNames:
    def test_a_name_is_asked_of_the_script_process(self) -> None:
        async def story() -> None:
            inbox = Inbox()
            lines = "127.0.0.1 STREAM mx.example.org\n127.0.0.1 DGRAM\n"
            names = Resolver(
                ScriptResult("exited", 2),
                ScriptResult("refused", output="no"),
                ScriptResult("exited", 0, lines),
            )
            out = office(scripts=names)
            async with real(inbox) as port:
                out.configure(settings(port, host="mx.example.org"))
                out.send("a", "b")
                await until(lambda: out.status()["problem"])
                assert (
                    out.status()["problem"] == "smtp_server mx.example.org: no address is known for this name"
                )
                await until(lambda: out.status()["sent"])
                out.send("c", "d")
                await until(lambda: out.status()["sent"] == 2)
                await out.close()
            assert names.asked == [(lookup.GETENT, "ahosts", "mx.example.org")] * 3  # and not again

        play(story())

    def test_the_next_address_is_tried(self) -> None:
        async def story() -> None:
            inbox = Inbox()
            names = Resolver(ScriptResult("exited", 0, "127.0.0.2 STREAM a\n127.0.0.1 STREAM\n"))
            out = office(scripts=names)
            async with real(inbox) as port:
                out.configure(settings(port, host="mx.example.org"))
                out.send("a", "b")
                await until(lambda: out.status()["sent"])
                assert out.status()["retries"] == 1
                await out.close()

        play(story())

    def test_without_a_script_process_it_says_so(self) -> None:
        async def story() -> None:
            out = office()
            out.configure(settings(25, host="mx.example.org"))
            out.send("a", "b")
            await until(lambda: out.status()["problem"])
            assert "not names" in out.status()["problem"]
            out.abandon()

        play(story())

    def test_what_getent_prints(self) -> None:
        text = "2001:db8::1     STREAM mx\n2001:db8::1     DGRAM  \n192.0.2.1 STREAM\n\nnonsense line\n"
        assert lookup.addresses_in(text) == ["2001:db8::1", "192.0.2.1"]
        assert lookup.numeric("192.0.2.1") and lookup.numeric("2001:db8::1")
        assert not lookup.numeric("mx.example.org") and not lookup.numeric("\x00")

    def test_addresses_of_the_loopback_by_getent_itself(self) -> None:
        """The program that is asked is there, and prints what is read."""

        async def story() -> None:
            process = await asyncio.create_subprocess_exec(
                lookup.GETENT, "ahosts", "localhost", stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            assert {"127.0.0.1", "::1"} & set(lookup.addresses_in(out.decode()))

        play(story())


def test_bad_addresses_are_said_once_and_the_others_get_their_mail(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        inbox, out = Inbox(), office()
        async with real(inbox) as port:
            out.configure(settings(port, "bad one@x", "good@x.org", notification_email_from="<>"))
            out.send("a", "b")
            await until(lambda: out.status()["sent"])
            await out.close()
        assert inbox.envelopes[0].rcpt_tos == ["good@x.org"]
        assert "@" in inbox.envelopes[0].mail_from

    play(story())
    assert "notification_email: `bad one@x` is not a mail address" in caplog.text
    assert "notification_email_from: `<>` has no address" in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR and "notification" not in r.message]
