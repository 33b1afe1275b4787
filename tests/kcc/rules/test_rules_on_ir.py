"""Rules see the IR, so they judge one that no text stands behind."""

import inspect

import pytest

from kcc.diagnostics.codes import CODES
from kcc.diagnostics.model import Findings
from kcc.lower import Lowered
from kcc.rules import RULES, judge
from kir.model import Address, Config, Peer, Script, VrrpInstance, VrrpScript


def router(name: str, vrid: int = 7, **more: object) -> VrrpInstance:
    fields: dict[str, object] = {
        "name": name,
        "interface": "eth0",
        "vrid": vrid,
        "version": 3,
        "family": "inet",
        "initial_state": "BACKUP",
        "priority": 100,
        "advert_int_us": 1_000_000,
        "group": "224.0.0.18",
        "vips": (Address(address=f"203.0.113.{vrid}", prefix=24, device="eth0", family="inet"),),
        **more,
    }
    return VrrpInstance(**fields)  # type: ignore[arg-type]


def judged(config: Config, origins: dict[str, tuple[str, int, int]] | None = None) -> Findings:
    findings = Findings()
    judge(Lowered(config, origins or {}, file="a.json"), findings, "krun")
    return findings


def codes(config: Config) -> list[str]:
    return [d.code for d in judged(config).items]


def test_a_clean_ir_is_silent() -> None:
    assert codes(Config(vrrp_instances=(router("A"), router("B", 8)))) == []


def test_without_origins_the_file_is_named() -> None:
    found = judged(Config(vrrp_instances=(router("A"), router("B", vips=()))))
    assert [(d.code, d.span.file, d.span.line) for d in found.items] == [("KC0503", "a.json", 0)]


def test_with_origins_the_text_is_named() -> None:
    origins = {"vrrp_instance/A/vrid": ("k.conf", 3, 9), "vrrp_instance/B": ("k.conf", 7, 15)}
    found = judged(Config(vrrp_instances=(router("A"), router("B", vips=()))), origins).items[0]
    assert (found.span.file, found.span.line, found.span.column) == ("k.conf", 7, 15)
    assert [(r.span.line, r.span.column) for r in found.related] == [(3, 9)]


def test_different_unicast_peers_do_not_meet() -> None:
    one = router("A", unicast=True, peers=(Peer(address="192.0.2.2"),))
    two = router("B", unicast=True, peers=(Peer(address="192.0.2.3"),), vips=())
    assert codes(Config(vrrp_instances=(one, two))) == []
    assert codes(Config(vrrp_instances=(one, router("C", unicast=True, peers=one.peers, vips=())))) == [
        "KC0503"
    ]
    assert codes(Config(vrrp_instances=(router("A", source="192.0.2.1", unicast=True, peers=one.peers), router("B", source="192.0.2.9", unicast=True, peers=one.peers, vips=())))) == []  # fmt: skip


def test_security_is_said_once() -> None:
    scripts = tuple(VrrpScript(name=n, argv=("/bin/true",)) for n in "ab")
    server = router("A").notify.__class__(master=Script(argv=("/bin/true",)))
    config = Config(vrrp_scripts=scripts, vrrp_instances=(router("A", notify=server),))
    assert codes(config).count("KC0401") == 1


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.code)
def test_each_rule_says_why(rule: object) -> None:
    check = rule.check  # type: ignore[attr-defined]
    assert rule.code in CODES  # type: ignore[attr-defined]
    assert len(inspect.getdoc(check) or "") > 60


def test_each_code_has_one_rule() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
