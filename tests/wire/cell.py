"""One cell of the wire matrix: two directors on a segment, taken through a failover and back.

A cell runs the whole story once and records what it saw; the tests judge the record. Judged is what a
capture on the switch saw, by the kernel's time stamps, and what ``ip addr`` says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from lab.capture import Capture
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.netns import Director, Segment
from lab.packets import Advert, Frame
from lab.processes import wait_for

__all__ = ["Cell", "Peers", "Story", "play"]

#: What a loaded machine may add to a protocol timer, in seconds.
LATITUDE = 0.5

VRID = 51
PRIORITY = {"a": 150, "b": 100}  # a is the master by configuration
OWN = {4: {"a": "192.0.2.1", "b": "192.0.2.2"}, 6: {"a": "2001:db8::1", "b": "2001:db8::2"}}
#: keepalived wants a link-local address first for IPv6.
VIPS = {4: ("192.0.2.100/24",), 6: ("fe80::100/64", "2001:db8::100/64")}


class Running(Protocol):
    """A director's program as the cell drives it."""

    kind: str

    def wait_running(self) -> None: ...
    def kill(self) -> float: ...
    def stop(self) -> int: ...
    def logged(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Peers:
    """Which program the master (by configuration) runs, and which the backup."""

    master: str
    backup: str

    def __str__(self) -> str:
        return f"{self.master}+{self.backup}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's place in the matrix."""

    peers: Peers
    version: int
    family: int
    unicast: bool
    password: str = ""

    def __str__(self) -> str:
        way = "unicast" if self.unicast else "multicast"
        return f"{self.peers}-v{self.version}-ipv{self.family}-{way}" + ("-pass" if self.password else "")

    @property
    def interval(self) -> float:
        """advert_int in seconds: what version 2 can say, and something quick for version 3."""
        return 1.0 if self.version == 2 else 0.3

    def skew(self, director: str) -> float:
        """Skew_Time of a director, in seconds (RFC 3768 section 6.1; RFC 5798 section 6.1)."""
        scale = 1.0 if self.version == 2 else self.interval
        return (256 - PRIORITY[director]) * scale / 256

    def master_down(self, director: str) -> float:
        """Master_Down_Interval of a director, in seconds."""
        return 3 * self.interval + self.skew(director)

    @property
    def vips(self) -> tuple[str, ...]:
        """The virtual addresses without prefix lengths."""
        return tuple(vip.partition("/")[0] for vip in VIPS[self.family])

    def config(self, director: str) -> str:
        """keepalived.conf of a director."""
        other = "b" if director == "a" else "a"
        own = OWN[self.family]
        unicast = ""
        if self.unicast:
            unicast = f"""
    unicast_src_ip {own[director]}
    unicast_peer {{
        {own[other]}
    }}"""
        password = ""
        if self.password:
            password = f"""
    authentication {{
        auth_type PASS
        auth_pass {self.password}
    }}"""
        vips = "\n        ".join(VIPS[self.family])
        return f"""\
global_defs {{
    router_id director_{director}
}}

vrrp_instance VI_1 {{
    version {self.version}
    state BACKUP
    interface {Director.device}
    virtual_router_id {VRID}
    priority {PRIORITY[director]}
    advert_int {self.interval:g}{unicast}{password}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""

    def right(self, advert: Advert) -> bool:
        """An advert says what the configuration says, in the form that the RFC gives it."""
        own = OWN[self.family]
        if self.unicast:
            target = {own["b" if advert.port == "a" else "a"]}
            source_right = advert.source == own[advert.port]
        else:
            target = {"224.0.0.18" if self.family == 4 else "ff02::12"}
            source_right = self.family == 6 or advert.source == own[advert.port]
        return (
            source_right
            and advert.target in target
            and advert.version == self.version
            and advert.vrid == VRID
            and advert.priority in (PRIORITY[advert.port], 0)
            and abs(advert.interval - self.interval) < 0.005
            and advert.addresses == self.vips
            and (advert.ttl == 255 or self.unicast)
            and advert.checksum_ok
            and advert.auth_type == (1 if self.password else 0)
            and advert.auth_data.rstrip(b"\0") == self.password.encode()
        )


@dataclass(slots=True)
class Story:
    """What a cell saw. Times are seconds; an absent one is None; ``trouble`` names what broke it off."""

    cell: Cell
    trouble: str = ""
    #: From the dead master's last advert to the survivor's first.
    takeover: float | None = None
    #: From the restarted master's first advert to the last one of the one that gave way.
    overlap: float | None = None
    #: From its start to the first advert of the restarted master.
    give_back: float | None = None
    #: From the advert with priority 0 to the successor's first.
    handover: float | None = None
    #: Which directors held the virtual addresses at each stage.
    holders: dict[str, list[str]] = field(default_factory=dict)
    #: Adverts by director during each quiet stage, when there was one master for certain.
    speakers: dict[str, set[str]] = field(default_factory=dict)
    #: Gratuitous ARP packets or unsolicited NAs of the new master after each takeover, by address.
    announced: dict[str, dict[str, int]] = field(default_factory=dict)
    wrong_adverts: list[Advert] = field(default_factory=list)
    exit_status: int | None = None
    dropped: int = 0
    frames: list[Frame] = field(default_factory=list)
    logs: str = ""

    def deviation(self, nominal: float, measured: float | None) -> str:
        """Milliseconds (one decimal) beyond the protocol's own timer, for the table."""
        return "-" if measured is None else f"{(measured - nominal) * 1000:+.1f}"


def play(cell: Cell) -> Story:
    """Run a cell from start to stop. Never raises: what went wrong is in ``trouble``."""
    story = Story(cell)
    addresses = {name: [f"{OWN[4][name]}/24", f"{OWN[6][name]}/64"] for name in ("a", "b")}
    try:
        with Segment(addresses, label=str(cell)) as segment, Capture(segment) as capture:
            stage = _Stage(cell, segment, capture, story)
            try:
                stage.play()
            except Exception as error:
                story.trouble = f"{stage.name}: {type(error).__name__}: {error}"
            finally:
                capture.drain()
                story.frames, story.dropped = capture.frames, capture.dropped
                story.wrong_adverts = [advert for advert in capture.adverts() if not cell.right(advert)]
                story.logs = "\n".join(
                    f"--- {name} ({running.kind})\n{running.logged()[-6000:]}"
                    for name, running in stage.programs.items()
                )
    except Exception as error:
        story.trouble = story.trouble or f"the laboratory: {type(error).__name__}: {error}"
    return story


class _Stage:
    """The acts of a cell, in order."""

    def __init__(self, cell: Cell, segment: Segment, capture: Capture, story: Story) -> None:
        self.cell, self.segment, self.capture, self.story = cell, segment, capture, story
        self.programs: dict[str, Running] = {}
        self.name = "start"

    def start(self, director: str) -> float:
        """Start a director's program; returns the time just before."""
        kind = self.cell.peers.master if director == "a" else self.cell.peers.backup
        before = time.time()
        host, text = self.segment[director], self.cell.config(director)
        if kind == "krun":
            self.programs[director] = Krun(host, text, folder=host.folder)
        else:
            self.programs[director] = Keepalived(host, text, only="vrrp")
        return before

    def holders(self) -> list[str]:
        """The directors that hold all virtual addresses; one that holds only some counts as ``NAME?``."""
        found = []
        for name, director in self.segment.directors.items():
            there = {entry.partition("/")[0] for entry in director.addresses(director.device)}
            count = sum(vip in there for vip in self.cell.vips)
            if count:
                found.append(name if count == len(self.cell.vips) else f"{name}?")
        return found

    def settle(self, master: str, timeout: float = 60.0) -> None:
        """Wait until ``master`` alone advertises and holds the addresses, then watch a quiet time."""
        silence = 3 * self.cell.interval

        def only_master() -> bool:
            recent = {advert.port for advert in self.capture.adverts(vrid=VRID, since=time.time() - silence)}
            return recent == {master} and self.holders() == [master]

        wait_for(f"{master} to be the only master", only_master, timeout, interval=0.1)
        since = time.time()
        time.sleep(silence)
        self.story.holders[self.name] = self.holders()
        self.story.speakers[self.name] = {
            advert.port for advert in self.capture.adverts(vrid=VRID, since=since)
        }

    def first_advert(self, director: str, since: float, timeout: float = 60.0) -> Advert:
        """The first advert of ``director`` with a priority after ``since``."""
        return self.capture.wait_advert(
            f"an advert of {director}",
            lambda advert: advert.port == director and advert.vrid == VRID and advert.priority > 0,
            since=since,
            timeout=timeout,
        )

    def note_announcements(self, director: str, since: float) -> None:
        """Wait for the announcements of a new master, and note how many came for each address."""
        for vip in self.cell.vips:
            wait_for(
                f"an announcement of {vip} by {director}",
                lambda vip=vip: self.capture.announcements(vip, port=director, since=since),  # type: ignore[misc]
                timeout=20,
            )
        self.story.announced[self.name] = {
            vip: len(self.capture.announcements(vip, port=director, since=since)) for vip in self.cell.vips
        }

    def play(self) -> None:
        cell, story, capture = self.cell, self.story, self.capture
        for director in ("a", "b"):
            self.start(director)
        for program in self.programs.values():
            program.wait_running()
        self.settle("a")

        self.name = "takeover"
        killed = self.programs["a"].kill()
        taken = self.first_advert("b", killed)
        last = max(advert.time for advert in capture.adverts(port="a", vrid=VRID))
        story.takeover = taken.time - last
        self.note_announcements("b", taken.time)
        # What a killed director leaves on its interface is its successor's to clean up, or its own when
        # it is back: only who speaks and whether the new master holds the addresses counts here.
        since = time.time()
        time.sleep(2 * cell.interval)
        story.speakers[self.name] = {advert.port for advert in capture.adverts(vrid=VRID, since=since)}
        story.holders[self.name] = [name for name in self.holders() if name != "a"]

        self.name = "give-back"
        started = self.start("a")
        back = self.first_advert("a", started)
        story.give_back = back.time - started
        self.note_announcements("a", back.time)
        self.settle("a")
        yielded = [advert.time for advert in capture.adverts(port="b", vrid=VRID, since=back.time)]
        story.overlap = max(yielded, default=back.time) - back.time

        self.name = "stop"
        stopping = time.time()
        story.exit_status = self.programs["a"].stop()
        farewell = capture.wait_advert(
            "an advert with priority 0",
            lambda advert: advert.port == "a" and advert.priority == 0,
            since=stopping,
        )
        successor = self.first_advert("b", farewell.time)
        story.handover = successor.time - farewell.time
        self.note_announcements("b", successor.time)
        self.settle("b")
        self.programs["b"].stop()
        story.holders["after"] = self.holders()
