"""A configuration that says as much of the language as fits into one."""

from __future__ import annotations

# Keywords that do not go with the sample, and where they are tested instead.
VALUES = {
    "global_defs > vrrp_iptables": "contradicts nftables; the cases of KC0407",
    "global_defs > vrrp_ipsets": "needs vrrp_iptables; the cases of KC0406",
    "vrrp_instance > mcast_dst_ip": "in the cases of KC0525",
    "vrrp_instance > mcast_src_ip": "in the cases of KC0525",
    "vrrp_instance > no_accept": "in the sample of KC0518",
    "vrrp_instance > no_virtual_ipaddress": "in the cases of KC0508",
    "vrrp_instance > native_ipv6": "old form",
    "vrrp_instance > owner_ignore_adverts": "in the cases of KC0519",
    "vrrp_instance > timer_expired_backup": "in the cases of KC0520",
    "vrrp_instance > nopreempt": "contradicts preempt_delay",
    "vrrp_instance > unicast_fault_no_peer": "in the cases of KC0516",
    "virtual_server > lb_algo": "other name of lvs_sched",
    "virtual_server > lb_kind": "other name of lvs_method",
    "virtual_server > hashed": "without effect",
    "virtual_server > ip_family": "of marks; the cases of KC0704",
    "virtual_server > ha_suspend": "in the cases of KC0717",
    "virtual_server > mh-port": "instead of sh-port",
    "virtual_server > mh-fallback": "instead of sh-fallback",
    "virtual_server > ops": "UDP only; the cases of KC0706",
    "virtual_server > flag-1": "the same as sh-fallback",
    "virtual_server > flag-2": "the same as sh-port",
    "vrrp_sync_group > global_tracking": "old form",
    "global_defs > enable_snmp_rfc": "both of the next two",
    "global_defs > vrrp_min_garp": "the other garp settings win",
}

_CONNECTION = """
            connect_ip 192.168.0.9
            connect_port 8080
            bindto 192.168.0.2
            bind_port 1024
            bind_if eth1
            connect_timeout 2
            fwmark 5
            retry 2
            delay_before_retry 1.5
            warmup 3
            delay_loop 7
            alpha
            log_all_failures off
"""
_PORTLESS = _CONNECTION.replace("connect_port 8080", "").replace("bind_port 1024", "")

WHOLE = f"""\
net_namespace lb
net_namespace_ipvs lvs
namespace_with_ipsets
use_pid_dir  # same: an instance name implies it
instance one
child_wait_time 9
linkbeat_use_polling
global_defs {{
    process_names  # same: the names are said
    process_name kp
    vrrp_process_name kv
    checker_process_name kc
    bfd_process_name kb
    use_symlink_paths
    set_supplementary_groups
    router_id lb1
    notification_email_from lb@example.com
    smtp_server 192.0.2.25 2525
    smtp_helo_name lb.example.com
    smtp_connect_timeout 7
    notification_email {{
        ops@example.com
    }}
    smtp_alert off
    smtp_alert_vrrp
    smtp_alert_checker
    startup_script "/bin/start"
    startup_script_timeout 20
    shutdown_script "/bin/stop"
    shutdown_script_timeout 30
    max_auto_priority 50
    min_auto_priority_delay 5000
    checker_log_all_failures
    dynamic_interfaces allow_if_changes
    no_email_faults
    default_interface eth1
    disable_local_igmp
    v3_checksum_as_v2
    lvs_timeouts tcp 900
    lvs_flush
    lvs_flush_on_stop VS
    lvs_sync_daemon eth0 inst VI_1 id 9
    vrrp_mcast_group4 224.0.0.77
    vrrp_mcast_group6 ff02::77
    vrrp_garp_master_delay 1
    vrrp_garp_master_repeat 2
    vrrp_garp_master_refresh 60
    vrrp_garp_master_refresh_repeat 3
    vrrp_garp_lower_prio_delay 4
    vrrp_garp_lower_prio_repeat 6
    vrrp_down_timer_adverts 4
    vrrp_garp_interval 0.001
    vrrp_gna_interval 0.002
    vrrp_garp_extra_if 600
    vrrp_lower_prio_no_advert
    vrrp_higher_prio_send_advert
    vrrp_version 3
    nftables lb
    nftables_priority -2
    nftables_ifindex
    nftables_counters
    vrrp_check_unicast_src
    vrrp_skip_check_adv_addr
    vrrp_strict false  # same: the default
    vrrp_priority -5
    vrrp_no_swap
    vrrp_rt_priority 10
    vrrp_cpu_affinity 0 1
    vrrp_rlimit_rttime 20000
    nftables_ipvs marks
    nftables_ipvs_priority -3
    nftables_ipvs_start_fwmark 2000
    notify_fifo /run/all root
    notify_fifo_script "/bin/all"
    vrrp_notify_fifo /run/vrrp
    vrrp_notify_fifo_script "/bin/vrrp"
    vrrp_notify_priority_changes
    fifo_write_vrrp_states_on_reload
    lvs_notify_fifo /run/lvs
    lvs_notify_fifo_script "/bin/lvs"
    checker_priority -4
    checker_no_swap
    checker_rt_priority 11
    checker_cpu_affinity 1
    checker_rlimit_rttime 30000
    bfd_priority -3
    bfd_no_swap
    bfd_rt_priority 12
    bfd_cpu_affinity 0
    bfd_rlimit_rttime 40000
    snmp_socket udp:localhost:705
    enable_traps
    enable_snmp_vrrp
    enable_snmp_rfcv2
    enable_snmp_rfcv3
    enable_snmp_checker
    snmp_vs_stats_update_interval 2
    snmp_rs_stats_update_interval 3
    enable_dbus
    dbus_service_name org.example.Lb
    dbus_no_interface_name
    script_user nobody
    enable_script_security
    vrrp_netlink_cmd_rcv_bufs 100000
    vrrp_netlink_cmd_rcv_bufs_force
    vrrp_netlink_monitor_rcv_bufs 200000
    vrrp_netlink_monitor_rcv_bufs_force
    process_monitor_rcv_bufs 300000
    process_monitor_rcv_bufs_force
    lvs_netlink_cmd_rcv_bufs 400000
    lvs_netlink_cmd_rcv_bufs_force
    lvs_netlink_monitor_rcv_bufs 500000
    lvs_netlink_monitor_rcv_bufs_force
    rs_init_notifies
    no_checker_emails
    vrrp_rx_bufs_policy MTU
    vrrp_rx_bufs_multiplier 4
    vrrp_startup_delay 2
    vrrp_delay_after_boot 90
    log_unknown_vrids
    vrrp_owner_ignore_adverts
    vmac_prefix vm
    vmac_addr_prefix va
    umask 077
    random_seed 7
    reload_check_config /var/log/check
    reload_time_file /run/when
    reload_repeat
    reload_file /run/reloading
    include_check
    config_save_dir /var/lib/kc
    tmp_config_directory /run/tmp
    data_use_instance
    json_version 2
    iproute_usr_dir /usr/share/iproute2
    iproute_etc_dir /etc/iproute
    state_dump_file /run/state
    stats_dump_file /run/stats
    json_dump_file /run/json
}}
track_group tg {{
    group {{
        VI_2
    }}
}}
static_ipaddress {{
    192.0.2.5/24 dev eth1 track_group tg
    192.0.2.6/24
}}
static_routes {{
    10.0.0.0/8 via 192.0.2.9 dev eth1 track_group tg
}}
static_rules {{
    from 10.0.0.0/8 iif eth1 table 7 preference 100 track_group tg
}}
linkbeat_interfaces {{
    eth2 MII
}}
interface_up_down_delays {{
    eth0 0.5 0.25
    eth2 1 2
}}
garp_group {{
    garp_interval 0.1
    gna_interval 0.2
    interface eth0
    interfaces {{
        eth1
    }}
}}
vrrp_script chk {{
    script "/bin/check a"
    interval 2
    timeout 1.5
    weight -5 reverse
    rise 2
    fall 3
    user root
    init_fail
}}
vrrp_track_process haproxy {{
    process haproxy -W
    param_match initial
    weight 6
    quorum 2
    quorum_max 4
    terminate_delay 2
    fork_delay 3
    full_command
}}
vrrp_track_process nginx {{
    process nginx
    delay 1
}}
track_file manual {{
    file /run/manual
    weight 2
    init_file 5 overwrite
}}
bfd_instance peer {{
    source_ip 192.0.2.1
    neighbor_ip 192.0.2.2
    min_rx 50
    min_tx 60
    idle_tx 2000
    multiplier 4
    passive
    ttl 100
    max_hops 3
    multihop
    weight 3
    vrrp
    checker
}}
vrrp_sync_group G {{
    group {{
        VI_1
    }}
    track_interface {{
        eth2 weight 3
    }}
    track_script {{
        chk
    }}
    track_file {{
        manual
    }}
    track_process {{
        haproxy
    }}
    track_bfd {{
        peer
    }}
    notify_master "/bin/g master"
    notify_backup "/bin/g backup"
    notify_fault "/bin/g fault"
    notify_stop "/bin/g stop"
    notify "/bin/g any"
    smtp_alert off
    sync_group_tracking_weight
    notify_priority_changes off
}}
vrrp_instance VI_1 {{
    state BACKUP  # same: the default
    interface eth0
    virtual_router_id 51
    version 2
    priority 150
    advert_int 2
    preempt
    preempt_delay 5
    down_timer_adverts 5
    strict_mode off  # same: the default
    accept
    skip_check_adv_addr  # same: so says global_defs
    lower_prio_no_advert off
    higher_prio_send_advert off
    v3_checksum_as_v2 off
    debug 2
    kernel_rx_buf_size 100000
    unicast_src_ip 192.0.2.1
    track_src_ip
    unicast_peer {{
        192.0.2.2 min_ttl 250 max_ttl 254
    }}
    check_unicast_src  # same: so says global_defs
    unicast_ttl 200
    old_unicast_checksum never
    virtual_ipaddress {{
        203.0.113.10/24 dev eth1 label eth1:v use_vmac
    }}
    virtual_ipaddress_excluded {{
        203.0.113.11/24
    }}
    virtual_routes {{
        10.1.0.0/16 via 203.0.113.1 dev eth0
    }}
    virtual_rules {{
        to 10.1.0.0/16 table 8 preference 200
    }}
    use_vmac v51 02:11:22:33:44 netlink_notify_msg group 3
    vmac_xmit_base  # same: unicast implies it
    dont_track_primary
    track_interface {{
        eth2 weight 4
    }}
    track_script {{
        chk weight -6
    }}
    track_file {{
        manual weight 3
    }}
    track_process {{
        haproxy weight 4
    }}
    track_bfd {{
        peer weight 5
    }}
    garp_master_delay 3
    garp_master_refresh 70
    garp_master_repeat 4
    garp_master_refresh_repeat 2
    garp_lower_prio_delay 2
    garp_lower_prio_repeat 1
    garp_extra_if all 700
    authentication {{
        auth_type AH
        auth_pass s3cr3t
    }}
    notify_backup "/bin/n backup"
    notify_master "/bin/n master"
    notify_fault "/bin/n fault"
    notify_stop "/bin/n stop"
    notify "/bin/n any"
    notify_deleted "/bin/n deleted"
    notify_master_rx_lower_pri "/bin/n lower"
    smtp_alert off
    notify_priority_changes on
}}
vrrp_instance VI_2 {{
    interface eth1
    virtual_router_id 52
    no_accept
    promote_secondaries
    use_vmac_addr
    virtual_ipaddress {{
        203.0.113.20/24 dev eth3
    }}
    auth_hmac {{
        key 1 0123456789abcdef0123456789abcdef
        key 2 file:/etc/key2
        active_key 1
        time_window 20
        anti_replay monotonic
        mode permissive
    }}
}}
vrrp_instance VI_3 {{
    interface eth4
    virtual_router_id 53
    priority 255
    use_vmac
    vmac_xmit_base
    virtual_ipaddress {{
        fe80::53/64
    }}
}}
vrrp_instance VI_4 {{
    interface eth5
    virtual_router_id 54
    use_ipvlan 192.0.2.9/24
    virtual_ipaddress {{
        203.0.113.40/24
    }}
}}
vrrp_instance VI_5 {{
    virtual_router_id 55
    vrf red
    unicast_src_ip 192.0.2.1
    unicast_peer {{
        192.0.2.3
    }}
    virtual_ipaddress {{
        203.0.113.50/24 dev eth6
    }}
}}
SSL {{
    password tlspw
    ca /etc/ssl/ca.pem
    certificate /etc/ssl/c.pem
    key /etc/ssl/k.pem
}}
virtual_server_group vsg {{
    10.0.0.9 80
    fwmark 9
}}
virtual_server group vsg {{
    lvs_sched rr
    lvs_method DR
    protocol TCP
    real_server 192.168.0.3 80 {{
        TCP_CHECK {{
        }}
    }}
}}
virtual_server 10.0.0.1 80 {{
    lvs_sched sh
    sh-port
    sh-fallback
    flag-3
    lvs_method DR
    persistence_engine sip
    persistence_timeout 50
    persistence_granularity 255.255.255.0
    protocol TCP
    retry 3
    delay_before_retry 4
    warmup 5
    connect_timeout 6
    delay_loop 8
    inhibit_on_failure
    smtp_alert off
    virtualhost www.example.com
    snmp_name web
    alpha
    omega
    quorum_up "/bin/q up"
    quorum_down "/bin/q down"
    quorum 2
    hysteresis 1
    weight 2
    sorry_server 192.168.0.200 80
    sorry_server_inhibit
    sorry_server_lvs_method NAT
    real_server 192.168.0.1 80 {{
        weight 4
        lvs_method TUN
        uthreshold 100
        lthreshold 50
        inhibit_on_failure off
        alpha off
        retry 4
        delay_before_retry 5
        warmup 6
        connect_timeout 7
        delay_loop 9
        smtp_alert off
        virtualhost a.example.com
        snmp_name web1
        notify_up "/bin/rs up"
        notify_down "/bin/rs down"
        MISC_CHECK {{
            retry 2
            delay_before_retry 1.5
            warmup 3
            delay_loop 7
            alpha
            log_all_failures off
            misc_path "/bin/misc"
            misc_timeout 3
            misc_dynamic
            user root
        }}
        SMTP_CHECK {{
            helo_name lb.example.com{_CONNECTION}
        }}
        TCP_CHECK {{{_CONNECTION}
        }}
        PING_CHECK {{{_PORTLESS}
        }}
        UDP_CHECK {{{_CONNECTION}
            payload 41 42
            require_reply 4X
            min_reply_length 1
            max_reply_length 300
        }}
        DNS_CHECK {{{_CONNECTION}
            type A
            name www.example.com
        }}
        FILE_CHECK {{
            track_file manual
            weight 7
        }}
        BFD_CHECK {{
            name peer
            alpha
        }}
        HTTP_GET {{{_CONNECTION}
            virtualhost b.example.com
            http_protocol 1.1
            fast_recovery
            url {{
                path /a
                digest 0123456789abcdef0123456789abcdef
                status_code 200-204
            }}
            url {{
                path /b
                virtualhost c.example.com
                regex "ok"
                regex_no_match
                regex_options caseless
                regex_min_offset 1
                regex_max_offset 100
                regex_stack 4096 65536
            }}
        }}
        SSL_GET {{
            sni_name d.example.com
            tls_compliant
            url {{
                path /
                tls_compliant off
            }}
            url {{
                path /
            }}
        }}
        SMTP_CHECK {{
            host {{
                connect_port 2525
            }}
        }}
    }}
    real_server 192.168.0.2 80 {{
        HTTP_GET {{
            url {{
                path /
            }}
        }}
        SSL_GET {{
            enable_sni
            url {{
                path /
            }}
        }}
    }}
}}
"""


def without_line(text: str, number: int) -> str:
    """``text`` with line ``number`` (from 0) left out."""
    lines = text.splitlines()
    del lines[number]
    return "\n".join(lines) + "\n"
