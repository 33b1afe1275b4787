"""What the kernel's error numbers mean for our operations, in words that say what to do.

The same number means different things for different commands: ENOENT for a new service is a scheduler that cannot be loaded,
for a server it is a server that is not there. Sources: net/netfilter/ipvs/ip_vs_ctl.c, net/ipv4/devinet.c,
net/ipv6/addrconf.c.
"""

from __future__ import annotations

import errno
import ipaddress
import os

from kir.plan.operations import (
    AddAddress,
    AddDest,
    AddressOperation,
    AddService,
    EditDest,
    EditService,
    IpvsOperation,
    ReplaceAddress,
)
from krun.kernel.door import Failure
from krun.kernel.netlink.codec import Refusal

_PERMISSION = (
    "not permitted: krun needs CAP_NET_ADMIN in the network namespace; run it as root or grant the capability"
)


def failure(operation: IpvsOperation | AddressOperation, refused: Refusal) -> Failure:
    """The `Failure` for an operation that the kernel refused."""
    words = _words(operation, refused)
    reason = words if words is not None else os.strerror(refused.errno)
    if refused.text:
        reason = f"{reason} (kernel: {refused.text})"
    return Failure(operation, refused.errno, f"{operation.op} {operation.target}: {reason}")


def _words(operation: IpvsOperation | AddressOperation, refused: Refusal) -> str | None:
    number = refused.errno
    if number == errno.EPERM:
        return _PERMISSION
    if number == errno.ENOMEM:
        return "the kernel is out of memory"
    if isinstance(operation, AddressOperation):
        if number == errno.EINVAL and "scope" in refused.text:
            return f"another address of this subnet on {operation.address.device} has another scope; give all the same scope"
        return _address(operation, number)
    if number == errno.ESRCH:
        return "there is no such virtual service in the kernel: another program has removed it"
    if isinstance(operation, AddService | EditService):
        return _service(operation, number)
    return _dest(operation, number)


def _address(operation: AddressOperation, number: int) -> str | None:
    address = operation.address
    adding = isinstance(operation, AddAddress | ReplaceAddress)
    if number == errno.ENODEV:
        return f"there is no interface {address.device}; create it, or correct the configuration"
    if number == errno.EEXIST:
        return (
            f"{address.device} already has {address.address} with another prefix length, and IPv6 allows one only;"
            f" remove it: ip addr del {address.address}/PREFIX dev {address.device}"
        )
    if number == errno.ENOBUFS and adding:
        return "the kernel could not take the address; is the interface's MTU below the protocol's minimum?"
    if number in (errno.EACCES, errno.EADDRNOTAVAIL) and address.family == "inet6":
        return f"IPv6 is disabled on {address.device}; enable it: sysctl net.ipv6.conf.{address.device}.disable_ipv6=0"
    if number == errno.EINVAL and adding:
        return f"the kernel does not take this address; are prefix length {address.prefix} and its options valid?"
    if number == errno.EOPNOTSUPP and address.family == "inet6":
        return "the kernel has no IPv6"
    return None


def _service(operation: AddService | EditService, number: int) -> str | None:
    params = operation.params
    if number == errno.EEXIST:
        return "the virtual service is there already: another program has added it"
    if number == errno.ENOENT:
        modules = [f"ip_vs_{params.scheduler}"] + ([f"ip_vs_pe_{params.engine}"] if params.engine else [])
        return f"scheduler or persistence engine not available; load it: modprobe -a {' '.join(modules)}"
    if number == errno.EAFNOSUPPORT:
        return "the kernel's IPVS has no IPv6 support (CONFIG_IP_VS_IPV6)"
    if number == errno.EINVAL:
        return (
            f"the kernel does not take these parameters: scheduler {params.scheduler}, granularity {params.granularity}"
            f"{f', engine {params.engine} (needs persistence)' if params.engine else ''}"
        )
    return None


def _dest(operation: IpvsOperation, number: int) -> str | None:
    if number == errno.EEXIST:
        return "the server is there already: another program has added it"
    if number == errno.ENOENT:
        return "there is no such server in the kernel: another program has removed it"
    if not isinstance(operation, AddDest | EditDest):
        return None
    dest, params = operation.dest, operation.params
    if number == errno.ERANGE:
        if params.weight < 0:
            return f"the weight {params.weight} is negative"
        return (
            f"the lower threshold {params.lower_threshold} is above the upper threshold {params.upper_threshold}"
            f"{', which is not set' if not params.upper_threshold else ''}"
        )
    if number == errno.EINVAL:
        if params.forwarding.tunnel_type == "gue" and not params.forwarding.tunnel_port:
            return "a GUE tunnel needs a port: lvs_method TUN type gue port NUMBER"
        if (":" in dest.address) != (
            operation.service.family == "inet6"
        ) and params.forwarding.method != "TUN":
            return f"a server of the other address family needs a tunnel, not {params.forwarding.method}"
        if _never_unicast(dest.address):
            return f"{dest.address} is not a unicast address"
        return (
            f"the kernel takes {dest.address} for no unicast address; is the loopback interface of this network"
            " namespace up? (ip link set lo up)"
        )
    if number == errno.EAFNOSUPPORT:
        return "the kernel's IPVS has no IPv6 support (CONFIG_IP_VS_IPV6)"
    return None


def _never_unicast(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return address.is_multicast or address.is_unspecified or text == "255.255.255.255"
