"""Netlink by hand: attribute tables as data, packed by `struct`, sent in batches.

=============  ============================================================================
``codec``      headers, attribute tables, the walker, extended acknowledgements
``socket``     batches with one acknowledgement, dumps, the stream of a subscriber
``generic``    the number of a generic netlink family
``rtnl``       tables of links and addresses (rtnetlink(7))
``ipvs``       tables of IPVS (linux/ip_vs.h)
=============  ============================================================================
"""
