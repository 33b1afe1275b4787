"""Words: booleans, enumerations, names, scripts and accounts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_texts import accepts, read, refuses

from kcc.language.arguments.base import REFUSED, Many, Optional
from kcc.language.arguments.scripts import (
    ACCOUNT,
    COMMAND,
    FIFO,
    SCRIPT,
    TRACK_COMMAND,
    split_escaped,
    split_quoted,
)
from kcc.language.arguments.words import BOOL, IFNAME, EnumArg, SecretArg, StringArg
from kcc.language.parsed import AccountValue, ScriptValue


@pytest.mark.parametrize("text", ["true", "on", "yes"])
def test_true(text: str) -> None:
    assert accepts(BOOL, text) is True


@pytest.mark.parametrize("text", ["false", "off", "no"])
def test_false(text: str) -> None:
    assert accepts(BOOL, text) is False


@pytest.mark.parametrize("text", ["True", "1", "0", "", "ja"])
def test_no_boolean(text: str) -> None:
    assert refuses(BOOL, text) == "KC0305"


def test_absent() -> None:
    assert accepts(Optional(BOOL, True)) is True
    assert accepts(Many(BOOL), "on", "off") == (True, False)


def test_enumerations() -> None:
    assert accepts(EnumArg("TCP", "UDP", any_case=True), "udp") == "UDP"
    assert refuses(EnumArg("AH", "PASS"), "pass") == "KC0304"
    _, said = read(EnumArg("AH", "PASS"), "pass")
    assert said[0].help == "write `PASS`: case matters here"
    value, said = read(EnumArg("MASTER", "BACKUP", instead="BACKUP"), "SLAVE")
    assert value == "BACKUP"
    assert said[0].consequence == "taken as `BACKUP`"


def test_passwords_stand_in_no_message() -> None:
    value, said = read(SecretArg("a password", 8, cut=True), "geheim-und-lang")
    assert value == "geheim-u"
    assert "geheim" not in f"{said[0].message}{said[0].label}{said[0].help}{said[0].consequence}"


def test_lengths_are_octets() -> None:
    assert accepts(StringArg("x", 8), "ääää") == "ääää"
    assert refuses(StringArg("x", 8), "äääää") == "KC0309"


@pytest.mark.parametrize("name", ["eth0", "bond0.100", "a" * 15, "vlan-7"])
def test_interfaces(name: str) -> None:
    assert accepts(IFNAME, name) == name


@pytest.mark.parametrize("name", ["", "a" * 16, "eth0:1", "a/b", "..", "eth 0"])
def test_no_interfaces(name: str) -> None:
    assert refuses(IFNAME, name) in ("KC0307", "KC0309")


def test_scripts_are_split_with_quotes_and_escapes() -> None:
    assert accepts(SCRIPT, "/bin/sh -c 'echo a b'") == ScriptValue(("/bin/sh", "-c", "echo a b"))
    assert accepts(SCRIPT, "/bin/x a\\ b \\x41\\101\\t") == ScriptValue(("/bin/x", "a b", "AA\t"))
    assert accepts(SCRIPT, "/bin/x", "nobody", ":adm") == ScriptValue(
        ("/bin/x",), AccountValue("nobody", "adm", True)
    )
    assert accepts(TRACK_COMMAND, "</tmp/file") == ScriptValue(("</tmp/file",), None, "/tmp/file")


def test_unquoted_parameters_are_pointed_out() -> None:
    value, said = read(COMMAND, "/usr/bin/killall", "-0", "haproxy")
    assert value == ScriptValue(("/usr/bin/killall",))
    assert said[0].code == "KC0209"
    assert '"/usr/bin/killall -0 haproxy"' in (said[0].help or "")
    value, said = read(SCRIPT, "/etc/notify.sh", "MASTER")
    assert (value.account, said[0].code) == (AccountValue("MASTER"), "KC0315")


def test_no_command() -> None:
    assert refuses(SCRIPT) == "KC0301"
    assert refuses(SCRIPT, "") == "KC0301"
    assert refuses(COMMAND, "/bin/echo 'a") == "KC0307"


def test_accounts() -> None:
    assert accepts(ACCOUNT, "nobody") == AccountValue("nobody")
    assert accepts(ACCOUNT, "nobody", ":") == AccountValue("nobody", None, True)
    assert accepts(FIFO, "/run/f", "u", "g") == ("/run/f", AccountValue("u", "g"))
    assert accepts(FIFO, "/run/f") == ("/run/f", None)


@given(st.text(max_size=40))
def test_splitting_never_raises(text: str) -> None:
    words, _ = split_quoted(text)
    assert all(0 <= start < end <= len(text) for _, start, end in words)
    split_escaped(text)


@given(st.lists(st.text(alphabet="abc /.-", min_size=1, max_size=8), min_size=1, max_size=5))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert split_escaped(" ".join(f"'{word}'" for word in words)) == (words, True)


@given(st.lists(st.text(max_size=10), max_size=4))
def test_scripts_never_raise(words: list[str]) -> None:
    value, said = read(SCRIPT, *words)
    assert value is not REFUSED or said
