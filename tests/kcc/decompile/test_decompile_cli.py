"""``kcc decompile`` as a user runs it, and the words that it writes."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from kcc.cli import main
from kcc.decompile import Unprintable, text_of
from kcc.decompile.words import command, duration, expression, word
from kir.codec import document, write
from kir.model import Config, VirtualServer, VrrpScript
from support.ir_samples import PASSWORD, full, instance, real, service

GOOD = """\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 150
    authentication {
        auth_type PASS
        auth_pass "s#cret"
    }
    virtual_ipaddress {
        203.0.113.10/24
    }
}
"""


def test_a_configuration_comes_back_in_canonical_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text(GOOD)
    out = tmp_path / "b.conf"
    assert main(["decompile", str(conf), "-o", str(out)]) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "1 passwords in clear, mode 0600" in capsys.readouterr().err
    title, _, text = out.read_text().partition("\n\n")
    assert title.startswith("# sha256:")
    assert text == (
        "vrrp_instance VI_1 {\n    state BACKUP\n    interface eth0\n    virtual_router_id 51\n    version 2\n"
        '    priority 150\n    advert_int 1\n    authentication {\n        auth_type PASS\n        auth_pass "s#cret"\n'
        "    }\n    virtual_ipaddress {\n        203.0.113.10/24\n    }\n}\n"
    )


def test_an_ir_comes_back_as_text_with_its_digest(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    config = full()
    replace = msgspec.structs.replace
    # The sample says two things that a compiler never makes: weights in a group without them, no multicast group.
    first = replace(config.vrrp_instances[0], track_interfaces=(), track_scripts=())
    second = replace(config.vrrp_instances[1], group="ff02::12", check_unicast_src=True)
    doc = document(replace(config, vrrp_instances=(first, second)))
    write(doc, tmp_path / "ir.json")
    assert main(["decompile", str(tmp_path / "ir.json")]) == 0
    text = capfdbinary.readouterr().out
    assert text.startswith(b"# " + doc.digest.encode())
    assert PASSWORD.encode() in text


def test_a_meaning_that_text_cannot_have_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = instance(advert_int_us=1_500_000)  # version 2 counts whole seconds
    write(document(Config(vrrp_instances=(odd,))), tmp_path / "ir.json")
    assert main(["decompile", str(tmp_path / "ir.json"), "-o", str(tmp_path / "out.conf")]) == 1
    said = capsys.readouterr().err
    assert "advert_int_us" in said
    assert "nothing was written" in said
    assert not (tmp_path / "out.conf").exists()


WITHOUT_INTERFACE = """\
vrrp_instance A {
    virtual_router_id 1
    unicast_src_ip 192.0.2.1
    unicast_peer {
        192.0.2.3
    }
    virtual_ipaddress {
        10.0.0.1/24 dev eth0
    }
    auth_hmac {
        key 1 hex:3031323334353637383961626364656630313233343536373839616263646566
        active_key 1
    }
}
SSL {
    password secret
}
"""


def test_what_only_keepalived_takes_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """krun wants an interface; an IR that was compiled for keepalived needs none."""
    conf = tmp_path / "a.conf"
    conf.write_text(WITHOUT_INTERFACE)
    target = ["--target", "keepalived-2.4.3"]
    assert main(["decompile", *target, str(conf), "-o", str(tmp_path / "b.conf")]) == 0
    assert "2 passwords in clear" in capsys.readouterr().err
    assert main(["build", *target, str(conf), "-o", str(tmp_path / "ir.json")]) == 0
    assert main(["decompile", str(tmp_path / "ir.json"), "-o", str(tmp_path / "c.conf")]) == 0
    assert (tmp_path / "b.conf").read_text() == (tmp_path / "c.conf").read_text()
    assert main(["decompile", str(conf)]) == 1


def test_a_configuration_with_errors_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "a.conf"
    conf.write_text(GOOD.replace("virtual_router_id 51", "virtual_router_id 0"))
    assert main(["decompile", str(conf)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "has errors; nothing was written" in captured.err


def test_unusable_input_and_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decompile", str(tmp_path / "missing.conf")]) == 2
    conf = tmp_path / "a.conf"
    conf.write_text(GOOD)
    assert main(["decompile", str(conf), "-o", str(tmp_path / "no" / "b.conf")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("VI_1", "VI_1"),
        ("", '""'),
        ("a b", '"a b"'),
        ("a#b", '"a#b"'),
        ("p!", '"p!"'),
        ("{x}", '"{x}"'),
        ("it's", '"it\'s"'),
        ("a\\b", '"a\\b"'),
        ("$NAME", "$NAME"),
    ],
)
def test_words(text: str, written: str) -> None:
    assert word(text) == written


@pytest.mark.parametrize("text", ["@id", "$X=1", "~SEQ(a)", "include"])
def test_words_that_mean_something_at_the_start_of_a_line(text: str) -> None:
    assert word(text) == text
    assert word(text, first=True) == f'"{text}"'


@pytest.mark.parametrize("text", ['a"b', "a\nb", "a\0b", "${_HASH}", "x $_PWD", "a\\"])
def test_words_that_cannot_be_written(text: str) -> None:
    with pytest.raises(Unprintable):
        word(text)


@pytest.mark.parametrize(
    ("argv", "written"),
    [
        (["/bin/true"], "/bin/true"),
        (["/bin/echo", "a", ""], "\"/bin/echo a ''\""),
        (["/bin/echo", "a  b"], "\"/bin/echo 'a  b'\""),
        (["/bin/echo", "it's"], '"/bin/echo it\\047s"'),
        (["/bin/echo", 'say "x"'], '"/bin/echo say\\040\\042x\\042"'),
        (["/bin/echo", "$X", "\n", "\\"], '"/bin/echo \\044X \\012 \\134"'),
        (["/bin/echo{}"], '"/bin/echo{}"'),
    ],
)
def test_commands(argv: list[str], written: str) -> None:
    assert command(argv) == written


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("ok", '"ok"'),
        (r"^\d+ b$", r'"^\\d+ b\044"'),
        ('say "x"', r'"say \042x\042"'),
        ("it's #1!", '"it\'s #1!"'),
        ("end\\\\", r'"end\\\134"'),
        ("", '""'),
    ],
)
def test_regular_expressions(pattern: str, written: str) -> None:
    assert expression(pattern) == written


def test_durations() -> None:
    assert [duration(us) for us in (0, 1, 250_000, 1_000_000, 40_950_000)] == [
        "0",
        "0.000001",
        "0.25",
        "1",
        "40.95",
    ]


def test_a_value_that_looks_like_an_undefined_definition_does_not_make_it_a_template() -> None:
    text = text_of(
        Config(vrrp_scripts=(VrrpScript(name="${A}", argv=("/x",)), VrrpScript(name="${B}", argv=("/x",))))
    )
    from kcc.commands.decompile import compile_text

    again = compile_text(text.encode(), "t.conf")
    assert again.lowered is not None
    assert [s.name for s in again.lowered.config.vrrp_scripts] == ["${A}", "${B}"]


def test_neighbouring_addresses_of_a_group_are_a_range() -> None:
    its = tuple(service(f"10.0.0.{n}") for n in (1, 2, 3, 7))
    text = text_of(
        Config(virtual_servers=(VirtualServer(name="group web tcp", services=its, real_servers=(real(),)),))
    )
    assert "virtual_server_group web {\n    10.0.0.1-10.0.0.3 80\n    10.0.0.7 80\n}" in text
