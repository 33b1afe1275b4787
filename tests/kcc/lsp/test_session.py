"""Whole sessions of an editor with ``kcc lsp``, over its pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kcc.layout import formatted
from support.lsp_client import Client, applied, uri_of

CONF = """\
$VIP=203.0.113.10

vrrp_script chk_http {
    script "/usr/bin/true"
}

vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    track_script {
        chk_http
    }
    virtual_ipaddress {
        ${VIP}/24
    }
}

virtual_server_group WEB {
    203.0.113.10 80
}

virtual_server group WEB {
    lb_algo wlc
    lb_kind NAT
    protocol TCP
    real_server 10.0.0.1 80 {
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
"""
LINES = CONF.split("\n")


def where(text: str, extra: int = 0, after: int = 0) -> tuple[int, int]:
    """Line and column of the first occurrence of ``text`` from line ``after`` on, ``extra`` columns further."""
    number = next(n for n, line in enumerate(LINES) if n >= after and text in line)
    return number, LINES[number].index(text) + extra


def labels(answer: dict[str, Any]) -> list[str]:
    return [item["label"] for item in answer["items"]]


def errors(found: list[dict[str, Any]]) -> list[str]:
    return [d["code"] for d in found if d["severity"] == 1]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "my site" / "keepalived.conf"
    path.parent.mkdir()
    path.write_text(CONF)
    return path


def test_findings_follow_the_text(conf: Path) -> None:
    with Client() as client:
        uri = client.open(conf)
        assert errors(client.diagnostics(uri)) == []
        client.change(uri, CONF.replace("virtual_router_id 51", "virtual_router_id 300"))
        (found,) = [d for d in client.diagnostics(uri) if d["severity"] == 1]
        line, column = where("51")
        assert found["code"] == "KC0303"
        assert found["source"] == "kcc"
        assert found["range"] == {
            "start": {"line": line, "character": column},
            "end": {"line": line, "character": column + 3},
        }
        assert "1 to 255" in found["message"] and "→" in found["message"]
        assert conf.read_text() == CONF, "the file itself was never touched"
        client.change(uri, CONF)
        assert errors(client.diagnostics(uri)) == []
        client.notify("textDocument/didClose", textDocument={"uri": uri})


def test_quick_changes_are_judged_once(conf: Path) -> None:
    with Client() as client:
        uri = client.open(conf)
        client.diagnostics(uri)
        for n in range(300, 330):
            client.change(uri, CONF.replace("virtual_router_id 51", f"virtual_router_id {n}"))
        assert any("329" in d["message"] or d["code"] == "KC0303" for d in client.diagnostics(uri))
        client.request("textDocument/hover", textDocument={"uri": uri}, position={"line": 0, "character": 0})
        later = [n for n in client.notifications if n["method"] == "textDocument/publishDiagnostics"]
        assert len(later) <= 2


def test_includes_come_from_disk_and_open_ones_from_memory(tmp_path: Path) -> None:
    main, part = tmp_path / "keepalived.conf", tmp_path / "conf.d" / "vi.conf"
    part.parent.mkdir()
    main.write_text("$ID=51\ninclude conf.d/*.conf\n")
    part.write_text(CONF.replace("virtual_router_id 51", "virtual_router_id ${ID}"))
    with Client() as client:
        one, two = client.open(main), client.open(part)
        client.until(one)
        client.until(two)  # a fragment is judged as part of what includes it
        client.change(one, "$ID=400\ninclude conf.d/*.conf\n")
        client.until(two, "KC0303")  # the definition came from the buffer
        line, _ = where("virtual_router_id")
        (found,) = client.at("definition", two, line, LINES[line].index("51") + 3)
        assert found["uri"] == one and found["range"]["start"] == {"line": 0, "character": 1}
        (found,) = client.at("definition", one, 1, 12)
        assert found["uri"] == two
        assert "$ID=400" in client.at("hover", two, line, LINES[line].index("51") + 3)["contents"]["value"]
        client.notify("textDocument/didClose", textDocument={"uri": two})
        client.change(one, "$ID=51\n")
        assert client.until(two) == [], "what is no part of it any more is cleared"


def test_hover(conf: Path) -> None:
    with Client() as client:
        uri = client.open(conf)

        def hover(text: str, extra: int = 0, after: int = 0) -> str:
            answer = client.at("hover", uri, *where(text, extra, after))
            return "" if answer is None else str(answer["contents"]["value"])

        priority = hover("priority")
        assert "priority UINT(1..255)" in priority
        assert "vrrp_instance › priority" in priority
        assert "**default**" in priority and "**bad value**" in priority
        assert hover("150") == priority, "on the value the keyword is explained too"
        assert "vrrp_script" in hover("chk_http", after=11) and "/usr/bin/true" in hover("chk_http", after=11)
        assert "$VIP=203.0.113.10" in hover("${VIP}", 3)
        assert "203.0.113.10 80" in hover("WEB", after=22)
        assert "virtual_ipaddress" in hover("virtual_ipaddress")
        assert "TCP_CHECK › connect_timeout" in hover("connect_timeout")


def test_definition(conf: Path) -> None:
    with Client() as client:
        uri = client.open(conf)
        for text, extra, after, line, column in [
            ("chk_http", 2, 11, 2, 12),
            ("WEB", 0, 22, where("virtual_server_group")[0], 21),
            ("${VIP}", 3, 0, 0, 1),
        ]:
            (found,) = client.at("definition", uri, *where(text, extra, after))
            assert found["uri"] == uri
            assert found["range"]["start"] == {"line": line, "character": column}, text
        assert client.at("definition", uri, *where("eth0")) == []


def test_completion(conf: Path) -> None:
    with Client() as client:
        uri = client.open(conf)

        def complete(text: str) -> dict[str, Any]:
            """Completion at the ``|`` of a text."""
            before = text.partition("|")[0]
            client.change(uri, text.replace("|", ""))
            answer = client.at("completion", uri, before.count("\n"), len(before.rpartition("\n")[2]))
            assert isinstance(answer, dict)
            return answer

        top = labels(complete("vrrp_|"))
        assert "vrrp_instance" in top and "virtual_server" in top and "priority" not in top
        inside = labels(complete("vrrp_instance V {\n    pri|\n"))
        assert "priority" in inside and "vrrp_instance" not in inside
        item = next(
            i for i in complete("vrrp_instance V {\n    pri|\n}")["items"] if i["label"] == "priority"
        )
        assert item["textEdit"]["range"]["start"] == {"line": 1, "character": 4}
        assert "UINT(1..255)" in item["documentation"]["value"]
        assert labels(complete("vrrp_instance V {\n    state |\n}")) == ["MASTER", "BACKUP"]
        assert "wlc" in labels(complete("virtual_server 1.2.3.4 80 {\n    lb_algo w|\n"))
        assert labels(complete("virtual_server 1.2.3.4 80 {\n    lb_kind |")) == ["NAT", "DR", "TUN"]
        checks = labels(complete("virtual_server 1.2.3.4 80 {\n  real_server 1.1.1.1 80 {\n    |\n  }\n}"))
        assert "TCP_CHECK" in checks and "HTTP_GET" in checks and "lb_algo" not in checks
        defined = "vrrp_script a {\n}\nvrrp_script b {\n}\n"
        assert labels(complete(defined + "vrrp_instance V {\n  track_script {\n    |\n  }\n}")) == ["a", "b"]
        assert labels(complete("vrrp_instance X {\n}\nvrrp_sync_group G {\n  group {\n    |\n  }\n}")) == [
            "X"
        ]
        assert labels(complete("virtual_server_group W {\n}\nvirtual_server group |")) == ["W"]
        assert labels(complete("$A=1\n$B=2\nrouter_id $|")) == ["${A}", "${B}"]
        block = next(i for i in complete("vrrp_ins|")["items"] if i["label"] == "vrrp_instance")
        assert block["insertTextFormat"] == 2 and block["textEdit"]["newText"].startswith("vrrp_instance ${1")
        assert labels(complete("# a comm|")) == []
        client.diagnostics(uri)


def test_formatting_is_that_of_fmt(conf: Path) -> None:
    untidy = (
        "# ä𝄞\nvrrp_instance   VI_1\n{\n\n\n  state   BACKUP\n    interface eth0 # x\n virtual_router_id 51}"
    )
    with Client() as client:
        uri = client.open(conf, untidy)

        def edits() -> Any:
            document, options = {"uri": uri}, {"tabSize": 4, "insertSpaces": True}
            return client.request("textDocument/formatting", textDocument=document, options=options)

        made = applied(untidy, edits())
        assert made == formatted(untidy.encode()).decode()
        client.change(uri, made)
        assert edits() == []
        client.change(uri, "vrrp_instance V {\n  state BACKUP\n")
        assert edits() is None
        assert "not formatted" in client.shown()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_columns_beyond_the_basic_plane(conf: Path, encoding: str) -> None:
    text = 'vrrp_instance "𝄞ä" {\n  state "𝄞" bogus\n  interface eth0\n  virtual_router_id 51\n}\n'
    width = {"utf-8": 4, "utf-16": 2, "utf-32": 1}[encoding]
    with Client(encodings=[encoding]) as client:
        assert client.capabilities["positionEncoding"] == encoding
        uri = client.open(conf, text)
        found = next(d for d in client.diagnostics(uri) if d["code"] == "KC0304")
        assert found["range"]["start"] == {"line": 1, "character": 8}
        assert found["range"]["end"] == {"line": 1, "character": 10 + width}


def test_repairs(conf: Path) -> None:
    text = CONF.replace("priority 150", "priority 150;")
    with Client() as client:
        uri = client.open(conf, text)
        (found,) = [d for d in client.diagnostics(uri) if d["severity"] == 1]
        actions = client.request(
            "textDocument/codeAction",
            textDocument={"uri": uri},
            range=found["range"],
            context={"diagnostics": [found]},
        )
        assert actions and actions[0]["kind"] == "quickfix"
        assert applied(text, actions[0]["edit"]["changes"][uri]) == CONF


def test_a_text_that_was_never_saved(tmp_path: Path) -> None:
    with Client(cwd=tmp_path) as client:
        client.open_uri("untitled:Untitled-1", "vrrp_instance V {\n  priority 300\n}\n")
        assert "KC0303" in errors(client.diagnostics("untitled:Untitled-1"))
        assert client.at("hover", "untitled:Untitled-1", 1, 4)["contents"]["value"]


def test_the_target_of_the_editor(conf: Path) -> None:
    text = CONF.replace("priority 150", "priority 150\n    timer_expired_backup 3")
    with Client(options={"target": "keepalived-2.2.7"}) as client:
        uri = client.open(conf, text)
        assert errors(client.diagnostics(uri)) != []
    with Client(options={"target": "keepalived-9"}) as client:
        assert "no target" in client.shown()


def test_the_word_of_a_comment_is_heard(conf: Path) -> None:
    with Client() as client:
        uri = client.open(conf, CONF.replace("priority 150", "priority 300  # kcc: ignore KC0303"))
        assert errors(client.diagnostics(uri)) == []


def test_hostile_files_do_not_block(conf: Path) -> None:
    os.mkfifo(conf.parent / "pipe")
    with Client() as client:
        uri = client.open(conf, "include pipe\ninclude /dev/zero\nincluder missing\nvrrp_instance V {\n")
        assert client.diagnostics(uri)
        assert client.at("definition", uri, 0, 10)[0]["uri"] == uri_of(conf.parent / "pipe")
        client.change(uri, "a {\n" * 5000)
        assert client.diagnostics(uri)
        client.change(uri, "{% if x %}\n")
        assert errors(client.diagnostics(uri)) == ["KC0002"]


def test_without_pygls_it_says_how_to_install(tmp_path: Path) -> None:
    (tmp_path / "pygls.py").write_text("raise ImportError('none')\n")
    done = subprocess.run(
        [sys.executable, "-m", "kcc", "lsp"],
        input="",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'kcc-krun[lsp]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_uris_are_quoted_as_the_editor_quotes_them(conf: Path) -> None:
    assert "%20" in uri_of(conf)
