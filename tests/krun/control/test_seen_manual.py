"""The manual names every kind of event and every metric that there is."""

from __future__ import annotations

import re
from pathlib import Path

from krun.control.metrics import daemon, director, exporter, logs, loops
from support.metrics_state import state

ROOT = Path(__file__).parents[3]
MANUAL = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def kinds() -> set[str]:
    """Every kind that a log call or an effect names in the runtime."""
    found: set[str] = set()
    for path in (ROOT / "runtime/krun").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found.update(re.findall(r'\b(?:event|typed)\(\s*"([a-z_]+\.[a-z_]+)"', text))
        found.update(re.findall(r'"(vrrp\.[a-z_]+)"', text))
    return found


def test_every_kind_of_event_is_in_the_manual() -> None:
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", MANUAL))
    found = kinds()
    assert {"vrrp.state", "check.server", "process.ended"} <= found
    assert found - named - EXEMPT == set()


EXEMPT = frozenset(
    (
        # operations of a plan, which has names of the same form
        "vrrp.start",
        "vrrp.stop",
        "vrrp.update",
        "vrrp.restart",
        "vrrp.rename",
    )
)


def test_every_metric_is_in_the_manual() -> None:
    words = set(re.findall(r"[`]((?:krun|keepalived)?[a-z_…]+)", MANUAL))
    endings = tuple(word.removeprefix("…") for word in words if word.startswith("…"))
    beginnings = tuple(
        word.removesuffix("…") for word in words if word.endswith("…") and word.startswith("krun_")
    )
    names = [f.name for part in (daemon, director, logs, loops) for f in part.families(state())]
    missing = [
        name
        for name in names
        if name not in words and not name.endswith(endings) and not name.startswith(beginnings)
    ]
    assert missing == []
    own = {word for word in words if re.fullmatch(r"krun_[a-z_]*[a-z]", word)}
    assert own - {*names, "krun_up"} == set(), "the manual names what there is not"
    exporters = {word for word in words if word.startswith("keepalived_")}
    known = {f.name for f in exporter.families(state())}
    assert exporters - known <= {
        "keepalived_exporter_check_script_status",
        "keepalived_script_state",
        "keepalived_script",
    }
