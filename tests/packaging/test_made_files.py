"""Completions and manual pages: they say what the parsers say, and real shells and a real formatter take them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.needs import lacking

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "packaging" / "tools"
COMPLETIONS = ROOT / "packaging" / "completions"
PAGES = sorted((ROOT / "packaging" / "man").iterdir())
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "LC_ALL": "C.UTF-8",
}


def need(program: str) -> None:
    if shutil.which(program) is None:
        lacking(f"{program} is not installed")


def run(*argv: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=60, env=ENVIRONMENT, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    return done.stdout


def test_nothing_is_stale() -> None:
    run(sys.executable, str(TOOLS / "make.py"), "--check")


def test_a_stale_file_is_named(tmp_path: Path) -> None:
    shutil.copytree(TOOLS, tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(COMPLETIONS, tmp_path / "completions")
    shutil.copytree(ROOT / "packaging" / "man", tmp_path / "man")
    (tmp_path / "completions" / "kcc.bash").write_text("old\n")
    argv = [sys.executable, str(tmp_path / "tools" / "make.py")]
    done = subprocess.run([*argv, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        == f"{tmp_path}/completions/kcc.bash is stale: run `python packaging/tools/make.py`"
    )
    assert run(*argv).split() == [f"{tmp_path}/completions/kcc.bash"]
    run(*argv, "--check")


def bash(program: str, line: str, cwd: Path | None = None) -> set[str]:
    """What bash proposes for the last word of ``line`` (split as readline splits: at blanks and ``=``)."""
    words = [w for w in re.split(r"[ ]|(=)", line) if w] + ([""] if line.endswith(" ") else [])
    quoted = " ".join(f"'{w}'" for w in words)
    script = (
        # Outside of a real completion compopt has nothing to set.
        f"compopt() {{ :; }}; source '{COMPLETIONS / program}.bash'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
        f'_{program}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    return {found for found in run("bash", "-euc", script, cwd=cwd).split("\n") if found}


def test_bash(tmp_path: Path) -> None:
    (tmp_path / "a b.conf").touch()
    (tmp_path / "folder").mkdir()
    assert bash("kcc", "kcc che") == {"check"}
    assert {"check", "build", "lsp"} <= bash("kcc", "kcc ")
    assert "--version" in bash("kcc", "kcc --v")
    assert bash("kcc", "kcc check --str") == {"--strict"}
    assert {"text", "json", "sarif"} <= bash("kcc", "kcc check --format ")
    assert bash("kcc", "kcc check --format=js") == {"json"}
    assert bash("kcc", "kcc check --format=") >= {"text", "json"}
    assert bash("kcc", "kcc check --target kr") == {"krun"}
    assert bash("kcc", "kcc build x.conf --tar") == {"--target"}
    assert bash("kcc", "kcc check a", tmp_path) == {"a b.conf"}
    assert "KC0303" in bash("kcc", "kcc explain KC03")
    assert "KC0303" in bash("kcc", "kcc check --select KC03")
    assert bash("krun", "krun --kernel ") == {"linux", "memory"}
    assert bash("krun", "krun a", tmp_path) == {"a b.conf"}
    assert bash("krun", "krun --run-dir f", tmp_path) == {"folder"}
    assert {"status", "reload", "plan", "stop"} <= bash("krunctl", "krunctl ")
    assert bash("krunctl", "krunctl status --j") == {"--json"}


def test_fish(tmp_path: Path) -> None:
    need("fish")
    (tmp_path / "a.conf").touch()

    def fish(program: str, line: str) -> set[str]:
        script = f"source '{COMPLETIONS / program}.fish'; complete -C '{line}'"
        return {
            found.split("\t")[0]
            for found in run("fish", "--no-config", "-c", script, cwd=tmp_path).splitlines()
        }

    assert fish("kcc", "kcc che") == {"check"}
    assert fish("kcc", "kcc check --str") == {"--strict"}
    assert {"text", "json", "sarif"} <= fish("kcc", "kcc check --format ")
    assert fish("kcc", "kcc check a") == {"a.conf"}
    assert "KC0303" in fish("kcc", "kcc explain KC030")
    assert fish("krun", "krun --kernel ") == {"linux", "memory"}
    assert {"status", "reload", "plan", "stop"} <= fish("krunctl", "krunctl ")


ZSH = """
zmodload zsh/zpty
zpty -b shell 'zsh -f -i'
tell() { zpty -w shell "$1" }
tell "PS1=; fpath=($2 \\$fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' list-prompt ''; LISTMAX=0"
tell "list() { zle list-choices; zle -R; print; print the''end }; zle -N list; bindkey '^X' list"
tell "stty columns 200 rows 400; cd $3; print rea''dy"
zpty -r -m shell text '*ready*' || exit 1
zpty -w -n shell "$1"$'\\x18'
zpty -r -m shell text '*theend*' || exit 1
print -rn -- "$text"
zpty -d shell
"""


def test_zsh(tmp_path: Path) -> None:
    need("zsh")
    functions = tmp_path / "functions"
    functions.mkdir()
    for path in COMPLETIONS.glob("*.zsh"):
        run("zsh", "-n", str(path))
        shutil.copy(path, functions / f"_{path.stem}")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.conf").touch()

    def zsh(line: str) -> str:
        argv = ["zsh", "-f", "-c", ZSH, "zsh", line, str(functions), str(tmp_path / "here")]
        done = subprocess.run(
            argv, capture_output=True, check=False, timeout=60, env={**ENVIRONMENT, "TERM": "dumb"}
        )
        return done.stdout.decode(errors="replace")

    commands = zsh("kcc ")
    assert "explain every mistake" in commands and "genhash" in commands
    assert "--strict" in zsh("kcc check --")
    formats = zsh("kcc check --format ")
    assert "sarif" in formats and "gitlab" in formats
    assert "a.conf" in zsh("kcc check ")
    assert "memory" in zsh("krun --kernel ")
    assert "reload" in zsh("krunctl ")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_is_clean(page: Path) -> None:
    need("groff")
    run("groff", "-man", "-ww", "-z", "-Tutf8", str(page))
    text = run("groff", "-man", "-Tascii", "-P-cbou", str(page))
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        assert f"\n{heading}\n" in text, heading
    assert "`" not in text
    assert "\\" not in text


def test_pages_name_every_command_and_option() -> None:
    spec = importlib.util.spec_from_file_location("model", TOOLS / "model.py")
    assert spec is not None and spec.loader is not None
    model = importlib.util.module_from_spec(spec)
    sys.modules["model"] = model
    try:
        spec.loader.exec_module(model)
        programs = model.programs()
    finally:
        del sys.modules["model"]
    assert [p.name for p in programs] == ["kcc", "krun", "krunctl"]
    for program in programs:
        (page,) = [p for p in PAGES if p.stem == program.name]
        text = page.read_text().replace("\\-", "-")
        for command in (program, *program.commands):
            for argument in command.options:
                assert all(flag in text for flag in argument.flags), (command.name, argument.flags)
        assert all(f".SS {command.name}\n" in text for command in program.commands)
