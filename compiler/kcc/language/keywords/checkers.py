"""The health checks of a real server."""

from __future__ import annotations

from kcc.language.arguments.addresses import IP, PORT
from kcc.language.arguments.base import Optional
from kcc.language.arguments.http import DIGEST, OFFSET, REGEX, REGEX_OPTIONS_ARG, STACK, STATUS
from kcc.language.arguments.numbers import S32_MAX, SECONDS, UINT
from kcc.language.arguments.octets import PATTERN, PAYLOAD
from kcc.language.arguments.scripts import ACCOUNT, COMMAND
from kcc.language.arguments.track import WeightArg
from kcc.language.arguments.words import IFNAME, MAYBE_BOOL, NAME, STRING, DomainArg, EnumArg, StringArg
from kcc.language.tree import (
    CARRIED,
    RUN,
    Bad,
    Coverage,
    Extra,
    Keyword,
    Missing,
    Repeat,
    block,
    flag,
    leaf,
    renamed,
)

IGNORED = Missing.IGNORED
SECONDS_FROM_0 = SECONDS("0", "")
SECONDS_ABOVE_0 = SECONDS("0.000001", "")
CONNECT_SECONDS = SECONDS("0.000001", "4294.967295")
_INHERITED = "that of the real server, else of the virtual server, else "


def _connection(run: Coverage) -> tuple[Keyword, ...]:
    """Where a network check connects and from where."""
    return (
        leaf("connect_ip", IP, run, "the address of the real server", "Address that is asked."),
        leaf("connect_port", PORT, run, "the port of the real server", "Port that is asked."),
        leaf("bindto", IP, run, "any", "Source address of the check."),
        leaf("bind_port", PORT, run, "any", "Source port of the check."),
        leaf("bind_if", IFNAME, run, "none", "Interface of the check; needed for link-local addresses."),
        leaf(
            "connect_timeout",
            CONNECT_SECONDS,
            run,
            _INHERITED + "5",
            "How long each step of the check may take.",
            unit="seconds",
        ),
        leaf("fwmark", UINT(), run, "0 (none)", "Mark on the packets of the check (SO_MARK)."),
    )


def _timing(run: Coverage, retries: str, retry_delay: str) -> tuple[Keyword, ...]:
    """When a check runs and when a failure counts."""
    return (
        leaf("retry", UINT(), run, _INHERITED + retries, "Further tries before a failure counts."),
        leaf(
            "delay_before_retry",
            SECONDS_FROM_0,
            run,
            _INHERITED + retry_delay,
            "Time between two tries.",
            unit="seconds",
        ),
        leaf(
            "warmup",
            SECONDS_FROM_0,
            run,
            _INHERITED + "delay_loop",
            "The first check waits a random part of this.",
            unit="seconds",
        ),
        leaf(
            "delay_loop", SECONDS_ABOVE_0, run, _INHERITED + "60", "Time between two checks.", unit="seconds"
        ),
        leaf("alpha", MAYBE_BOOL, run, "that of the real server", "Down until the first check succeeds."),
        leaf(
            "log_all_failures",
            MAYBE_BOOL,
            run,
            "checker_log_all_failures",
            "Log each failed try, not only the last.",
        ),
    )


def _url(*more: Keyword) -> Keyword:
    regex = {"bad": Bad.LOG, "missing": IGNORED}
    return block(
        "url",
        (),
        RUN,
        "One request and what its reply must be.",
        (
            leaf("path", STRING, RUN, "", "Path that is asked for.", required=True, repeat=Repeat.REPLACE),
            leaf("digest", DIGEST, RUN, "not checked", "MD5 digest of the page.", repeat=Repeat.FIRST),
            leaf(
                "status_code",
                STATUS,
                RUN,
                "200-299",
                "Status codes that are good.",
                repeat=Repeat.ADD,
                missing=Missing.SILENT,
            ),
            leaf(
                "virtualhost",
                STRING,
                RUN,
                "that of the checker, else of the real server, else of the virtual server",
                "Value of the Host header.",
                missing=IGNORED,
                repeat=Repeat.REPLACE,
            ),
            leaf(
                "regex",
                REGEX,
                CARRIED,
                "none",
                "Expression that the page must match (PCRE2).",
                missing=IGNORED,
                repeat=Repeat.REPLACE,
            ),
            flag("regex_no_match", CARRIED, "off", "The page must not match."),
            leaf(
                "regex_options",
                REGEX_OPTIONS_ARG,
                CARRIED,
                "none",
                "PCRE2 options of the expression.",
                **regex,
            ),
            leaf("regex_min_offset", OFFSET, CARRIED, "0", "Where a match may start.", unit="bytes", **regex),
            leaf(
                "regex_max_offset",
                OFFSET,
                CARRIED,
                "none",
                "Where a match may start at the latest.",
                unit="bytes",
                **regex,
            ),
            leaf(
                "regex_stack",
                STACK,
                CARRIED,
                "PCRE2's 32 KiB",
                "Stack of the matcher.",
                unit="bytes",
                **regex,
            ),
            *more,
        ),
        required=True,
    )


def _http(name: str, doc: str, more: tuple[Keyword, ...], url: Keyword) -> Keyword:
    timing = _timing(RUN, "1", "3")
    return block(
        name,
        (),
        RUN,
        doc,
        (
            *_connection(RUN),
            *timing,
            renamed(timing[0], "nb_get_retry", deprecated_by="retry", deprecation_is_error=True),
            leaf(
                "virtualhost",
                STRING,
                RUN,
                "that of the real server, else of the virtual server",
                "Value of the Host header.",
                missing=IGNORED,
                repeat=Repeat.REPLACE,
            ),
            leaf(
                "http_protocol",
                EnumArg("1.0", "1.1", "1.0C", also={"1.0c": "1.0C"}),
                RUN,
                "1.0",
                "Version in the request; 1.0C: 1.0 with a Connection header.",
                missing=IGNORED,
            ),
            leaf("enable_sni", MAYBE_BOOL, RUN, "false", "Say the server's name in the TLS handshake."),
            leaf(
                "sni_name",
                Optional(STRING, True),
                RUN,
                "the virtualhost",
                "Name said in the TLS handshake.",
                since="2.4.3",
            ),
            leaf("fast_recovery", MAYBE_BOOL, RUN, "false", "A down server is up after one good round."),
            *more,
            url,
        ),
    )


_TLS = leaf(
    "tls_compliant",
    MAYBE_BOOL,
    RUN,
    "false",
    "An end of data without TLS closure is a failure.",
    since="2.4.3",
)

MISC_CHECK = block(
    "MISC_CHECK",
    (),
    RUN,
    "A command whose exit status says good or bad.",
    (
        *_timing(RUN, "0", "1"),
        leaf("misc_path", COMMAND, RUN, "", "The command.", required=True, missing=IGNORED),
        leaf("misc_timeout", UINT(0, 4294), RUN, "delay_loop", "How long it may run.", unit="seconds"),
        flag("misc_dynamic", RUN, "off", "An exit status of 2 to 255 is the weight plus 2."),
        leaf("user", ACCOUNT, RUN, "script_user", "As whom the command runs.", missing=IGNORED),
    ),
)

TCP_CHECK = block(
    "TCP_CHECK",
    (),
    RUN,
    "Good when a TCP connection is established.",
    (*_connection(RUN), *_timing(RUN, "1", "1")),
)

HTTP_GET = _http("HTTP_GET", "Ask for pages over HTTP.", (), _url())
SSL_GET = _http(
    "SSL_GET",
    "Ask for pages over HTTPS.",
    (_TLS,),
    _url(
        leaf(
            "tls_compliant",
            MAYBE_BOOL,
            RUN,
            "that of the checker",
            "As in the checker, for this url.",
            since="2.4.3",
        )
    ),
)

SMTP_CHECK = block(
    "SMTP_CHECK",
    (),
    CARRIED,
    "Say HELO to a mail server.",
    (
        leaf(
            "helo_name",
            STRING,
            CARRIED,
            "smtpchecker.keepalived.org",
            "Name in the HELO.",
            missing=IGNORED,
            repeat=Repeat.REPLACE,
        ),
        *_connection(CARRIED),
        *_timing(CARRIED, "1", "1"),
        block(
            "host",
            (),
            CARRIED,
            "A further address to ask (old form).",
            (*_connection(CARRIED), *_timing(CARRIED, "1", "1")),
            deprecated_by="several SMTP_CHECK blocks",
        ),
    ),
)

PING_CHECK = block(
    "PING_CHECK",
    (),
    CARRIED,
    "Good when the server answers an ICMP echo.",
    (*_connection(CARRIED), *_timing(CARRIED, "1", "1")),
)

_REPLY_LENGTH = UINT(0, 65535)
UDP_CHECK = block(
    "UDP_CHECK",
    (),
    CARRIED,
    "Send a datagram and look at the reply.",
    (
        *_connection(CARRIED),
        *_timing(CARRIED, "1", "1"),
        leaf("payload", PAYLOAD, CARRIED, "32 octets of filler", "Octets that are sent.", missing=IGNORED),
        leaf(
            "require_reply", PATTERN, CARRIED, "off", "A reply must come, with these octets; X: any nibble."
        ),
        leaf("min_reply_length", _REPLY_LENGTH, CARRIED, "0", "Shortest good reply.", unit="bytes"),
        leaf("max_reply_length", _REPLY_LENGTH, CARRIED, "255", "Longest good reply.", unit="bytes"),
    ),
)

DNS_CHECK = block(
    "DNS_CHECK",
    (),
    CARRIED,
    "Ask a name server.",
    (
        *_connection(CARRIED),
        *_timing(CARRIED, "3", "delay_loop"),
        leaf(
            "type",
            EnumArg("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"),
            CARRIED,
            "SOA",
            "Type of the question.",
        ),
        leaf(
            "name",
            DomainArg(),
            CARRIED,
            ". (the root)",
            "Name in the question.",
            repeat=Repeat.FIRST,
        ),
    ),
)

FILE_CHECK = block(
    "FILE_CHECK",
    (),
    CARRIED,
    "Up, down or a weight by the number in a track_file.",
    (
        leaf("track_file", NAME, CARRIED, "", "The track_file, defined earlier.", required=True),
        leaf(
            "weight",
            WeightArg(S32_MAX, either=True),
            CARRIED,
            "that of the track_file",
            "What the number is multiplied by.",
            missing=IGNORED,
        ),
    ),
)

BFD_CHECK = block(
    "BFD_CHECK",
    (),
    CARRIED,
    "Up or down by the state of a BFD session.",
    (
        leaf(
            "name",
            StringArg("the name of a bfd_instance", 31, grammar="NAME"),
            CARRIED,
            "",
            "The bfd_instance, defined earlier.",
            required=True,
            repeat=Repeat.FIRST,
            missing=IGNORED,
            extra=Extra.REFUSED,
        ),
        leaf("alpha", MAYBE_BOOL, CARRIED, "that of the real server", "Down until the session is up."),
    ),
)

CHECKERS = (
    MISC_CHECK,
    SMTP_CHECK,
    TCP_CHECK,
    PING_CHECK,
    UDP_CHECK,
    HTTP_GET,
    SSL_GET,
    DNS_CHECK,
    FILE_CHECK,
    BFD_CHECK,
)
