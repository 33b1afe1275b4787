"""The kernel's IPVS table."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import struct
import subprocess
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from kir.model import Service, endpoint_text
from kir.plan.operations import (
    AddDest,
    AddService,
    DelDest,
    DelService,
    DestOperation,
    EditDest,
    EditService,
    IpvsOperation,
)
from kir.state import IpvsTable, ServiceEntry
from krun.kernel.door import Failure, KernelUnavailable
from krun.kernel.glance import Glance, parse
from krun.kernel.namespaces import inside
from krun.kernel.netlink import ipvs as wire
from krun.kernel.netlink.generic import GENERIC_HEADER, NETLINK_GENERIC, family_number
from krun.kernel.netlink.socket import NetlinkSocket, Request, address_text
from krun.kernel.refusals import failure

CONNECTION_TABLE = Path("/proc/thread-self/net/ip_vs")

LOOK_AT_MOST = 1000
"""Above so many services one dump of all is cheaper than a question for each."""

_COMMANDS: dict[type[IpvsOperation], int] = {
    AddService: wire.NEW_SERVICE,
    EditService: wire.SET_SERVICE,
    DelService: wire.DEL_SERVICE,
    AddDest: wire.NEW_DEST,
    EditDest: wire.SET_DEST,
    DelDest: wire.DEL_DEST,
}

_MODPROBE_SECONDS = 10


_elsewhere: NetlinkSocket | KernelUnavailable | None = None
_table: TextIO | None = None


def reach(namespace: int) -> tuple[int, ...]:
    """Open what `LinuxIpvs` is made of in another network namespace, by a descriptor of that, while this process still may go there.

    Returns the descriptors that are to stay open. What cannot be had is said by `LinuxIpvs`.
    """
    global _elsewhere, _table
    try:
        with inside(namespace):
            found = NetlinkSocket(NETLINK_GENERIC)
            _find_family(found)  # with it the file is there
            _table = CONNECTION_TABLE.open()
    except OSError as error:
        _elsewhere = KernelUnavailable(
            f"the network namespace of IPVS cannot be entered: {error.strerror or error}"
        )
        return ()
    except KernelUnavailable as error:
        _elsewhere = error
        return ()
    _elsewhere = found
    return found.fileno(), _table.fileno()


@contextlib.contextmanager
def _lines() -> Iterator[TextIO]:
    """The text of ``/proc/net/ip_vs``, from its beginning."""
    if _table is None:
        with CONNECTION_TABLE.open() as lines:
            yield lines
    else:
        _table.seek(0)
        yield _table


class LinuxIpvs:
    """IPVS of this network namespace, or of the one that was reached (`reach`), by generic netlink. Raises `KernelUnavailable` where the kernel has none."""

    def __init__(self) -> None:
        if isinstance(_elsewhere, KernelUnavailable):
            raise _elsewhere
        try:
            self._socket = NetlinkSocket(NETLINK_GENERIC) if _elsewhere is None else _elsewhere
        except OSError as error:
            raise KernelUnavailable(
                f"IPVS is not available: no generic netlink ({error.strerror})"
            ) from error
        try:
            self._family = _find_family(self._socket)
        except BaseException:
            self._socket.close()
            raise
        self._writes = 0

    @property
    def writes(self) -> int:
        return self._writes

    def close(self) -> None:
        self._socket.close()

    def dump(self) -> IpvsTable:
        """The whole table: one dump of the services, one of the servers of each. Raises OSError."""
        table: IpvsTable = {}
        skip = GENERIC_HEADER.size
        for message in self._socket.dump(self._family, wire.header(wire.GET_SERVICE)):
            found = wire.COMMAND.unpack(message.data, message.start + skip, message.end)
            read = wire.read_service(found.get("service", {}))
            if read is not None:
                table[read[0]] = ServiceEntry(read[1])
        for service, entry in table.items():
            self._read_dests(service, entry)
        return table

    def look(self, services: Collection[Service]) -> IpvsTable:
        """Of the table these services, as far as they are there. Raises OSError."""
        if len(services) > LOOK_AT_MOST:
            return {service: entry for service, entry in self.dump().items() if service in services}
        table: IpvsTable = {}
        for service in services:
            body = wire.header(wire.GET_SERVICE) + wire.pack_service(wire.pack_key(service))
            try:
                messages = self._socket.request(self._family, 0, body)
            except OSError as error:
                if error.errno in (errno.ESRCH, errno.ENOENT):
                    continue
                raise
            for message in messages:
                found = wire.COMMAND.unpack(message.data, message.start + GENERIC_HEADER.size, message.end)
                read = wire.read_service(found.get("service", {}))
                if read is not None:
                    entry = table[service] = ServiceEntry(read[1])
                    self._read_dests(service, entry)
        return table

    def _read_dests(self, service: Service, entry: ServiceEntry) -> None:
        body = wire.header(wire.GET_DEST) + wire.pack_service(wire.pack_key(service))
        for message in self._socket.dump(self._family, body):
            found = wire.COMMAND.unpack(message.data, message.start + GENERIC_HEADER.size, message.end)
            dest = wire.read_dest(found.get("dest", {}), service.family)
            if dest is not None:
                entry.dests[dest[0]] = dest[1]

    def glance(self) -> Glance | None:
        """What ``/proc/net/ip_vs`` shows; None where it cannot be read."""
        try:
            with _lines() as lines:
                return parse(lines)
        except (OSError, ValueError):
            return None

    def apply(self, operations: Sequence[IpvsOperation]) -> list[Failure]:
        """Carry out the operations in order, some hundred in one system call; a refused one does not stop the rest."""
        failures: list[Failure] = []
        sent: list[IpvsOperation] = []
        requests: list[Request] = []
        service: Service | None = None
        key = which = b""
        for operation in operations:
            try:
                if operation.service is not service:
                    key = wire.pack_key(operation.service)
                    which = wire.pack_service(key)
                    service = operation.service
                body = _body(operation, key, which)
            except (OSError, ValueError, KeyError, OverflowError, struct.error) as error:
                service = None
                words = f"{operation.op} {operation.target}: cannot be put into a netlink message: {error}"
                failures.append(Failure(operation, errno.EINVAL, words))
                continue
            sent.append(operation)
            requests.append(Request(self._family, 0, body))
        self._writes += len(requests)
        absent: set[Service] = set()
        for operation, refused in zip(sent, self._socket.execute(requests), strict=True):
            if refused is None:
                continue
            if isinstance(operation, AddService) and refused.errno != errno.EEXIST:
                absent.add(operation.service)
            if isinstance(operation, DestOperation) and operation.service in absent:
                words = (
                    f"{operation.op} {operation.target}: its virtual service could not be added (see there)"
                )
                failures.append(Failure(operation, refused.errno, words))
            else:
                failures.append(failure(operation, refused))
        return failures

    def connections(self) -> dict[tuple[str, str], int]:
        """Active plus inactive connections by (service identity, server identity), from ``/proc/net/ip_vs``."""
        try:
            with _lines() as lines:
                return parse_connections(lines)
        except OSError:
            return {}

    def set_timeouts(self, tcp_s: int | None, tcpfin_s: int | None, udp_s: int | None) -> None:
        """IPVS connection timeouts in seconds; None leaves a value. Raises OSError with what the kernel says."""
        values = {"timeout_tcp": tcp_s, "timeout_tcp_fin": tcpfin_s, "timeout_udp": udp_s}
        body = wire.COMMAND.pack(values)
        if not body:
            return
        self._writes += 1
        request = Request(self._family, 0, wire.header(wire.SET_CONFIG) + body)
        for refused in self._socket.execute([request]):
            if refused is not None:
                raise OSError(refused.errno, f"IPVS timeouts were refused: {refused}")


def _body(operation: IpvsOperation, key: bytes, which: bytes) -> bytes:
    command = wire.header(_COMMANDS[type(operation)])
    if isinstance(operation, AddDest | EditDest):
        return command + which + wire.pack_dest(operation.dest, operation.params)
    if isinstance(operation, DelDest):
        return command + which + wire.pack_dest(operation.dest)
    if isinstance(operation, AddService | EditService):
        return command + wire.pack_service(key, operation.params)
    return command + which


def _find_family(sock: NetlinkSocket) -> int:
    number = family_number(sock, wire.FAMILY_NAME)
    if number is None:
        _load_module()
        number = family_number(sock, wire.FAMILY_NAME)
    if number is None:
        release = os.uname().release
        raise KernelUnavailable(
            f"virtual servers need IPVS, and this kernel ({release}) has none: the module ip_vs is not loaded and could"
            " not be. Load it: modprobe ip_vs. In a container load it on the host. If modprobe does not find it, install"
            " the package with your kernel's modules, or use a kernel with CONFIG_IP_VS"
        )
    return number


def _load_module() -> None:
    """Ask modprobe, which says nothing: what counts is whether the family is there afterwards."""
    import shutil

    program = shutil.which("modprobe") or shutil.which("modprobe", path="/usr/sbin:/sbin")
    if program is None:
        return
    try:
        subprocess.run(
            [program, "-q", "ip_vs"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_MODPROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return


_SERVICE_LINE = re.compile(r"(TCP|UDP|SCTP|FWM) +(\S+)")
_DEST_LINE = re.compile(r" +-> (\S+) +\S+ +-?\d+ +(\d+) +(\d+)")
_ENDPOINT = re.compile(r"(?:([0-9A-Fa-f]{8})|\[([0-9A-Fa-f:]+)\]):([0-9A-Fa-f]{4})")


def parse_connections(lines: TextIO | Sequence[str]) -> dict[tuple[str, str], int]:
    """The counts in the text of ``/proc/net/ip_vs`` (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show).

    A mark's line does not tell its family: that of its servers is taken. Lines of another form are passed over.
    """
    counts: dict[tuple[str, str], int] = {}
    service: str | None = None
    mark: int | None = None
    for line in lines:
        if found := _DEST_LINE.match(line):
            server = _endpoint(found[1])
            if server is None:
                continue
            if mark is not None:
                family = "inet6" if server.startswith("[") else "inet"
                service = f"fwmark {mark} {family}"
            if service is not None:
                counts[service, server] = int(found[2]) + int(found[3])
        elif found := _SERVICE_LINE.match(line):
            service = mark = None
            if found[1] == "FWM":
                mark = int(found[2], 16) if re.fullmatch(r"[0-9A-Fa-f]{8}", found[2]) else None
            elif (endpoint := _endpoint(found[2])) is not None:
                service = f"{found[1].lower()} {endpoint}"
    return counts


def _endpoint(text: str) -> str | None:
    found = _ENDPOINT.fullmatch(text)
    if found is None:
        return None
    if found[1]:
        return endpoint_text(address_text(bytes.fromhex(found[1])), int(found[3], 16))
    octets = bytes.fromhex(found[2].replace(":", "")) if found[2].count(":") == 7 else b""
    return endpoint_text(address_text(octets), int(found[3], 16)) if len(octets) == 16 else None
