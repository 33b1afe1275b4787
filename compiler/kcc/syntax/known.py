"""The few keywords that the syntax itself knows: enough to guess where a lost brace belongs."""

from __future__ import annotations

__all__ = ["BLOCKS", "ROOTS"]

ROOTS: frozenset[str] = frozenset(
    {
        "global_defs", "track_group", "static_ipaddress", "static_routes", "static_rules", "vrrp_sync_group",
        "garp_group", "linkbeat_interfaces", "vrrp_instance", "vrrp_script", "vrrp_track_process",
        "vrrp_track_file", "interface_up_down_delays", "virtual_server_group", "virtual_server", "bfd_instance",
    }
)  # fmt: skip
"""Blocks that stand at the top level and nowhere else."""

BLOCKS: frozenset[str] = ROOTS | {
    "notification_email", "interfaces", "group", "unicast_peer", "track_interface", "track_script", "track_file",
    "track_process", "track_bfd", "virtual_ipaddress", "virtual_ipaddress_excluded", "virtual_routes", "virtual_rules",
    "authentication", "auth_hmac", "real_server", "MISC_CHECK", "SMTP_CHECK", "host", "TCP_CHECK", "PING_CHECK",
    "UDP_CHECK", "HTTP_GET", "SSL_GET", "url", "DNS_CHECK", "FILE_CHECK", "BFD_CHECK", "SSL",
}  # fmt: skip
"""Keywords that always have a body."""
