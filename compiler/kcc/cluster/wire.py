"""What makes directors refuse each other's adverts, or hold different addresses."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from kcc.cluster.case import ClusterCase, odd_ones, path_of, place
from kcc.cluster.routers import VirtualRouter, held
from kcc.diagnostics.model import Severity
from kcc.lower.scope import seconds, some
from kir.model import VrrpInstance

BOTH_MASTER = "each director refuses the other's adverts: both are master, and {} is on the link twice"

AUTH_OCTETS = 8
"""As much of a password as a version 2 packet holds (RFC 2338 section 5.3.10)."""

DROPS_OTHER_LISTS = frozenset(("keepalived-2.2.7",))
"""Targets that refuse an advert whose addresses are not theirs; later releases log and count it."""


def _refused(instance: VrrpInstance) -> str:
    return BOTH_MASTER.format(some(sorted(held(instance)) or ["the address"]))


def _same(
    case: ClusterCase,
    code: str,
    router: VirtualRouter,
    field: str | None,
    value: Callable[[VrrpInstance], Hashable],
    words: Callable[[VrrpInstance], str],
    help: Callable[[VrrpInstance], str],
    *,
    consequence: Callable[[VrrpInstance], str] = _refused,
    severity: Severity | None = None,
) -> None:
    """All members of ``router`` must have the same ``value``; whoever differs from most is told."""
    leader, odd = odd_ones({d: value(instance) for d, instance in router})
    model = router.members[leader]
    for d in odd:
        instance = router.members[d]
        case.say(
            code,
            f"`{instance.name}`: {words(instance)}, but {words(model)} in {case.name(leader)}",
            place(d, instance, field),
            (place(leader, model, field), f"{words(model)} in {case.name(leader)}"),
            consequence=consequence(instance),
            help=help(model),
            severity=severity,
        )


def versions(case: ClusterCase) -> None:
    """A director drops adverts of another version than its own (RFC 9568 section 7.1)."""
    for router in case.shared():
        _same(
            case,
            "KC1104",
            router,
            "version",
            lambda i: i.version,
            lambda i: f"version {i.version}",
            lambda m: (
                f"write `version {m.version}` in both files, or `vrrp_version {m.version}` in `global_defs`"
            ),
        )


def modes(case: ClusterCase) -> None:
    """Unicast adverts are refused by a multicast instance and the reverse; another group is never heard at all."""
    for router in case.shared():
        _same(
            case,
            "KC1107",
            router,
            "group",
            lambda i: None if i.unicast else i.group,
            lambda i: "unicast" if i.unicast else f"multicast to {i.group}",
            lambda m: (
                "list the other directors in `unicast_peer { … }` on all of them"
                if m.unicast
                else "use multicast on all directors, and one `mcast_dst_ip`"
            ),
        )


def intervals(case: ClusterCase) -> None:
    """Version 2 drops adverts with another interval (RFC 3768 section 7.1); version 3 learns the master's (RFC 9568 section 6.1)."""
    for router in case.shared():
        members = {d: i for d, i in router if i.version == 2}
        two = VirtualRouter(router.vrid, router.family, members)
        three = VirtualRouter(router.vrid, router.family, {d: i for d, i in router if i.version == 3})
        if len(two.members) > 1:
            _same(
                case,
                "KC1105",
                two,
                "advert_int_us",
                lambda i: i.advert_int_us,
                lambda i: f"advert_int {seconds(i.advert_int_us)}",
                lambda m: f"write `advert_int {m.advert_int_us // 1_000_000}` in both files",
            )
        if len(three.members) > 1:
            _same(
                case,
                "KC1105",
                three,
                "advert_int_us",
                lambda i: i.advert_int_us,
                lambda i: f"advert_int {seconds(i.advert_int_us)}",
                lambda m: "write the same `advert_int` in both files",
                consequence=lambda i: (
                    "version 3 follows the master's interval: how long a takeover takes depends on who was master"
                ),
                severity=Severity.NOTE,
            )


def authentication(case: ClusterCase) -> None:
    """Version 2 compares eight octets of the password (RFC 2338 section 5.3.6). They are compared here, and never shown."""
    for router in case.shared():
        if any(i.version != 2 for _, i in router):
            continue  # other versions have none, and that they differ was said
        leader, odd = odd_ones({d: _credentials(i) for d, i in router})
        model = router.members[leader]
        for d in odd:
            instance = router.members[d]
            mine, its = _kind(instance), _kind(model)
            case.say(
                "KC1106",
                f"`{instance.name}`: "
                + (
                    f"`auth_pass` differs from that of {case.name(leader)}"
                    if mine == its
                    else f"{mine}, but {its} in {case.name(leader)}"
                ),
                place(d, instance, "authentication"),
                (place(leader, model, "authentication"), f"{case.name(leader)}"),
                consequence=_refused(instance),
                help="write the same `authentication { … }` block in both files; the first eight characters of `auth_pass` count",
            )


def _kind(instance: VrrpInstance) -> str:
    found = instance.authentication
    return "no authentication" if found is None else f"authentication {found.type}"


def _credentials(instance: VrrpInstance) -> tuple[str, bytes] | None:
    found = instance.authentication
    if found is None:
        return None
    return found.type, found.password.secret.encode("utf-8", "surrogateescape")[:AUTH_OCTETS].rstrip(b"\0")


def virtual_addresses(case: ClusterCase) -> None:
    """The directors of a router must hold the same addresses; one that is missing goes away when that director is master.

    keepalived compared the list of an advert with its own and refused what differed until 2.3; later releases log and count it.
    An address that another instance of the director holds is not missing from it, but the adverts differ all the same.
    """
    for router in case.shared():
        members = router.members
        everywhere = {
            d: {
                v.address
                for i in case.directors[d].config.vrrp_instances
                for v in (*i.vips, *i.excluded_vips)
            }
            for d in members
        }
        for d in members:  # what is static there is said as such
            everywhere[d].update(a.address for a in case.directors[d].config.static_addresses)
        advertised = {d: frozenset(v.address for v in i.vips) for d, i in members.items()}
        leader, _ = odd_ones(advertised)
        for d, instance in members.items():
            others = {a: e for e, i in members.items() if e != d for a in sorted(held(i), reverse=True)}
            lost = sorted(others.keys() - everywhere[d])
            refuses = case.target in DROPS_OTHER_LISTS and advertised[d] != advertised[leader]
            if lost:
                other = others[lost[0]]
                case.say(
                    "KC1108",
                    f"`{instance.name}` lacks {some(lost)}, which `{members[other].name}` of {case.name(other)} holds",
                    place(d, instance),
                    *(
                        (_address(other, members[other], a), f"{a} in {case.name(other)}")
                        for a in lost
                        if others[a] == other
                    ),
                    consequence=_refused(instance)
                    if refuses
                    else f"when {case.name(d)} is master, nobody holds {some(lost)}",
                    help=f"add {some(lost)} to `{instance.name}`, or remove {'it' if len(lost) == 1 else 'them'} from the others",
                )
            elif advertised[d] != advertised[leader] and not held(members[leader]) - held(instance):
                extra = sorted(advertised[d] ^ advertised[leader])
                case.say(
                    "KC1108",
                    f"`{instance.name}` and `{members[leader].name}` of {case.name(leader)} advertise different addresses",
                    place(d, instance),
                    (place(leader, members[leader]), f"{case.name(leader)}"),
                    consequence=_refused(instance)
                    if refuses
                    else "the directors log every advert of the other as wrong; other VRRP implementations refuse it",
                    help=f"list {some(extra)} in the same block, `virtual_ipaddress` or `virtual_ipaddress_excluded`, on all directors",
                    severity=None if refuses else Severity.WARNING,
                )


def _address(d: int, instance: VrrpInstance, address: str) -> tuple[int, str, str | None]:
    for kind, found in (
        ("virtual_ipaddress", instance.vips),
        ("virtual_ipaddress_excluded", instance.excluded_vips),
    ):
        for vip in found:
            if vip.address == address:
                return d, f"{path_of(instance)}/{kind}/{vip.identity}", None
    return place(d, instance)


def address_order(case: ClusterCase) -> None:
    """In version 3 the first IPv6 address is the router's link-local one (RFC 9568 section 5.2.9); else order means nothing.

    keepalived and krun compare the lists as sets. Other implementations read the first IPv6 address.
    """
    for router in case.shared():
        for_wire = {d: i for d, i in router if i.family == "inet6" and i.version == 3 and i.vips}
        if len(for_wire) < 2 or len({frozenset(v.address for v in i.vips) for i in for_wire.values()}) > 1:
            continue
        leader, odd = odd_ones({d: i.vips[0].address for d, i in for_wire.items()})
        for d in odd:
            first, other = for_wire[d].vips[0], for_wire[leader].vips[0]
            case.say(
                "KC1109",
                f"`{for_wire[d].name}` lists {first.address} first, {case.name(leader)} lists {other.address} first",
                _address(d, for_wire[d], first.address),
                (_address(leader, for_wire[leader], other.address), f"the first one in {case.name(leader)}"),
                consequence="the first IPv6 address is the virtual router's link-local one: routers of other makes see it change at "
                "each failover",
                help="list the addresses in the same order on all directors, the link-local one first",
            )
