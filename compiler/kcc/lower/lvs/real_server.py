"""``real_server`` and ``sorry_server``: where packets go, how, and with which weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kcc.lower.lvs.checkers import lower_checkers
from kcc.lower.lvs.draft import DR, NAT, PoolDraft, ServerDraft, timing_of
from kcc.lower.lvs.services import server_head
from kcc.lower.scripts import script
from kcc.lower.vrrp.identity import family_name
from kir.model import Forwarding, RealServer, SorryServer, endpoint_text

if TYPE_CHECKING:
    from kcc.diagnostics.model import Span
    from kcc.language.parsed import Field, MethodValue, Node
    from kcc.lower.scope import Scope


_TUNNELS: dict[str, Literal["ipip", "gue", "gre"]] = {"ipip": "ipip", "gue": "gue", "gre": "gre"}
_CHECKSUMS: dict[str, Literal["nocsum", "csum", "remcsum"]] = {
    "nocsum": "nocsum",
    "csum": "csum",
    "remcsum": "remcsum",
}


def forwarding(value: MethodValue, scope: Scope) -> Forwarding:
    """The method with the options of its tunnel, defaults filled in: type ``ipip``, and no checksum where the type has one."""
    if value.method == "NAT":
        return NAT
    if value.method == "DR":
        return DR
    made: Forwarding = scope.once(value, lambda: _tunnel(value))
    return made


def _tunnel(value: MethodValue) -> Forwarding:
    kind = _TUNNELS.get(value.tunnel_type or "ipip")
    checksum = None if kind == "ipip" else _CHECKSUMS.get(value.tunnel_checksum or "nocsum")
    return Forwarding(method="TUN", tunnel_type=kind, tunnel_port=value.tunnel_port, tunnel_checksum=checksum)


def lower_real_server(draft: PoolDraft, node: Node) -> RealServer | None:
    """One server of the pool, None where keepalived drops it."""
    address, port = server_head(node)
    fields = node.fields
    family = "inet6" if ":" in address else "inet"
    own = fields.get("lvs_method")
    said = draft.method_at(node.statement) if own is None else own
    method = NAT if said is None else forwarding(said.value, draft.scope)
    if family != draft.family and not _tunnelled(draft, node, own):
        draft.scope.say(
            "KC0715",
            f"{draft.text} is {family_name(draft.family)}: {address} cannot be its server",
            node,
            consequence="keepalived drops the server: it gets no connections",
            help=f"write an {family_name(draft.family)} address, or use `lvs_method TUN` (above the server)",
        )
        return None
    if said is None:
        draft.without_method.append(node)
    port = settle_port(draft, node, port, method, f"server {address}")
    path = f"{draft.path}/real_server/{endpoint_text(address, port)}"
    draft.scope.nodes[path] = node
    get = node.get
    alpha = draft.alpha if "alpha" not in fields else fields["alpha"].value
    blocks = node.blocks
    server = ServerDraft(
        address,
        port,
        alpha,
        get("virtualhost", draft.virtualhost),
        timing_of(node, draft.timing),
        draft,
        path,
    )
    return RealServer(
        address=address,
        port=port,
        family="inet6" if family == "inet6" else "inet",
        weight=draft.weight if "weight" not in fields else fields["weight"].value,
        forwarding=method,
        upper_threshold=get("uthreshold", 0),
        lower_threshold=get("lthreshold", 0),
        inhibit_on_failure=get("inhibit_on_failure", draft.inhibit),
        alpha=alpha,
        notify_up=script(get("notify_up"), draft.scope) if "notify_up" in fields else None,
        notify_down=script(get("notify_down"), draft.scope) if "notify_down" in fields else None,
        smtp_alert=get("smtp_alert", draft.alert),
        snmp_name=get("snmp_name"),
        checkers=lower_checkers(server, blocks) if blocks else (),
    )


def _tunnelled(draft: PoolDraft, node: Node, own: Field | None) -> bool:
    """Whether the server's method was TUN already where its block ended: a later ``lvs_method`` does not help."""
    said = own or draft.method_above(node.statement)
    return said is not None and bool(said.value.method == "TUN")


def settle_port(draft: PoolDraft, at: Node | Field, port: int, method: Forwarding, what: str) -> int:
    """The server's port. Only NAT can translate it: DR and TUN packets arrive with the port of the service."""
    if method.method == "NAT":
        return port or (0 if draft.head.group is not None or draft.head.fwmark is not None else draft.port)
    if draft.head.group is not None:
        if port and draft.port and port != draft.port:
            draft.scope.say(
                "KC0714",
                f"{draft.text}: port {port} of {what} is not the service's {draft.port}",
                _port_span(at),
                consequence=f"{method.method} cannot change the port: connections arrive at {draft.port}",
                help=f"write {draft.port}, or use `lvs_method NAT`",
            )
        return port
    if draft.head.fwmark is not None:
        if port:
            draft.scope.say(
                "KC0714",
                f"{draft.text}: {what} has a port ({port}), and {method.method} cannot change ports",
                _port_span(at),
                consequence="keepalived clears the port: connections arrive at the port that the client used",
                help="leave the port out, or use `lvs_method NAT`",
            )
        return 0
    if port and port != draft.port:
        draft.scope.say(
            "KC0714",
            f"{draft.text}: port {port} of {what} is not the service's {draft.port}",
            _port_span(at),
            consequence=f"{method.method} cannot change the port; keepalived uses {draft.port}, for the checks too",
            help=f"write {draft.port}, or use `lvs_method NAT`; a check can have a `connect_port` of its own",
        )
    return draft.port


def _port_span(at: Node | Field) -> Span:
    """The place of the port in ``real_server ADDRESS PORT`` and ``sorry_server ADDRESS PORT``."""
    return at.statement.word_span(min(2, len(at.statement.words) - 1))


def lower_sorry_server(draft: PoolDraft, servers: list[RealServer]) -> SorryServer | None:
    """The server that answers while the pool has lost its quorum."""
    said = draft.node.fields.get("sorry_server")
    if said is None:
        return None
    value = said.value
    address, port = value if type(value) is tuple else (value, 0)
    own = draft.node.fields.get("sorry_server_lvs_method")
    chosen = draft.method_at(said.statement) if own is None else own
    method = NAT if chosen is None else forwarding(chosen.value, draft.scope)
    family = "inet6" if ":" in address else "inet"
    if family != draft.family and method.method != "TUN":
        draft.scope.say(
            "KC0716",
            f"{draft.text} is {family_name(draft.family)}: {address} cannot be its sorry server",
            said,
            consequence="keepalived drops it: when the pool is down, clients get no answer",
            help=f"write an {family_name(draft.family)} address",
        )
        return None
    port = settle_port(draft, said, port, method, f"sorry server {address}")
    inhibit = draft.get("sorry_server_inhibit", False)
    twin = next((s for s in servers if s.address == address and s.port == port), None)
    if twin is not None and twin.inhibit_on_failure != inhibit:
        draft.scope.say(
            "KC0718",
            f"{draft.text}: the sorry server is also a real server, with another inhibit setting",
            said,
            consequence=f"keepalived uses the real server's: {'inhibit' if twin.inhibit_on_failure else 'no inhibit'}",
            help="give both the same setting (`inhibit_on_failure` and `sorry_server_inhibit`)",
            also=((draft.scope.nodes[f"{draft.path}/real_server/{twin.identity}"], "the real server"),),
        )
        inhibit = twin.inhibit_on_failure
    draft.scope.nodes[f"{draft.path}/sorry_server"] = said
    return SorryServer(
        address=address,
        port=port,
        family="inet6" if family == "inet6" else "inet",
        forwarding=method,
        inhibit=inhibit,
    )
