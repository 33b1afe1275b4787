"""The laboratory: networks of namespaces, captures, keepalived and krun under test, a kernel with IPVS.

=================  ==========================================================================
``needs``          what a test asks of the machine: skip on a laptop, fail in CI
``netns``          network namespaces and the segments that join them; processes inside
``packets``        the lab's own reader of Ethernet, IP, VRRP, ARP and NA (shares no code with krun)
``capture``        every frame of a segment with the kernel's time stamp; pcap files
``dissect``        tshark's opinion of a pcap file
``keepalived``     the real keepalived, in the foreground, as a peer or as the oracle
``krun``           ``kcc build`` and ``krun``, driven only through their command lines
``inject``          hand-made adverts, right and wrong in chosen ways
``netlink_watch``   every write to the kernel over netlink, counted from outside
``once``            the costly played once, however many workers a run has
``kernel_lab``     one command inside a User-Mode Linux kernel that has IPVS
=================  ==========================================================================
"""
