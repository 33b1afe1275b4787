"""VRRP: virtual routers of versions 2 and 3 over IPv4 and IPv6, as keepalived speaks it.

=================  ====================================================================================
``packet``         adverts as octets; ``checksum`` the sums under them
``reception``      whether a received advert may be believed
``machine``        one virtual router: state, event, time → state, actions; ``events`` names both,
                   ``backup`` and ``master`` are its two roles, ``moves`` the ways between them
``timers``         its intervals
``tracking``       effective priority and faults; ``sync`` groups that move as one
``director``       all of them as one pure machine: packets, links, addresses, time → ``effects``
``intake``         from octets at a socket to an advert for one instance; ``alarms`` who is woken when
``steps``          what follows from one event for one instance, and for its group
``surroundings``   what it knows; ``outbox`` what it wants done; ``drift`` what others do to it
``book``           who holds which thing of the kernel: ``ledger`` addresses, ``routing`` routes and
                   rules; ``instance`` what is kept for each virtual router
``reload``         from one configuration to the next; ``promises`` from one process to its successor
``process``        the machine between a kernel and an event loop; with ``carrier`` (does what is wanted),
                   ``news`` (what the kernel says), ``sockets``, ``scripts``, ``announcements``, ``lookout`` (the
                   kernel's routes), ``sources`` and ``status``. Only these do any I/O
=================  ====================================================================================
"""
