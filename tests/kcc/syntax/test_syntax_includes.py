"""Includes: what they match, how strict they are, where places lead."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kcc.diagnostics.model import Findings
from kcc.source import Limits, Options
from kcc.syntax import Tree, parse_file
from support.syntax_tools import outline, write


def parse(path: Path | str, **options: object) -> tuple[Tree, list[tuple[str, str, int]], Findings]:
    findings = Findings()
    tree = parse_file(path, findings, Options(config_id="me", **options))  # type: ignore[arg-type]
    return tree, [(d.code, d.severity.word, d.span.line) for d in findings.items], findings


def test_relative_names_start_from_the_including_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"k.conf": "a\ninclude d/x.conf\nz\n", "d/x.conf": "b\ninclude y.conf\n", "d/y.conf": "c ${_PWD}\n"},
    )
    tree, found, _ = parse(tmp_path / "k.conf")
    assert outline(tree.body) == ["a", "b", f"c {tmp_path.resolve() / 'd'}", "z"]
    assert found == []
    assert [Path(f).name for f in tree.files] == ["k.conf", "x.conf", "y.conf"]
    assert tree.lines == 6
    inner = tree.body[2]
    assert [(Path(r.span.file).name, r.span.line, r.span.column, r.message) for r in inner.via()] == [
        ("x.conf", 2, 9, "included from here"),
        ("k.conf", 2, 9, "included from here"),
    ]


def test_names_are_shown_as_the_user_gave_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"k.conf": "include d/x.conf\n", "d/x.conf": "include y.conf\n", "d/y.conf": "c\n"})
    monkeypatch.chdir(tmp_path)
    assert parse("k.conf")[0].files == ("k.conf", "d/x.conf", "d/y.conf")


def test_patterns_are_sorted_and_braces_are_alternatives(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "k.conf": "include c/*.conf\ninclude c/{z,b}.conf\n",
            "c/b.conf": "b\n",
            "c/z.conf": "z\n",
            "c/.h.conf": "h\n",
        },
    )
    tree, found, _ = parse(tmp_path / "k.conf")
    assert (outline(tree.body), found) == (["b", "z", "z", "b"], [])


def test_includes_go_through_definitions_conditions_and_blocks(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "k.conf": "$F=x.conf\n@no include $F\n@me include $F\n}\na { include ${F}\n}\n}\n~SEQ(N,2) include n${N}\n",
            "x.conf": "b {\n",
            "n1": "one\n",
            "n2": "two\n",
        },
    )
    tree, found, _ = parse(tmp_path / "k.conf")
    assert outline(tree.body) == [["b", []], ["a", [["b", []]]], "one", "two"]
    assert found == []


def test_an_include_takes_the_rest_of_the_line(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": "a { include x }\n}\n", "x }": "b\n"})
    tree, found, _ = parse(tmp_path / "k.conf")
    assert (outline(tree.body), found) == ([["a", ["b"]]], [])


def test_one_definition_serves_all_files(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": "include a\nx $A\n", "a": "$A=1\n"})
    assert outline(parse(tmp_path / "k.conf")[0].body) == ["x 1"]


@pytest.mark.parametrize(
    ("keyword", "missing", "wildcard", "no_folder", "brace"),
    [
        ("include", "warning", "note", "warning", "warning"),
        ("includer", "warning", "note", "warning", "warning"),
        ("includem", "error", "note", "error", "warning"),
        ("includew", "error", "error", "error", "warning"),
        ("includeb", "warning", "note", "warning", "error"),
        ("includea", "error", "error", "error", "error"),
    ],
)
def test_strictness(
    tmp_path: Path, keyword: str, missing: str, wildcard: str, no_folder: str, brace: str
) -> None:
    lines = [f"{keyword} no.conf", f"{keyword} no*.conf", f"{keyword} no/*.conf", f"{keyword} {{k,no}}.txt"]
    write(tmp_path, {"k.conf": "a\n" + "\n".join(lines) + "\n", "k.txt": "b\n"})
    tree, found, _ = parse(tmp_path / "k.conf")
    assert outline(tree.body) == ["a", "b"]
    assert [severity for _c, severity, _l in found] == [missing, wildcard, no_folder, brace]


def test_include_check_acts_from_its_line_to_the_end_of_its_file(tmp_path: Path) -> None:
    inner = "include no\nglobal_defs {\n include_check\n}\ninclude no\n"
    write(tmp_path, {"k.conf": f"include i\ninclude no\n{inner}include no*\n", "i": inner})
    _tree, _found, findings = parse(tmp_path / "k.conf")
    assert [(Path(d.span.file).name, d.span.line, d.severity.word) for d in findings.items] == [
        ("i", 1, "warning"),
        ("i", 5, "error"),
        ("k.conf", 2, "warning"),
        ("k.conf", 3, "warning"),
        ("k.conf", 7, "error"),
        ("k.conf", 8, "error"),
    ]
    _tree, strict, _ = parse(tmp_path / "k.conf", include_check=frozenset({"match"}))
    assert [s for _c, s, _l in strict] == ["error"] * 6


def test_what_is_not_included(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"k.conf": "a\ninclude exe\ninclude dir\ninclude fifo\nincluder exe\n", "exe": "b\n", "dir/x": ""},
    )
    (tmp_path / "exe").chmod(0o755)
    os.mkfifo(tmp_path / "fifo")
    tree, found, _ = parse(tmp_path / "k.conf")
    assert outline(tree.body) == ["a"]
    assert found == [("KC0110", "warning", n) for n in (2, 3, 4)] + [("KC0102", "error", 5)]


def test_what_is_no_include() -> None:
    from support.syntax_tools import read

    text = 'includex a\ninclude\n"include" a\n'
    assert read(text) == ["includex a", "include", '"include" a']


def test_cycles_and_depth(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": "a\ninclude x\nb\n", "x": "c\ninclude k.conf\ninclude x\nd\n"})
    tree, found, _ = parse(tmp_path / "k.conf")
    assert outline(tree.body) == ["a", "c", "d", "b"]
    assert found == [("KC0103", "error", 2), ("KC0103", "error", 3)]
    write(tmp_path, {f"n{i}": f"i{i}\ninclude n{i + 1}\n" for i in range(10)})
    tree, found, _ = parse(tmp_path / "n0", limits=Limits(max_include_depth=4))
    assert outline(tree.body) == ["i0", "i1", "i2", "i3"]
    assert [c for c, _s, _l in found] == ["KC0103"]


def test_a_block_may_end_in_another_file(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": "a {\n  b\ninclude end\nc\n", "end": "}\n"})
    tree, found, _ = parse(tmp_path / "k.conf")
    assert (outline(tree.body), found) == ([["a", ["b"]], "c"], [])
    assert tree.body[0].closed.file.endswith("end")  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "nul", "device"])
def test_a_main_file_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    path = {
        "missing": str(tmp_path / "no"),
        "folder": str(tmp_path),
        "nul": "a\0b",
        "device": "/dev/zero",
    }.get(kind, str(tmp_path / "fifo"))
    if kind == "fifo":
        os.mkfifo(path)
    tree, found, _ = parse(path)
    assert (tree.body, found) == ([], [("KC0001", "error", 0)])


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"k.conf": "a\n"})

    def refuse(*_args: object, **_options: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    _tree, found, findings = parse(tmp_path / "k.conf")
    assert found == [("KC0001", "error", 0)]
    assert findings.items[0].message.endswith("cannot be read: permission denied")


def test_the_main_file_may_be_a_pattern(tmp_path: Path) -> None:
    write(tmp_path, {"a.conf": "a\n", "b.conf": "b\n"})
    tree, found, _ = parse(tmp_path / "*.conf")
    assert (outline(tree.body), found) == (["a", "b"], [("KC0110", "warning", 0)])


def test_too_large(tmp_path: Path) -> None:
    write(tmp_path, {"k.conf": "a b c\n"})
    assert parse(tmp_path / "k.conf", limits=Limits(max_file_bytes=5))[1] == [("KC0005", "error", 0)]
    assert parse(tmp_path / "k.conf", limits=Limits(max_file_bytes=6))[1] == []


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    write(tmp_path, {"x": "b\n"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a {\ninclude x\n")))
    tree, found, _ = parse("-")
    assert (outline(tree.body), tree.files) == ([["a", ["b"]]], ("-", "x"))
    assert found == [("KC0204", "error", 1)]
