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


def slow_check(case: Case) -> None:
    """A check that may take longer than the time until it is due again: a dead server stays in the pool that long."""
    _slow_misc(case)
    _slow_network(case)


def _slow_misc(case: Case) -> None:
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


def _slow_network(case: Case) -> None:
    """A check that waits for an answer longer than the time until it is due again: a server that is silent stays in the pool.

    keepalived counts the interval from the end of a check, so no run is skipped; each takes the longer time.
    """
    alike: dict[tuple[str, str, int, int, int], list[tuple[str, str, int]]] = {}
    for server, real, position, check in _checks(case):
        if not isinstance(check, NetworkCheck):
            continue
        timing, wait = check.timing, check.endpoint.timeout_us
        if wait < timing.delay_loop_us * (timing.retry + 1):
            continue
        kind = _kind(check)
        key = (server.name, kind, wait, timing.delay_loop_us, timing.retry)
        late = (timing.retry + 1) * wait + timing.retry * timing.delay_before_retry_us
        at = f"{_path(server, real)}/checker/{kind} {position}"
        alike.setdefault(key, []).append((at, real.identity, late))
    for (name, kind, wait, loop, retry), found in alike.items():
        at, who, late = found[0]
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        case.say(
            "KC0806",
            f"{kind} of {who}{more} in `{name}` waits {seconds(wait)} for an answer, but is due every {seconds(loop)}"
            + (f", with {retry} retr{'y' if retry == 1 else 'ies'}" if retry else ""),
            at,
            "endpoint/timeout_us",
            consequence=f"a server that does not answer stays in the pool for {seconds(late)} and more",
            help=f"write a `connect_timeout` of less than {seconds(loop)}",
        )


HTTPS = 443
BAD_REQUEST = 400


def plain_http_to_tls(case: Case) -> None:
    """HTTP_GET does not speak TLS; a server that does answers a plain request with 400, or not at all."""
    for server, real, position, check in _checks(case):
        if not isinstance(check, HttpCheck) or check.tls or check.endpoint.port != HTTPS:
            continue
        if any(r.low <= BAD_REQUEST <= r.high for url in check.urls for r in url.status):
            continue
        case.say(
            "KC0814",
            f"HTTP_GET of {real.identity} in `{server.name}` speaks plain HTTP to port {HTTPS}",
            f"{_path(server, real)}/checker/HTTP_GET {position}",
            consequence="a server that expects TLS there answers 400 at best: the check never succeeds, and the server gets no connections",
            help="use SSL_GET; or, if the server does speak plain HTTP there, ignore this",
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
