"""What lowering makes: the meaning of a configuration, and where each piece of it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcc.diagnostics.model import Related, Span
from kcc.language.parsed import Field, Node
from kcc.syntax.tree import Statement

if TYPE_CHECKING:
    from kir.model import Config

Place = tuple[str, int, int]
"""File, line and column; both count from 1."""

Where = Node | Field | Statement
"""Where an object was written: a block or a leaf; or a body line (a statement without a keyword in front)."""

# Leaves whose field in the IR has another name than the keyword; then those inside a health check.
_FIELDS: dict[str, str] = {
    "state": "initial_state",
    "virtual_router_id": "vrid",
    "advert_int": "advert_int_us",
    "preempt_delay": "preempt_delay_us",
    "strict_mode": "strict",
    "unicast_src_ip": "source",
    "mcast_src_ip": "source",
    "mcast_dst_ip": "group",
    "track_src_ip": "track_source",
    "no_accept": "accept",
    "dont_track_primary": "track_primary",
    "unicast_fault_no_peer": "fault_no_peer",
    "sync_group_tracking_weight": "tracking_weight",
    "garp_master_delay": "garp/delay_us",
    "garp_master_repeat": "garp/repeat",
    "garp_master_refresh": "garp/refresh_us",
    "garp_master_refresh_repeat": "garp/refresh_repeat",
    "garp_lower_prio_delay": "garp/lower_prio_delay_us",
    "garp_lower_prio_repeat": "garp/lower_prio_repeat",
    "notify_master": "notify/master",
    "notify_backup": "notify/backup",
    "notify_fault": "notify/fault",
    "notify_stop": "notify/stop",
    "notify": "notify/any",
    "notify_master_rx_lower_pri": "notify/master_rx_lower_pri",
    "interval": "interval_us",
    "timeout": "timeout_us",
    "script": "argv",
    "user": "account",
    "lb_algo": "scheduler",
    "lvs_sched": "scheduler",
    "lb_kind": "forwarding",
    "lvs_method": "forwarding",
    "persistence_timeout": "persistence/timeout_us",
    "persistence_granularity": "persistence/granularity",
    "persistence_engine": "persistence/engine",
    "uthreshold": "upper_threshold",
    "lthreshold": "lower_threshold",
    "delay_loop": "delay_loop_us",
    "startup_script_timeout": "startup_script_timeout_us",
    "shutdown_script_timeout": "shutdown_script_timeout_us",
    "min_auto_priority_delay": "min_auto_priority_delay_us",
    "fifo_write_vrrp_states_on_reload": "fifo_states_on_reload",
    "use_vmac": "vmac",
    "use_vmac_addr": "vmac_addresses",
    "use_ipvlan": "ipvlan",
    "vmac_xmit_base": "xmit_base",
    "linkbeat_use_polling": "linkbeat",
    "kernel_rx_buf_size": "rx_buffer_size",
    "garp_extra_if": "garp/extra_interval_us",
    "vrrp_iptables": "iptables",
    "file": "path",
    "init_file": "init_value",
    "param_match": "match",
    "terminate_delay": "terminate_delay_us",
    "fork_delay": "fork_delay_us",
    "neighbor_ip": "neighbor",
    "source_ip": "source",
    "min_rx": "min_rx_us",
    "min_tx": "min_tx_us",
    "idle_tx": "idle_tx_us",
    "vrrp_startup_delay": "startup_delay_us",
    "vrrp_delay_after_boot": "delay_after_boot_us",
    "smtp_connect_timeout": "smtp_connect_timeout_us",
}
_BLOCKS = {"authentication": "authentication", "hmac": "auth_hmac"}
"""Fields of an instance that have a block."""

_CHECK_FIELDS: dict[str, str] = {
    "delay_loop": "timing/delay_loop_us",
    "warmup": "timing/warmup_us",
    "retry": "timing/retry",
    "delay_before_retry": "timing/delay_before_retry_us",
    "alpha": "timing/alpha",
    "log_all_failures": "timing/log_all_failures",
    "connect_ip": "endpoint/address",
    "connect_port": "endpoint/port",
    "bindto": "endpoint/bind_address",
    "bind_port": "endpoint/bind_port",
    "bind_if": "endpoint/bind_interface",
    "fwmark": "endpoint/fwmark",
    "connect_timeout": "endpoint/timeout_us",
    "misc_path": "argv",
    "misc_timeout": "timeout_us",
    "misc_dynamic": "dynamic",
    "user": "account",
    "http_protocol": "protocol",
}
_CHECKS = frozenset(
    (
        "TCP_CHECK",
        "HTTP_GET",
        "SSL_GET",
        "MISC_CHECK",
        "SMTP_CHECK",
        "DNS_CHECK",
        "UDP_CHECK",
        "PING_CHECK",
        "FILE_CHECK",
        "BFD_CHECK",
        "host",
    )
)


def _names(node: Node) -> dict[str, str]:
    return _CHECK_FIELDS if node.keyword.name in _CHECKS else _FIELDS


class Lowered:
    """A configuration in the terms of the IR, with its origins.

    ``origins`` maps paths of the IR to places. An object's path is its kind and identity, kind and identity …:
    ``vrrp_instance/VI_1``, ``vrrp_instance/VI_1/virtual_ipaddress/203.0.113.10/24 dev eth0``,
    ``virtual_server/tcp 10.0.0.1:80/real_server/192.168.0.1:80/checker/TCP_CHECK 0``, as in a diff; a field's path is that
    of its object and the name of the field in the IR: ``vrrp_instance/VI_1/priority``. Only what was written has an origin: what is absent came
    from a default. ``file`` names the document where nothing better is known.
    """

    __slots__ = ("_nodes", "_origins", "config", "file")

    def __init__(
        self,
        config: Config,
        origins: dict[str, Place] | None = None,
        *,
        file: str = "",
        nodes: dict[str, Where] | None = None,
    ) -> None:
        self.config = config
        self.file = file
        self._origins = origins
        self._nodes = nodes if nodes is not None else {}

    @property
    def origins(self) -> dict[str, Place]:
        """All origins. Made when first asked for: a check of a clean file never needs them."""
        if self._origins is None:
            self._origins = _origins(self._nodes)
        return self._origins

    def said(self, path: str, field: str | None = None) -> bool:
        """Whether the object at ``path``, or its ``field``, was written in the configuration."""
        if self._origins is not None and not self._nodes:
            return (path if field is None else f"{path}/{field}") in self._origins
        node = self._nodes.get(path)
        if field is None or node is None:
            return node is not None
        return isinstance(node, Node) and _leaf(node, field) is not None

    def span(self, path: str, field: str | None = None) -> Span:
        """The place of a field's value, else of its object, else of the nearest object around it, else the file."""
        node = self._nodes.get(path)
        if node is not None:
            found = _leaf(node, field) if field is not None and isinstance(node, Node) else None
            return span_of(found if found is not None else node)
        origins = self._origins or {}
        keys = [path] if field is None else [f"{path}/{field}", path]
        while "/" in path:
            path = path.rsplit("/", 1)[0]
            keys.append(path)
        for key in keys:
            if key in origins:
                return Span(*origins[key])
            if key in self._nodes:
                return span_of(self._nodes[key])
        return Span(self.file, 0)

    def via(self, path: str) -> tuple[Related, ...]:
        """Through which includes and definitions the object at ``path`` was reached."""
        node = self._nodes.get(path)
        return () if node is None else statement_of(node).via()


def span_of(where: Where) -> Span:
    """The place to point at: the first argument of a keyword (itself where it has none), the first word of a body line."""
    if isinstance(where, (Node, Field)):
        return where.statement.word_span(1 if len(where.statement.words) > 1 else 0)
    return where.word_span(0)


def statement_of(where: Where) -> Statement:
    """The statement of a block, a leaf or a line."""
    return where.statement if isinstance(where, (Node, Field)) else where


def _leaf(node: Node, field: str) -> Field | Node | None:
    """Where a field is said: in a leaf of the block, or in a block of its own."""
    names = _names(node)
    for keyword, leaf in node.fields.items():
        if names.get(keyword, keyword) == field:
            return leaf
    if field in _BLOCKS:
        return next(iter(node.children(_BLOCKS[field])), None)
    return None


def _place(statement: Statement, index: int) -> Place:
    line = statement.line
    if line.map is None:
        return (line.file, line.number, line.indent + statement.words[index].start + 1)
    span = statement.word_span(index)
    return (span.file, span.line, span.column)


def _origins(nodes: dict[str, Where]) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for path, node in nodes.items():
        statement = statement_of(node)
        found[path] = _place(statement, 0 if statement is node or len(statement.words) < 2 else 1)
        if isinstance(node, Node):
            names = _names(node)
            for keyword, leaf in node.fields.items():
                said = leaf.statement
                name = names.get(keyword, keyword)
                found[f"{path}/{name}"] = _place(said, 1 if len(said.words) > 1 else 0)
    return found
