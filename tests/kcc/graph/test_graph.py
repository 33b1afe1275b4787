"""``kcc graph``: nothing is left out of the picture, and every language of it is well formed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from kcc.cli import main
from kcc.graph import graph_of
from kcc.graph.svg import HEIGHT, svg
from kcc.graph.text import dot, mermaid
from kcc.graph.tree import tree_lines
from kir.canonical import canonical
from kir.model import Config
from support.decompile_configs import compiled_configs
from support.ir_samples import full, real, virtual

CONF = """\
vrrp_script chk {
    script "/bin/true"
    weight -60
}
vrrp_sync_group G1 {
    group {
        A
        B
    }
    track_interface {
        eth2
    }
}
vrrp_instance A {
    interface eth0
    virtual_router_id 1
    virtual_ipaddress {
        10.0.0.1/24
    }
}
vrrp_instance B {
    interface eth1
    virtual_router_id 2
    virtual_ipaddress {
        10.1.0.1/24
    }
}
vrrp_instance C {
    interface eth0
    virtual_router_id 3
    track_script {
        chk
    }
    virtual_ipaddress {
        10.0.0.3/24
    }
}
virtual_server 10.0.0.1 80 {
    lvs_sched wlc
    lvs_method DR
    protocol TCP
    sorry_server 10.9.0.9 80
    real_server 10.9.0.1 80 {
        TCP_CHECK {
        }
    }
    real_server 10.9.0.2 80 {
        weight 3
    }
}
"""
TREE = """\
c.conf
├── G1  sync group
│   ├── interface eth2  FAULT
│   ├── A  eth0 · VRID 1 · v2 multicast · BACKUP 100
│   │   └── 10.0.0.1/24
│   │       └── tcp 10.0.0.1:80  wlc · DR
│   │           ├── 10.9.0.1:80  TCP_CHECK  weight 1
│   │           ├── 10.9.0.2:80  no check  weight 3
│   │           └── 10.9.0.9:80  sorry server  without quorum
│   └── B  eth1 · VRID 2 · v2 multicast · BACKUP 100
│       └── 10.1.0.1/24
└── C  eth0 · VRID 3 · v2 multicast · BACKUP 100
    ├── script chk  -60
    └── 10.0.0.3/24
"""


def test_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    Path("c.conf").write_text(CONF)
    assert main(["graph", "c.conf"]) == 0
    assert capsys.readouterr().out == TREE


def test_the_tree_in_colour_has_the_same_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Path("c.conf").write_text(CONF)
    assert main(["graph", "c.conf"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b[" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert [line.rstrip() for line in plain.splitlines()] == TREE.splitlines()


@pytest.mark.parametrize("form", ["mermaid", "dot", "svg"])
def test_every_form_names_everything(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.conf"
    path.write_text(CONF)
    assert main(["graph", str(path), "--format", form]) == 0
    shown = capsys.readouterr().out
    for name in (
        "G1",
        "eth2",
        "chk",
        "10.0.0.3/24",
        "10.1.0.1/24",
        "tcp 10.0.0.1:80",
        "10.9.0.2:80",
        "10.9.0.9:80",
        "-60",
    ):
        assert name in shown


FOLLOWED = """\
track_file load {
    file /run/load
}
vrrp_track_process haproxy {
    process haproxy
}
bfd_instance peer {
    neighbor_ip 192.0.2.2
}
vrrp_instance A {
    vrf red
    virtual_router_id 1
    unicast_src_ip 192.0.2.1
    unicast_peer {
        192.0.2.3
    }
    virtual_ipaddress {
        10.0.0.1/24 dev eth0
    }
    track_file {
        load weight -2
    }
    track_process {
        haproxy
    }
    track_bfd {
        peer weight 9 reverse
    }
}
virtual_server 10.0.0.1 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 10.9.0.1 80 {
        FILE_CHECK {
            track_file load
        }
        BFD_CHECK {
            name peer
        }
    }
}
"""


def test_files_processes_and_sessions_are_trackers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    Path("c.conf").write_text(FOLLOWED)
    assert main(["graph", "c.conf"]) == 0
    assert capsys.readouterr().out == (
        "c.conf\n"
        "└── A  vrf red · VRID 1 · v2 unicast · BACKUP 100\n"
        "    ├── process haproxy  FAULT\n"
        "    ├── bfd peer  +9 reverse\n"
        "    ├── file load  ×-2\n"
        "    └── 10.0.0.1/24  dev eth0\n"
        "        └── tcp 10.0.0.1:80  rr · NAT\n"
        "            └── 10.9.0.1:80  FILE_CHECK, BFD_CHECK  weight 1\n"
        "                ├── file load  ×1\n"
        "                └── bfd peer  down\n"
    )


def test_a_long_pool_is_counted() -> None:
    config = Config(virtual_servers=(virtual(*(real(f"10.0.0.{n}") for n in range(1, 31))),))
    assert sum(n.kind == "server" for n in graph_of(config).nodes.values()) == 30
    short = graph_of(config, most_servers=5)
    assert [n.title for n in short.nodes.values() if n.kind == "server"][-1] == "… 26 more servers"
    assert sum(n.kind == "server" for n in short.nodes.values()) == 5


@given(compiled_configs())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_the_names_are_the_forms_are_well_formed(config: Config) -> None:
    graph = graph_of(canonical(config))
    assert {e.start for e in graph.edges} | {e.end for e in graph.edges} <= set(graph.nodes)
    shown = list(tree_lines(graph, "t"))
    assert len(shown) >= len(graph.nodes) + 1
    root = ET.fromstring("\n".join(svg(graph, 'a <b> & "c"')))
    name = "{http://www.w3.org/2000/svg}"
    boxes = [
        (float(r.get("x", 0)), float(r.get("y", 0)), float(r.get("width", 0)))
        for r in root.iter(f"{name}rect")
    ]
    assert len(boxes) == len(graph.nodes)
    for n, (x, y, width) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + width <= float(root.get("width", 0))
        assert y + HEIGHT <= float(root.get("height", 0))
        assert not any(x == ox and abs(y - oy) < HEIGHT for ox, oy, _ in boxes[:n]), "two boxes on one place"
    assert len([p for p in root.iter(f"{name}path") if p.get("class", "").startswith("e")]) == len(
        graph.edges
    )
    for line in mermaid(graph):
        assert line.count('"') % 2 == 0
    for line in dot(graph):
        assert re.sub(r"\\.", "", line).count('"') % 2 == 0


def test_all_of_the_sample_is_drawn() -> None:
    kinds = {node.kind for node in graph_of(canonical(full())).nodes.values()}
    assert kinds == {"tracker", "group", "instance", "address", "service", "server"}


def test_a_file_with_errors_is_drawn_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.conf"
    path.write_text(CONF.replace("lvs_sched wlc", "lvs_sched wrong"))
    assert main(["graph", str(path)]) == 1
    captured = capsys.readouterr()
    assert "tcp 10.0.0.1:80" in captured.out
    assert "has errors: this is what keepalived would run" in captured.err
    assert main(["graph", str(tmp_path / "none.conf")]) == 2
