"""From a difference to steps: desired tables, operations in a safe order, and what each does to traffic.

====================  ============================================================================
``operations``        the steps, their impact, and when they are due (``route_operations``: on routes and rules)
``ipvs``, ``pool``    services and their servers: what IPVS should hold; make before break, drain
``addresses``         VIPs and static addresses
``routes``, ``rules`` virtual and static ones
``links``             VMACs and ipvlans
``vrrp``              orders to the instances (``timers``: how long things take, ``election``: who may be master)
``check``, ``track``  orders to checkers and trackers (``bfd``: to sessions, ``daemon``: to the daemon itself)
``plan``              all of it, in order
``rollout``           in which order the directors of a cluster change
====================  ============================================================================
"""
