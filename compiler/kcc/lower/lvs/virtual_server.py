"""``virtual_server``: the steps put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcc.diagnostics.model import Severity
from kcc.language.parsed import versions
from kcc.lower.lvs.draft import PoolDraft, timing_of
from kcc.lower.lvs.real_server import lower_real_server, lower_sorry_server
from kcc.lower.lvs.services import read_groups, settle_services
from kcc.lower.scope import wrote
from kcc.lower.scripts import script
from kir.model import Persistence, RealServer, VirtualServer

if TYPE_CHECKING:
    from kcc.language.parsed import Field, Node, ServerHead
    from kcc.lower.scope import Scope

SECOND = 1_000_000
DEFAULT_PERSISTENCE_S = 360
_EMPTY_MASK = "0.0.0.0"  # noqa: S104 - a netmask
_FLAGS = {
    "ops": "ops",
    "flag-1": "flag-1",
    "flag-2": "flag-2",
    "flag-3": "flag-3",
    "sh-fallback": "flag-1",
    "mh-fallback": "flag-1",
    "sh-port": "flag-2",
    "mh-port": "flag-2",
}


def lower_virtual_servers(root: Node, scope: Scope) -> tuple[VirtualServer, ...]:
    """All virtual servers. The kernel takes each service once, so later ones lose what an earlier one has."""
    groups = read_groups(root, scope)
    found: list[VirtualServer] = []
    services: dict[str, Node] = {}
    names: dict[str, Node] = {}
    for position, node in enumerate(root.blocks):
        if node.keyword.name != "virtual_server" or not node.head:
            continue
        scope.at = position
        made = _lower(node, scope, groups, services, names)
        if made is not None:
            found.append(made)
    return tuple(found)


def _lower(
    node: Node,
    scope: Scope,
    groups: dict[str, Node | None],
    services: dict[str, Node],
    names: dict[str, Node],
) -> VirtualServer | None:
    head: ServerHead = node.head[0]
    draft = PoolDraft(node, scope, head, f"`virtual_server {_head_text(head)}`")
    nodes = node.children("real_server")
    if not nodes:
        if wrote(node, "real_server"):
            return None
        scope.say(
            "KC0701",
            f"{draft.text} has no real server",
            node,
            consequence="keepalived ignores it: the service does not exist",
            help="add `real_server ADDRESS PORT { … }`",
        )
        return None
    draft.methods = versions(node.fields.get("lvs_method"))
    protocol = draft.get("protocol")
    draft.protocol = protocol.lower() if protocol is not None else None
    if not settle_services(draft, groups):
        return None
    name = _name(draft)
    if not _unique(draft, name, services, names):
        return None
    draft.path = f"virtual_server/{name}"
    scope.nodes[draft.path] = node
    _inherit(draft)
    servers = _pool(draft, nodes)
    sorry = lower_sorry_server(draft, servers)
    _judge_method(draft, sorry is not None and "sorry_server_lvs_method" not in node.fields)
    if not servers:
        return None  # why each of them was dropped has been said
    _judge_checks(draft, nodes)
    quorum, hysteresis = _quorum(draft, servers)
    scheduler = draft.get("lvs_sched", draft.get("lb_algo"))
    if scheduler is None:
        scope.say(
            "KC0709",
            f"{draft.text} has no scheduler",
            node,
            consequence="keepalived uses wlc",
            help="add `lvs_sched wlc`, or another one",
        )
        scheduler = "wlc"
    return VirtualServer(
        name=name,
        services=draft.services,
        scheduler=scheduler,
        flags=_flags(draft),
        persistence=_persistence(draft),
        quorum=quorum,
        hysteresis=hysteresis,
        quorum_up=script(draft.get("quorum_up"), scope),
        quorum_down=script(draft.get("quorum_down"), scope),
        alpha=draft.alpha,
        omega=draft.get("omega", False),
        ha_suspend=_ha_suspend(draft),
        smtp_alert=draft.get("smtp_alert", scope.defaults.checker_alert(False)),
        sorry_server=sorry,
        real_servers=tuple(servers),
        delay_loop_us=draft.timing[0] if draft.timing[0] is not None else 60 * SECOND,
        snmp_name=draft.get("snmp_name"),
    )


def _head_text(head: ServerHead) -> str:
    if head.group is not None:
        return f"group {head.group}"
    if head.fwmark is not None:
        return f"fwmark {head.fwmark}"
    return f"{head.address} {head.port}" if head.port else f"{head.address}"


def _name(draft: PoolDraft) -> str:
    if draft.head.group is None:
        return draft.services[0].identity
    return f"group {draft.head.group} {draft.protocol or draft.family}"


def _unique(draft: PoolDraft, name: str, services: dict[str, Node], names: dict[str, Node]) -> bool:
    """Whether the kernel has not been given these services before. A group keeps those that are its own."""
    scope = draft.scope
    if name in names:
        scope.say(
            "KC0702",
            f"{draft.text} is defined twice",
            draft.node,
            consequence="the kernel refuses the second service: its real servers get no connections",
            help="merge the two blocks, or give one another port",
            also=((names[name], "it is defined here first"),),
        )
        return False
    names[name] = draft.node
    own = []
    lost: dict[str, Node] = {}
    for service in draft.services:
        identity = service.identity
        other = services.get(identity)
        if other is None:
            services[identity] = draft.node
            own.append(service)
        else:
            lost[identity] = other
    if lost:
        identity, other = next(iter(lost.items()))
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        inside = other is draft.node
        scope.say(
            "KC0702",
            f"{draft.text}: the service {identity}{more} "
            + ("is in the group twice" if inside else "belongs to another virtual server"),
            draft.node,
            consequence="the kernel takes a service once: the second definition is without effect",
            help="remove the repeated entry" if inside else "remove the address from one of the two",
            also=() if inside else ((other, "it is defined here first"),),
        )
        draft.services = tuple(own)
    return bool(own)


def _inherit(draft: PoolDraft) -> None:
    """What the real servers take over."""
    get = draft.get
    draft.weight = get("weight", 1)
    draft.inhibit = get("inhibit_on_failure", False)
    draft.alpha = get("alpha", False)
    draft.alert = draft.scope.defaults.checker_alert(True)
    draft.virtualhost = get("virtualhost")
    draft.timing = timing_of(draft.node, draft.timing)


def _pool(draft: PoolDraft, nodes: list[Node]) -> list[RealServer]:
    servers: list[RealServer] = []
    seen: dict[tuple[str, int], Node] = {}
    for node in nodes:
        nodes_before = draft.scope.nodes
        server = lower_real_server(draft, node)
        if server is None:
            continue
        key = (server.address, server.port)
        first = seen.get(key)
        if first is None:
            seen[key] = node
            servers.append(server)
            continue
        nodes_before[f"{draft.path}/real_server/{server.identity}"] = first
        draft.scope.say(
            "KC0710",
            f"{draft.text}: real server {server.identity} is given twice",
            node,
            consequence="keepalived removes the second one, with its weight and its checks",
            help="remove one of the blocks",
            also=((first, "it is given here first"),),
        )
    return servers


def _judge_method(draft: PoolDraft, sorry_needs: bool) -> None:
    """Once a virtual server, not once a server: one line repairs them all."""
    if draft.methods or not (draft.without_method or sorry_needs):
        return
    draft.scope.say(
        "KC0711",
        f"{draft.text} has no `lvs_method`",
        draft.node,
        consequence="keepalived uses NAT: the servers must route their answers through this director",
        help="add `lvs_method NAT` (or DR, TUN) above the real servers",
    )


def _judge_checks(draft: PoolDraft, nodes: list[Node]) -> None:
    """A pool that nobody looks after: legal, and a dead server keeps its share of the connections."""
    if any(block.keyword.name.endswith(("_CHECK", "_GET")) for node in nodes for block in node.blocks):
        return
    draft.scope.say(
        "KC0720",
        f"{draft.text}: none of its servers has a health check",
        draft.node,
        consequence="a dead server keeps its share of the connections",
        help="add `TCP_CHECK { }` to each real server, or another check",
    )


def _quorum(draft: PoolDraft, servers: list[RealServer]) -> tuple[int, int]:
    """Quorum and hysteresis. A quorum that the whole pool cannot reach would keep the service down for ever."""
    quorum, hysteresis = draft.get("quorum", 1), draft.get("hysteresis", 0)
    total = sum(server.weight for server in servers)
    if quorum > total:
        if draft.node.has("quorum"):
            text = f"{draft.text}: quorum {quorum} is above the sum of the weights, {total}"
        else:
            text = f"{draft.text}: all weights together are {total}"
        used = max(total, 1)
        draft.scope.say(
            "KC0712",
            text,
            draft.at("quorum"),
            consequence=f"keepalived uses {total}: the quorum is lost with the first server"
            if total
            else "no server gets connections, and the quorum is never reached",
            help=f"write a quorum of at most {total}, or raise weights"
            if total
            else "give a server a weight",
        )
        quorum = used
    if hysteresis >= quorum:
        if draft.node.has("hysteresis"):
            draft.scope.say(
                "KC0713",
                f"{draft.text}: hysteresis {hysteresis} is not below the quorum, {quorum}",
                draft.at("hysteresis"),
                consequence=f"keepalived uses {quorum - 1}",
                help=f"write a hysteresis of at most {quorum - 1}",
            )
        hysteresis = quorum - 1
    return quorum, hysteresis


def _flags(draft: PoolDraft) -> tuple[str, ...]:
    fields = draft.node.fields
    flags = {flag for keyword, flag in _FLAGS.items() if keyword in fields}
    if "ops" in flags and draft.protocol not in ("udp", None):
        draft.scope.say(
            "KC0706",
            f"{draft.text}: one-packet scheduling (`ops`) is for UDP, this is {draft.protocol}",
            fields["ops"],
            consequence="keepalived clears it",
            help="remove the line, or use `protocol UDP`",
        )
        flags.discard("ops")
    return tuple(sorted(flags))


def _persistence(draft: PoolDraft) -> Persistence | None:
    """``persistence_timeout`` without a number, or a granularity alone, is 360 s; port 0 needs persistence at all."""
    scope, fields = draft.scope, draft.node.fields
    timeout: Any = draft.get("persistence_timeout")
    if timeout is True:
        timeout = DEFAULT_PERSISTENCE_S
    mask = draft.get("persistence_granularity")
    if mask is not None and not _fits(draft, mask):
        mask = _odd_mask(draft, mask, bool(timeout))
    if mask is not None and not timeout:
        timeout = DEFAULT_PERSISTENCE_S
    portless = [service for service in draft.services if service.address is not None and not service.port]
    if not timeout and portless:
        scope.say(
            "KC0707",
            f"{draft.text}: port 0 (every port) needs `persistence_timeout`",
            draft.node,
            consequence=f"keepalived sets it to {DEFAULT_PERSISTENCE_S} s: clients stay with their server that long",
            help="write the port, or add `persistence_timeout SECONDS`",
        )
        timeout = DEFAULT_PERSISTENCE_S
    engine = draft.get("persistence_engine")
    if not timeout:
        if engine is not None:
            _engine_alone(draft, fields["persistence_engine"])
        return None
    wide = "255.255.255.255" if draft.family == "inet" else "128"
    return Persistence(timeout_us=timeout * SECOND, granularity=mask or wide, engine=engine)


def _odd_mask(draft: PoolDraft, mask: str, persistent: bool) -> str | None:
    """What becomes of a mask in the form of the other family; None: keepalived refuses it.

    For IPv4 a bare number is an address in inet_aton(3)'s eyes: 24 is 0.0.0.24. ``persistent``: also without the mask.
    """
    at = draft.node.fields["persistence_granularity"]
    if draft.family == "inet" and mask in ("0", _EMPTY_MASK) and not draft.mask_first:
        draft.scope.say(
            "KC0722",
            f"{draft.text}: `persistence_granularity {mask}` is an empty netmask",
            at,
            consequence="keepalived leaves it out: each client address counts for itself",
            help="write a netmask, as `255.255.255.0`, or remove the line",
            severity=Severity.WARNING,
        )
        return "255.255.255.255"
    if draft.family == "inet" and not draft.mask_first:
        number = int(mask)
        used = _dotted(number)
        bits = min(number, 32)
        draft.scope.say(
            "KC0722",
            f"{draft.text}: `persistence_granularity {mask}` is the netmask {used} here, not a prefix length",
            at,
            consequence="clients are put together by a few bits of their address",
            help=f"write the netmask: `{_dotted(0xFFFFFFFF << (32 - bits) & 0xFFFFFFFF)}` is /{bits}",
            severity=Severity.WARNING,
        )
        return used
    kind = "a netmask" if "." in mask else "no prefix length"
    so = "nothing above it says that the service is IPv4" if draft.mask_first else "the service is IPv6"
    draft.scope.say(
        "KC0722",
        f"{draft.text}: `persistence_granularity {mask}` is {kind}, and {so}",
        at,
        consequence="keepalived ignores it: "
        + ("each client address counts for itself" if persistent else "the service is not persistent"),
        help="write a netmask, as `255.255.255.0`, or a prefix length, 1 to 128"
        if draft.mask_first
        else "write a prefix length, 1 to 128",
    )
    return None


def _fits(draft: PoolDraft, mask: str) -> bool:
    """Whether ``mask`` is of the form that the service's family has."""
    if draft.family == "inet":
        return "." in mask and mask != _EMPTY_MASK
    return "." not in mask and 1 <= int(mask) <= 128


def _dotted(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def _engine_alone(draft: PoolDraft, at: Field) -> None:
    draft.scope.say(
        "KC0723",
        f"{draft.text}: `persistence_engine` without `persistence_timeout`",
        at,
        consequence="the service is not persistent, so the engine has nothing to do",
        help="add `persistence_timeout SECONDS`, or remove the line",
    )


def _ha_suspend(draft: PoolDraft) -> bool:
    if not draft.get("ha_suspend", False):
        return False
    if any(service.fwmark for service in draft.services):
        draft.scope.say(
            "KC0717",
            f"{draft.text}: `ha_suspend` needs an address, and a mark has none",
            draft.at("ha_suspend"),
            consequence="keepalived clears it: the checks run on the backup too",
            help="remove the line",
        )
        return False
    return True
