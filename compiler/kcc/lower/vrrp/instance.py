"""``vrrp_instance``: the steps put together, in keepalived's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kcc.diagnostics.model import Severity
from kcc.lower.scope import wrote
from kcc.lower.scripts import notify
from kcc.lower.vrrp.addresses import judge_count, settle_addresses
from kcc.lower.vrrp.authentication import settle_authentication
from kcc.lower.vrrp.draft import Draft
from kcc.lower.vrrp.identity import settle_family, settle_link, settle_state, settle_version
from kcc.lower.vrrp.link import settle_vmac
from kcc.lower.vrrp.peers import settle_peers
from kcc.lower.vrrp.timers import garp, link_delays, settle_advert_int, settle_down_timer, settle_preemption
from kcc.lower.vrrp.tracking import Watcher, interfaces, scripts, watched
from kir.model import TrackedBfd, TrackedFile, TrackedProcess, VrrpInstance

if TYPE_CHECKING:
    from kcc.language.parsed import Node
    from kcc.lower.scope import Scope
    from kcc.lower.vrrp.groups import GroupEntry
    from kcc.lower.vrrp.scripts import ScriptEntry
    from kir.model import Route, Rule


def lower_instance(
    node: Node,
    scope: Scope,
    group: GroupEntry | None,
    known: dict[str, ScriptEntry],
    all_scripts: dict[str, Node],
) -> VrrpInstance | None:
    """One instance, None where keepalived would refuse to start with it and the IR cannot say it."""
    draft = Draft(node, scope, node.head[0])
    if group is not None:
        draft.group_node, draft.tracking_weight = group.node, group.tracking_weight
    scope.nodes[draft.path] = node
    vrid = _vrid(draft)
    settle_family(draft)
    settle_version(draft)
    settle_state(draft)
    settle_peers(draft)
    settle_authentication(draft)
    runnable = settle_link(draft)
    settle_vmac(draft, vrid)
    settle_addresses(draft)
    settle_preemption(draft)
    settle_down_timer(draft)
    settle_advert_int(draft)
    if node.blocks and any(block.keyword.name == "auth_hmac" for block in node.blocks):
        from kcc.lower.vrrp.hmac import settle_hmac

        settle_hmac(draft)
    judge_count(draft)
    watcher = Watcher("vrrp_instance", draft.name, node, draft)
    track_interfaces = interfaces(watcher, scope)
    track_scripts = scripts(watcher, scope, known, all_scripts)
    track_files = watched(watcher, scope, TrackedFile)
    track_processes = watched(watcher, scope, TrackedProcess)
    track_bfds = watched(watcher, scope, TrackedBfd)
    accept = _accept(draft)
    lower_no_advert, higher_advert = _answers(draft)
    ignore_adverts = _owner_ignores(draft)
    expired = _timer_expired(draft)
    down, up = link_delays(draft)
    routes, rules = _routes(draft)
    if vrid is None or not runnable:
        return None
    group_fields = {} if group is None else group.node.fields
    defaults = scope.defaults
    alert = draft.get("smtp_alert")
    if alert is None:
        alert = group_fields["smtp_alert"].value if "smtp_alert" in group_fields else defaults.vrrp_alert()
    changes = draft.get("notify_priority_changes")
    if changes is None:
        said = group_fields.get("notify_priority_changes")
        changes = said.value if said is not None else defaults.notify_priority_changes
    deleted = draft.get("notify_deleted")
    return VrrpInstance(
        name=draft.name,
        interface=draft.interface,
        vrid=vrid,
        version=3 if draft.version == 3 else 2,
        family="inet6" if draft.family == "inet6" else "inet",
        initial_state="MASTER" if draft.state == "MASTER" else "BACKUP",
        priority=draft.priority,
        advert_int_us=draft.advert_int_us,
        down_timer_adverts=draft.down_timer_adverts,
        nopreempt=draft.nopreempt,
        preempt_delay_us=draft.preempt_delay_us,
        strict=draft.strict,
        accept=accept,
        group=draft.multicast,
        source=draft.source,
        track_source=draft.source is not None and draft.get("track_src_ip", False),
        unicast=draft.unicast,
        unicast_ttl=draft.ttl,
        peers=tuple(draft.peers),
        check_unicast_src=draft.check_unicast_src and draft.unicast,
        fault_no_peer=draft.fault_no_peer,
        authentication=draft.authentication,
        vips=tuple(draft.vips),
        excluded_vips=tuple(draft.excluded),
        routes=routes,
        rules=rules,
        promote_secondaries=draft.promote_secondaries,
        hmac=draft.hmac,
        vmac=draft.vmac,
        ipvlan=draft.ipvlan,
        vmac_addresses=draft.get("use_vmac_addr", False),
        xmit_base=draft.xmit_base,
        vrf=draft.vrf,
        linkbeat=draft.get("linkbeat_use_polling", False),
        rx_buffer_size=draft.get("kernel_rx_buf_size", 0),
        track_primary=not draft.get("dont_track_primary", False),
        track_interfaces=track_interfaces,
        track_scripts=track_scripts,
        track_files=track_files,
        track_processes=track_processes,
        track_bfds=track_bfds,
        garp=garp(draft),
        lower_prio_no_advert=lower_no_advert,
        higher_prio_send_advert=higher_advert,
        owner_ignore_adverts=ignore_adverts,
        skip_check_adv_addr=_skip_check(draft),
        v3_checksum_as_v2=draft.get("v3_checksum_as_v2", defaults.v3_checksum_as_v2),
        old_unicast_checksum=_checksum(draft),
        timer_expired_backup=expired,
        interface_down_delay_us=down,
        interface_up_delay_us=up,
        notify=notify(node, scope),
        notify_priority_changes=changes,
        notify_deleted=deleted is not None and deleted is not False,
        smtp_alert=alert,
        sync_group=None if group is None else group.name,
    )


def _routes(draft: Draft) -> tuple[tuple[Route, ...], tuple[Rule, ...]]:
    if not any(block.keyword.name in ("virtual_routes", "virtual_rules") for block in draft.node.blocks):
        return (), ()
    from kcc.lower.routes import lower_routes

    return lower_routes(draft.node, draft.path, draft.name, draft.scope)


def _vrid(draft: Draft) -> int | None:
    vrid: int | None = draft.get("virtual_router_id")
    if vrid is None and not wrote(draft.node, "virtual_router_id"):
        draft.say(
            "KC0501",
            f"`{draft.name}` has no `virtual_router_id`",
            consequence=f"keepalived refuses to start; no instance of this file runs, and nobody here will hold {draft.vip_text()}",
            help="add `virtual_router_id N` (1 to 255, the same on all directors of this instance)",
        )
    return vrid


def _accept(draft: Draft) -> bool:
    """Packets to the addresses: taken by the owner, and by others unless strict mode or ``no_accept`` forbids it."""
    fields = draft.node.fields
    yes, no = "accept" in fields, "no_accept" in fields
    if yes and no:
        names = list(fields)
        yes = names.index("accept") > names.index("no_accept")
        no = not yes
    if not yes and not no:
        return draft.owner or not draft.strict
    if yes and draft.strict and draft.version == 2 and not draft.owner:
        draft.say(
            "KC0518",
            f"`{draft.name}`: strict mode does not allow `accept` in version 2",
            draft.at("accept"),
            consequence=f"keepalived clears it: {draft.vip_text()} answers nothing while this director is master",
            help="use `version 3`, or switch strict mode off",
            also=draft.strictly(),
        )
        return False
    return yes


def _answers(draft: Draft) -> tuple[bool, bool]:
    """``lower_prio_no_advert`` and ``higher_prio_send_advert``; strict mode fixes both (RFC 9568 section 6.4.3)."""
    defaults = draft.scope.defaults
    lower, higher = draft.get("lower_prio_no_advert"), draft.get("higher_prio_send_advert")
    if not draft.strict:
        return (
            defaults.lower_prio_no_advert if lower is None else lower,
            defaults.higher_prio_send_advert if higher is None else higher,
        )
    for name, wrong, used in (
        ("lower_prio_no_advert", lower is False, "true"),
        ("higher_prio_send_advert", higher is True, "false"),
    ):
        if wrong:
            draft.say(
                "KC0518",
                f"`{draft.name}`: in strict mode `{name}` is always {used}",
                draft.at(name),
                consequence=f"keepalived uses {used}",
                help="remove the line, or switch strict mode off",
                also=draft.strictly(),
            )
    return True, False


def _owner_ignores(draft: Draft) -> bool:
    """Only the address owner may ignore adverts, and keepalived does not let it say no."""
    said = draft.get("owner_ignore_adverts")
    if said is None:
        return draft.owner and (draft.strict or draft.scope.defaults.owner_ignore_adverts)
    if said and not draft.owner:
        draft.say(
            "KC0519",
            f"`{draft.name}`: `owner_ignore_adverts` needs priority 255, this is {draft.priority}",
            draft.at("owner_ignore_adverts"),
            consequence="keepalived ignores it",
            help="remove the line",
        )
    elif not said and draft.owner:
        draft.say(
            "KC0519",
            f"`{draft.name}`: `owner_ignore_adverts` cannot be switched off at priority 255",
            draft.at("owner_ignore_adverts"),
            consequence="keepalived ignores all adverts of others while this instance is the owner",
            help="remove the line, or use a lower priority",
        )
    return draft.owner


def _timer_expired(draft: Draft) -> int | None:
    said = draft.node.fields.get("timer_expired_backup")
    if said is None:
        return None
    if not draft.nopreempt:
        draft.say(
            "KC0520",
            f"`{draft.name}`: `timer_expired_backup` needs `nopreempt`",
            said,
            consequence="keepalived switches it off",
            help="add `nopreempt` (with `state BACKUP` on all directors), or remove the line",
        )
        return None
    return said.value if type(said.value) is int else 254


def _skip_check(draft: Draft) -> bool:
    said = draft.node.fields.get("skip_check_adv_addr")
    if said is None:
        return draft.scope.defaults.skip_check_adv_addr
    if said.value is False:
        draft.say(
            "KC0526",
            f"`{draft.name}`: `skip_check_adv_addr` switches the check off whatever follows it",
            said,
            consequence="keepalived skips the check of the addresses in adverts, also with `false`",
            help="remove the line: the check is made by default",
            severity=Severity.WARNING,
        )
    return True


def _checksum(draft: Draft) -> Literal["auto", "always", "never"]:
    said = draft.node.fields.get("old_unicast_checksum")
    if said is None:
        return "auto"
    return "never" if said.value == "never" else "always"
