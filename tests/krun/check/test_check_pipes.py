"""What notification pipes get of pools (keepalived.conf(5), ``lvs_notify_fifo``)."""

from __future__ import annotations

import pytest

from kir.model import RealServer, Service, VirtualServer
from krun.check.notices import line_of
from krun.check.pool import QuorumGained, QuorumLost, ServerDown, ServerUp, WeightChanged


def pool(name: str, service: Service) -> VirtualServer:
    return VirtualServer(name=name, services=(service,))


REAL = RealServer(address="192.168.0.1", port=8080, family="inet")
REAL6 = RealServer(address="2001:db8::5", port=80, family="inet6")
TCP = pool("tcp 10.0.0.1:80", Service(family="inet", protocol="tcp", address="10.0.0.1", port=80))
UDP6 = pool("udp [2001:db8::1]:53", Service(family="inet6", protocol="udp", address="2001:db8::1", port=53))
MARK = pool("fwmark 7 inet", Service(family="inet", fwmark=7))
GROUP = pool("group web farm tcp", Service(family="inet", protocol="tcp", address="10.0.0.1", port=80))


@pytest.mark.parametrize(
    ("virtual", "item", "line"),
    [
        (TCP, ServerUp(REAL), "RS [192.168.0.1]:tcp:8080 [10.0.0.1]:tcp:80 UP\n"),
        (TCP, ServerDown(REAL), "RS [192.168.0.1]:tcp:8080 [10.0.0.1]:tcp:80 DOWN\n"),
        (UDP6, ServerUp(REAL6), "RS [2001:db8::5]:udp:80 [2001:db8::1]:udp:53 UP\n"),
        (MARK, ServerDown(REAL), "RS [192.168.0.1]:none:8080 FWM 7 DOWN\n"),
        (GROUP, ServerDown(REAL), "RS [192.168.0.1]:tcp:8080 [web farm]:0 DOWN\n"),
        (TCP, QuorumGained(2, 1), "VS [10.0.0.1]:tcp:80 UP\n"),
        (MARK, QuorumLost(0, 1), "VS FWM 7 DOWN\n"),
        (GROUP, QuorumLost(0, 1), "VS [web farm]:0 DOWN\n"),
        (TCP, WeightChanged(REAL, 1, 2), ""),
    ],
)
def test_lines(virtual: VirtualServer, item: object, line: str) -> None:
    assert line_of(virtual, item) == line  # type: ignore[arg-type]
