"""A whole krun on the kernel in memory, and a real mail server beside it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kir.model import Endpoint, Global, SmtpServer, TcpCheck, Timing

sys.path.insert(0, str(Path(__file__).parent.parent / "parent"))
from krun_world import Running, director, krunctl, write
from parent_world import wait_for

from support.mail_servers import Inbox, beside

change = msgspec.structs.replace


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="kr") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_letters_of_a_life(folder: Path) -> None:
    inbox = Inbox()
    with beside(inbox) as port, socket.create_server(("127.0.0.1", 0)) as service:
        base = director(folder)
        general = Global(
            router_id="lb1",
            smtp_server=SmtpServer(host="localhost", port=port),
            notification_emails=("Night shift <ops@example.org>",),
            notification_email_from="krun@example.org",
        )
        timing = Timing(delay_loop_us=100_000, warmup_us=0, retry=0, delay_before_retry_us=0)
        check = TcpCheck(timing=timing, endpoint=Endpoint(address="127.0.0.1", port=service.getsockname()[1]))
        server = base.virtual_servers[0]
        pool = change(server.real_servers[0], smtp_alert=True, checkers=(check,))
        what = change(
            base,
            global_defs=general,
            vrrp_instances=(change(base.vrrp_instances[0], smtp_alert=True),),
            virtual_servers=(change(server, real_servers=(pool,)),),
        )
        running = Running(folder, write(folder, what))
        try:
            wait_for("a letter of the master", lambda: len(inbox.envelopes) == 2)
            instance = "[lb1] VRRP Instance VI_1 - "
            expected = {instance + "Entering BACKUP state", instance + "Entering MASTER state"}
            assert set(inbox.subjects()) == expected
            letter = inbox.letters()[0]
            assert letter["To"] == "Night shift <ops@example.org>" and "192.0.2.10/24" in letter.get_content()

            mail = running.state()["extra"]["vrrp"]["mail"]
            assert (mail["sent"], mail["queue"], mail["failed"], mail["problem"]) == (2, 0, 0, None)
            assert f"localhost:{port}" in krunctl(running.run_dir, "status").stdout

            # Neither a reload nor the death of the process tells anything anew.
            write(folder, change(what, global_defs=change(general, router_id="lb2")))
            assert krunctl(running.run_dir, "reload").returncode == 0
            pid = next(p["pid"] for p in running.state()["processes"] if p["name"] == "vrrp")
            os.kill(pid, signal.SIGKILL)
            wait_for("a successor", lambda: running.logged("started again"))
            wait_for("its word", lambda: (s := running.state())["vrrp"] and s["vrrp"][0]["state"] == "MASTER")
            assert len(inbox.envelopes) == 2

            service.close()
            wait_for("a letter of the check", lambda: len(inbox.envelopes) == 3)
            assert inbox.subjects()[2] == (
                "[lb2] Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN"
            )
            assert "TCP_CHECK failed on service: " in inbox.letters()[2].get_content()

            assert krunctl(running.run_dir, "stop").returncode == 0
            assert running.process.wait(15) == 0
            assert inbox.subjects()[3:] == ["[lb2] VRRP Instance VI_1 - Stopping"]
            assert "Traceback" not in running.log.read_text()
        finally:
            running.end()
