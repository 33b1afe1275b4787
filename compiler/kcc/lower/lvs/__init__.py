"""Lowering of the load balancer: virtual servers, their pools and their checks."""
