"""Walks through configurations: each step changes a few things of the one before, everything from one seed.

`Traffic` keeps the two real servers of the service on port 80 that carry the clients' connections, and changes everything around
them. `Anything` changes what it likes: services, servers, addresses, routes and rules come and go.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

VIP = "192.0.2.100"
NAT_PORT = 80
KEPT = ("10.0.0.11", "10.0.0.12")
THIRD = "10.0.0.13"


def _vrrp(priority: int, addresses: list[str], more: str = "") -> str:
    lines = "".join(f"        {address}\n" for address in addresses)
    return (
        "vrrp_instance VI_1 {\n    version 3\n    state MASTER\n    interface eth0\n    virtual_router_id 51\n"
        f"    priority {priority}\n    advert_int 0.5\n    virtual_ipaddress {{\n{lines}    }}\n{more}}}\n"
    )


def _real(address: str, port: int, weight: int, options: str = "", delay: int = 0) -> str:
    check = (
        f"        TCP_CHECK {{\n            connect_timeout 5\n            delay_loop {delay}\n            retry 3\n        }}\n"
        if delay
        else ""
    )
    return f"    real_server {address} {port} {{\n        weight {weight}\n{options}{check}    }}\n"


class Traffic:
    """The walk under traffic. Each `step` is a whole configuration.

    A third server of the service comes and goes; it goes only after it has had weight 0 for two steps, for its connections are
    not what is kept.
    """

    SCHEDULERS = (
        ("rr", ""),
        ("wrr", ""),
        ("lc", ""),
        ("wlc", ""),
        ("sh", "    sh-fallback\n"),
        ("sh", "    sh-fallback\n    sh-port\n"),
        ("mh", "    mh-fallback\n"),
        ("mh", "    mh-fallback\n    mh-port\n"),
    )

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.scheduler = self.SCHEDULERS[0]
        self.weights = [1, 1]
        self.third: int | None = None
        self.third_rests = 0
        self.options = ["", ""]
        self.delay = 10
        self.quorum = 1
        self.sorry = ""
        self.priority = 150
        self.addresses: list[str] = []
        self.others: dict[int, str] = {}
        self.order = False

    def step(self) -> str:
        """Change one to four things and write the configuration."""
        changes: list[Callable[[], None]] = [
            self._reschedule, self._reweigh, self._third, self._option, self._check, self._quorum,
            self._sorry, self._priority, self._address, self._other, self._other, self._shuffle,
        ]  # fmt: skip
        for change in self.rng.sample(changes, self.rng.randint(1, 4)):
            change()
        if self.third == 0:
            self.third_rests += 1
        return self.text()

    def text(self) -> str:
        servers = [
            _real(address, NAT_PORT, weight, options, self.delay)
            for address, weight, options in zip(KEPT, self.weights, self.options, strict=True)
        ]
        if self.third is not None:
            servers.append(_real(THIRD, NAT_PORT, self.third, "", self.delay))
        if self.order:
            servers.reverse()
        name, flags = self.scheduler
        return (
            _vrrp(self.priority, [f"{VIP}/24", *self.addresses])
            + f"\nvirtual_server {VIP} {NAT_PORT} {{\n    delay_loop {self.delay}\n    lvs_sched {name}\n{flags}"
            f"    lvs_method NAT\n    protocol TCP\n    quorum {self.quorum}\n{self.sorry}{''.join(servers)}}}\n"
            + "".join(self.others[port] for port in sorted(self.others))
        )

    def _reschedule(self) -> None:
        self.scheduler = self.rng.choice(self.SCHEDULERS)

    def _reweigh(self) -> None:
        self.weights[self.rng.randrange(2)] = self.rng.randint(1, 9)

    def _third(self) -> None:
        if self.third is None:
            self.third = self.rng.choice((0, 1, 5))
            self.third_rests = 0
        elif self.third:
            self.third = self.rng.choice((0, 0, 3))
            self.third_rests = 0
        elif self.third_rests > 2:
            self.third = None
        else:
            self.third = self.rng.choice((0, 2))
            self.third_rests *= self.third == 0

    def _option(self) -> None:
        option = self.rng.choice(
            ("", "        inhibit_on_failure\n", "        uthreshold 1000\n        lthreshold 900\n")
        )
        self.options[self.rng.randrange(2)] = option

    def _check(self) -> None:
        self.delay = self.rng.choice((10, 11, 12))

    def _quorum(self) -> None:
        self.quorum = self.rng.choice((1, 2))

    def _sorry(self) -> None:
        self.sorry = self.rng.choice(("", f"    sorry_server {THIRD} 99\n"))

    def _priority(self) -> None:
        self.priority = self.rng.randint(150, 200)

    def _address(self) -> None:
        address = f"192.0.2.{self.rng.randint(150, 155)}/32"
        if address in self.addresses:
            self.addresses.remove(address)
        else:
            self.addresses.append(address)

    def _other(self) -> None:
        port = self.rng.randint(8001, 8006)
        if port in self.others and self.rng.random() < 0.4:
            del self.others[port]
        else:
            self.others[port] = _service(self.rng, f"{VIP} {port}")

    def _shuffle(self) -> None:
        self.order = not self.order


def _service(rng: Random, at: str) -> str:
    """Some service without checks; its servers need not exist."""
    method = rng.choice(("NAT", "DR", "TUN"))
    scheduler, flags = rng.choice(Traffic.SCHEDULERS)
    options = rng.choice(("", "", f"    persistence_timeout {rng.choice((60, 300))}\n"))
    mark = at.startswith("fwmark")
    port = 0 if mark else int(at.split()[-1])
    if rng.random() < 0.2:
        options += f"    quorum {rng.randint(1, 3)}\n    sorry_server 10.0.0.99 {port}\n"
    servers = ""
    for count, number in enumerate(rng.sample(range(11, 17), rng.randint(1, 4))):
        servers += _real(
            f"10.0.0.{number}",
            rng.choice((80, 81)) if method == "NAT" else port,
            rng.randint(0, 3) if count else rng.randint(3, 5),  # a service that serves nobody is refused
            rng.choice(("", "", "        uthreshold 50\n        lthreshold 20\n")),
        )
    protocol = "" if mark else f"    protocol {rng.choice(('TCP', 'TCP', 'UDP'))}\n"
    return (
        f"\nvirtual_server {at} {{\n    lvs_sched {scheduler}\n{flags}    lvs_method {method}\n{protocol}"
        f"{options}{servers}}}\n"
    )


class Anything:
    """The walk that knows no limits but those of a kernel without VRFs and tunnels of its own."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.services: dict[str, str] = {}
        self.addresses: list[str] = []
        self.routes: list[str] = []
        self.rules: list[str] = []
        self.static: dict[str, list[str]] = {"ipaddress": [], "routes": [], "rules": []}
        self.places = [f"192.0.2.10{n} {port}" for n in range(3) for port in (80, 443)] + [
            "fwmark 7",
            "fwmark 8",
            "2001:db8::100 80",
        ]

    def step(self) -> str:
        """Change up to five things, now and then nothing, and write the configuration."""
        for _ in range(self.rng.choice((0, 1, 1, 2, 2, 3, 5))):
            self.rng.choice((self._service, self._service, self._address, self._route, self._rule))()
        return self.text()

    def text(self) -> str:
        blocks = ""
        for key, lines in (("virtual_routes", self.routes), ("virtual_rules", self.rules)):
            if lines:
                blocks += f"    {key} {{\n" + "".join(f"        {line}\n" for line in lines) + "    }\n"
        static = "".join(
            f"static_{key} {{\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
            for key, lines in self.static.items()
            if lines
        )
        services = [self.services[place] for place in self.services]
        self.rng.shuffle(services)
        return static + _vrrp(150, [f"{VIP}/24", *self.addresses], blocks) + "".join(services)

    def _service(self) -> None:
        place = self.rng.choice(self.places)
        if place in self.services and self.rng.random() < 0.35:
            del self.services[place]
            return
        made = _service(self.rng, place)
        if ":" in place:
            made = made.replace("10.0.0.", "2001:db8:1::")
        self.services[place] = made

    def _toggle(self, lines: list[str], line: str, key: Callable[[str], str] = lambda line: line) -> None:
        """``line`` comes, goes, or takes the place of one with the same key."""
        there = next((old for old in lines if key(old) == key(line)), None)
        if there is not None:
            lines.remove(there)
        if there is None or (there != line and self.rng.random() < 0.5):
            lines.insert(self.rng.randint(0, len(lines)), line)

    def _address(self) -> None:
        rng = self.rng
        if rng.random() < 0.3:
            self._toggle(self.static["ipaddress"], f"198.51.100.{rng.randint(1, 3)}/32 dev eth0")
            return
        label = rng.choice(("", "", " label eth0:vip"))
        self._toggle(
            self.addresses,
            f"192.0.2.{rng.randint(150, 156)}/32 dev eth0{label}",
            lambda line: line.split()[0],
        )

    def _route(self) -> None:
        rng = self.rng
        lines = self.routes if rng.random() < 0.6 else self.static["routes"]
        base = 20 if lines is self.routes else 30
        line = f"10.{base + rng.randint(0, 4)}.0.0/16 via 192.0.2.{rng.choice((9, 11))} dev eth0"
        line += rng.choice(("", " metric 50", " table 100", " src 192.0.2.1"))
        self._toggle(lines, line, lambda line: line.split()[0])

    def _rule(self) -> None:
        rng = self.rng
        lines = self.rules if rng.random() < 0.6 else self.static["rules"]
        base = 500 if lines is self.rules else 600
        priority = base + rng.randint(0, 4)
        line = f"from 10.{rng.randint(0, 5)}.0.0/16 priority {priority} table {rng.choice((100, 101))}"
        self._toggle(lines, line, lambda line: line.split("priority ")[1].split()[0])
