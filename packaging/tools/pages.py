"""What the manual pages say beyond the parsers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """The words of one page. ``sections``: heading and text; see `man.paragraphs` for how text is written."""

    section: int
    summary: str
    description: str
    sections: tuple[tuple[str, str], ...]
    see: tuple[tuple[str, int], ...]


KCC = Page(
    1,
    "compile, check and compare configurations of keepalived",
    """\
`kcc` reads a keepalived.conf, whole and unchanged, with its includes, definitions, conditions and replication. It says
what is wrong with it, at line and column, with what that leads to and what to do; and it compiles it to an intermediate
representation (IR), one JSON document that krun(8) runs.

It needs no root, no daemon and none of the interfaces that the configuration names. Nothing is executed, created, resolved or
connected to, whatever a configuration says.""",
    (
        (
            "Exit status",
            """\
0:: Nothing is wrong. `kcc diff`: nothing changes. `kcc fmt --check`: nothing would be changed.
1:: Errors were found, with `--strict` warnings too. `kcc diff`: there are changes. `kcc fmt --check`: a file would be changed.
2:: Wrong usage, or input that cannot be read.""",
        ),
        (
            "Environment",
            """\
NO_COLOR:: No colours, whatever the output is.
FORCE_COLOR:: Colours, even where the output is no terminal.

Other variables matter only where a configuration asks for them, with `${_ENV NAME}`.""",
        ),
        (
            "Comments that kcc reads",
            """\
A comment in a configuration hides a finding: at the end of a line one about that line, alone on a line one about the next.

    priority 300   # kcc: ignore KC0303

`# kcc: ignore-file KC0303` is about the whole file.""",
        ),
        (
            "Examples",
            """\
Check what a pull request changes, with annotations on GitHub:

    kcc check --format github keepalived.conf

What would a reload do, before it is done:

    kcc build -o running.json /etc/keepalived/keepalived.conf
    kcc diff running.json new/keepalived.conf

Why is that an error:

    kcc explain KC0303
    kcc explain vrrp_instance.priority""",
        ),
    ),
    (("krun", 8), ("krunctl", 8), ("keepalived.conf", 5), ("keepalived", 8)),
)

KRUN = Page(
    8,
    "run a director: VRRP, virtual addresses, health checks, IPVS",
    """\
`krun` runs what `kcc build` compiled. A parent without protocol code supervises a process that speaks VRRP (versions 2 and 3, with
any peer that follows RFC 3768, RFC 5798 or RFC 9568), a process that checks real servers and keeps the kernel's IPVS table, and
one that runs scripts as their users. Children that die or hang are replaced; their successors adopt what the kernel holds.

It stays in the foreground. It never reads a keepalived.conf: the IR is complete.""",
    (
        (
            "Signals",
            """\
SIGHUP:: Read the IR again and apply what differs. An IR that cannot be used is refused as a whole, and the old one keeps running.
SIGTERM, SIGINT:: Stop in order: priority-0 adverts are sent, addresses and services are removed.
SIGUSR1:: Write the state to `krun-state.json` in the run directory.
SIGUSR2:: Write the counters of the instances there, as keepalived does (`krun.stats`).
SIGRTMAX:: Write the account of memory (`krunctl memory`) to `krun-memory.json` there.""",
        ),
        (
            "Exit status",
            """\
0:: An ordinary stop.
1:: An internal error.
2:: An IR or arguments that cannot be used, or a capability that the IR needs is missing: which one and for what is said. Nothing was touched.""",
        ),
        (
            "Files",
            """\
/run/krun/krun.sock:: The control socket that krunctl(8) talks to.
/run/krun/krun-state.json:: The state, written on SIGUSR1.
/run/krun/krun-memory.json:: The account of memory, written on SIGRTMAX.
/run/krun/krun.store:: What a krun that is killed leaves to the next one: what runs, what ran before, who has to confirm until when.
/run/krun/ir-*.json:: The IRs that it refers to. They hold the secrets of the configuration, like the file that they came from.""",
        ),
        (
            "Examples",
            """\
    kcc build -o /etc/krun/ir.json /etc/keepalived/keepalived.conf
    krun /etc/krun/ir.json

With metrics for Prometheus on the loopback:

    krun --metrics 127.0.0.1:9650 /etc/krun/ir.json

Try it without touching this machine:

    krun --kernel memory --run-dir /tmp/krun ir.json""",
        ),
    ),
    (("krunctl", 8), ("kcc", 1), ("ipvsadm", 8), ("keepalived", 8)),
)

KRUNCTL = Page(
    8,
    "ask and direct a running krun",
    """\
`krunctl` talks to the `krun` of a run directory through its control socket. It shows what runs, says what a reload would do,
does it, takes it back, and stops.""",
    (
        (
            "Reloads",
            """\
A reload is all or nothing: every process takes the new IR, or all go on with the old one. What `krunctl plan` prints is what a reload
does: the step from what runs to what shall run, given what the kernel holds and what the health checks say.

With `--confirm-within` the IR before comes back at the deadline unless `krunctl confirm` comes first. The deadline holds over the
death of any process of krun, and over a stop and start with the same file. As in BIRD, a further reload that is done ends the wait; with a
time of its own it begins a new one. A reload that is refused does not touch it.

`krunctl undo` goes back to the IR before the last reload, confirmed or not. There is one step: an undo is not undone.

`--max-delete` counts what the new IR lacks of the services, real servers, VIPs, routes and rules that the running one has, as if this
director were master of everything and every server up.""",
        ),
        (
            "Who may ask",
            """\
Root, and krun's own user, may ask everything. With `krun --control-group GROUP` members of the group may look: `status`, `top`, `explain`,
`events`, `overlays`, `metrics`, `plan`. They see no secret. For `plan` krun reads IR.json with the rights of the one who asks.""",
        ),
        (
            "Exit status",
            """\
0:: Done.
1:: Refused; the reason is on standard error.
2:: Wrong usage, or no krun there.""",
        ),
        (
            "Examples",
            """\
Why is it not master, and whose adverts did it drop:

    krunctl explain VI_1

For node_exporter's textfile collector:

    krunctl metrics --or-down > krun.prom.tmp && mv krun.prom.tmp krun.prom

What would this IR change, and what would that disrupt:

    krunctl plan new.json

Do it, and go back in five minutes if that locks everybody out:

    krunctl reload new.json --confirm-within 5m
    krunctl confirm

Do it, unless a broken generator took away half of it:

    krunctl reload new.json --max-delete 10%

Back to what ran before:

    krunctl undo""",
        ),
    ),
    (("krun", 8), ("kcc", 1)),
)

PAGES = {"kcc": KCC, "krun": KRUN, "krunctl": KRUNCTL}
