"""Texts that together say all that the IR can hold: beside `support.whole_language`, what does not go with that, and options of
options."""

from __future__ import annotations

from support.whole_language import WHOLE

ROUTING = """\
instance two
net_namespace_ipvs
global_defs {
    vrrp_iptables in
    vrrp_ipsets a b c d e f
    lvs_timeouts tcp 1 tcpfin 2 udp 3
    lvs_sync_daemon eth0 inst A id 7 maxlen 1400 port 8849 ttl 3 group 224.0.0.81
    vrrp_rx_bufs_policy 100000
    notify_fifo /run/fifo nobody nogroup
    notify_fifo_script "/bin/reader 'a b'" nobody :nogroup
}
track_group tg {
    group {
        A
    }
}
linkbeat_interfaces {
    eth7 ETHTOOL
}
static_ipaddress {
    192.0.2.5/24 brd 192.0.2.255 dev eth1 scope link label eth1:5 home noprefixroute track_group tg
    192.0.2.6 peer 192.0.2.7 dev eth1 no_track
    2001:db8::5/64 dev eth1 -nodad mngtmpaddr autojoin preferred_lft 100
}
static_routes {
    default via 192.0.2.1 dev eth1 track_group tg
    10.1.0.0/16 via 192.0.2.1 dev eth1 src 192.0.2.5 onlink table 100 protocol static scope link tos 0x10 metric 7 mtu lock 1400 window 9 rtt 300ms congctl lock cubic features ecn realms 3/4 ttl-propagate enabled append no_track
    2001:db8:1::/48 from 2001:db8:2::/48 via 2001:db8::1 dev eth1 expires 60 pref high
    blackhole 10.2.0.0/16
    10.3.0.0/16 dev eth1 vrf red encap ip id 5 dst 192.0.2.9 src 192.0.2.5 tos 4 ttl 9 flags 1
    2001:db8:3::/48 dev eth1 encap ip6 id 5 dst 2001:db8::9 src 2001:db8::5 tc 4 hoplimit 9 flags 1
    10.4.0.0/16 dev eth1 table special encap mpls 16/17
    2001:db8:4::/48 dev eth1 encap ila 1:2:3:4
    10.5.0.0/16 nexthop via 192.0.2.1 dev eth1 weight 5 onlink realms 3/4 encap mpls 18 nexthop via 192.0.2.2 dev eth1
}
static_rules {
    not from 10.0.0.0/8 to 10.9.0.0/16 iif eth1 oif eth2 tos 0x10 fwmark 1/0xff uidrange 5-6 ipproto tcp sport 1-2 dport 3-4 tunnel-id 9 realms 3/4 preference 100 table 7 suppress_prefixlength 8 suppress_ifgroup 9 track_group tg
    from 10.0.0.0/8 preference 101 goto 200
    to 2001:db8::/32 preference 102 l3mdev
    to 10.7.0.0/16 preference 103 blackhole no_track
    inet6 iif eth1 preference 104 table special
}
vrrp_script open {
    script "</run/ok"
    user nobody :nogroup
}
vrrp_instance A {
    interface eth0
    virtual_router_id 1
    version 3
    native_ipv6
    mcast_src_ip 2001:db8::1
    use_ipvlan lan 2001:db8::2/64 private group 7
    no_virtual_ipaddress
    linkbeat_use_polling
    nopreempt
    timer_expired_backup 9
    track_script {
        open
    }
    virtual_routes {
        2001:db8:1::/48 from 2001:db8:2::/48 via 2001:db8::1 dev eth1 src 2001:db8::5 onlink table 100 protocol static scope link tos 0x10 metric 7 mtu lock 1400 congctl lock cubic features ecn expires 60 pref high ttl-propagate disabled append no_track
        10.5.0.0/16 vrf red realms 3/4 nexthop via 192.0.2.1 dev eth1 weight 5 onlink realms 3/4 encap ip id 5 dst 192.0.2.9 src 192.0.2.5 tos 4 ttl 9 flags 1 nexthop via 192.0.2.2 dev eth1 encap ip6 id 5 dst 2001:db8::9 src 2001:db8::5 tc 4 hoplimit 9 flags 1 nexthop dev eth1 encap ila 1:2:3:4
        10.5.1.0/24 dev eth0 encap mpls 16/17
        10.5.2.0/24 dev eth0 encap ip id 5 dst 192.0.2.9 src 192.0.2.5 tos 4 ttl 9 flags 1
        2001:db8:3::/48 dev eth1 encap ip6 id 5 dst 2001:db8::9 src 2001:db8::5 tc 4 hoplimit 9 flags 1
        2001:db8:4::/48 dev eth1 encap ila 1:2:3:4
        10.6.0.0/16 dev eth0 nexthop dev eth1 encap mpls 17
    }
    virtual_rules {
        not from 10.0.0.0/8 to 10.9.0.0/16 iif eth1 oif eth2 tos 0x10 fwmark 1/0xff uidrange 5-6 ipproto tcp sport 1-2 dport 3-4 tunnel-id 9 realms 3/4 preference 100 table 7 suppress_prefixlength 8 suppress_ifgroup 9 protocol 4 no_track
        from 10.0.0.0/8 preference 101 goto 200
        inet6 iif eth1 preference 104 table special
    }
}
vrrp_instance B {
    interface eth0
    virtual_router_id 2
    unicast_peer {
        192.0.2.2 min_ttl 250 max_ttl 254
    }
    unicast_fault_no_peer
    virtual_ipaddress {
        192.0.2.50 peer 192.0.2.51
        192.0.2.52/24 brd + scope host label eth0:x home mngtmpaddr noprefixroute autojoin no_track dev eth3 preferred_lft 9
    }
    virtual_ipaddress_excluded {
        2001:db8::50/64 -nodad
        192.0.2.53/24 brd + scope host label eth0:x home mngtmpaddr noprefixroute autojoin no_track dev eth3 preferred_lft 9 use_vmac
        192.0.2.54 peer 192.0.2.51
    }
}
virtual_server_group both {
    10.0.0.8 80
    2001:db8::8 80
}
virtual_server group both {
    ip_family inet6
    lvs_sched rr
    protocol TCP
    lvs_method TUN type gue port 6080 csum
    ha_suspend
    sorry_server 10.0.0.9
    persistence_timeout 60
    persistence_granularity 64
    sorry_server_lvs_method TUN type gue port 6081 remcsum
    real_server 10.0.1.1 80 {
        lvs_method TUN type gre csum
        MISC_CHECK {
            misc_path "/bin/check"
            log_all_failures
            user nobody :nogroup
        }
        SMTP_CHECK {
            log_all_failures
        }
        PING_CHECK {
            log_all_failures
        }
        UDP_CHECK {
            log_all_failures
        }
        DNS_CHECK {
            log_all_failures
        }
        FILE_CHECK {
            track_file f
            weight 3 reverse
        }
    }
    real_server 2001:db8::1 80 {
        virtualhost real
        weight 5
        notify_up "/bin/up" nobody :nogroup
        SSL_GET {
            enable_sni
            url {
                path /
            }
            url {
                path /
                virtualhost own
            }
        }
    }
    virtualhost pool
}
virtual_server fwmark 7 {
    ip_family inet6
    lvs_sched mh
    mh-port
    lvs_method NAT
    real_server 2001:db8::2 {
        TCP_CHECK {
        }
    }
}
"""

FILES = """\
track_file f {
    file /run/f
}
vrrp_track_process p {
    process none
    param_match
    quorum_max 0
}
bfd_instance six {
    neighbor_ip 2001:db8::9
    ttl 255
    max_hops -1
    vrrp
}
vrrp_instance C {
    interface eth0
    virtual_router_id 3
    strict_mode
    priority 255
    mcast_dst_ip 224.0.0.99
    use_vmac
    track_file {
        f weight 0 reverse
    }
    virtual_ipaddress {
        192.0.2.60
    }
}
"""

SAMPLES = {"whole": WHOLE, "routing": f"{FILES}{ROUTING}"}
