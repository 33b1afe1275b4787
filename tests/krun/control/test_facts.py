"""``krunctl facts``: what it says of interfaces, accounts and files, against ip(8) and the file system."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import msgspec
import pytest

from kir.codec import document, write
from kir.facts import Facts, loads
from kir.model import Account, Config, Hmac, HmacKey, Notify, Script, TrackFile, VrrpInstance, VrrpScript
from krun.control.cli import main
from krun.control.facts import collect
from krun.control.paths import examine
from lab.needs import require_netns
from lab.netns import Namespace

ARPHRD_LOOPBACK = 772


def config(*commands: str, user: str | None = None) -> Config:
    account = Account(user=user)
    instance = VrrpInstance(
        name="VI_1",
        interface="eth0",
        vrid=51,
        version=2,
        family="inet",
        initial_state="BACKUP",
        priority=100,
        advert_int_us=1_000_000,
        notify=Notify(master=Script(argv=(commands[0], "up"), account=account)),
    )
    scripts = tuple(VrrpScript(name=f"s{n}", argv=(c,), account=account) for n, c in enumerate(commands[1:]))
    return Config(vrrp_instances=(instance,), vrrp_scripts=scripts)


def test_the_way_through_links(tmp_path: Path) -> None:
    real = tmp_path / "opt" / "app"
    real.parent.mkdir()
    real.write_text("#!/bin/sh\n")
    real.chmod(0o750)
    (tmp_path / "bin").symlink_to("opt")
    (tmp_path / "current").symlink_to(tmp_path / "bin" / "app")
    found = examine(str(tmp_path / "current"))
    assert found.exists
    assert [c.path for c in found.components if c.kind == "link"] == [
        str(tmp_path / "current"),
        str(tmp_path / "bin"),
    ]
    last = found.components[-1]
    assert (last.path, last.kind, last.mode, last.uid) == (str(real), "file", "0750", os.getuid())
    assert found.components[0].path == "/"


def test_what_stops_the_walk_is_said(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "file").write_text("")
    for path, why in (
        (tmp_path / "none", "it does not exist"),
        (tmp_path / "none" / "app", f"{tmp_path}/none does not exist"),
        (tmp_path / "round", "too many symbolic links"),
        (tmp_path / "file" / "app", f"{tmp_path}/file is no directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        found = examine(str(path))
        assert not found.exists
        assert why in (found.error or "")
        assert found.components
    assert examine("scripts/app").error == "it is no absolute path"
    assert examine("/bin/\0").exists is False


def test_a_bare_name_is_looked_for_where_scripts_are() -> None:
    assert examine("sh").exists
    assert examine("sh").path == "sh"
    assert "in none of" in (examine("no-such-program-here").error or "")


def test_files_and_accounts_of_an_ir(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.write_text("")
    facts = collect(config("/bin/true", str(app), "/bin/true", user="root"), [str(tmp_path / "more")])
    assert sorted(f.path for f in facts.files) == [f.path for f in facts.files]
    assert {f.path for f in facts.files} == {"/bin/true", str(app), str(tmp_path / "more")}
    assert facts.hostname == os.uname().nodename
    assert facts.kernel.release == os.uname().release
    assert {u.name: u.uid for u in facts.users} == {e.pw_name: e.pw_uid for e in pwd.getpwall()}
    assert {g.name: g.gid for g in facts.groups} == {e.gr_name: e.gr_gid for e in grp.getgrall()}
    assert collect(None).files == ()


@pytest.mark.netns
def test_interfaces_are_those_of_ip() -> None:
    require_netns()
    namespace = Namespace("facts")
    try:
        namespace.ip(
            "link add eth0 mtu 1400 type veth peer name far0",
            "link set eth0 up",
            "link set far0 up",
            "link add br0 type bridge",
            "link set far0 master br0",
            "addr add 203.0.113.1/24 dev eth0",
            "addr add 203.0.113.2/24 dev eth0",
            "addr add 2001:db8::1/64 dev eth0",
            "link add vrrp.51 link eth0 address 00:00:5e:00:01:33 type macvlan mode private",
        )
        with namespace:
            facts = collect(None)
        shown = namespace.ip_json("addr")
    finally:
        namespace.close()
    found = {i.name: (i.mtu, {(a.address, a.prefix) for a in i.addresses}) for i in facts.interfaces}
    assert found == {
        link["ifname"]: (link["mtu"], {(a["local"], a["prefixlen"]) for a in link["addr_info"]})
        for link in shown
    }
    eth0, far0 = facts.interface("eth0"), facts.interface("far0")
    assert eth0 is not None
    assert far0 is not None
    assert (eth0.kind, eth0.master, far0.master) == ("veth", None, "br0")
    assert (eth0.hardware, eth0.lower) == (1, "far0")
    vmac = facts.interface("vrrp.51")
    assert vmac is not None
    assert (vmac.kind, vmac.lower, vmac.mac) == ("macvlan", "eth0", "00:00:5e:00:01:33")
    assert "running" in eth0.flags
    assert [a.secondary for a in eth0.addresses if a.family == "inet"] == [False, True]
    assert facts.source_address("eth0", "inet") == "203.0.113.1"
    assert facts.source_address("eth0", "inet", {"203.0.113.1"}) is None
    lo = facts.interface("lo")
    assert lo is not None
    assert "loopback" in lo.flags
    assert (lo.hardware, lo.lower) == (ARPHRD_LOOPBACK, None)


def test_the_command(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    ir = tmp_path / "ir.json"
    write(document(config("/bin/true")), ir)
    run_dir = ["--run-dir", str(tmp_path)]
    assert main([*run_dir, "facts", str(ir)]) == 0
    first = capfdbinary.readouterr()
    facts = loads(first.out)
    assert [f.path for f in facts.files] == ["/bin/true"]
    assert first.err == b""
    assert main([*run_dir, "facts", str(ir)]) == 0
    assert capfdbinary.readouterr().out == first.out, "an unchanged host has unchanged facts"
    assert main([*run_dir, "facts", "--file", "/bin/sh"]) == 0
    assert [f.path for f in loads(capfdbinary.readouterr().out).files] == ["/bin/sh"]
    assert main([*run_dir, "facts"]) == 0
    told = capfdbinary.readouterr()
    assert loads(told.out).files == ()
    assert b"scripts are not covered" in told.err
    assert main([*run_dir, "facts", str(tmp_path / "none.json")]) == 1
    assert b"cannot be read" in capfdbinary.readouterr().err


def test_the_ir_of_the_running_krun_is_taken(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    ir = tmp_path / "running.json"
    write(document(config("/bin/true")), ir)
    answer = {"ok": True, "state": {"ir": {"path": str(ir)}}}
    monkeypatch.setattr("krun.control.facts.ask", lambda *_: answer)
    assert main(["--run-dir", str(tmp_path), "facts"]) == 0
    assert [f.path for f in loads(capfdbinary.readouterr().out).files] == ["/bin/true"]
    monkeypatch.setattr("krun.control.facts.ask", lambda *_: {"ok": False, "error": "busy"})
    assert main(["--run-dir", str(tmp_path), "facts"]) == 1
    assert b"busy" in capfdbinary.readouterr().err


def test_facts_hold_only_what_they_need() -> None:
    """No time, no counter, no environment: the same host gives the same bytes, and nothing secret is in them."""
    names = {f.name for f in msgspec.structs.fields(Facts)}
    assert names == {"facts", "hostname", "kernel", "interfaces", "users", "groups", "files"}


def modules(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, builtin: str | None, at_hand: str, loaded: str
) -> Facts:
    here = folder / os.uname().release
    here.mkdir(parents=True)
    (here / "modules.dep").write_text(at_hand)
    if builtin is not None:
        (here / "modules.builtin").write_text(builtin)
    (folder / "loaded").write_text(loaded)
    monkeypatch.setattr("krun.control.facts.MODULES", folder)
    monkeypatch.setattr("krun.control.facts.PROC_MODULES", folder / "loaded")
    return collect(None)


def test_what_the_kernel_has_or_could_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = modules(
        tmp_path,
        monkeypatch,
        builtin="kernel/net/netfilter/nf_tables.ko\nkernel/net/netfilter/ipvs/ip_vs_rr.ko\n",
        at_hand="kernel/net/netfilter/ipvs/ip_vs_wlc.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz\n"
        "kernel/net/netfilter/ipvs/ip_vs_ftp.ko.xz:\nkernel/net/netfilter/ipvs/ip_vs_pe_sip.ko.xz:\n"
        "kernel/net/netfilter/ipvs/ip_vs.ko.xz:\n",
        loaded="ip_vs_sh 16384 0 - Live 0x0000000000000000\nmacvlan 28672 0 - Live 0x0000000000000000\n",
    ).kernel
    assert kernel.ipvs
    assert kernel.schedulers == ("rr", "sh", "wlc")
    assert (kernel.nftables, kernel.macvlan, kernel.ipvlan) == (True, True, False)


def test_without_the_lists_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = modules(tmp_path, monkeypatch, builtin=None, at_hand="", loaded="").kernel
    assert (kernel.schedulers, kernel.nftables, kernel.macvlan) == (None, None, None)


def test_files_that_are_no_scripts(tmp_path: Path) -> None:
    key = tmp_path / "vrrp.key"
    key.write_text("x" * 32)
    key.chmod(0o640)
    wanted = config("/bin/true")
    [instance] = wanted.vrrp_instances
    hmac = Hmac(keys=(HmacKey(id=1, file=str(key)),), active_key=1)
    facts = collect(
        Config(
            vrrp_instances=(msgspec.structs.replace(instance, hmac=hmac),),
            track_files=(TrackFile(name="load", path=str(tmp_path / "none" / "load")),),
        )
    )
    found = {f.path: f for f in facts.files}
    assert found[str(key)].components[-1].mode == "0640"
    assert not found[str(tmp_path / "none")].exists
