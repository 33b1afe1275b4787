"""Rules about real servers and their checks."""

from __future__ import annotations

from kcc.lower.scope import seconds
from kcc.rules.rule import Case
from kir.model import HttpCheck, MiscCheck, RealServer


def _each(case: Case) -> list[tuple[str, str, RealServer]]:
    """Virtual server name, path and real server of every pool."""
    return [
        (server.name, f"virtual_server/{server.name}/real_server/{real.identity}", real)
        for server in case.config.virtual_servers
        for real in server.real_servers
        if real.checkers or real.lower_threshold
    ]


def contradicting_thresholds(case: Case) -> None:
    """The kernel refuses a server whose lower threshold is above its upper one (ip_vs_ctl.c: ERANGE)."""
    for name, path, real in _each(case):
        if real.lower_threshold > real.upper_threshold:
            upper = real.upper_threshold
            case.say(
                "KC0719",
                f"{real.identity} in `{name}`: `lthreshold` {real.lower_threshold} is above "
                + (f"`uthreshold` {upper}" if upper else "`uthreshold`, which is not given"),
                path,
                "lower_threshold",
                consequence="the kernel refuses the server: it gets no connections",
                help="write a `uthreshold` above it" if not upper else "swap the two numbers",
            )


def check_of_port_zero(case: Case) -> None:
    """A check that would connect to port 0: the server, and the service, have no port to take it from."""
    for name, path, real in _each(case):
        for position, check in enumerate(real.checkers):
            if isinstance(check, MiscCheck) or check.endpoint.port:
                continue
            kind = _kind(check)
            case.say(
                "KC0808",
                f"{kind} of {real.identity} in `{name}` connects to port 0",
                f"{path}/checker/{kind} {position}",
                consequence="it never succeeds: the server is taken out of the pool",
                help="add `connect_port PORT` to the check",
            )


def _kind(check: object) -> str:
    if isinstance(check, HttpCheck):
        return "SSL_GET" if check.tls else "HTTP_GET"
    return "MISC_CHECK" if isinstance(check, MiscCheck) else "TCP_CHECK"


def slow_misc_check(case: Case) -> None:
    """A MISC_CHECK starts at a fixed pace; one that may run longer than its interval falls behind."""
    for name, path, real in _each(case):
        for position, check in enumerate(real.checkers):
            if not isinstance(check, MiscCheck) or check.timeout_us <= check.timing.delay_loop_us:
                continue
            case.say(
                "KC0806",
                f"MISC_CHECK of {real.identity} in `{name}` may run {seconds(check.timeout_us)}, but is due every "
                f"{seconds(check.timing.delay_loop_us)}",
                f"{path}/checker/MISC_CHECK {position}",
                "timeout_us",
                consequence="a check that hangs delays the next ones: a dead server stays in the pool that long",
                help=f"write a `misc_timeout` of at most {seconds(check.timing.delay_loop_us)}",
            )


def path_without_slash(case: Case) -> None:
    """A request line needs an absolute path (RFC 9112 section 3.2.1); servers answer 400 to anything else."""
    for name, path, real in _each(case):
        for position, check in enumerate(real.checkers):
            if not isinstance(check, HttpCheck):
                continue
            for url in check.urls:
                if not url.path.startswith(("/", "http://", "https://", "*")):
                    kind = _kind(check)
                    case.say(
                        "KC0807",
                        f"{kind} of {real.identity} in `{name}` asks for `{url.path}`, which is no absolute path",
                        f"{path}/checker/{kind} {position}",
                        consequence="most servers answer 400: the check fails and the server leaves the pool",
                        help=f"write `path /{url.path}`",
                    )
