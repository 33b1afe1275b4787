"""``kcc genhash``: the digest of a page, as `digest` of HTTP_GET takes it."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcc.cli import main
from kcc.commands.genhash import body_digest


@given(st.binary(max_size=5000))
def test_it_is_the_md5_of_the_body(body: bytes) -> None:
    assert body_digest(io.BytesIO(body)) == hashlib.md5(body).hexdigest()


def test_file_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page"
    page.write_bytes(b"hello\n")
    assert main(["genhash", str(page)]) == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\n")))
    assert main(["genhash", "-"]) == 0
    assert capsys.readouterr().out == "b1946ac92492d2347c6235b4d2611184\n" * 2


def test_the_compiler_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page"
    page.write_bytes(b"x" * 3_000_000)
    assert main(["genhash", str(page)]) == 0
    digest = capsys.readouterr().out.strip()
    conf = tmp_path / "a.conf"
    conf.write_text(
        "virtual_server 10.0.0.1 80 {\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\nreal_server 10.0.0.2 80 {\nHTTP_GET {\n"
        f"url {{\npath /\ndigest {digest}\n}}\n}}\n}}\n}}\n"
    )
    assert main(["check", "--strict", str(conf)]) == 0


def test_unreadable_input_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["genhash", str(tmp_path / "none")]) == 2
    assert main(["genhash", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "No such file or directory" in said
    assert "Is a directory" in said
