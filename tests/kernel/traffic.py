"""Reloads under traffic: connections through a NAT service while every reload keeps its two servers."""

from __future__ import annotations

import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from kernel.guest import figure
from kernel.steps import difference, reload, steps, table_reader, wanted
from kernel.world import SERVERS, VIP, Server, World, say
from lab.krun import Krun
from lab.netns import Namespace
from lab.processes import wait_for

__all__ = ["traffic"]

NAT_PORT = 80
LONG = 8
PAUSE_S = 0.1
"""Between two reloads: what goes away has had its last connection before."""
SHOWN_S = {"krun": 10.0, "keepalived": 1.0}
"""How long a reload may take to show in the table before its table counts as wrong."""


@dataclass
class Client:
    """Connections through the service: `LONG` long ones, each saying a line now and then, and a row of short ones."""

    namespace: Namespace
    shorts: int = 0
    words: int = 0
    broken_long: list[str] = field(default_factory=list)
    broken_short: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    step: str = ""
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, world: World) -> None:
        """Open the long connections, and begin."""
        for number in range(LONG):
            connection = world.connect(NAT_PORT, timeout=30.0)
            name = say(connection, "first")

            def talk(number: int = number, connection: socket.socket = connection, name: str = name) -> None:
                self._talk(number, connection, name)

            self._threads.append(threading.Thread(target=talk))
        self._threads.append(threading.Thread(target=self._come_and_go, args=(world,)))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End and wait."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _talk(self, number: int, connection: socket.socket, name: str) -> None:
        try:
            while not self._over.wait(0.1):
                began = time.monotonic()
                assert say(connection, f"word{self.words}") == name, "it was moved"
                self.words += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        except (OSError, AssertionError, ValueError) as error:
            self.broken_long.append(f"{self.step}, long {number} to {name}: {type(error).__name__} {error}")

    def _come_and_go(self, world: World) -> None:
        while not self._over.wait(0.01):
            try:
                world.ask(NAT_PORT)
                self.shorts += 1
            except (OSError, AssertionError, ValueError) as error:
                self.broken_short.append(f"{self.step}, short {self.shorts}: {type(error).__name__} {error}")


def traffic(program: str, folder: Path) -> None:
    """Long and short connections through a NAT service go on while every reload keeps its two servers, and each reload ends in the
    table of its configuration."""
    with World() as world, table_reader(world) as table:
        for name in SERVERS:
            Server(world.segment[name], name, NAT_PORT)
        confs, irs = steps(folder, "conf"), steps(folder, "json")
        running = world.run(program, confs[0].read_text())
        wait_for("the first table", lambda: table() == wanted(irs[0]), 30, 0.1)
        wait_for("the virtual address", lambda: world.director.has(VIP))
        client = Client(world.client)
        client.start(world)
        took: list[float] = []
        wrong = 0
        try:
            for conf, ir in zip(confs[1:], irs[1:], strict=True):
                want = wanted(ir)
                client.step = ir.stem
                began = time.monotonic()
                reload(running, conf, ir)
                while table() != want and time.monotonic() < began + SHOWN_S[program]:
                    time.sleep(0.02)
                took.append(time.monotonic() - began)
                if took[-1] >= SHOWN_S[program]:
                    wrong += 1
                    print(f"{ir.name}: lacks or has too much: {difference(table(), want)}", file=sys.stderr)
                    assert program != "krun", f"{ir.name}: the table is not as it should be"
                time.sleep(PAUSE_S)
        finally:
            client.stop()
        figure("reloads", len(took))
        figure("wrong_table", wrong)
        figure("reload_ms", round(1000 * sorted(took)[len(took) // 2]))
        figure("connections", client.shorts)
        figure("words", client.words)
        figure("broken_long", len(client.broken_long))
        figure("broken_short", len(client.broken_short))
        figure("slowest_word_ms", round(1000 * client.slowest_s))
        told = "\n".join((client.broken_long + client.broken_short)[:20])
        print(told, file=sys.stderr)
        assert client.shorts > len(took) and client.words > len(took), "there was no traffic to speak of"
        if program == "krun":
            assert not client.broken_long and not client.broken_short, told
            assert isinstance(running, Krun)
            assert running.status()["last_reload"]["result"] == "done"
