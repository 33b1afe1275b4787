"""Sharing equal parts changes nothing that anybody can see."""

from __future__ import annotations

import msgspec
from hypothesis import given

from kir.model import Config, RealServer, Service, VirtualServer
from kir.model.checkers import Endpoint, TcpCheck, Timing
from kir.sharing import Sharing
from support.grown_configs import pairs

_decode = msgspec.json.Decoder(VirtualServer).decode


@given(pairs())
def test_what_is_shared_is_equal(pair: tuple[Config, Config]) -> None:
    sharing = Sharing()
    for config in pair:
        for server in config.virtual_servers:
            try:
                plain = _decode(msgspec.json.encode(server))
            except msgspec.ValidationError:
                continue  # the grower left the model's types
            assert sharing.virtual(_decode(msgspec.json.encode(server))) == plain


def test_equal_parts_are_one_object() -> None:
    server = VirtualServer(
        name="tcp 10.0.0.1:80",
        services=(Service(family="inet", protocol="tcp", address="10.0.0.1", port=80),),
        real_servers=tuple(
            RealServer(
                address=f"192.168.0.{n}",
                port=8080,
                family="inet",
                checkers=(
                    TcpCheck(timing=Timing(retry=7), endpoint=Endpoint(address=f"192.168.0.{n}", port=8080)),
                ),
            )
            for n in range(3)
        ),
    )
    first, second, third = Sharing().virtual(_decode(msgspec.json.encode(server))).real_servers
    one, other = first.checkers[0], second.checkers[0]
    assert isinstance(one, TcpCheck) and isinstance(other, TcpCheck)
    assert one.timing is other.timing and first.forwarding is third.forwarding
    assert one.endpoint.address is first.address and other.endpoint.address is second.address
    assert one.endpoint is not other.endpoint and one.endpoint.port is third.port
