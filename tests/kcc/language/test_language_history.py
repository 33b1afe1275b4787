"""What came with which release: the table is whole, and 2.2.7 agrees about every keyword of the language."""

from __future__ import annotations

import re

import pytest
from language_texts import nodes

from kcc.language import changes, history
from kcc.language.changes import UNRELEASED, order
from kcc.language.history import GONE, History, newer_than
from kcc.language.keywords import ROOT, walk
from kcc.language.release import release_of
from kcc.language.tree import Keyword, Kind
from kcc.targets import TARGETS
from support.keepalived_says import AGAINST_2_2_7, keepalived_says

PATHS = dict(walk())


# --- the table


def test_every_keyword_has_a_history() -> None:
    for path in PATHS:
        life = history.history(path)
        assert life.until is None
        assert (life.since is None) == (life.remark == history.NOT_ESTABLISHED), path
    with pytest.raises(KeyError):
        history.history("vrrp_instance > priorty")


def test_the_table_holds_keywords_of_the_tree_only_and_each_once() -> None:
    rows = list(history._rows())
    assert {path for path, _ in rows} | history._OLDEST == set(PATHS)
    assert len(rows) == len(PATHS) - len(history._OLDEST)


def test_the_table_is_newest_first() -> None:
    releases = [order(line) for line in history.SINCE.splitlines() if not line.startswith(" ")]
    assert releases == sorted(set(releases), reverse=True)


def test_no_keyword_is_older_than_its_block() -> None:
    for path in PATHS:
        above, _, _ = path.rpartition(" > ")
        since, block = history.history(path).since, history.history(above).since if above else None
        if since and block:
            assert order(since) >= order(block), path


def test_order_of_releases() -> None:
    mixed = ["2.0.10", "after 2.4.3", "1.2.24", "2.4.3", "2.0.9", "0.4.9"]
    assert sorted(mixed, key=order) == ["0.4.9", "1.2.24", "2.0.9", "2.0.10", "2.4.3", "after 2.4.3"]


@pytest.mark.parametrize(
    ("path", "since"),
    [
        ("vrrp_instance > auth_hmac", "2.4.0"),
        ("vrrp_instance > use_vmac", "1.2.3"),
        ("vrrp_instance > unicast_peer", "1.2.8"),
        ("global_defs > vrrp_strict", "1.2.20"),
        ("global_defs > script_user", "1.3.0"),
        ("virtual_server > real_server > HTTP_GET > url > regex", "2.0.7"),
        ("virtual_server > real_server > SSL_GET > url > tls_compliant", "2.2.8"),
        ("virtual_server > real_server > SSL_GET > sni_name", UNRELEASED),
        ("virtual_server", None),
    ],
)
def test_since(path: str, since: str | None) -> None:
    assert history.history(path).since == since


def test_gone_keywords_are_not_in_the_tree() -> None:
    assert not set(GONE) & set(PATHS)
    for path, life in GONE.items():
        assert life.since and life.until and order(life.since) <= order(life.until), path
    assert history.history("global_defs > lvs_id") == History(
        "0.2.6", "1.1.7", "Since 1.1.8 it is called `router_id`."
    )


def test_changes_are_of_keywords_that_are_there() -> None:
    for paths, change in changes.CHANGES:
        for path in changes.expanded(paths):
            assert path in PATHS
            since = history.history(path).since
            assert since and order(since) < order(change.release)
            assert order("2.2.7") < order(change.release), "changes are followed from 2.2.7 on"
    strict = changes.changes("global_defs > vrrp_strict")
    assert [change.release for change in strict] == ["2.3.0"]
    assert [change.release for change in changes.changes("vrrp_instance > notify")] == ["2.3.2", UNRELEASED]


# --- targets


def test_keywords_that_share_a_declaration_share_the_verdict() -> None:
    """The descent looks a declaration up, and one may stand at several paths."""
    for target in TARGETS:
        name = target.removeprefix("keepalived-")
        newer = newer_than(name) if name[0].isdigit() else {}
        for path, keyword in PATHS.items():
            assert (keyword in release_of(target).lacks) == (path in newer)


def test_krun_has_the_whole_language() -> None:
    assert not release_of("krun").lacks
    assert not release_of("krun").rules


def test_what_the_targets_lack() -> None:
    assert len(release_of("keepalived-2.2.7").lacks) == len({PATHS[path] for path in newer_than("2.2.7")})
    assert set(newer_than("2.4.3")) == {
        "global_defs > set_supplementary_groups",
        "virtual_server > real_server > HTTP_GET > sni_name",
        "virtual_server > real_server > SSL_GET > sni_name",
    }


def test_the_keyword_modules_agree() -> None:
    """`Keyword.since` is the short form of the same fact."""
    newer = newer_than("2.2.7")
    assert {path for path, keyword in PATHS.items() if keyword.since} <= set(newer)


def test_the_message_names_the_release_and_a_target_that_has_it() -> None:
    said = nodes("vrrp_instance a {\nauth_hmac {\nkey 1 x\n}\nowner_ignore_adverts\n}\n", "keepalived-2.2.7")[
        1
    ]
    assert [(d.code, d.label, d.help) for d in said] == [
        ("KC0903", "came with keepalived 2.4.0", "remove it, or check with `--target keepalived-2.4.3`"),
        ("KC0903", "came with keepalived 2.3.3", "remove it, or check with `--target keepalived-2.4.3`"),
    ]
    said = nodes("global_defs {\nset_supplementary_groups\n}\n", "keepalived-2.4.3")[1]
    assert [(d.code, d.label, d.help) for d in said] == [
        ("KC0903", "in no release yet", "remove it, or check with `--target krun`")
    ]
    assert not nodes("global_defs {\nset_supplementary_groups\n}\n", "krun")[1]


def test_a_flag_of_2_2_7_is_on_whatever_follows() -> None:
    text = "global_defs {\nvrrp_strict false\nvrrp_skip_check_adv_addr no\n}\n"
    old, said = nodes(text, "keepalived-2.2.7")
    assert [d.code for d in said] == ["KC0904", "KC0904"]
    assert old.blocks[0].fields["vrrp_strict"].value is True
    assert old.blocks[0].fields["vrrp_skip_check_adv_addr"].value is True
    new, said = nodes(text)
    assert not said
    assert new.blocks[0].fields["vrrp_strict"].value is False


GLOBAL, INSTANCE = "global_defs {\n%s\n}\n", "vrrp_instance a {\n%s\n}\n"
UDP = "virtual_server 10.0.0.1 80 {\nprotocol UDP\nlvs_sched rr\nlvs_method NAT\nreal_server 10.0.0.2 80 {\nUDP_CHECK {\n%s\n}\n}\n}\n"
CHANGED = [
    (GLOBAL, "umask IRWXU", "error"),
    (GLOBAL, "umask IRUSR|IRWXO", "error"),
    (GLOBAL, "vrrp_strict false", "warning"),
    (GLOBAL, "startup_script /bin/true root :root", "error"),
    (GLOBAL, "shutdown_script /bin/true root :", "error"),
    (GLOBAL, "script_user root :root", "error"),
    (GLOBAL, "notify_fifo /f root :root", "warning"),
    (INSTANCE, "notify /bin/true root :root", "warning"),
    (INSTANCE, "use_vmac name bridge", "error"),
    (INSTANCE, "use_vmac vrrp.1 group 5", "error"),
    (INSTANCE, "use_vmac vrrp.1 netlink_notify_msg", "error"),
    (INSTANCE, "use_vmac netlink_notify_msg", "error"),
    (INSTANCE, "use_vmac group", "warning"),
    (INSTANCE, "use_vmac group 5", "error"),
    (INSTANCE, "use_vmac vrrp.1 02:00:00:00:01:02 group 5", "warning"),
    (INSTANCE, "use_ipvlan bridge group 5", "error"),
    (INSTANCE, "use_vmac 02:00:00:00:01:02 vrrp.1 more", "warning"),
    (INSTANCE, "use_ipvlan name bridge", "warning"),
    ("garp_group {\n%s\ninterface lo\n}\n", "garp_interval 3000", "error"),
    (UDP, "payload 01ff", "error"),
    (UDP, "require_reply FF", "error"),
    ("vrrp_script a {\nscript /bin/true\nuser root\n%s\n}\n", "interval 0.5", "error"),
    ("vrrp_script a {\nscript /bin/true\n%s\n}\n", "user root :root", "error"),
    ("vrrp_script a {\nscript /bin/true\n%s\n}\n", "user root :", "error"),
    (INSTANCE, r'notify_backup "/bin/echo a\\b" root', "warning"),
]
UNCHANGED = [
    (GLOBAL, "umask IRUSR|IXOTH"),
    (GLOBAL, "vrrp_strict"),
    (INSTANCE, "use_vmac"),
    (INSTANCE, "use_vmac vrrp.1 02:00:00:00:01:02"),
    (INSTANCE, "use_ipvlan ipv bridge"),
    ("garp_group {\n%s\ninterface lo\n}\n", "garp_interval 2000"),
    (UDP, "payload ff01"),
    (UDP, "payload 01 f"),
]


@pytest.mark.parametrize(("frame", "line", "word"), CHANGED, ids=[line for _, line, _ in CHANGED])
def test_arguments_that_2_2_7_takes_otherwise(frame: str, line: str, word: str) -> None:
    said = nodes(frame % line, "keepalived-2.2.7")[1]
    assert [d.severity.word for d in said] == [word]
    assert said[0].code == "KC0904"
    assert "2.2.7" in said[0].message or "2.2.8" in said[0].message


@pytest.mark.parametrize(("frame", "line"), UNCHANGED, ids=[line for _, line in UNCHANGED])
def test_arguments_that_mean_the_same(frame: str, line: str) -> None:
    assert not nodes(frame % line, "keepalived-2.2.7")[1]
    assert not nodes(frame % line)[1]


def test_supplementary_groups_are_in_no_release() -> None:
    text = 'global_defs {\nscript_user root :root\nstartup_script "/bin/true" root :\nnotify_fifo /f root :root\n}\n'
    assert [d.span.line for d in nodes(text)[1]] == [2, 3, 4]
    assert not nodes(text, "krun")[1]


# --- against keepalived 2.2.7

live = [
    *AGAINST_2_2_7,
]
_UNKNOWN = re.compile(r"Line (\d+)\) Unknown keyword '")
_ANY = re.compile(r"Line (\d+)\)")
_HEADS = {
    "virtual_server": "virtual_server 10.0.0.1 80",
    "real_server": "real_server 10.0.0.2 80",
}
# What makes keepalived go on with the next line: a value that it takes, where `1` would end the block.
_VALUES = {
    "virtual_server > ip_family": "inet",
    "bfd_instance > neighbor_ip": "10.0.0.1",
    "bfd_instance > neighbour_ip": "10.0.0.1",
}

# Debian builds 2.2.7 without iptables, ipsets and the rest of these: unknown there, whatever the release knows.
NOT_BUILT = {"global_defs > vrrp_ipsets"}


def blocks() -> list[str]:
    """The paths of the blocks that hold keywords; the top level is the empty path."""
    return ["", *(path for path, keyword in PATHS.items() if keyword.kind is Kind.BLOCK)]


def opened(path: str) -> list[str]:
    """The lines that open the block at ``path``."""
    return [f"{_HEADS.get(name, f'{name} a')} {{" for name in path.split(" > ")] if path else []


def lines_named(text: str, what: re.Pattern[str] = _UNKNOWN) -> set[int]:
    """The lines that keepalived names: those whose keyword it calls unknown, or by another pattern."""
    return {int(number) for number in what.findall(keepalived_says(text))}


@pytest.mark.parametrize("block", blocks(), ids=lambda path: path or "top level")
def test_keepalived_2_2_7_knows_what_we_say_it_knows(block: str) -> None:
    """Each keyword of a block on a line of its own, and behind each a word that no release knows: as long as that one is reported, the
    line before it was read in the right block."""
    node: Keyword = PATHS[block] if block else ROOT
    lines, keywords, sentinels = opened(block), {}, set()
    head = len(lines)
    for child in node.children:
        if child.kind is not Kind.LEAF:
            continue
        path = f"{block} > {child.name}" if block else child.name
        lines.append(f"{child.name} {_VALUES.get(path, '1 1 1')}")
        keywords[len(lines)] = path
        lines.append("no_such_keyword")
        sentinels.add(len(lines))
    lines += ["}"] * head
    theirs = lines_named("\n".join(lines) + "\n")
    assert sentinels <= theirs, "the block ended early: the test says nothing"
    newer = newer_than("2.2.7")
    for number, path in keywords.items():
        if path not in NOT_BUILT:
            assert (number in theirs) == (path in newer or block in newer), path


@pytest.mark.parametrize("path", [p for p, k in PATHS.items() if k.kind is not Kind.LEAF])
def test_keepalived_2_2_7_knows_the_blocks(path: str) -> None:
    lines = opened(path)
    theirs = lines_named("\n".join([*lines, *["}"] * len(lines)]) + "\n")
    assert (len(lines) in theirs) == (path in newer_than("2.2.7")), path


@pytest.mark.parametrize(
    ("frame", "line", "word"),
    [*CHANGED, *((frame, line, "none") for frame, line in UNCHANGED)],
    ids=[line for _, line, *_ in (*CHANGED, *UNCHANGED)],
)
def test_keepalived_2_2_7_refuses_the_arguments_that_we_call_errors(frame: str, line: str, word: str) -> None:
    text = frame % line
    number = text.splitlines().index(line) + 1
    assert (number in lines_named(text, _ANY)) == (word == "error")


for _test in (
    test_keepalived_2_2_7_knows_what_we_say_it_knows,
    test_keepalived_2_2_7_knows_the_blocks,
    test_keepalived_2_2_7_refuses_the_arguments_that_we_call_errors,
):
    for _mark in live:
        _mark(_test)
