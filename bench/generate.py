"""Configurations like those that templates make: many services, distinct addresses, the same lines again and again."""

from __future__ import annotations

from collections.abc import Iterator

LINES_PER_SERVER = 10


def services(
    count: int, servers: int, *, weight: int = 1, every: int = 0, delay_loop: int = 6
) -> Iterator[str]:
    """``count`` virtual servers with ``servers`` real servers each. ``weight`` is that of the very first one, and of
    each ``every``-th from there on; all others have 1. ``delay_loop`` in seconds."""
    for s in range(count):
        yield (
            f"virtual_server 10.{s >> 16 & 255}.{s >> 8 & 255}.{s & 255} 80 {{\n"
            f"    delay_loop {delay_loop}\n    lb_algo wlc\n    lb_kind NAT\n    protocol TCP\n\n"
        )
        for r in range(servers):
            n = s * servers + r
            yield (
                f"    real_server 172.{16 + (n >> 16 & 15)}.{n >> 8 & 255}.{n & 255} 8080 {{\n"
                f"        weight {weight if _chosen(n, every) else 1}\n"
                "        TCP_CHECK {\n            connect_timeout 3\n            retry 2\n"
                "            delay_before_retry 1\n        }\n    }\n\n"
            )
        yield "}\n\n"


def _chosen(number: int, every: int) -> bool:
    return number % every == 0 if every else number == 0


def largest(
    services_count: int = 2284,
    servers: int = 37298,
    *,
    weight: int = 0,
    every: int = 0,
    delay_loop: int = 10,
) -> Iterator[str]:
    """The shape of the largest known real case: 2,284 services with 37,298 real servers, some 232,000 lines.

    ``weight``, unless 0, is that of the very first real server and of each ``every``-th from there on.
    """
    made = 0
    for s in range(services_count):
        yield (
            f"virtual_server 10.{s >> 8 & 255}.{s & 255}.1 443 {{\n"
            f"  delay_loop {delay_loop}\n  lb_algo wrr\n  lb_kind DR\n  protocol TCP\n"
        )
        share = (servers * (s + 1)) // services_count - made
        for r in range(share):
            n = made + r
            yield (
                f"  real_server 172.{16 + (n >> 16)}.{n >> 8 & 255}.{n & 255} 443 {{\n"
                f"    weight {weight if weight and _chosen(n, every) else n % 5 + 1}\n    TCP_CHECK {{\n      connect_timeout 3\n    }}\n  }}\n"
            )
        made += share
        yield "}\n"


def text(lines: int) -> str:
    """About ``lines`` lines of configuration with ten real servers a service."""
    return "".join(services(max(1, lines // 98), 10))
