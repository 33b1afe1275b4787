"""Configurations that change at random, and what happens around them: servers that come and go, scripts, readers, scrapes, nonsense.

Everything comes from one seed, but for the time that things take.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

from support.reload_walks import Anything

PORTS = 6


class Servers:
    """TCP and HTTP servers on 127.0.0.1, closed and opened again at random; `serve` answers whoever asks."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._open: dict[int, socket.socket] = {}
        self.ports: list[int] = []
        for _ in range(PORTS):
            sock = _listen(0)
            port = sock.getsockname()[1]
            self.ports.append(port)
            self._open[port] = sock

    def turn(self) -> None:
        """One of them goes down, or comes back."""
        port = self._rng.choice(self.ports)
        sock = self._open.pop(port, None)
        if sock is not None:
            sock.close()
        else:
            with contextlib.suppress(OSError):
                self._open[port] = _listen(port)

    def all_up(self) -> None:
        for port in self.ports:
            if port not in self._open:
                self._open[port] = _listen(port)

    def serve(self) -> None:
        """Answer those that wait, well or badly; never blocks."""
        for sock in list(self._open.values()):
            with contextlib.suppress(OSError):
                while True:
                    client, _ = sock.accept()
                    with client, contextlib.suppress(OSError):
                        client.settimeout(0)
                        client.send(self._rng.choice(ANSWERS))

    def close(self) -> None:
        for sock in self._open.values():
            sock.close()
        self._open.clear()


ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    b"SSH-2.0-nonsense\r\n",
    b"",
)


def _listen(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(64)
    sock.setblocking(False)
    return sock


class Configurations:
    """Walks of `support.reload_walks.Anything` with more virtual routers, groups, scripts and checks in them.

    ``device``: which interface there is. ``services`` False: none, for a kernel without IPVS. ``folder`` gets the scripts.
    """

    def __init__(self, seed: int, folder: Path, ports: list[int], *, services: bool = True) -> None:
        self.rng = Random(seed)
        self._walk = Anything(seed)
        self._services = services
        self._ports = ports
        self._scripts = []
        for name, line in (("ok.sh", "exit 0"), ("bad.sh", "exit 1"), ("talk.sh", "seq 1 3000; exit 0")):
            path = folder / name
            path.write_text(f"#!/bin/sh\n{line}\n")
            path.chmod(0o755)
            self._scripts.append(path)

    def some(self, count: int) -> Iterator[str]:
        """``count`` configurations; the first has something of everything, and is where a measurement begins and ends."""
        yield self._text(self._walk.step(), range(100, 106), everything=True)
        for _ in range(count - 1):
            routers = self.rng.sample(range(100, 112), self.rng.randint(0, 8))
            yield self._text(self._walk.step(), sorted(routers))

    def _text(self, walked: str, routers: range | list[int], everything: bool = False) -> str:
        if not self._services:
            walked = walked.partition("\nvirtual_server")[0]
        text = f"global_defs {{\n    router_id soak\n    script_user root\n}}\n{walked}"
        for script in self._scripts[:2]:
            weight = "" if self.rng.random() < 0.5 else f"    weight -{self.rng.randint(1, 9)}\n"
            text += f"vrrp_script {script.stem} {{\n    script {script}\n    interval {self.rng.randint(1, 3)}\n{weight}}}\n"
        for place, vrid in enumerate(routers):
            text += self._router(vrid, grouped=place < 2)
        if len(routers) > 2:
            text += f"vrrp_sync_group G {{\n    group {{\n        R{routers[0]}\n        R{routers[1]}\n    }}\n}}\n"
        if self._services:
            for number in range(4 if everything else self.rng.randint(0, 5)):
                text += self._service(number, everything)
        return text

    def _router(self, vrid: int, grouped: bool) -> str:
        rng = self.rng
        version = rng.choice((2, 3))
        lines = [f"192.0.2.{rng.randint(20, 60)}/32" for _ in range(rng.randint(1, 4))]
        addresses = "".join(f"        {line}\n" for line in dict.fromkeys(lines))
        script = rng.choice(self._scripts[:2])
        tracked = (
            "" if grouped else f"    track_script {{\n        {script.stem}\n    }}\n"
        )  # a group has no weights
        more = rng.choice(("", tracked, "    nopreempt\n"))
        more += rng.choice(("", f"    notify {rng.choice(self._scripts)}\n"))
        return (
            f"vrrp_instance R{vrid} {{\n    version {version}\n    state BACKUP\n    interface eth0\n    virtual_router_id {vrid}\n"
            f"    priority {rng.randint(50, 200)}\n    advert_int 1\n    virtual_ipaddress {{\n{addresses}    }}\n{more}}}\n"
        )

    def _service(self, number: int, everything: bool) -> str:
        rng = self.rng
        servers = ""
        quorum = PORTS if everything else rng.randint(1, PORTS)
        for place, port in enumerate(rng.sample(self._ports, quorum)):
            servers += (
                f"    real_server 127.0.0.1 {port} {{\n        weight {rng.randint(1, 5)}\n{self._check(misc=everything and not place)}"
                f"{rng.choice(('', f'        notify_up {self._scripts[0]}{chr(10)}'))}    }}\n"
            )
        return (
            f"virtual_server 192.0.2.{200 + number} 80 {{\n    delay_loop 1\n    lvs_sched {rng.choice(('rr', 'wlc'))}\n"
            f"    lvs_method NAT\n    protocol TCP\n    quorum {rng.choice((1, 1, quorum))}\n{servers}}}\n"
        )

    def _check(self, misc: bool) -> str:
        rng = self.rng
        timing = f"            delay_loop {rng.choice((1, 1, 2))}\n            retry {rng.randint(0, 2)}\n            delay_before_retry 1\n"
        kind = (
            2 if misc else rng.randrange(3)
        )  # the first configuration has scripts, so their connections are open
        if kind == 0:
            return f"        TCP_CHECK {{\n            connect_timeout 1\n{timing}        }}\n"
        if kind == 1:
            return (
                f"        HTTP_GET {{\n            url {{\n                path /{rng.randint(1, 3)}\n                status_code 200\n"
                f"            }}\n            connect_timeout 1\n{timing}        }}\n"
            )
        script = rng.choice(self._scripts)
        return f'        MISC_CHECK {{\n            misc_path "{script}"\n            misc_timeout 2\n{timing}        }}\n'
