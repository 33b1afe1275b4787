"""Which keepalived release each keyword came with, and which keywords are gone.

Facts about keepalived, taken from its repository: at every tag from 0.5.3 to 2.4.3 the keywords that the program registers were
listed with their blocks, whatever the build options; a keyword came with the first tag that has it. Before 0.5.3 one flat
table of words was read: there, the first tag whose table has the word. Not every early release has a tag (between 0.2.1 and
0.5.3, and 1.2.0, some are missing), so a release before 1.2.1 means "not later than". The oldest tag is 0.2.1: what it has may be
older, and is given as not established.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec

from kcc.language.changes import Change, alternatives, changes, order

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_ESTABLISHED = "not established: the oldest tag, 0.2.1, has it already"


class History(msgspec.Struct, frozen=True):
    """The life of a keyword.

    ``since``: the first tagged release with it, None: not established. ``until``: the last one with it, None: it is still there.
    ``remark``: what else is known. ``changes``: of its arguments, oldest first.
    """

    since: str | None
    until: str | None = None
    remark: str = ""
    changes: tuple[Change, ...] = ()


def newer_than(release: str) -> dict[str, str]:
    """The paths (``vrrp_instance > auth_hmac``) of the keywords that came after ``release``, with the release they came with."""
    limit, found = order(release), {}
    for path, since in _rows():
        if order(since) <= limit:
            break
        found[path] = since
    return found


def history(path: str) -> History:
    """The life of the keyword at ``path``, also of one that is gone; KeyError where there never was one."""
    if path in GONE:
        return GONE[path]
    since = None if path in _OLDEST else _since()[path]
    remark = NOT_ESTABLISHED if since is None else REMARKS.get(path, "")
    return History(since, remark=remark, changes=changes(path))


def _rows() -> Iterator[tuple[str, str]]:
    """(path, release) of the table below, newest release first."""
    release, blocks = "", [""]
    for line in SINCE.splitlines():
        if not line.startswith(" "):
            release = line
            continue
        block, colon, names = line.partition(":")
        if colon:
            blocks = alternatives(block.strip())
        else:
            names = line
        for above in blocks:
            for name in names.split():
                yield (f"{above} > {name}" if above else name), release


@cache
def _since() -> dict[str, str]:
    return dict(_rows())


_OLDEST = frozenset(("virtual_server", "virtual_server > delay_loop", "virtual_server > real_server"))

REMARKS = {
    "vrrp_instance > native_ipv6": "The ChangeLog has it with the branch 1.2.0 of May 2010; no tag 1.2.0 exists.",
    "vrrp_instance > notify": "Releases 0.5.9 to 1.1.1 did not have it.",
}

GONE = {
    "global_defs > lvs_id": History("0.2.6", "1.1.7", "Since 1.1.8 it is called `router_id`."),
    "global_defs > plugin_dir": History("1.1.8", "1.2.19", "Nothing took its place."),
    "virtual_server > nat_mask": History("0.3.5", "1.2.19", "Nothing took its place."),
    "vrrp_instance > sync_instance": History("0.4.0", "0.5.9", "Since 0.6.1 there is `vrrp_sync_group`."),
    "real_server_group": History("0.5.9", "1.0.0", "Nothing took its place."),
    "virtual_server > real_group": History("0.5.9", "1.0.0", "Nothing took its place."),
    "virtual_server > real_server > CI-LINUX": History("0.6.1", "1.1.4", "Nothing took its place."),
    "virtual_server > real_server > ICMP_CHECK": History(
        "0.2.6", "0.4.9a", "Since 2.1.0 there is `PING_CHECK`."
    ),
    "virtual_server > real_server > LDAP_GET": History("0.3.5", "0.4.9a", "Nothing took its place."),
}

# Newest first: a release, and below it ``BLOCK: KEYWORD …`` (no block: the top level; ``A|B``: in both).
SINCE = """\
after 2.4.3
  global_defs: set_supplementary_groups
  virtual_server > real_server > HTTP_GET|SSL_GET: sni_name
2.4.0
  global_defs: vrrp_delay_after_boot
  vrrp_instance: auth_hmac
  vrrp_instance > auth_hmac: key active_key time_window anti_replay mode
2.3.3
  global_defs: vrrp_owner_ignore_adverts state_dump_file stats_dump_file json_dump_file
  vrrp_instance: owner_ignore_adverts
2.3.2
  global_defs: iproute_usr_dir iproute_etc_dir
  vrrp_instance: thread_timer_expired
2.3.0
  global_defs: snmp_vs_stats_update_interval snmp_rs_stats_update_interval dbus_no_interface_name
    use_symlink_paths
2.2.8
  global_defs: v3_checksum_as_v2 json_version
  vrrp_instance: timer_expired_backup v3_checksum_as_v2 no_virtual_ipaddress
  virtual_server > real_server > SSL_GET: tls_compliant
  virtual_server > real_server > SSL_GET > url: tls_compliant
  bfd_instance: multihop
2.2.5
  global_defs: fifo_write_vrrp_states_on_reload
  vrrp_instance: mcast_dst_ip unicast_fault_no_peer vrf
2.2.3
  global_defs: vrrp_down_timer_adverts vrrp_garp_extra_if config_save_dir data_use_instance
  vrrp_instance: down_timer_adverts garp_extra_if
  : interface_up_down_delays
  virtual_server: snmp_name
  virtual_server > real_server: snmp_name
2.2.2
  global_defs: nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark
2.2.0
  global_defs: checker_process_name vrrp_vmac_garp_intvl disable_local_igmp vmac_prefix vmac_addr_prefix
    lvs_flush_on_stop reload_check_config reload_file include_check tmp_config_directory
  vrrp_sync_group: notify_priority_changes
  vrrp_instance: use_vmac_addr vmac_garp_intvl
  virtual_server > real_server > UDP_CHECK: payload min_reply_length max_reply_length
2.1.0
  : net_namespace_ipvs track_file
  global_defs: startup_script startup_script_timeout shutdown_script shutdown_script_timeout
    vrrp_rlimit_rttime checker_rlimit_rttime max_auto_priority min_auto_priority_delay reload_time_file
    reload_repeat bfd_rlimit_rttime
  vrrp_instance: check_unicast_src unicast_ttl notify_deleted
  virtual_server > real_server: PING_CHECK UDP_CHECK FILE_CHECK
  virtual_server > real_server > PING_CHECK: connect_ip connect_port bindto bind_port bind_if
    connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha log_all_failures
  virtual_server > real_server > UDP_CHECK: connect_ip connect_port bindto bind_port bind_if
    connect_timeout fwmark retry delay_before_retry warmup delay_loop alpha log_all_failures require_reply
  virtual_server > real_server > FILE_CHECK: track_file weight
  track_file: file weight init_file
2.0.20
  virtual_server: mh-port mh-fallback
2.0.17
  global_defs: vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity
  vrrp_instance: use_ipvlan
  virtual_server > real_server > HTTP_GET|SSL_GET: http_protocol fast_recovery
2.0.16
  global_defs: process_names process_name vrrp_process_name lvs_process_name bfd_process_name
    vrrp_notify_priority_changes log_unknown_vrids
  vrrp_instance: notify_priority_changes
  vrrp_track_process: param_match quorum_max terminate_delay fork_delay
2.0.15
  global_defs: lvs_flush_onstop random_seed
2.0.14
  global_defs: vrrp_startup_delay
2.0.13
  : linkbeat_interfaces
  virtual_server: connect_timeout
  virtual_server > real_server: connect_timeout
2.0.12
  global_defs: vrrp_min_garp
2.0.11
  global_defs: nftables nftables_priority nftables_ifindex nftables_counters process_monitor_rcv_bufs
    process_monitor_rcv_bufs_force checker_log_all_failures
  vrrp_sync_group|vrrp_instance: track_process
  : vrrp_track_process
  vrrp_track_process: process weight quorum delay full_command
  virtual_server > real_server > MISC_CHECK|SMTP_CHECK|TCP_CHECK|HTTP_GET|SSL_GET|DNS_CHECK:
    log_all_failures
  virtual_server > real_server > SMTP_CHECK > host: log_all_failures
2.0.9
  global_defs: umask
2.0.7
  virtual_server > real_server > HTTP_GET|SSL_GET > url: regex regex_no_match regex_options
    regex_min_offset regex_max_offset regex_stack
2.0.6
  vrrp_instance: notify_master_rx_lower_pri
2.0.3
  global_defs: vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier
  : track_group
  track_group: group
  vrrp_instance: kernel_rx_buf_size
2.0.0
  : child_wait_time bfd_instance vrrp_track_file
  global_defs: smtp_alert smtp_alert_vrrp smtp_alert_checker no_email_faults no_checker_emails
    rs_init_notifies dynamic_interfaces vrrp_rt_priority vrrp_rlimit_rtime vrrp_netlink_cmd_rcv_bufs
    vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force
    checker_rt_priority checker_rlimit_rtime lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force
    lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force enable_snmp_vrrp bfd_priority
    bfd_no_swap bfd_rt_priority bfd_rlimit_rtime
  vrrp_sync_group: track_interface track_script track_file track_bfd notify_stop
    sync_group_tracking_weight
  vrrp_instance: track_src_ip linkbeat_use_polling track_file track_bfd
  virtual_server: smtp_alert
  virtual_server > real_server: smtp_alert BFD_CHECK
  virtual_server > real_server > BFD_CHECK: name alpha
  bfd_instance: source_ip neighbor_ip neighbour_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit
    max_hops weight vrrp checker
  vrrp_track_file: file weight init_file
1.4.3
  virtual_server > real_server > HTTP_GET|SSL_GET: enable_sni
1.3.7
  global_defs: dbus_service_name
  vrrp_instance: old_unicast_checksum
  virtual_server: retry delay_before_retry warmup inhibit_on_failure weight
  virtual_server > real_server: alpha retry delay_before_retry warmup delay_loop
  virtual_server > real_server > MISC_CHECK: retry delay_before_retry delay_loop alpha
  virtual_server > real_server > SMTP_CHECK|TCP_CHECK: bind_if delay_loop alpha
  virtual_server > real_server > SMTP_CHECK > host: bind_if retry delay_before_retry warmup delay_loop
    alpha
  virtual_server > real_server > HTTP_GET|SSL_GET: bind_if retry delay_loop alpha
  virtual_server > real_server > DNS_CHECK: bind_if delay_before_retry warmup delay_loop alpha
1.3.6
  global_defs: notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo
    lvs_notify_fifo_script
  virtual_server: sorry_server_lvs_method
  virtual_server > real_server: lvs_method virtualhost
  virtual_server > real_server > HTTP_GET|SSL_GET: virtualhost
  virtual_server > real_server > HTTP_GET|SSL_GET > url: virtualhost
1.3.5
  global_defs: vrrp_higher_prio_send_advert
  vrrp_instance: higher_prio_send_advert
1.3.2
  vrrp_script: init_fail
1.3.0
  : namespace_with_ipsets
  global_defs: script_user enable_script_security enable_dbus
  vrrp_instance: no_accept promote_secondaries
  vrrp_script: user
  virtual_server > real_server > MISC_CHECK: user
  virtual_server: hashed flag-1 flag-2 flag-3 sh-port sh-fallback
  virtual_server > real_server: DNS_CHECK
  virtual_server > real_server > DNS_CHECK: connect_ip connect_port bindto bind_port connect_timeout
    fwmark retry type name
1.2.24
  : net_namespace use_pid_dir instance
  global_defs: default_interface lvs_timeouts
1.2.23
  global_defs: lvs_flush
1.2.21
  global_defs: vrrp_garp_interval vrrp_gna_interval
  : garp_group
  garp_group: garp_interval gna_interval interface interfaces
1.2.20
  global_defs: smtp_helo_name vrrp_version vrrp_strict vrrp_garp_master_delay vrrp_garp_master_repeat
    vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat vrrp_garp_lower_prio_delay
    vrrp_garp_lower_prio_repeat vrrp_lower_prio_no_advert vrrp_check_unicast_src vrrp_skip_check_adv_addr
    vrrp_iptables vrrp_ipsets vrrp_priority vrrp_no_swap lvs_sync_daemon checker_priority checker_no_swap
    snmp_socket enable_snmp_keepalived enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3
    enable_snmp_checker
  : static_rules
  vrrp_instance: strict_mode skip_check_adv_addr lower_prio_no_advert virtual_rules garp_lower_prio_delay
    garp_lower_prio_repeat
  virtual_server: ip_family persistence_engine
  virtual_server > real_server > TCP_CHECK: retry delay_before_retry
1.2.17
  vrrp_instance: version accept
  virtual_server > real_server > SMTP_CHECK: connect_ip connect_port bindto bind_port fwmark
1.2.14
  vrrp_instance: garp_master_repeat garp_master_refresh_repeat
1.2.13
  virtual_server: sorry_server_inhibit
  virtual_server > real_server > MISC_CHECK|SMTP_CHECK: warmup
  virtual_server > real_server > SMTP_CHECK > host: bind_port connect_timeout fwmark
  virtual_server > real_server > TCP_CHECK|HTTP_GET|SSL_GET: connect_ip bind_port fwmark warmup
1.2.10
  global_defs: vrrp_mcast_group4 vrrp_mcast_group6
  vrrp_instance: unicast_src_ip vmac_xmit_base garp_master_refresh
1.2.8
  vrrp_instance: unicast_peer
  virtual_server: ops
1.2.6
  vrrp_script: timeout
1.2.5
  global_defs: enable_traps
1.2.3
  vrrp_sync_group: global_tracking
  vrrp_instance: use_vmac
1.2.1
  vrrp_instance: native_ipv6
1.1.18
  : linkbeat_use_polling
  vrrp_script: rise fall
1.1.16
  virtual_server: alpha omega quorum_up quorum_down quorum hysteresis
1.1.13
  vrrp_instance: track_script notify_stop
  : vrrp_script
  vrrp_script: script interval weight
  virtual_server > real_server: uthreshold lthreshold
1.1.8
  global_defs: router_id
  vrrp_instance: nopreempt preempt_delay dont_track_primary
  virtual_server > real_server > MISC_CHECK: misc_dynamic
  virtual_server > real_server: SMTP_CHECK
  virtual_server > real_server > SMTP_CHECK: helo_name connect_timeout retry delay_before_retry host
  virtual_server > real_server > SMTP_CHECK > host: connect_ip connect_port bindto
1.1.5
  virtual_server: lvs_sched lvs_method
1.1.2
  vrrp_sync_group: notify
  virtual_server > real_server > TCP_CHECK|HTTP_GET|SSL_GET: bindto
1.1.0
  : static_ipaddress
  virtual_server > real_server > MISC_CHECK: misc_timeout
1.0.2
  : virtual_server_group
1.0.1
  : static_routes
  vrrp_instance: virtual_routes track_interface
1.0.0
  vrrp_sync_group: smtp_alert
  virtual_server: ha_suspend
  virtual_server > real_server: notify_up notify_down
0.7.6
  virtual_server > real_server > HTTP_GET|SSL_GET > url: status_code
0.7.1
  vrrp_instance: garp_master_delay
0.6.8
  virtual_server > real_server: inhibit_on_failure
0.6.4
  vrrp_sync_group: group notify_backup notify_master notify_fault
0.6.1
  : vrrp_sync_group
  vrrp_instance: mcast_src_ip
0.5.9
  vrrp_instance: virtual_ipaddress_excluded notify_backup notify_master notify_fault
0.5.8
  virtual_server: virtualhost
  virtual_server > real_server > TCP_CHECK|HTTP_GET|SSL_GET: connect_port
0.5.7
  vrrp_instance: smtp_alert
  virtual_server: persistence_granularity
0.5.5
  vrrp_instance: lvs_sync_daemon_interface
0.4.9
  vrrp_instance: debug notify
  : SSL
  SSL: password ca certificate key
0.4.8
  vrrp_instance: state
0.4.0
  : vrrp_instance
  vrrp_instance: interface virtual_router_id priority advert_int preempt virtual_ipaddress authentication
  vrrp_instance > authentication: auth_type auth_pass
0.3.6
  virtual_server > real_server: MISC_CHECK
  virtual_server > real_server > MISC_CHECK: misc_path
0.3.5
  global_defs: smtp_connect_timeout
  virtual_server: sorry_server
0.2.6
  : global_defs
  global_defs: notification_email_from smtp_server notification_email
  virtual_server: lb_algo lb_kind persistence_timeout protocol
  virtual_server > real_server: weight TCP_CHECK HTTP_GET SSL_GET
  virtual_server > real_server > TCP_CHECK: connect_timeout
  virtual_server > real_server > HTTP_GET|SSL_GET: connect_timeout delay_before_retry nb_get_retry url
  virtual_server > real_server > HTTP_GET|SSL_GET > url: path digest
"""
