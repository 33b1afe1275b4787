"""Scenarios in a kernel that has IPVS: a client, a director and real servers, inside the kernel lab.

``test_kernel`` runs on the host; everything else runs in the guest (``python -m kernel.guest NAME``).
"""
