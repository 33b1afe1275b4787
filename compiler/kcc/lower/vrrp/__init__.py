"""Lowering of the VRRP part: instances, sync groups, track scripts."""
