"""A VIP that stays is not touched when the one that it hangs on goes: krun and keepalived beside each other, on real kernels' networks."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab.krun
from lab.keepalived import Keepalived
from lab.krun import Krun
from lab.needs import require_keepalived, require_netns
from lab.netns import Segment, set_sysctl
from lab.processes import wait_for
from wire.address_events import AddressEvents

pytestmark = [pytest.mark.netns, pytest.mark.keepalived]

SWITCH = "net/ipv4/conf/eth0/promote_secondaries"
STAY = ("198.51.100.11/24", "198.51.100.12/24")


def configuration(*vips: str, keyword: bool = False) -> str:
    lines = "\n".join(f"  {vip}" for vip in vips)
    return f"""vrrp_instance VI_1 {{
 interface eth0
 virtual_router_id 51
 priority 255
 state MASTER
 {"promote_secondaries" if keyword else ""}
 virtual_ipaddress {{
{lines}
 }}
}}
"""


def switch(segment: Segment) -> str:
    with segment["a"]:
        return Path("/proc/sys", SWITCH).read_text().strip()


@pytest.mark.parametrize("promote", ["0", "1"])
def test_a_reload_that_deletes_the_first_address_of_a_network(tmp_path: Path, promote: str) -> None:
    require_netns()
    require_keepalived()
    segments = {kind: Segment({"a": ["192.0.2.1/24"]}, label=kind) for kind in ("keepalived", "krun")}
    try:
        touched: dict[str, list[str]] = {}
        daemons: dict[str, Keepalived | Krun] = {}
        text = configuration("198.51.100.10/24", *STAY)
        for kind, segment in segments.items():
            with segment["a"]:
                set_sysctl("net/ipv4/conf/all/promote_secondaries", "0")
                set_sysctl(SWITCH, promote)
            if kind == "krun":
                daemons[kind] = Krun(segment["a"], text, folder=tmp_path / "o")
            else:
                daemons[kind] = Keepalived(segment["a"], text, only="vrrp")
        for kind, segment in segments.items():
            director = segment["a"]
            wait_for(f"the VIPs of {kind}", lambda d=director: set(STAY) <= set(d.addresses("eth0")), 30)  # type: ignore[misc]
            with AddressEvents(director) as events:
                daemons[kind].reload(configuration(*STAY))
                wait_for("its end", lambda d=director: not d.has("198.51.100.10"), 30)  # type: ignore[misc]
                if kind == "krun":
                    assert set(STAY) <= set(director.addresses("eth0"))
                touched[kind] = [
                    e for e in events.take() if e.startswith("del ") and "198.51.100.10/" not in e
                ]
        assert touched["krun"] == []
        # keepalived 2.2.7 does not even notice that it has lost them.
        assert len(touched["keepalived"]) == (len(STAY) if promote == "0" else 0)
        assert switch(segments["krun"]) == promote
    finally:
        for segment in segments.values():
            segment.close()


READ_ONLY = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"'


def test_where_the_switch_cannot_be_set_they_are_back_in_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under systemd's ProtectKernelTunables."""
    require_netns()
    monkeypatch.setattr(lab.krun, "KRUN", ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", *lab.krun.KRUN])
    with Segment({"a": ["192.0.2.1/24"]}, label="read-only") as segment:
        director = segment["a"]
        with director:
            set_sysctl("net/ipv4/conf/all/promote_secondaries", "0")
            set_sysctl(SWITCH, "0")
        first = "198.51.100.10/24"
        krun = Krun(director, configuration(first, *STAY), folder=tmp_path / "o")
        wait_for("the VIPs", lambda: set(STAY) <= set(director.addresses("eth0")), 30)
        with AddressEvents(director) as events:
            assert krun.reload(configuration(*STAY)).status == 0
            found = [e.split()[0:2] for e in events.take() if "198.51.100." in e]
        assert sorted(found) == sorted(
            [["del", first], *([word, vip] for word in ("del", "add") for vip in STAY)]
        )
        (instance,) = krun.status()["vrrp"]
        assert (instance["state"], set(instance["vips"])) == ("MASTER", {f"{vip} dev eth0" for vip in STAY})
        assert switch(segment) == "0"
        krun.reload(configuration(*STAY, keyword=True))
        assert any("promote_secondaries of eth0 cannot be set" in a for a in krun.status()["alarms"])
        assert krun.stop() == 0


def test_the_keyword_keeps_them_whoever_deletes_the_first(tmp_path: Path) -> None:
    require_netns()
    with Segment({"a": ["192.0.2.1/24"]}, label="keyword") as segment:
        director = segment["a"]
        with director:
            set_sysctl("net/ipv4/conf/all/promote_secondaries", "0")
            set_sysctl(SWITCH, "0")
        krun = Krun(director, configuration("198.51.100.10/24", *STAY, keyword=True), folder=tmp_path / "o")
        wait_for("the VIPs", lambda: set(STAY) <= set(director.addresses("eth0")), 30)
        assert switch(segment) == "1"
        with AddressEvents(director) as events:
            director.ip("addr del 198.51.100.10/24 dev eth0")
            wait_for("its return", lambda: director.has("198.51.100.10"), 30)
            assert not [e for e in events.take() if e.startswith("del ") and "198.51.100.10/" not in e]
        assert krun.reload(configuration("198.51.100.10/24", *STAY)).status == 0
        assert switch(segment) == "0"
        assert krun.reload(configuration("198.51.100.10/24", *STAY, keyword=True)).status == 0
        assert switch(segment) == "1"
        krun.stop()
        assert switch(segment) == "0"
