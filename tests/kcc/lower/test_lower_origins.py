"""Where each piece of the IR was written."""

from support.lowering_cases import compile_text

TEXT = """\
global_defs {
    router_id lb1
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    advert_int 2
    virtual_ipaddress {
        203.0.113.10/24 dev eth1
    }
}
virtual_server 10.0.0.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 192.168.0.1 80 {
        weight 3
        TCP_CHECK {
            connect_timeout 2
        }
    }
}
"""
REAL = "virtual_server/tcp 10.0.0.1:80/real_server/192.168.0.1:80"


def test_objects_and_fields_point_at_their_values() -> None:
    origins = compile_text(TEXT)[0].origins
    assert origins["global_defs/router_id"] == ("test.conf", 2, 15)
    assert origins["vrrp_instance/VI_1"] == ("test.conf", 4, 15)
    assert origins["vrrp_instance/VI_1/vrid"] == ("test.conf", 6, 23)
    assert origins["vrrp_instance/VI_1/advert_int_us"] == ("test.conf", 7, 16)
    assert origins["vrrp_instance/VI_1/virtual_ipaddress/203.0.113.10/24 dev eth1"] == ("test.conf", 9, 9)
    assert origins["virtual_server/tcp 10.0.0.1:80/scheduler"] == ("test.conf", 13, 15)
    assert origins[f"{REAL}/weight"] == ("test.conf", 17, 16)
    assert origins[f"{REAL}/checker/TCP_CHECK 0/endpoint/timeout_us"] == ("test.conf", 19, 29)


def test_what_was_not_written_has_no_origin() -> None:
    lowered, _ = compile_text(TEXT)
    assert "vrrp_instance/VI_1/priority" not in lowered.origins
    assert lowered.said("vrrp_instance/VI_1", "vrid")
    assert not lowered.said("vrrp_instance/VI_1", "priority")
    assert not lowered.said("vrrp_instance/VI_2")


def test_a_span_falls_back_to_the_object_around_it() -> None:
    lowered, _ = compile_text(TEXT)
    assert lowered.span("vrrp_instance/VI_1", "priority").line == 4
    assert lowered.span(f"{REAL}/checker/HTTP_GET 7", "urls").line == 16
    assert lowered.span("vrrp_instance/VI_9").line == 0


def test_spans_cover_the_value() -> None:
    span = compile_text(TEXT)[0].span("vrrp_instance/VI_1", "vrid")
    assert (span.column, span.end_column) == (23, 25)
