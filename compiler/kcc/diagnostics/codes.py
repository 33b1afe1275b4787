"""The table of diagnostic codes: stable, grouped by area, never reused.

``KC00xx`` input and files · ``KC01xx`` lexical level, definitions, includes, replication · ``KC02xx`` structure and
keywords · ``KC03xx`` values · ``KC04xx`` global_defs and scripts · ``KC05xx`` VRRP · ``KC06xx`` tracking ·
``KC07xx`` virtual servers · ``KC08xx`` checkers · ``KC09xx`` targets and coverage · ``KC10xx`` IR documents ·
``KC11xx`` the directors of a cluster against each other · ``KC12xx`` the configuration against the facts of its host.
"""

from __future__ import annotations

import msgspec

from kcc.diagnostics.model import Severity

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE


class Code(msgspec.Struct, frozen=True):
    """One kind of finding: ``title`` names it in a few words, ``severity`` is what it has unless a rule says otherwise."""

    code: str
    title: str
    severity: Severity


def _table(*rows: tuple[str, str, Severity]) -> dict[str, Code]:
    table = {code: Code(code, title, severity) for code, title, severity in rows}
    if len(table) != len(rows):
        raise ValueError("a diagnostic code stands twice in the table")
    return table


CODES: dict[str, Code] = _table(
    # --- input and files
    ("KC0001", "file cannot be read", E),
    ("KC0002", "not a configuration but a template or another language", E),
    ("KC0003", "NUL byte", E),
    ("KC0004", "line too long", E),
    ("KC0005", "input too large", E),
    ("KC0006", "text is not UTF-8", N),
    ("KC0007", "file holds no configuration", W),
    ("KC0008", "byte order mark", E),
    # --- lexical level
    ("KC0101", "quote not closed", E),
    ("KC0102", "included file missing or unusable", E),
    ("KC0103", "include cycle or includes nested too deep", E),
    ("KC0104", "definition refers to itself", E),
    ("KC0105", "expansion too large", E),
    ("KC0106", "bad use of a predefined definition", E),
    ("KC0107", "bad ~SEQ or ~LST", E),
    ("KC0108", "undefined definition", W),
    ("KC0109", "include matches nothing", W),
    ("KC0110", "included file skipped", W),
    ("KC0111", "malformed definition or condition", E),
    ("KC0112", "condition made by a definition", W),
    ("KC0113", "escaped comment character lost", E),
    ("KC0114", "line continuation does not exist", E),
    ("KC0115", "unknown code in a suppression", N),
    ("KC0116", "suppression hides nothing", N),
    # --- structure and keywords
    ("KC0201", "unknown keyword", E),
    ("KC0202", "unknown block", E),
    ("KC0203", "closing brace without a block", E),
    ("KC0204", "block not closed", E),
    ("KC0205", "opening brace missing", E),
    ("KC0206", "unexpected opening brace", E),
    ("KC0207", "blocks nested too deep", E),
    ("KC0208", "keyword in the wrong block", E),
    ("KC0209", "words that keepalived ignores", W),
    # --- values
    ("KC0301", "argument missing", E),
    ("KC0302", "not a number", E),
    ("KC0303", "number out of range", E),
    ("KC0304", "not one of the allowed words", E),
    ("KC0305", "not a boolean", E),
    ("KC0306", "not an address", E),
    ("KC0307", "value malformed", E),
    ("KC0308", "given twice", W),
    ("KC0309", "value too long", E),
    ("KC0310", "value adjusted", E),
    ("KC0311", "option unknown", E),
    ("KC0312", "name defined twice", E),
    ("KC0313", "deprecated", N),
    # --- global_defs and scripts
    ("KC0401", "scripts run without script security", W),
    ("KC0402", "two notify pipes on one path", W),
    ("KC0403", "reader script without its pipe", W),
    ("KC0404", "mail settings incomplete", N),
    ("KC0405", "script depends on a user that may not exist", W),
    # --- virtual routers
    ("KC0501", "instance without virtual_router_id", E),
    ("KC0502", "instance without interface", E),
    ("KC0503", "virtual router id used twice", E),
    ("KC0504", "version does not exist for the address family", E),
    ("KC0505", "address families mixed", E),
    ("KC0506", "address given twice in an instance", E),
    ("KC0507", "address in two instances", W),
    ("KC0508", "instance without virtual address", E),
    ("KC0509", "addresses do not fit into one advert", E),
    ("KC0510", "state contradicts priority", E),
    ("KC0511", "nopreempt without effect", E),
    ("KC0512", "preempt_delay without effect", E),
    ("KC0513", "advert interval cannot be sent", E),
    ("KC0514", "authentication dropped", E),
    ("KC0515", "virtual addresses do not answer", W),
    ("KC0516", "unicast without peers", E),
    ("KC0517", "setting without effect in this mode", E),
    ("KC0518", "strict mode does not allow this", E),
    ("KC0519", "owner_ignore_adverts adjusted", E),
    ("KC0520", "timer_expired_backup without nopreempt", E),
    ("KC0521", "address without interface", E),
    ("KC0522", "own address among the peers", W),
    ("KC0523", "interface delays reach the master-down time", W),
    ("KC0524", "unusable unicast peer", E),
    ("KC0525", "address of the other family", E),
    ("KC0526", "keyword acts whatever follows it", W),
    ("KC0530", "sync group without members", E),
    ("KC0531", "unknown member of a sync group", E),
    ("KC0532", "instance in two sync groups", E),
    ("KC0533", "sync group with one member", W),
    ("KC0534", "sync group of owners and others", W),
    ("KC0535", "members of a sync group start differently", W),
    # --- tracking
    ("KC0601", "unknown track script", E),
    ("KC0602", "tracked twice", E),
    ("KC0603", "own interface tracked", E),
    ("KC0604", "weight inside a sync group", E),
    ("KC0605", "weight of an address owner", E),
    ("KC0606", "script never used", W),
    ("KC0607", "vrrp_script without script", E),
    ("KC0608", "script slower than its interval", W),
    ("KC0609", "weight beyond the range of priorities", W),
    ("KC0610", "interface tracked twice, by instance and group", W),
    # --- virtual servers
    ("KC0701", "virtual server without real servers", E),
    ("KC0702", "service defined twice", E),
    ("KC0703", "unknown virtual_server_group", E),
    ("KC0704", "unusable virtual_server_group", E),
    ("KC0705", "no protocol", E),
    ("KC0706", "one-packet scheduling without UDP", E),
    ("KC0707", "port 0 without persistence", E),
    ("KC0708", "protocol of a firewall mark", E),
    ("KC0709", "no scheduler", E),
    ("KC0710", "real server given twice", E),
    ("KC0711", "no forwarding method", E),
    ("KC0712", "quorum above the weights", E),
    ("KC0713", "hysteresis not below the quorum", E),
    ("KC0714", "port cannot be translated", E),
    ("KC0715", "real server of the other family", E),
    ("KC0716", "sorry server of the other family", E),
    ("KC0717", "ha_suspend without an address", E),
    ("KC0718", "sorry server contradicts real server", E),
    ("KC0719", "connection thresholds contradict", E),
    ("KC0720", "pool without health checks", N),
    ("KC0721", "address range too large", E),
    ("KC0722", "persistence mask of the other family", E),
    ("KC0723", "persistence engine without persistence", W),
    # --- checkers
    ("KC0801", "HTTP check without url", E),
    ("KC0802", "url without path", E),
    ("KC0803", "MISC_CHECK without misc_path", E),
    ("KC0804", "source and destination of different families", E),
    ("KC0805", "link-local destination without interface", E),
    ("KC0806", "check slower than its interval", W),
    ("KC0807", "path does not begin with a slash", W),
    ("KC0808", "check of port 0", W),
    # --- IR documents
    ("KC1001", "not a usable IR", E),
    ("KC1002", "dangling reference in an IR", E),
    ("KC0314", "in the wrong order", E),
    ("KC0315", "command without quotes", W),
    ("KC0316", "two settings contradict each other", W),
    # --- the directors of a cluster
    ("KC1101", "one address under two virtual router ids", E),
    ("KC1102", "one virtual router id for two routers", E),
    ("KC1103", "virtual router on one director only", W),
    ("KC1104", "directors speak different versions", E),
    ("KC1105", "directors have different advert intervals", E),
    ("KC1106", "directors authenticate differently", E),
    ("KC1107", "directors send to different destinations", E),
    ("KC1108", "directors hold different addresses", E),
    ("KC1109", "directors list IPv6 addresses in another order", W),
    ("KC1110", "director missing among the peers", E),
    ("KC1111", "own address among the peers of a cluster", E),
    ("KC1112", "peer is none of the directors", W),
    ("KC1113", "equal priorities", W),
    ("KC1114", "two address owners", E),
    ("KC1115", "state MASTER on the wrong director", W),
    ("KC1116", "nopreempt on the wrong director", W),
    ("KC1117", "check cannot change who is master", W),
    ("KC1118", "nopreempt keeps a check from causing a failover", W),
    ("KC1119", "sync groups differ", W),
    ("KC1120", "virtual service missing on a director", W),
    ("KC1121", "virtual service differs between directors", W),
    ("KC1122", "real servers differ between directors", W),
    # --- the facts of the host
    ("KC1201", "interface does not exist on the host", E),
    ("KC1202", "virtual address outside the subnets of its interface", W),
    ("KC1203", "interface cannot send adverts", W),
    ("KC1204", "advert larger than the MTU", E),
    ("KC1205", "script cannot be run on the host", E),
    ("KC1206", "script can be changed by somebody else", W),
    ("KC1207", "user or group does not exist on the host", E),
    ("KC1208", "own address of the host among the peers", W),
    ("KC1209", "source address is not on the host", E),
    ("KC1210", "address owner without the address", W),
    ("KC1211", "kernel without IPVS", E),
    ("KC1212", "facts do not cover a script", N),
    # --- targets and coverage
    ("KC0901", "not run by krun yet", N),
    ("KC0902", "not carried to krun", E),
    ("KC0903", "keyword unknown to the target release", E),
)
