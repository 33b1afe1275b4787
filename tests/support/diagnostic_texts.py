"""Configurations that the tests of formats, suppressions and fixes share."""

from __future__ import annotations

GOOD = """\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    virtual_ipaddress {
        203.0.113.10/24
    }
}
"""

BROKEN = """\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 300
    priorty 150
    priorty 150
    nopreempt 1
    virtual_ipaddress {
        203.0.113.10/24
    }
}
"""
