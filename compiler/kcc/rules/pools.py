"""Rules about real servers and their checks."""

from __future__ import annotations

from collections.abc import Iterator

from kcc.lower.scope import seconds
from kcc.rules.rule import Case
from kir.model import Checker, HttpCheck, MiscCheck, NetworkCheck, PingCheck, RealServer, VirtualServer


def _path(server: VirtualServer, real: RealServer) -> str:
    return f"virtual_server/{server.name}/real_server/{real.identity}"


def _checks(case: Case) -> Iterator[tuple[VirtualServer, RealServer, int, Checker]]:
    """Every check with the pool and the server that it belongs to, and its position there."""
    for server in case.config.virtual_servers:
        for real in server.real_servers:
            for position, check in enumerate(real.checkers):
                yield server, real, position, check


def contradicting_thresholds(case: Case) -> None:
    """The kernel refuses a server whose lower threshold is above its upper one (ip_vs_ctl.c: ERANGE)."""
    for server in case.config.virtual_servers:
        for real in server.real_servers:
            if real.lower_threshold <= real.upper_threshold:
                continue
            upper = real.upper_threshold
            case.say(
                "KC0719",
                f"{real.identity} in `{server.name}`: `lthreshold` {real.lower_threshold} is above "
                + (f"`uthreshold` {upper}" if upper else "`uthreshold`, which is not given"),
                _path(server, real),
                "lower_threshold",
                consequence="the kernel refuses the server: it gets no connections",
                help="write a `uthreshold` above it" if not upper else "swap the two numbers",
            )


def check_of_port_zero(case: Case) -> None:
    """A check that would connect to port 0: the server, and the service, have no port to take it from."""
    for server, real, position, check in _checks(case):
        if not isinstance(check, NetworkCheck) or isinstance(check, PingCheck) or check.endpoint.port:
            continue
        kind = _kind(check)
        case.say(
            "KC0808",
            f"{kind} of {real.address} in `{server.name}` connects to port 0",
            f"{_path(server, real)}/checker/{kind} {position}",
            consequence="it never succeeds: the server is taken out of the pool",
            help="add `connect_port PORT` to the check",
        )


def _kind(check: Checker) -> str:
    if isinstance(check, HttpCheck):
        return "SSL_GET" if check.tls else "HTTP_GET"
    return str(check.__struct_config__.tag)


def slow_misc_check(case: Case) -> None:
    """A MISC_CHECK starts at a fixed pace; one that may run longer than its interval falls behind."""
    for server, real, position, check in _checks(case):
        if not isinstance(check, MiscCheck) or check.timeout_us <= check.timing.delay_loop_us:
            continue
        case.say(
            "KC0806",
            f"MISC_CHECK of {real.identity} in `{server.name}` may run {seconds(check.timeout_us)}, but is due every "
            f"{seconds(check.timing.delay_loop_us)}",
            f"{_path(server, real)}/checker/MISC_CHECK {position}",
            "timeout_us",
            consequence="a check that hangs delays the next ones: a dead server stays in the pool that long",
            help=f"write a `misc_timeout` of at most {seconds(check.timing.delay_loop_us)}",
        )


def path_without_slash(case: Case) -> None:
    """A request line needs an absolute path (RFC 9112 section 3.2.1); servers answer 400 to anything else."""
    for server, real, position, check in _checks(case):
        if not isinstance(check, HttpCheck):
            continue
        for url in check.urls:
            if not url.path.startswith(("/", "http://", "https://", "*")):
                kind = _kind(check)
                case.say(
                    "KC0807",
                    f"{kind} of {real.identity} in `{server.name}` asks for `{url.path}`, which is no absolute path",
                    f"{_path(server, real)}/checker/{kind} {position}",
                    consequence="most servers answer 400: the check fails and the server leaves the pool",
                    help=f"write `path /{url.path}`",
                )
