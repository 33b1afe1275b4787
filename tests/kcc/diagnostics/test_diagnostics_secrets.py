"""Passwords stay out of findings, diffs and plans: the logs of CI systems are read by many."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kcc.diagnostics.secrecy import Secrecy

FORMATS = ("text", "json", "sarif", "github", "gitlab")
PASS, KEY, TLS = "pl4nted1", "pl4nted-key-of-32-octets-or-more-1", "pl4nted-tls"
OTHER = "pl4nted9"

WHOLE = f"""
$SITE_PASS = {PASS}
SSL {{
    key /etc/ssl/key.pem
    password {TLS}
}}
vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    authentication {{
        auth_type PASS
        auth_pass $SITE_PASS
    }}
    virtual_ipaddress {{
        192.0.2.10/24
    }}
}}
vrrp_instance VI_2 {{
    interface eth0
    virtual_router_id 52
    version 3
    auth_hmac {{
        key 1 {KEY}
        active_key 1
    }}
    virtual_ipaddress {{
        192.0.2.11/24
    }}
}}
"""

WRONG = {
    "too long": f"auth_pass {PASS}{PASS}",
    "a word too many": f"auth_pass {PASS} {OTHER}",
    "misspelt": f"auth_passs {PASS}",
    "misspelt again": f"authpass {PASS}",
    "assigned": f"auth_pass = {PASS}",
    "quoted": f"auth_pass \N{LEFT DOUBLE QUOTATION MARK}{PASS}\N{RIGHT DOUBLE QUOTATION MARK}",
    "semicolon": f"auth_pass {PASS};",
    "half quoted": f'auth_pass "{PASS}',
    "twice": f"auth_pass {PASS}\n        auth_pass {OTHER}",
    "closed": f"auth_pass {PASS} }}",
    "defined": f"$PASS={PASS}\n        auth_pass $PASS $PASS",
    "defined too long": f"$X={PASS}{OTHER}\n        auth_pass $X",
    "key too short": "auth_type PASS\n    }\n    auth_hmac {\n        key 1 pl4nted",
    "key with a word more": f"auth_type PASS\n    }}\n    auth_hmac {{\n        key 1 {KEY} {OTHER}",
    "key of bad digits": "auth_type PASS\n    }\n    auth_hmac {\n        key 1 hex:pl4nted",
}


def kcc(*words: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "kcc", *map(str, words)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wrong")
    paths = []
    for number, line in enumerate(WRONG.values()):
        path = folder / f"{number}.conf"
        path.write_text(
            "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 51\n    authentication {\n"
            f"        auth_type PASS\n        {line}\n    }}\n    virtual_ipaddress {{\n        192.0.2.10/24\n    }}\n}}\n"
        )
        paths.append(path)
    return paths


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_of_check_shows_one(form: str, wrong: list[Path]) -> None:
    text = kcc("check", "--format", form, "-j", "1", *wrong)
    for path, case in zip(wrong, WRONG, strict=True):
        assert path.name in text, f"nothing was found in {case}, so nothing was shown"
    assert "pl4nted" not in text, text


def test_build_shows_none(wrong: list[Path], tmp_path: Path) -> None:
    for path in wrong[:2]:
        text = kcc("build", path, "-o", tmp_path / "ir.json", "--allow-errors")
        assert "KC0" in text
        assert "pl4nted" not in text


def test_no_diff_shows_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old.conf", tmp_path / "new.conf"
    old.write_text(WHOLE)
    new.write_text(WHOLE.replace("pl4nted", "pl4nted0"))
    said = [kcc("diff", "--format", form, old, new) for form in ("text", "json", "markdown")]
    said += [kcc("check", "--format", form, new, "--against", old) for form in FORMATS]
    clusters = []
    for name, path in (("before", old), ("after", new)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "lb1.conf").write_text(path.read_text())
        (folder / "lb2.conf").write_text(old.read_text())
        clusters.append(folder)
    said.append(kcc("diff", "--cluster", *clusters))
    said.append(kcc("check", "--cluster", *sorted(clusters[1].iterdir())))
    said.append(kcc("graph", new))
    assert any("password" in text for text in said)
    for text in said:
        assert "pl4nted" not in text, text


def test_what_is_secret_in_a_line() -> None:
    found = Secrecy()
    found.learn(["  auth_pass $P1", "key 7 ${P2}", "password ok"])
    assert found.line("        auth_pass geheim # why") == "        auth_pass ****** # why"
    assert found.line("  key 12 hex:00ff") == "  key 12 ********"
    for line in (
        "key /etc/ssl/private/key.pem",
        "auth_type PASS",
        "key 1 file:/etc/krun/hmac",
        "virtual_router_id 51",
        "auth_pass $P1",
        "$IFACE=eth0",
        "track_file passes",
    ):
        assert found.line(line) == line
    assert found.line("$P1=geheim") == "$P1=******"
    assert found.line("$P2 = a b") == "$P2 = * *"
    assert found.line("$LB_SECRET = geheim") == "$LB_SECRET = ******"
    assert "geheim" in found.words("auth_pass “geheim”".replace("“", '"').replace("”", '"'))
    assert len(found.line("auth_pass geheim }")) == len("auth_pass geheim }")
