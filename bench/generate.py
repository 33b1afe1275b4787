"""Configurations like those that templates make: many services, distinct addresses, the same lines again and again."""

from __future__ import annotations

from collections.abc import Iterator

LINES_PER_SERVER = 10


def services(count: int, servers: int, *, weight: int = 1) -> Iterator[str]:
    """``count`` virtual servers with ``servers`` real servers each; ``weight`` is that of the very first one."""
    for s in range(count):
        yield (
            f"virtual_server 10.{s >> 16 & 255}.{s >> 8 & 255}.{s & 255} 80 {{\n"
            "    delay_loop 6\n    lb_algo wlc\n    lb_kind NAT\n    protocol TCP\n\n"
        )
        for r in range(servers):
            n = s * servers + r
            yield (
                f"    real_server 172.{16 + (n >> 16 & 15)}.{n >> 8 & 255}.{n & 255} 8080 {{\n"
                f"        weight {weight if n == 0 else 1}\n"
                "        TCP_CHECK {\n            connect_timeout 3\n            retry 2\n"
                "            delay_before_retry 1\n        }\n    }\n\n"
            )
        yield "}\n\n"


def largest(services_count: int = 2284, servers: int = 37298) -> Iterator[str]:
    """The shape of the largest known real case: 2,284 services with 37,298 real servers, some 232,000 lines."""
    made = 0
    for s in range(services_count):
        yield (
            f"virtual_server 10.{s >> 8 & 255}.{s & 255}.1 443 {{\n"
            "  delay_loop 10\n  lb_algo wrr\n  lb_kind DR\n  protocol TCP\n"
        )
        share = (servers * (s + 1)) // services_count - made
        for r in range(share):
            n = made + r
            yield (
                f"  real_server 172.{16 + (n >> 16)}.{n >> 8 & 255}.{n & 255} 443 {{\n"
                f"    weight {n % 5 + 1}\n    TCP_CHECK {{\n      connect_timeout 3\n    }}\n  }}\n"
            )
        made += share
        yield "}\n"


def text(lines: int) -> str:
    """About ``lines`` lines of configuration with ten real servers a service."""
    return "".join(services(max(1, lines // 98), 10))
