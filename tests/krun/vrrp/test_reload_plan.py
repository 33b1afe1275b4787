"""Any step between two configurations: what the runtime does to addresses, routes and rules, and to instances, is what `kir.plan` says,
operation for operation; nothing that stays is away in between; and what does not change keeps its timers."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from kir.model import Config, Route, Rule, SyncGroup, TrackedScript, VrrpScript
from kir.plan.addresses import desired_addresses
from kir.plan.operations import AddressOperation, DelAddress, Operation, ReplaceAddress
from kir.plan.plan import Observed, plan
from kir.plan.route_operations import RoutingOperation
from kir.route_state import route_key
from kir.state import AddressKey, address_key
from krun.vrrp import effects as fx
from krun.vrrp.machine import Role
from krun.vrrp.promises import inherit
from krun.vrrp.reload import ReloadPlan

from .make import config, router, vip
from .segment import Host, S, Segment

A, B = "192.0.2.1", "192.0.2.2"
change = msgspec.structs.replace

VIPS = (
    vip("192.0.2.10/24"),
    vip("192.0.2.10/24", "eth1"),
    vip("192.0.2.10/32"),
    vip("192.0.2.11/24"),
    vip("192.0.2.12/24"),
    vip("192.0.2.12/24", label="eth0:vip"),
    vip("192.0.2.13/24", preferred_lft_s=0),
    vip("192.0.2.13/24"),
    vip("198.51.100.7/32"),
    vip("2001:db8::7/64", nodad=True),
    vip("2001:db8::7/64"),
)
ROUTES = (
    Route(family="inet", destination="10.1.0.0/16", device="eth0", via="192.0.2.254"),
    Route(family="inet", destination="10.1.0.0/16", device="eth0", via="192.0.2.253"),
    Route(family="inet", destination="10.2.0.0/16", device="eth1"),
)
RULES = (
    Rule(family="inet", priority=500, action="table", table=77, source="10.1.0.0/16"),
    Rule(family="inet", priority=501, action="table", table=78, source="10.1.0.0/16"),
)
CHECK = VrrpScript(name="chk", argv=("/bin/true",))
ROUTER = router()
NAMES = ("RED", "GREEN", "BLUE")


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Up to three instances in three places. What they are on the wire mostly stays; names, addresses and all the rest are free."""
    pick = st.sampled_from
    names = draw(pick([NAMES, NAMES, NAMES, ("GREEN", "RED", "BLUE"), ("GREEN", "BLUE", "RED")]))
    vrids = draw(pick([(10, 11, 12)] * 4 + [(11, 10, 12), (11, 12, 10), (10, 21, 12)]))
    # A thing has one form in a configuration, whoever holds it.
    forms = {address_key(a): a for a in draw(pick([VIPS, VIPS[::-1]]))}
    lanes = {route_key(r): r for r in ROUTES}
    group = draw(pick([None, None, None, "G", "H"]))
    made = []
    for place in draw(pick([(0, 1, 2), (2, 1, 0), (0, 1), (1, 2), (0,), ()])):
        device = draw(pick(["eth0"] * 12 + ["eth1"]))
        held = [forms[k] for k in draw(st.lists(pick(list(forms)), unique=True, max_size=3))]
        made.append(
            change(
                router(
                    names[place],
                    vips=(),
                    vrid=vrids[place],
                    interface=device,
                    version=3,
                    priority=draw(pick([90, 100, 150, 254])),
                    advert_int_us=draw(pick([S, S, S // 2, 2 * S])),
                    nopreempt=draw(st.booleans()),
                    preempt_delay_us=draw(pick([0, 0, 3 * S, 30 * S])),
                    sync_group=group if draw(st.booleans()) else None,
                    track_scripts=draw(pick([(), (), (TrackedScript(name="chk", weight=20),)])),
                ),
                vips=tuple(a for a in held if a.family == "inet"),
                excluded_vips=tuple(a for a in held if a.family == "inet6"),
                routes=draw(pick([(), (), *((lane,) for lane in lanes.values())])),
                rules=draw(pick([(), (), *((rule,) for rule in RULES)])),
            )
        )
    grouped = tuple(i.name for i in made if i.sync_group is not None)
    static = tuple(forms[k] for k in draw(st.lists(pick(list(forms)), unique=True, max_size=1)))
    return config(
        *made,
        groups=(SyncGroup(name=group, members=grouped),) if group is not None and grouped else (),
        scripts=(CHECK,),
        static_addresses=static,
    )


class Watched(Segment):
    """Writes down every operation of ``a``, and what is there after each."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Operation] = []
        self.prefixes: list[frozenset[AddressKey]] = []

    def carry_out(self, host: Host, todo: list[fx.Effect]) -> None:
        for effect in todo:
            if host.name == "a" and isinstance(effect, fx.ChangeAddresses):
                for operation in effect.operations:
                    super().carry_out(host, [fx.ChangeAddresses((operation,))])
                    self.done.append(operation)
                    self.prefixes.append(frozenset(host.addresses))
                continue
            if host.name == "a" and isinstance(effect, fx.ChangeRouting):
                self.done += effect.operations
            super().carry_out(host, [effect])


def named(operations: Iterable[Operation], kinds: tuple[type[Operation], ...]) -> list[tuple[str, str]]:
    return [(o.op, o.target) for o in operations if isinstance(o, kinds)]


def orders(done: ReloadPlan) -> set[tuple[str, str]]:
    """What a reload does to instances and trackers, as a plan writes it."""
    return (
        {("vrrp.start", name) for name in done.started}
        | {("vrrp.stop", name) for name in done.stopped}
        | {("vrrp.restart", name) for name in done.restarted}
        | {("vrrp.update", name) for name in done.updated}
    )


def short(of: Config) -> str:
    """What is said of it beyond the defaults."""
    return "\n".join(
        str({f: v for f in s.__struct_fields__ if (v := getattr(s, f)) and v != getattr(ROUTER, f, None)})
        for s in (*of.vrrp_instances, *of.vrrp_sync_groups, *of.static_addresses)
    )


def masters(host: Host) -> set[str]:
    return {name for name, role in host.roles().items() if role is Role.MASTER}


def played(old: Config, better: list[bool], wait: int, down: bool) -> tuple[Watched, Host]:
    """``a`` runs ``old`` for some time; of the instances of ``better`` a peer is master; eth1 may be down."""
    segment = Watched()
    host = segment.add("a", A, old)
    theirs = [
        change(i, priority=255, sync_group=None, track_scripts=())
        for i, yes in zip(old.vrrp_instances, better, strict=False)
        if yes
    ]
    if theirs:
        segment.add("b", B, config(*theirs))
    if down:
        segment.carry_out(host, host.director.link("eth1", False, segment.now))
    segment.carry_out(host, host.director.script_ended("chk", True, segment.now))
    segment.run(wait * S)
    segment.done.clear()
    segment.prefixes.clear()
    for seen in (host.sent, host.writes, host.told, host.announced):
        seen.clear()
    return segment, host


STEPS = (
    configs(),
    configs(),
    st.sampled_from([[]] * 4 + [[True], [False, True], [True, True]]),
    st.sampled_from([20, 20, 20, 4, 0]),
    st.sampled_from([False, False, True]),
)


@given(*STEPS)
@settings(max_examples=150, deadline=None)
def test_what_is_planned_is_done(old: Config, new: Config, better: list[bool], wait: int, down: bool) -> None:
    note(f"{short(old)}\n{short(new)}")
    segment, host = played(old, better, wait, down)
    before, had = masters(host), frozenset(host.addresses)
    states = {name: i.state for name, i in host.director.instances.items()}
    expected = plan(old, new, Observed(masters=before, present=had))

    done = segment.reload(host, new)

    after = masters(host)
    assert {o for o in named(expected.operations, (Operation,)) if o[0].startswith("vrrp.")} == orders(done)
    assert frozenset(host.addresses) == desired_addresses(new, after).keys()
    goes_on = {name for name, was in done.kept.items() if was in before}
    assert after <= goes_on
    if after == goes_on:
        event(f"every master goes on: {min(len(goes_on), 2)}, writes {min(len(segment.done), 3)}")
        kinds = (AddressOperation, RoutingOperation)
        assert sorted(named(segment.done, kinds)) == sorted(named(expected.operations, kinds))
    stay = desired_addresses(old, before).keys() & desired_addresses(new, after).keys()
    renewed = {
        address_key(o.address)
        for o in segment.done
        if isinstance(o, AddressOperation) and not isinstance(o, DelAddress | ReplaceAddress)
    }
    moved = {k.address for k in had} & {k.address for k in desired_addresses(new, after)}
    rewritten = {k.address for k in stay & renewed}
    for there in segment.prefixes:
        assert stay - renewed <= there
        assert moved - rewritten <= {k.address for k in there}
    for name, was in done.kept.items():
        state = host.director.instances[name].state
        if name not in done.updated and state.faults == states[was].faults and name not in goes_on - after:
            assert state == states[was]
        elif was in before and name in after and _interval(old, was) == _interval(new, name):
            assert state.deadline == states[was].deadline
            assert name not in {n for _, n, priority in host.sent if priority}


def _interval(config: Config, name: str) -> int:
    return next(i.advert_int_us for i in config.vrrp_instances if i.name == name)


@given(*STEPS)
@settings(max_examples=600, deadline=None)
def test_a_successor_goes_on_where_the_reload_ended(
    old: Config, new: Config, better: list[bool], wait: int, down: bool
) -> None:
    """kill -9 right after the reload: what was promised is true of the new configuration."""
    note(f"{short(old)}\n{short(new)}")
    segment, host = played(old, better, wait, down=False)
    segment.reload(host, new)
    role, there = masters(host), set(host.addresses)
    segment.kill(host)
    segment.done.clear()
    inherited = inherit(new.vrrp_instances, host.promises, segment.now, segment.now)
    heir = segment.add("a", A, new, inherited, leftover=there)
    assert masters(heir) == role
    assert named(segment.done, (AddressOperation,)) == []
