"""``kcc`` as a user runs it: exit codes, formats, bad input, no tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

GOOD = """\
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress {
        203.0.113.10/24
    }
}

virtual_server 203.0.113.10 80 {
    delay_loop 6
    lb_algo wlc
    lb_kind NAT
    protocol TCP
    real_server 10.0.0.1 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
    real_server 10.0.0.2 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
"""
BAD = GOOD.replace("virtual_router_id 51", "virtual_router_id 300").replace("lb_algo wlc", "lb_algo wlcx")


def kcc(
    *args: str | Path, stdin: bytes | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "kcc", *map(str, args)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        timeout=60,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    out = subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in out.stderr + out.stdout
    return out


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.conf"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.conf"
    path.write_text(BAD)
    return path


def report(*args: str | Path, stdin: bytes | None = None) -> tuple[int, dict]:  # type: ignore[type-arg]
    done = kcc("check", "--format", "json", *args, stdin=stdin)
    return done.returncode, json.loads(done.stdout)


def test_version_and_help() -> None:
    assert kcc("--version").stdout.startswith("kcc ")
    assert kcc().returncode == 2
    assert "check" in kcc("--help").stdout
    assert kcc("check").returncode == 2
    assert kcc("frobnicate").returncode == 2
    for command in ("check", "build", "diff", "schema"):
        assert kcc(command, "--help").returncode == 0


def test_a_good_file_is_silent(good: Path) -> None:
    code, body = report(good)
    assert code == 0
    assert body["summary"]["errors"] == 0
    assert body["files"] == [str(good)]
    done = kcc("check", good)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{good}: no findings")


def test_every_mistake_in_one_run_at_its_place(bad: Path) -> None:
    code, body = report(bad)
    assert code == 1
    errors = [
        (d["line"], d["column"], d["end_column"]) for d in body["diagnostics"] if d["severity"] == "error"
    ]
    assert (4, 23, 26) in errors
    assert (14, 13, 17) in errors
    text = kcc("check", bad).stdout
    assert f"{bad}:4:23" in text
    assert "^^^" in text
    assert "\x1b" not in text


def test_colour_only_where_it_is_wanted(bad: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kcc", "check", str(bad)],
        capture_output=True,
        env={**os.environ, "FORCE_COLOR": "1", "NO_COLOR": ""},
        check=False,
    )
    assert b"\x1b[" in done.stdout


def test_standard_input(bad: Path) -> None:
    code, body = report("-", stdin=BAD.encode())
    assert code == 1
    assert body["diagnostics"][0]["file"] == "-"
    assert "virtual_router_id 300" in kcc("check", "-", stdin=BAD.encode()).stdout


def test_select_ignore_strict(bad: Path, tmp_path: Path) -> None:
    assert report("--ignore", "KC", bad)[0] == 0
    codes = {d["code"] for d in report("--select", "KC03", bad)[1]["diagnostics"]}
    assert codes and all(c.startswith("KC03") for c in codes)
    empty = tmp_path / "empty.conf"
    empty.write_text("")
    assert report(empty)[0] == 0
    assert report("--strict", empty)[0] == 1


def test_several_files_with_one_unreadable(good: Path, bad: Path) -> None:
    code, body = report(good, bad, good.parent / "missing.conf")
    assert code == 2
    assert {d["file"] for d in body["diagnostics"]} >= {str(bad), str(good.parent / "missing.conf")}


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "device"])
def test_unreadable_input_is_one_message_and_exit_2(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.conf"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    code, body = report(path)
    assert code == 2
    assert len(body["diagnostics"]) == 1
    assert kcc("build", path, "-o", tmp_path / "ir.json").returncode == 2
    assert not (tmp_path / "ir.json").exists()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", 0),
        (b"vrrp_instance A {\0\n}\n", 1),
        (b"\xff\xfe\xfd\n", 1),
        (b"{% if x %}\nvrrp_instance {{ name }} {\n}\n{% endif %}\n", 1),
        (b"a {\n" * 50_000, 1),
        (b"}\n" * 50_000, 1),
        (b"$A=${A}${A}\nvrrp_instance ${A} {\n", 1),
        (b"$A=${B}\n$B=${A}\nrouter_id ${A}\n", 1),
    ],
    ids=["empty", "nul", "bytes", "template", "nested", "closing", "self", "mutual"],
)
def test_strange_input_is_bounded(data: bytes, code: int) -> None:
    got, body = report("-", stdin=data)  # which gives up after a minute
    assert got == code
    assert body["diagnostics"]


def test_a_template_is_one_message() -> None:
    _, body = report("-", stdin=b"{% for i in x %}\nvrrp_instance {{ i }} {\n  bogus\n}\n{% endfor %}\n")
    assert [d["code"] for d in body["diagnostics"]] == ["KC0002"]


@pytest.mark.slow
def test_a_line_of_100_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "long.conf"
    with path.open("wb") as f:
        for _ in range(100):
            f.write(b"x" * (1 << 20))
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "from kcc.cli import main; sys.exit(main(['check', '--format', 'json', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr[-500:]
    assert [d["code"] for d in json.loads(done.stdout)["diagnostics"] if d["severity"] == "error"] == [
        "KC0004"
    ]


def test_an_include_cycle(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("include b.conf\n")
    (tmp_path / "b.conf").write_text("include a.conf\n")
    code, body = report(tmp_path / "a.conf")
    assert code == 1
    assert [d["code"] for d in body["diagnostics"] if d["severity"] == "error"] == ["KC0103"]


def test_a_terminal_is_not_steered(tmp_path: Path) -> None:
    path = tmp_path / "esc.conf"
    path.write_bytes(b"vrrp_instance \x1b[2J\x1b]0;owned\x07 {\n bogus\x1b[31m\n}\n")
    assert "\x1b" not in kcc("check", path).stdout


def test_build_writes_an_ir_that_check_accepts(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "ir.json"
    done = kcc("build", good, "-o", out)
    assert done.returncode == 0, done.stderr
    assert oct(out.stat().st_mode & 0o777) == "0o600"
    assert kcc("check", out).returncode == 0
    jsonschema.validate(json.loads(out.read_text()), json.loads(kcc("schema").stdout))
    again = kcc("build", out)
    assert json.loads(again.stdout)["digest"] == json.loads(out.read_text())["digest"]


def test_build_of_a_file_with_errors_writes_nothing(bad: Path, tmp_path: Path) -> None:
    out = tmp_path / "ir.json"
    out.write_text("old")
    done = kcc("build", bad, "-o", out)
    assert done.returncode == 1
    assert out.read_text() == "old"
    assert "virtual_router_id" in done.stderr


def test_build_with_errors_allowed_lists_the_losses(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text(GOOD.replace("lb_algo wlc", "lb_algo wlcx"))
    done = kcc("build", path, "--allow-errors")
    assert done.returncode == 0, done.stderr
    losses = json.loads(done.stdout)["origins"]["losses"]
    assert (14, 13) in [(x["line"], x["column"]) for x in losses]


def test_build_cannot_write(good: Path, tmp_path: Path) -> None:
    done = kcc("build", good, "-o", tmp_path / "no" / "ir.json")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_an_edited_ir_is_refused(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "ir.json"
    kcc("build", good, "-o", out)
    out.write_text(out.read_text().replace('"priority": 150', '"priority": 151'))
    code, body = report(out)
    assert code == 1
    assert [d["code"] for d in body["diagnostics"]] == ["KC1001"]
    assert "digest" in body["diagnostics"][0]["message"]


def test_a_hidden_password(tmp_path: Path) -> None:
    def conf(word: str) -> str:
        return GOOD.replace(
            "    advert_int 1\n",
            f"    advert_int 1\n    authentication {{\n        auth_type PASS\n        auth_pass {word}\n    }}\n",
        )

    a, b = tmp_path / "a.conf", tmp_path / "b.conf"
    a.write_text(conf("hunter22"))
    b.write_text(conf("hunter33"))
    for form in ("text", "json"):
        done = kcc("diff", "--format", form, a, b)
        assert done.returncode == 1
        assert "hunter" not in done.stdout
        assert "authentication" in done.stdout


def test_diff_exit_codes_and_shape(good: Path, bad: Path, tmp_path: Path) -> None:
    same = tmp_path / "same.conf"
    # Other order, other layout, a comment, a definition: the same meaning.
    head, _, tail = GOOD.partition("\n\n")
    same.write_text(
        "$P = 150\n# moved\n$PRIO=150\n".replace("$P = 150\n", "")
        + tail
        + "\n"
        + head.replace("priority 150", "  priority ${PRIO}")
        + "\n"
    )
    done = kcc("diff", good, same)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("no changes")
    new = tmp_path / "new.conf"
    new.write_text(GOOD.replace("weight 1", "weight 7", 1))
    done = kcc("diff", "--format", "json", good, new)
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert body["changes"][0] | {"wire": "local", "reason": None} == {
        "action": "change",
        "path": ["virtual_server", "tcp 203.0.113.10:80", "real_server", "10.0.0.1:80", "weight"],
        "old": 1,
        "new": 7,
        "wire": "local",
        "reason": None,
    }
    assert [o["op"] for o in body["operations"]] == ["ipvs.edit_dest"]
    assert body["operations"][0]["target"] == "tcp 203.0.113.10:80 -> 10.0.0.1:80"
    assert body["impact"] == "hitless"
    assert kcc("diff", good, bad).returncode == 2
    assert kcc("diff", good, tmp_path / "missing").returncode == 2
    assert kcc("diff", "-", "-").returncode == 2
    ir = tmp_path / "ir.json"
    kcc("build", good, "-o", ir)
    assert kcc("diff", ir, good).returncode == 0
    assert kcc("diff", ir, "-", stdin=GOOD.encode()).returncode == 0


def test_a_reader_that_leaves_early(bad: Path) -> None:
    many = bad.parent / "many.conf"
    many.write_text("bogus\n" * 5000)
    with subprocess.Popen(
        [sys.executable, "-m", "kcc", "check", str(many)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as p:
        assert p.stdout is not None and p.stderr is not None
        p.stdout.readline()
        p.stdout.close()
        err = p.stderr.read()
        assert p.wait(30) == 1
    assert err == b""


def test_interrupted() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "kcc", "check", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as p:
        assert p.stdin is not None and p.stderr is not None
        # More than a pipe holds: the write returns when kcc is reading, and it reads on until the pipe is closed.
        p.stdin.write(b"# a comment\n" * 100_000)
        p.stdin.flush()
        p.send_signal(signal.SIGINT)
        assert p.wait(60) == -signal.SIGINT
        assert p.stderr.read() == b""


NOT_RUN = (
    """\
global_defs {
    snmp_socket udp:127.0.0.1:705
    vrrp_strict
}
"""
    + GOOD
)


def test_what_krun_does_not_run_is_an_error_in_build_and_a_note_in_check(tmp_path: Path) -> None:
    from kir.features import RUN

    path, out = tmp_path / "snmp.conf", tmp_path / "ir.json"
    path.write_text(NOT_RUN)
    assert report(path)[1]["summary"]["errors"] == 0
    code, body = report("--target", "krun", path)
    assert code == 0
    assert "KC0901" in {d["code"] for d in body["diagnostics"]}
    done = kcc("build", path, "-o", out)
    assert done.returncode == 1
    assert not out.exists()
    for name in ("snmp_socket", "`snmp`", "`vrrp.no_accept`"):
        assert name in done.stderr
    assert kcc("build", path, "--allow-errors", "-o", out).returncode == 0
    document = json.loads(out.read_text())
    assert set(document["features"]) <= RUN
    assert {x["code"] for x in document["origins"]["losses"]} == {"KC0902"}


def test_diff_says_what_it_cannot_see(good: Path, tmp_path: Path) -> None:
    from kcc.language.keywords import walk
    from kcc.language.tree import Coverage

    path = next(
        (
            p
            for p, k in walk()
            if k.coverage is Coverage.CHECKED and " > " not in p and k.kind.value == "leaf" and not k.args
        ),
        None,
    )
    if path is None:
        return  # everything is carried: nothing is left to say
    new = tmp_path / "new.conf"
    new.write_text(f"{path}\n" + GOOD)
    done = kcc("diff", good, new)
    assert f"not compared, for the IR does not carry them yet: {path}" in done.stderr
    assert json.loads(kcc("diff", "--format", "json", good, new).stdout)["not_compared"] == [path]


def test_what_krun_does_not_run_is_refused_once(tmp_path: Path) -> None:
    """A feature that stands in a definition, a block and its lines is one thing to take out."""
    conf = tmp_path / "a.conf"
    conf.write_text(
        "track_file maint {\n file /run/maint\n}\n"
        "vrrp_instance a {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n  10.0.0.1/24\n }\n"
        " track_file {\n  maint weight -10\n }\n}\n"
    )
    done = kcc("build", str(conf), "-o", str(tmp_path / "a.json"))
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("error")] == [
        "error[KC0902]: krun does not run track files yet (2 times; the first is here)"
    ]
