"""The configurations of the scenarios, and the tables that ``ipvsadm -Sn`` has to print for them."""

from __future__ import annotations

from kernel.world import VIP

__all__ = ["EVERYTHING", "EVERYTHING_TABLE", "VRRP", "service"]

#: The virtual address comes by VRRP, as on a real director; nobody else is there to be master.
VRRP = f"""\
global_defs {{
    router_id director
}}

vrrp_instance VI_1 {{
    version 3
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 0.5
    virtual_ipaddress {{
        {VIP}/24
    }}
}}
"""

#: One of each that IPVS knows: every forwarding method, way to name a service, and kind of option.
EVERYTHING = (
    VRRP
    + f"""
virtual_server_group farm {{
    192.0.2.110 80
    192.0.2.111-112 443
    fwmark 9
}}

virtual_server {VIP} 80 {{
    lvs_sched wrr
    lvs_method NAT
    protocol TCP
    real_server 10.0.0.11 8080 {{
        weight 3
    }}
    real_server 10.0.0.12 8080 {{
        weight 7
        uthreshold 100
        lthreshold 50
    }}
}}

virtual_server {VIP} 443 {{
    lvs_sched wlc
    lvs_method DR
    protocol TCP
    persistence_timeout 600
    persistence_granularity 255.255.255.0
    real_server 192.0.2.11 443 {{
        weight 1
    }}
    real_server 192.0.2.12 443 {{
        weight 0
    }}
}}

virtual_server {VIP} 53 {{
    lvs_sched rr
    lvs_method DR
    protocol UDP
    ops
    real_server 192.0.2.11 53 {{
    }}
    real_server 192.0.2.12 53 {{
    }}
}}

virtual_server {VIP} 8443 {{
    lvs_sched sh
    sh-port
    sh-fallback
    lvs_method TUN
    protocol TCP
    real_server 198.51.100.11 8443 {{
        weight 2
    }}
}}

virtual_server {VIP} 9000 {{
    lvs_sched mh
    mh-port
    lvs_method NAT
    protocol TCP
    real_server 10.0.0.11 9000 {{
    }}
    real_server 192.0.2.12 9000 {{
        lvs_method DR
    }}
}}

virtual_server fwmark 7 {{
    lvs_sched lc
    lvs_method DR
    real_server 192.0.2.11 0 {{
        weight 4
    }}
}}

virtual_server group farm {{
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 10.0.0.11 80 {{
        weight 5
    }}
}}

virtual_server 2001:db8::100 80 {{
    lvs_sched wlc
    lvs_method NAT
    protocol TCP
    real_server 2001:db8:1::11 80 {{
        weight 6
    }}
}}
"""
)

EVERYTHING_TABLE = f"""\
-A -t {VIP}:80 -s wrr
-a -t {VIP}:80 -r 10.0.0.11:8080 -m -w 3
-a -t {VIP}:80 -r 10.0.0.12:8080 -m -w 7
-A -t {VIP}:443 -s wlc -p 600 -M 255.255.255.0
-a -t {VIP}:443 -r 192.0.2.11:443 -g -w 1
-a -t {VIP}:443 -r 192.0.2.12:443 -g -w 0
-A -u {VIP}:53 -s rr -o
-a -u {VIP}:53 -r 192.0.2.11:53 -g -w 1
-a -u {VIP}:53 -r 192.0.2.12:53 -g -w 1
-A -t {VIP}:8443 -s sh -b sh-fallback,sh-port
-a -t {VIP}:8443 -r 198.51.100.11:8443 -i -w 2 --tun-type ipip
-A -t {VIP}:9000 -s mh -b mh-port
-a -t {VIP}:9000 -r 10.0.0.11:9000 -m -w 1
-a -t {VIP}:9000 -r 192.0.2.12:9000 -g -w 1
-A -f 7 -s lc
-a -f 7 -r 192.0.2.11:0 -g -w 4
-A -t 192.0.2.110:80 -s rr
-a -t 192.0.2.110:80 -r 10.0.0.11:80 -m -w 5
-A -t 192.0.2.111:443 -s rr
-a -t 192.0.2.111:443 -r 10.0.0.11:80 -m -w 5
-A -t 192.0.2.112:443 -s rr
-a -t 192.0.2.112:443 -r 10.0.0.11:80 -m -w 5
-A -f 9 -s rr
-a -f 9 -r 10.0.0.11:80 -m -w 5
-A -t [2001:db8::100]:80 -s wlc
-a -t [2001:db8::100]:80 -r [2001:db8:1::11]:80 -m -w 6
""".splitlines()


def service(
    port: int,
    method: str,
    servers: dict[str, int],
    *,
    check: str = "TCP_CHECK",
    options: str = "",
) -> str:
    """A virtual server of the checked scenarios. ``servers`` maps addresses to weights; ``check`` is
    ``TCP_CHECK``, ``HTTP_GET`` or a command for MISC_CHECK. A failed server is out after about 3 s."""
    if check == "TCP_CHECK":
        checker = "TCP_CHECK {\n            connect_timeout 1\n            retry 1\n            delay_before_retry 1\n        }"
    elif check == "HTTP_GET":
        checker = (
            "HTTP_GET {\n            url {\n                path /\n                status_code 200\n            }\n"
            "            connect_timeout 1\n            retry 1\n            delay_before_retry 1\n        }"
        )
    else:
        checker = f'MISC_CHECK {{\n            misc_path "{check}"\n            misc_timeout 2\n        }}'
    reals = "".join(
        f"    real_server {address} {port} {{\n        weight {weight}\n        {checker}\n    }}\n"
        for address, weight in servers.items()
    )
    return (
        f"\nvirtual_server {VIP} {port} {{\n    delay_loop 1\n    warmup 0\n    lvs_sched rr\n    lvs_method {method}\n"
        f"    protocol TCP\n{options}{reals}}}\n"
    )
