"""The shape of the project: which stage may import which, and what the wheel holds."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_import_contracts() -> None:
    """The table in docs/architecture.md, held by import-linter."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_roots_hold_no_package_of_their_own() -> None:
    for root in ("compiler", "ir", "runtime"):
        assert not (ROOT / root / "__init__.py").exists()


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("kcc.cli", ("rich", "pyroute2", "krun", "ply.yacc", "asyncio")),
        ("kir.codec", ("rich", "pyroute2", "ply", "kcc", "krun")),
        ("krun.cli", ("pyroute2", "rich", "ply", "kcc")),
    ],
)
def test_what_an_import_does_not_cost(module: str, absent: tuple[str, ...]) -> None:
    """Start-up stays cheap: heavy libraries are imported where they are used."""
    script = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & set(absent)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    [path] = out.glob("*.whl")
    return path


def test_three_roots_one_wheel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.split("/")[0] for n in names if not n.split("/")[0].endswith((".dist-info", ".data"))}
    assert tops == {"kcc", "kir", "krun"}
    assert {"kcc/py.typed", "kir/py.typed", "krun/py.typed"} <= set(names)
    assert "kcc/syntax/_parsetab.py" in names
    assert not [n for n in names if "__pycache__" in n or n.startswith("tests")]
    shared = {n.partition(".data/data/")[2] for n in names} - {""}
    assert {
        "share/man/man1/kcc.1",
        "share/man/man8/krun.8",
        "share/fish/vendor_completions.d/kcc.fish",
    } <= shared


@pytest.mark.slow
def test_the_installed_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """An environment of its own, which sees the dependencies of this one but not the checkout."""
    home = tmp_path / "env"
    venv.create(home, with_pip=False, symlinks=True)
    site = home / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    dependencies = [p for p in sys.path if p.endswith("site-packages")]
    for dependency in (
        "ply",
        "msgspec",
        "rich",
        "pyroute2",
        "h11",
        "prometheus_client",
        "markdown_it",
        "mdurl",
        "pygments",
    ):
        for base in dependencies:
            if (Path(base) / dependency).exists() and not (site / dependency).exists():
                (site / dependency).symlink_to(Path(base) / dependency)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "PYTEST"))}
    script = (
        "import kcc, kir, krun, sys, kcc.cli, krun.cli, krun.control.cli;"
        "print(kcc.__file__); sys.exit(kcc.cli.main(['check', 'a.conf']))"
    )
    (tmp_path / "a.conf").write_text(
        "vrrp_instance A {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {\n  192.0.2.1\n }\n}\n"
    )
    before = sorted(site.rglob("*.py"))
    done = subprocess.run(
        [str(home / "bin" / "python"), "-c", script],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(site) in done.stdout
    assert sorted(site.rglob("*.py")) == before, "something was written at run time"
