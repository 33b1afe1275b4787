"""What a priority can follow: check scripts, processes, files, BFD sessions."""

from __future__ import annotations

from kcc.language.arguments.addresses import IP
from kcc.language.arguments.base import Optional
from kcc.language.arguments.files import INIT_FILE
from kcc.language.arguments.numbers import INT, MILLISECONDS, SECONDS, UINT
from kcc.language.arguments.scripts import ACCOUNT, TRACK_COMMAND
from kcc.language.arguments.track import WeightArg
from kcc.language.arguments.words import MAYBE_BOOL, NAME, PATH, EnumArg, RestArg, StringArg
from kcc.language.tree import CARRIED, RUN, Keyword, Missing, Repeat, block, flag, leaf, renamed

_COUNT = UINT(1, 2147483647, instead=1)
IGNORED = Missing.IGNORED

_SCRIPT_SECONDS = SECONDS("0", "4294", 3, zero=1)
VRRP_SCRIPT = block(
    "vrrp_script",
    NAME,
    RUN,
    "A command that is run again and again, and whose exit status says good or bad.",
    (
        leaf(
            "script",
            TRACK_COMMAND,
            RUN,
            "",
            "The command; `</PATH` tests that a file can be opened.",
            required=True,
            missing=IGNORED,
        ),
        leaf("interval", _SCRIPT_SECONDS, RUN, "1", "Time between two runs.", unit="seconds"),
        leaf(
            "timeout",
            _SCRIPT_SECONDS,
            RUN,
            "interval",
            "How long a run may take.",
            unit="seconds",
        ),
        leaf(
            "weight",
            WeightArg(253),
            RUN,
            "0 (a failure means FAULT)",
            "What the result adds to the priority.",
        ),
        leaf("rise", _COUNT, RUN, "1", "Good results in a row until it counts as good."),
        leaf("fall", _COUNT, RUN, "1", "Bad results in a row until it counts as bad."),
        leaf("user", ACCOUNT, RUN, "script_user", "As whom the command runs."),
        flag("init_fail", RUN, "off (undecided)", "Bad until the first result."),
    ),
    repeat=Repeat.UNIQUE,
)

_DELAY = SECONDS("0.000001", "3600")
VRRP_TRACK_PROCESS = block(
    "vrrp_track_process",
    NAME,
    CARRIED,
    "A process that must run, or must not.",
    (
        leaf(
            "process",
            RestArg("NAME [PARAMETER …]", 1),
            CARRIED,
            "",
            "Name of the process, with parameters.",
            required=True,
            repeat=Repeat.FIRST,
        ),
        leaf(
            "param_match",
            Optional(EnumArg("initial", "partial"), True),
            CARRIED,
            "exact",
            "How parameters are compared.",
        ),
        leaf(
            "weight",
            WeightArg(254),
            CARRIED,
            "0 (missing means FAULT)",
            "What it adds to the priority.",
            missing=IGNORED,
            repeat=Repeat.FIRST,
            open=(0, False),
        ),
        leaf("quorum", UINT(1, 65535), CARRIED, "1", "How many of the process must run."),
        leaf("quorum_max", UINT(0, 65535), CARRIED, "no limit", "How many of the process may run."),
        leaf("delay", _DELAY, CARRIED, "0", "How long a change must last, both ways.", unit="seconds"),
        leaf("terminate_delay", _DELAY, CARRIED, "0", "How long a process must be gone.", unit="seconds"),
        leaf("fork_delay", _DELAY, CARRIED, "0", "How long a process must be there.", unit="seconds"),
        flag("full_command", CARRIED, "off (the name only)", "Compare the whole command line."),
    ),
    repeat=Repeat.UNIQUE,
)

TRACK_FILE = block(
    "track_file",
    NAME,
    CARRIED,
    "A file that holds a number which is added to priorities.",
    (
        leaf("file", PATH, CARRIED, "", "The file.", required=True, missing=IGNORED, repeat=Repeat.FIRST),
        leaf(
            "weight",
            WeightArg(254),
            CARRIED,
            "1",
            "What the number is multiplied by.",
            missing=IGNORED,
            repeat=Repeat.FIRST,
            open=(1, False),
        ),
        leaf("init_file", INIT_FILE, CARRIED, "the file is not created", "Create the file with this number."),
    ),
    repeat=Repeat.UNIQUE,
)

VRRP_TRACK_FILE: Keyword = renamed(TRACK_FILE, "vrrp_track_file", deprecated_by="track_file")

_MILLISECONDS = MILLISECONDS("1", "4294967")
_NEIGHBOR = leaf(
    "neighbor_ip",
    IP,
    CARRIED,
    "",
    "The other end of the session.",
    required=True,
    missing=Missing.CRASHES,
    consequence="the session is removed",
)
_TTL = leaf("ttl", UINT(1, 255), CARRIED, "255 (IPv4), 64 (IPv6)", "TTL of BFD packets.")

BFD_INSTANCE = block(
    "bfd_instance",
    StringArg("a name", 31, grammar="NAME"),
    CARRIED,
    "A BFD session (RFC 5880) with another router.",
    (
        leaf("source_ip", IP, CARRIED, "chosen by the kernel", "Source address of the session."),
        _NEIGHBOR,
        renamed(_NEIGHBOR, "neighbour_ip"),
        leaf(
            "min_rx",
            _MILLISECONDS,
            CARRIED,
            "10",
            "Shortest interval of packets that we can take.",
            unit="ms",
        ),
        leaf("min_tx", _MILLISECONDS, CARRIED, "10", "Shortest interval of packets that we send.", unit="ms"),
        leaf(
            "idle_tx",
            MILLISECONDS("1000", "4294967"),
            CARRIED,
            "1000",
            "Interval of packets while the session is down.",
            unit="ms",
        ),
        leaf("multiplier", UINT(1, 255), CARRIED, "5", "Missed packets until the session counts as down."),
        flag("passive", CARRIED, "off", "Wait for the other end to begin."),
        _TTL,
        renamed(_TTL, "hoplimit"),
        leaf("max_hops", INT(-1, 255), CARRIED, "0", "How many hops packets may have made; -1 and 255: any."),
        leaf("multihop", MAYBE_BOOL, CARRIED, "false", "Multihop session (RFC 5883).", since="2.4.3"),
        leaf(
            "weight", WeightArg(253), CARRIED, "0 (down means FAULT)", "What the state adds to the priority."
        ),
        flag("vrrp", CARRIED, "every process that refers to it", "The VRRP process follows the session."),
        flag(
            "checker", CARRIED, "every process that refers to it", "The checker process follows the session."
        ),
    ),
    repeat=Repeat.UNIQUE,
    missing=Missing.CRASHES,
)
