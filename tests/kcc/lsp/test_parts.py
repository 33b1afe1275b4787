"""The parts of the language server that know no protocol."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types as lsp

from kcc.language.keywords import ROOT, walk
from kcc.language.tree import Kind
from kcc.lsp.completion import proposals
from kcc.lsp.context import place_at, reference_at
from kcc.lsp.features import line_edits
from kcc.lsp.names import DEFINING, definitions, wanted_at
from kcc.lsp.positions import to_offset, to_units
from kcc.lsp.reference import entry
from support.lsp_client import applied

TARGET = "keepalived-2.4.3"


def at(text: str) -> tuple[list[str], int, int]:
    """The text without its ``|``, and where that stood."""
    before = text.partition("|")[0]
    return text.replace("|", "").split("\n"), before.count("\n"), len(before.rpartition("\n")[2])


@pytest.mark.parametrize(
    ("text", "block", "words", "index"),
    [
        ("|", "", [], 0),
        ("vrrp_instance V {\n  |", "vrrp_instance", [], 0),
        ("vrrp_instance V\n{\n  state MAS|", "vrrp_instance", ["state", "MAS"], 1),
        ("vrrp_instance V { state | }", "vrrp_instance", ["state"], 1),
        ("vrrp_instance V {\n  authentication {\n    auth_type |", "authentication", ["auth_type"], 1),
        ("vrrp_instance V {\n  track_script {\n    a\n  }\n  |", "vrrp_instance", [], 0),
        ("vrrp_instance A {\n  track_script {\n    x\nvrrp_instance B {\n  |", "vrrp_instance", [], 0),
        ("vrrp_instance A {\nvirtual_server 1.1.1.1 80 {\n  |", "virtual_server", [], 0),
        ('vrrp_script s {\n  script "a } # b"\n  |', "vrrp_script", [], 0),
        ("vrrp_script s { # }\n  |", "vrrp_script", [], 0),
        ("vrrp_script s {\n  script a\\#b # }\n  |", "vrrp_script", [], 0),
        ("$X=a \\\n } \\\n }\nvrrp_script s {\n  |", "vrrp_script", [], 0),
        ("vrrp_instance V {\n  @host1 prior|", "vrrp_instance", ["prior"], 0),
        ("router_id ${A}${B}|", "", ["router_id", "${A}${B}"], 1),
        ("}\n}\n}\n|", "", [], 0),
    ],
)
def test_where_the_cursor_is(text: str, block: str, words: list[str], index: int) -> None:
    place = place_at(*at(text))
    assert place.block is not None and place.block.name == block
    assert [w.text for w in place.words] == words
    assert place.at == index


@pytest.mark.parametrize("text", ["bogus {\n  |", "vrrp_instance V {\n  priority {\n  |", "{\n  |"])
def test_nothing_is_proposed_in_an_unknown_block(text: str) -> None:
    place = place_at(*at(text))
    assert place.block is None
    assert proposals(place, [], TARGET) == []


@given(
    st.text(alphabet=st.sampled_from('ab{}"#!\\$@~= \t\n\x0b\x0c|ä𝄞')), st.integers(0, 30), st.integers(0, 30)
)
def test_any_text_has_a_place(text: str, number: int, offset: int) -> None:
    lines = text.split("\n")
    place = place_at(lines, number, offset)
    wanted_at(place)
    proposals(place, [], TARGET)
    line = lines[number] if number < len(lines) else ""
    for word in place.words:
        assert line[word.start : word.end] == word.text
    reference_at(line, offset)
    for _name, d in definitions(lines):
        assert lines[d.line][d.start : d.end] == _name


@given(st.text(), st.sampled_from(["utf-8", "utf-16", "utf-32"]), st.data())
def test_columns_there_and_back(line: str, encoding: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(line)))
    assert to_offset(line, to_units(line, offset, encoding), encoding) == offset


@given(st.text(alphabet="ab \n𝄞", max_size=40), st.text(alphabet="ab \n𝄞", max_size=40))
def test_line_edits_make_the_new_text(old: str, new: str) -> None:
    converted = [
        {
            "range": {
                "start": {"line": e.range.start.line, "character": e.range.start.character},
                "end": {"line": e.range.end.line, "character": e.range.end.character},
            },
            "newText": e.new_text,
        }
        for e in line_edits(old, new, "utf-16")
    ]
    assert applied(old, converted) == new
    assert all(isinstance(e, lsp.TextEdit) for e in line_edits(old, new, "utf-16"))


def test_every_keyword_has_an_entry_and_is_proposed_in_its_block() -> None:
    for path, keyword in walk():
        names = tuple(path.split(" > "))
        text = entry(keyword, names[:-1])
        assert keyword.name in text and keyword.doc in text
        opened = "\n".join(f"{name} x {{" for name in names[:-1])
        found = proposals(place_at(*at(f"{opened}\n|")), [], TARGET)
        assert keyword.name in [p.text for p in found], path


def test_a_new_keyword_is_not_proposed_for_an_old_release() -> None:
    place = place_at(*at("vrrp_instance V {\n  |"))
    new = {k.name for k in place.block.children if k.since is not None} if place.block else set()
    assert new
    assert not new & {p.text for p in proposals(place, [], "keepalived-2.2.7")}
    assert new <= {p.text for p in proposals(place, [], TARGET)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("vrrp_instance V {\n  track_script {\n    a|", ("vrrp_script",)),
        ("vrrp_instance V {\n  track_script {\n    a weight|", ()),
        ("vrrp_instance V {\n  track_file {\n    a|", ("vrrp_track_file", "track_file")),
        ("vrrp_sync_group G {\n  group {\n    a b|", ("vrrp_instance",)),
        ("track_group G {\n  group {\n    a|", ("vrrp_instance",)),
        ("virtual_server group W|", ("virtual_server_group",)),
        ("static_routes {\n  1.1.1.0/24 dev x track_group g|", ("track_group",)),
        ("global_defs {\n  lvs_sync_daemon eth0 V|", ("vrrp_instance",)),
        ("global_defs {\n  lvs_sync_daemon eth0 inst V|", ("vrrp_instance",)),
        ("global_defs {\n  lvs_sync_daemon eth0 id 5 inst V|", ("vrrp_instance",)),
        ("global_defs {\n  lvs_sync_daemon eth0 inst|", ()),
        ("global_defs {\n  lvs_sync_daemon eth0 inst VI_1 i|", ()),
        (
            "virtual_server 1.1.1.1 80 {\n  real_server 1.1.1.1 80 {\n    FILE_CHECK {\n      track_file a|",
            ("vrrp_track_file", "track_file"),
        ),
        ("vrrp_instance V {\n  interface eth0|", ()),
        ("# vrrp_instance V|", ()),
    ],
)
def test_which_words_are_names(text: str, wanted: tuple[str, ...]) -> None:
    assert wanted_at(place_at(*at(text))) == wanted


def test_the_defining_blocks_exist() -> None:
    for name in DEFINING:
        keyword = ROOT.child(name)
        assert keyword is not None and keyword.kind is not Kind.LEAF and keyword.args


def test_variables_of_replication_are_definitions() -> None:
    found = definitions(["~SEQ(n, 1, 3) router_id ${n}", "~LST({a, b}, {1, 2}) x", "$N=1"])
    assert [name for name, _ in found] == ["n", "a", "b", "N"]
