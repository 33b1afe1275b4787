"""Addresses of interfaces: reading them, and carrying out the operations of a plan (rtnetlink(7), linux/if_addr.h)."""

from __future__ import annotations

import errno
import logging
import socket
import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kir.model import Address
from kir.plan.operations import AddressOperation, DelAddress, ReplaceAddress
from krun.kernel.door import Failure
from krun.kernel.netlink.codec import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Message,
    Refusal,
)
from krun.kernel.netlink.rtnl import (
    ADDRESS,
    ADDRESS_HEADER,
    CACHE_INFO,
    FOREVER,
    IFA_F_HOMEADDRESS,
    IFA_F_MANAGETEMPADDR,
    IFA_F_MCAUTOJOIN,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_SECONDARY,
    IFAPROT_KEEPALIVED,
    RTM_DELADDR,
    RTM_GETADDR,
    RTM_NEWADDR,
)
from krun.kernel.netlink.socket import (
    NetlinkSocket,
    Request,
    address_octets,
    address_text,
    interface_index,
)
from krun.kernel.refusals import failure
from krun.kernel.secondaries import Secondaries

log = logging.getLogger("krun.kernel")

FAMILIES = {socket.AF_INET: "inet", socket.AF_INET6: "inet6"}

_FLAGS = (
    ("home", IFA_F_HOMEADDRESS),
    ("nodad", IFA_F_NODAD),
    ("mngtmpaddr", IFA_F_MANAGETEMPADDR),
    ("noprefixroute", IFA_F_NOPREFIXROUTE),
    ("autojoin", IFA_F_MCAUTOJOIN),
)

_ADD = NLM_F_CREATE | NLM_F_EXCL
_REPLACE = NLM_F_CREATE | NLM_F_REPLACE


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address as the kernel has it. ``flags`` are IFA_F_*; ``preferred_lft_s`` None: forever. Time stamps are left out."""

    index: int
    family: str
    address: str
    prefix: int
    scope: int
    flags: int
    label: str | None = None
    broadcast: str | None = None
    peer: str | None = None

    @property
    def secondary(self) -> bool:
        """Goes, in IPv4, when its primary address goes (IFA_F_SECONDARY; in IPv6 the bit means a temporary address)."""
        return self.family == "inet" and bool(self.flags & IFA_F_SECONDARY)


def parse_address(message: Message) -> HostAddress | None:
    """The address of an RTM_NEWADDR or RTM_DELADDR message; None for other families."""
    if message.end - message.start < ADDRESS_HEADER.size:
        return None
    number, prefix, flags, scope, index = ADDRESS_HEADER.unpack_from(message.data, message.start)
    family = FAMILIES.get(number)
    if family is None:
        return None
    found = ADDRESS.unpack(message.data, message.start + ADDRESS_HEADER.size, message.end)
    size = 4 if family == "inet" else 16
    far, local = found.get("address", b""), found.get("local", b"")
    if len(far) != size and len(local) != size:
        return None
    if len(local) != size:
        local = far
    broadcast = found.get("broadcast")
    return HostAddress(
        index=index,
        family=family,
        address=address_text(local),
        prefix=prefix,
        scope=scope,
        flags=found.get("flags", flags),
        label=found.get("label"),
        broadcast=None if broadcast is None or family == "inet6" else address_text(broadcast[:4]),
        peer=address_text(far) if len(far) == size and far != local else None,
    )


def read_addresses(sock: NetlinkSocket) -> list[HostAddress]:
    """All addresses of the host. Raises OSError."""
    found = sock.dump(RTM_GETADDR, ADDRESS_HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    addresses = (parse_address(message) for message in found if message.kind == RTM_NEWADDR)
    return [address for address in addresses if address is not None]


def add_body(address: Address, index: int) -> bytes:
    """The payload of RTM_NEWADDR. Raises OSError where a text is no address."""
    family = socket.AF_INET6 if address.family == "inet6" else socket.AF_INET
    flags = sum(bit for name, bit in _FLAGS if getattr(address, name))
    preferred = FOREVER if address.preferred_lft_s is None else address.preferred_lft_s
    local = address_octets(address.address)
    return ADDRESS_HEADER.pack(family, address.prefix, flags & 0xFF, address.scope, index) + ADDRESS.pack(
        {
            "local": local,
            "address": address_octets(address.peer) if address.peer else local,
            "label": address.label,
            "broadcast": address_octets(address.broadcast)
            if address.broadcast and family == socket.AF_INET
            else None,
            "cacheinfo": CACHE_INFO.pack(preferred, FOREVER, 0, 0),
            "flags": flags,
            "protocol": IFAPROT_KEEPALIVED,
        }
    )


def delete_body(family: str, address: str, prefix: int, index: int, peer: str | None = None) -> bytes:
    """The payload of RTM_DELADDR for exactly this address: the kernel compares all that is given."""
    number = socket.AF_INET6 if family == "inet6" else socket.AF_INET
    local = address_octets(address)
    return ADDRESS_HEADER.pack(number, prefix, 0, 0, index) + ADDRESS.pack(
        {"local": local, "address": address_octets(peer) if peer else local}
    )


class AddressWriter:
    """Carries out address operations in batches over ``sock``. ``writes`` counts the requests that change something."""

    def __init__(self, sock: NetlinkSocket) -> None:
        self._socket = sock
        self._indexes: dict[str, int] = {}
        self._again: set[int] = set()
        self.writes = 0

    def apply(self, operations: Sequence[AddressOperation], known: Collection[HostAddress]) -> list[Failure]:
        """Carry out ``operations`` in order; ``known`` are the host's addresses as last seen.

        An address that is already as wanted, and one to delete that is already gone, are no failures. An add that meets the
        same address with other parameters changes it: in place where the kernel can, else by taking it away first.
        """
        failures: list[Failure] = []
        self._indexes = {o.address.device: interface_index(o.address.device) for o in operations}
        peers = {(a.index, a.address, a.prefix): a.peer for a in known if a.peer}
        with Secondaries(self._socket, operations, known, self._indexes) as secondaries:
            steps: list[tuple[AddressOperation, Request | None]] = []
            for operation in operations:
                steps.append((operation, self._request(operation, peers, failures)))
                for request in secondaries.after(operation):
                    self._again.add(id(request))
                    steps.append((operation, request))
            met = self._run(steps, failures)
            self._again.clear()
            if met:
                # A later operation of the batch may have made room, so the truth is what is there now.
                present = self._present(known)
                self._run([step for o in met for step in self._reconcile(o, present)], failures, final=True)
        order = {id(operation): n for n, operation in enumerate(operations)}
        failures.sort(key=lambda f: order.get(id(f.operation), len(order)))
        return failures

    def _present(self, known: Collection[HostAddress]) -> dict[tuple[int, str], HostAddress]:
        """The addresses by interface and text, read anew; as last seen where that fails."""
        try:
            known = read_addresses(self._socket)
        except OSError as error:
            log.warning("cannot read the host's addresses: %s", error.strerror)
        return {(a.index, a.address): a for a in known}

    def _run(
        self,
        steps: list[tuple[AddressOperation, Request | None]],
        failures: list[Failure],
        *,
        final: bool = False,
    ) -> list[AddressOperation]:
        """Send the requests; returns the additions that met an address that is there already."""
        sent = [(operation, request) for operation, request in steps if request is not None]
        self.writes += len(sent)
        met: list[AddressOperation] = []
        results = self._socket.execute([request for _, request in sent])
        for (operation, request), refused in zip(sent, results, strict=True):
            if refused is None:
                continue
            if request.kind == RTM_DELADDR:
                if refused.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
                    continue
            elif id(request) in self._again:
                if refused.errno != errno.EEXIST:  # it went with its primary address, and cannot be put back
                    failures.append(failure(operation, refused))
                continue
            elif refused.errno == errno.EEXIST and not final:
                met.append(operation)
                continue
            failures.append(failure(operation, refused))
        return met

    def _request(
        self,
        operation: AddressOperation,
        peers: Mapping[tuple[int, str, int], str],
        failures: list[Failure],
    ) -> Request | None:
        address = operation.address
        index = self._indexes[address.device]
        try:
            if isinstance(operation, DelAddress):
                if not index:
                    return None  # with the interface its addresses are gone
                peer = peers.get((index, address.address, address.prefix), address.peer)
                return _delete(address.family, address.address, address.prefix, index, peer)
            if index:
                flags = _REPLACE if isinstance(operation, ReplaceAddress) else _ADD
                return Request(RTM_NEWADDR, flags, add_body(address, index))
            failures.append(failure(operation, Refusal(errno.ENODEV)))
        except (OSError, ValueError, struct.error) as error:
            words = f"{operation.op} {operation.target}: cannot be put into a netlink message: {error}"
            failures.append(Failure(operation, errno.EINVAL, words))
        return None

    def _reconcile(
        self, operation: AddressOperation, present: dict[tuple[int, str], HostAddress]
    ) -> list[tuple[AddressOperation, Request | None]]:
        """The requests that make an address that is there already as ``operation`` wants it."""
        want = operation.address
        index = self._indexes[want.device]
        add = Request(RTM_NEWADDR, _ADD, add_body(want, index))
        have = present.get((index, want.address))
        if have is None or have.prefix != want.prefix:
            return [(operation, add)]
        if _fixed_parts_differ(have, want):
            away = _delete(have.family, have.address, have.prefix, index, have.peer)
            return [(operation, away), (operation, add)]
        # Lifetimes are not compared: they run down in the kernel. Setting them again disturbs nothing.
        return [(operation, Request(RTM_NEWADDR, _REPLACE, add.body))]


def _fixed_parts_differ(have: HostAddress, want: Address) -> bool:
    """Whether something differs that the kernel cannot change in place."""
    flags = sum(bit for name, bit in _FLAGS if getattr(want, name))
    if want.family == "inet6":
        # The kernel chooses the scope of an IPv6 address by itself and keeps MCAUTOJOIN as it was.
        return have.peer != want.peer or bool((have.flags ^ flags) & IFA_F_MCAUTOJOIN)
    return (
        have.scope != want.scope
        or have.peer != want.peer
        or have.broadcast != want.broadcast
        or have.label != (want.label or want.device)
        or bool((have.flags ^ flags) & (IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN))
    )


def _delete(family: str, address: str, prefix: int, index: int, peer: str | None) -> Request:
    return Request(RTM_DELADDR, 0, delete_body(family, address, prefix, index, peer))
